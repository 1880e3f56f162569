//! Which tables are in force: a pure fold over what a source saw.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use api::{AdTable, AdTableSpec};

use crate::table::{Table, TableError};

/// All tables that were taken, by campaign UID.
#[derive(Clone, Debug, Default)]
pub struct Index {
    known: HashMap<String, Known>,
    /// The UIDs of campaigns that have a table, and none that can be taken.
    refused: HashSet<String>,
    arrivals: u64,
}

/// The last good table of one campaign.
#[derive(Clone, Debug)]
struct Known {
    spec: AdTableSpec,
    table: Arc<Table>,
    /// When its UID was first seen, among all; breaks ties of the creation time.
    arrival: u64,
}

/// What an offered table changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is in force now.
    Taken,
    /// It was in force before.
    Same,
}

/// Why an offered table was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is no table.
    #[error("the object can't be read as an AdTable: {0}")]
    Unreadable(String),
    /// It is wrong in itself.
    #[error(transparent)]
    Wrong(#[from] TableError),
    /// A later one of the same campaign is in force.
    #[error("its number {offered} is below {known}, which is in force: raise spec.number")]
    Older {
        /// Its number.
        offered: i64,
        /// The number in force.
        known: i64,
    },
    /// It differs from the one in force, which has the same number.
    #[error("it differs from the table in force under the same number {0}: raise spec.number")]
    Changed(i64),
    /// Its UID is that of another campaign.
    #[error("its UID is that of campaign {0}: a UID belongs to one campaign")]
    Taken(String),
}

impl Index {
    /// Takes a table if it is right and its number rises.
    ///
    /// # Errors
    /// When it is refused; then nothing changed.
    pub fn offer(&mut self, object: &AdTable) -> Result<Change, Refused> {
        let uid = &object.spec.campaign.uid;
        let offered = self.offered(object);
        match &offered {
            Ok(_) => self.refused.remove(uid),
            Err(_) => !self.known.contains_key(uid) && self.refused.insert(uid.clone()),
        };
        offered
    }

    fn offered(&mut self, object: &AdTable) -> Result<Change, Refused> {
        let table = Table::try_from(object)?;
        let known = self.known.get(&table.uid);
        if let Some(change) = known.map_or(Ok(None), |known| known.compare(&table, &object.spec))? {
            return Ok(change);
        }
        self.arrivals += 1;
        let arrival = known.map_or(self.arrivals, |known| known.arrival);
        let known = Known { spec: object.spec.clone(), table: Arc::new(table), arrival };
        self.known.insert(known.table.uid.clone(), known);
        Ok(Change::Taken)
    }

    /// Drops the table of a campaign; true if there was one.
    pub fn remove(&mut self, uid: &str) -> bool {
        self.refused.remove(uid);
        self.known.remove(uid).is_some()
    }

    /// Drops every table but those that `listed` holds for true.
    pub fn retain(&mut self, listed: impl Fn(&str) -> bool) {
        self.known.retain(|uid, _| listed(uid));
        self.refused.retain(|uid| listed(uid));
    }

    /// How many campaigns have a table.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether no campaign has a table.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// The tables for readers. Of two campaigns of one name, the one that was made later is served: the other is
    /// being deleted, and its table goes when Kubernetes has swept it.
    pub fn snapshot(&self) -> Snapshot {
        let mut by_age: Vec<&Known> = self.known.values().collect();
        by_age.sort_by_key(|known| (known.table.created, known.arrival));
        let mut snapshot = Snapshot { refused: self.refused.clone(), ..Snapshot::default() };
        for Known { table, .. } in by_age {
            let names = snapshot.by_name.entry(table.namespace.clone()).or_default();
            names.insert(table.campaign.clone(), Arc::clone(table));
            snapshot.by_uid.insert(table.uid.clone(), Arc::clone(table));
        }
        snapshot
    }
}

impl Known {
    /// What follows from an offer, or `None` if it is to be taken.
    fn compare(&self, offered: &Table, spec: &AdTableSpec) -> Result<Option<Change>, Refused> {
        let Table { namespace, campaign, number, .. } = &*self.table;
        if (namespace, campaign) != (&offered.namespace, &offered.campaign) {
            return Err(Refused::Taken(format!("{namespace}/{campaign}")));
        }
        match offered.number.cmp(number) {
            std::cmp::Ordering::Less => Err(Refused::Older { offered: offered.number, known: *number }),
            std::cmp::Ordering::Equal if *spec == self.spec => Ok(Some(Change::Same)),
            std::cmp::Ordering::Equal => Err(Refused::Changed(*number)),
            std::cmp::Ordering::Greater => Ok(None),
        }
    }
}

/// The tables in force, for readers.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// By namespace, then name: two maps, so that a look-up borrows both.
    by_name: HashMap<String, HashMap<String, Arc<Table>>>,
    by_uid: HashMap<String, Arc<Table>>,
    refused: HashSet<String>,
}

impl Snapshot {
    /// The table of the campaign of that name.
    pub fn named(&self, namespace: &str, campaign: &str) -> Option<&Table> {
        self.by_name.get(namespace)?.get(campaign).map(|table| &**table)
    }

    /// The tables that are served, in no order: of each name one.
    pub fn served(&self) -> impl Iterator<Item = &Table> {
        self.by_name.values().flat_map(HashMap::values).map(|table| &**table)
    }

    /// Whether the campaign of that UID has a table that is not served, so that nothing is known of it but that it is there.
    pub fn is_refused(&self, uid: &str) -> bool {
        self.refused.contains(uid)
    }

    /// The table of the campaign of that UID.
    pub fn of(&self, uid: &str) -> Option<&Table> {
        self.by_uid.get(uid).map(|table| &**table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{SAMPLE, START, Sample};
    use jiff::SignedDuration;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    fn table(uid: &str, number: i64) -> AdTable {
        Sample { uid, number, ..SAMPLE }.object()
    }

    #[test]
    fn a_number_never_falls_and_content_changes_with_it() {
        let mut index = Index::default();
        let number = |index: &Index| index.snapshot().of("one").map(|table| table.number);
        assert_eq!(index.offer(&table("one", 5)), Ok(Change::Taken));
        assert_eq!(index.offer(&table("one", 5)), Ok(Change::Same));
        assert_eq!(index.offer(&table("one", 4)), Err(Refused::Older { offered: 4, known: 5 }));
        let changed = Sample { uid: "one", number: 5, round: 2, ..SAMPLE }.object();
        assert_eq!(index.offer(&changed), Err(Refused::Changed(5)));
        assert_eq!(number(&index), Some(5));
        assert_eq!(index.offer(&table("one", 6)), Ok(Change::Taken));
        assert_eq!(number(&index), Some(6));
    }

    #[test]
    fn a_campaign_made_again_wins_and_the_one_before_comes_back_if_it_goes() {
        let mut index = Index::default();
        let served =
            |index: &Index| index.snapshot().named("shop", "cart-and-hero").map(|table| table.uid.clone());
        index.offer(&table("old", 90)).unwrap();
        index.offer(&table("new", 1)).unwrap();
        assert_eq!(served(&index).as_deref(), Some("new"));
        index.offer(&table("old", 91)).unwrap();
        assert_eq!(
            served(&index).as_deref(),
            Some("new"),
            "a late change of the old one does not bring it back"
        );
        assert!(index.snapshot().of("old").is_some(), "its events still count");
        assert!(index.remove("new") && !index.remove("new"));
        assert_eq!(served(&index).as_deref(), Some("old"));
    }

    #[test]
    fn of_two_listed_at_once_the_one_made_later_wins() {
        let made = |uid, seconds| {
            let mut object = table(uid, 1);
            object.metadata.creation_timestamp = Some(Time(START + SignedDuration::from_secs(seconds)));
            object
        };
        for order in [[("old", 0), ("new", 1)], [("new", 1), ("old", 0)]] {
            let mut index = Index::default();
            for (uid, seconds) in order {
                index.offer(&made(uid, seconds)).unwrap();
            }
            let snapshot = index.snapshot();
            assert_eq!(snapshot.named("shop", "cart-and-hero").map(|table| table.uid.as_str()), Some("new"));
        }
    }

    #[test]
    fn a_uid_belongs_to_one_campaign() {
        let mut index = Index::default();
        index.offer(&table("one", 1)).unwrap();
        let mut elsewhere = table("one", 2);
        elsewhere.metadata.namespace = Some("other".to_owned());
        assert_eq!(index.offer(&elsewhere), Err(Refused::Taken("shop/cart-and-hero".to_owned())));
    }
}
