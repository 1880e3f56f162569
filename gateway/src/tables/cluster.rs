//! Tables from the API server, by watch.

use std::collections::HashSet;

use api::{AdTable, Namespace, Scope};
use futures::StreamExt;
use futures::stream::select_all;
use kube::core::DeserializeGuard;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt};

use super::Keeper;
use super::events::{Publisher, Told};

/// An object that can't be read is a value and no end of the stream: one table of a newer version must not hide others.
type Guarded = DeserializeGuard<AdTable>;

/// Watches tables for good. While the API server is away, the tables in force stay.
///
/// Faults are logged and tried again with the waits of `kube`: 0.8 s, doubling up to 30 s.
pub async fn watch(client: Client, scope: Scope, keeper: Keeper) {
    let publisher = Publisher::new(client.clone());
    let watches = scope.watches();
    let mut follower = Follower::new(keeper, watches.len());
    let watch = |(number, namespace)| {
        let events = watcher(within(&client, namespace), watcher::Config::default());
        events.default_backoff().map(move |event| (number, event)).boxed()
    };
    let mut events = select_all(watches.into_iter().enumerate().map(watch));
    while let Some((number, event)) = events.next().await {
        match event {
            Ok(event) => follower.follow(number, event).into_iter().for_each(|told| publisher.publish(told)),
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "tables can't be watched"),
        }
    }
}

/// The tables of a namespace, or of all.
fn within(client: &Client, namespace: Option<&Namespace>) -> Api<Guarded> {
    namespace.map_or_else(
        || Api::all(client.clone()),
        |namespace| Api::namespaced(client.clone(), namespace.as_str()),
    )
}

/// Turns watches into changes. A new list is shown once it is whole: half a list would take campaigns away, and so would the
/// list of one namespace those of the others.
struct Follower {
    keeper: Keeper,
    watches: Vec<Watch>,
}

/// What one watch has seen.
#[derive(Default)]
struct Watch {
    /// Whether it has listed all there is once.
    is_whole: bool,
    /// What there is, by the last list and what came since.
    known: HashSet<String>,
    /// What the list under way has so far.
    listed: HashSet<String>,
}

impl Follower {
    /// A follower of that many watches, which are numbered from zero on.
    fn new(keeper: Keeper, watches: usize) -> Self {
        Self { keeper, watches: std::iter::repeat_with(Watch::default).take(watches).collect() }
    }

    /// Takes an event of a watch in, and returns what people are to be told of it.
    fn follow(&mut self, number: usize, event: Event<Guarded>) -> Option<Told> {
        let watch = &mut self.watches[number];
        match event {
            Event::Init => watch.listed.clear(),
            Event::InitApply(object) => {
                watch.listed.insert(object.name_any());
                return self.offer(&object);
            }
            Event::InitDone => self.listed(number),
            Event::Apply(object) => {
                watch.known.insert(object.name_any());
                let told = self.offer(&object);
                self.keeper.publish();
                return told;
            }
            Event::Delete(object) => {
                watch.known.remove(&object.name_any());
                self.keeper.remove(&object.name_any());
                self.keeper.publish();
            }
        }
        None
    }

    fn offer(&mut self, object: &Guarded) -> Option<Told> {
        let refused = match &object.0 {
            Ok(table) => self.keeper.offer(table).err()?,
            Err(invalid) => self.keeper.unreadable(&object.name_any(), invalid.error.clone()),
        };
        Some(Told::of(object, &refused))
    }

    fn listed(&mut self, number: usize) {
        let watch = &mut self.watches[number];
        watch.known = std::mem::take(&mut watch.listed);
        watch.is_whole = true;
        let watches = &self.watches;
        self.keeper.retain(|uid| watches.iter().any(|watch| watch.has(uid)));
        self.keeper.publish();
        if watches.iter().all(|watch| watch.is_whole) {
            self.keeper.complete();
        }
    }
}

impl Watch {
    /// Whether the table is there, as far as it knows.
    fn has(&self, uid: &str) -> bool {
        self.known.contains(uid) || self.listed.contains(uid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{SAMPLE, Sample};
    use crate::tables::Tables;
    use prometheus_client::registry::Registry;

    fn follower(watches: usize) -> (Follower, Tables) {
        let (keeper, tables) = Keeper::new(&mut Registry::default());
        (Follower::new(keeper, watches), tables)
    }

    fn object(uid: &str, number: i64) -> Guarded {
        DeserializeGuard(Ok(Sample { uid, number, ..SAMPLE }.object()))
    }

    fn number(tables: &Tables, uid: &str) -> Option<i64> {
        tables.load().of(uid).map(|table| table.number)
    }

    #[test]
    fn a_list_is_shown_when_it_is_whole() {
        let (mut follower, tables) = follower(1);
        follower.follow(0, Event::Init);
        follower.follow(0, Event::InitApply(object("one", 1)));
        assert_eq!((number(&tables, "one"), tables.is_complete()), (None, false));
        follower.follow(0, Event::InitDone);
        assert_eq!((number(&tables, "one"), tables.is_complete()), (Some(1), true));
        follower.follow(0, Event::Init);
        follower.follow(0, Event::InitApply(object("two", 1)));
        assert_eq!((number(&tables, "one"), number(&tables, "two")), (Some(1), None));
        follower.follow(0, Event::InitDone);
        assert_eq!((number(&tables, "one"), number(&tables, "two")), (None, Some(1)));
    }

    #[test]
    fn an_object_that_cannot_be_read_leaves_the_one_before() {
        let (mut follower, tables) = follower(1);
        follower.follow(0, Event::Apply(object("one", 1)));
        let broken = serde_json::json!({"metadata": {"name": "one"}, "spec": {"number": "seven"}});
        let told = follower.follow(0, Event::Apply(serde_json::from_value(broken).unwrap()));
        assert!(told.is_some());
        assert_eq!(number(&tables, "one"), Some(1));
        assert_eq!(
            follower.follow(0, Event::Apply(object("one", 1))),
            None,
            "the same again is nothing to tell"
        );
        assert!(follower.follow(0, Event::Apply(object("one", 0))).is_some());
        follower.follow(0, Event::Apply(object("one", 2)));
        assert_eq!(number(&tables, "one"), Some(2));
        follower.follow(0, Event::Delete(object("one", 2)));
        assert_eq!(number(&tables, "one"), None);
    }
    #[test]
    fn the_list_of_one_namespace_leaves_the_tables_of_another() {
        let (mut follower, tables) = follower(2);
        let list = |follower: &mut Follower, number: usize, uids: &[&str]| {
            follower.follow(number, Event::Init);
            for uid in uids {
                follower.follow(number, Event::InitApply(object(uid, 1)));
            }
            follower.follow(number, Event::InitDone);
        };
        // The other one's first list is under way.
        follower.follow(1, Event::Init);
        follower.follow(1, Event::InitApply(object("blog", 1)));
        list(&mut follower, 0, &["shop"]);
        assert_eq!((number(&tables, "shop"), tables.is_complete()), (Some(1), false));
        follower.follow(1, Event::InitDone);
        assert_eq!((number(&tables, "blog"), tables.is_complete()), (Some(1), true));
        follower.follow(1, Event::Apply(object("news", 1)));
        list(&mut follower, 0, &[]);
        let all = ["shop", "blog", "news"].map(|uid| number(&tables, uid));
        assert_eq!(all, [None, Some(1), Some(1)], "a namespace lists its own alone");
        follower.follow(1, Event::Delete(object("news", 1)));
        list(&mut follower, 1, &["blog"]);
        assert_eq!((number(&tables, "blog"), number(&tables, "news")), (Some(1), None));
    }
}
