//! Tables from the API server, by watch.

use std::collections::HashSet;
use std::pin::pin;

use api::AdTable;
use futures::StreamExt;
use kube::core::DeserializeGuard;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt};

use super::Keeper;
use super::events::{Publisher, Told};

/// Which namespaces are watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One.
    Namespace(String),
    /// All: needs a ClusterRole.
    All,
}

/// An object that can't be read is a value and no end of the stream: one table of a newer version must not hide others.
type Guarded = DeserializeGuard<AdTable>;

/// Watches tables for good. While the API server is away, the tables in force stay.
///
/// Faults are logged and tried again with the waits of `kube`: 0.8 s, doubling up to 30 s.
pub async fn watch(client: Client, scope: Scope, keeper: Keeper) {
    let publisher = Publisher::new(client.clone());
    let api: Api<Guarded> = match scope {
        Scope::All => Api::all(client),
        Scope::Namespace(namespace) => Api::namespaced(client, &namespace),
    };
    let mut events = pin!(watcher(api, watcher::Config::default()).default_backoff());
    let mut follower = Follower { keeper, listed: HashSet::new() };
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => follower.follow(event).into_iter().for_each(|told| publisher.publish(told)),
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "tables can't be watched"),
        }
    }
}

/// Turns a watch into changes. A new list is shown once it is whole: half a list would take campaigns away.
struct Follower {
    keeper: Keeper,
    listed: HashSet<String>,
}

impl Follower {
    /// Takes an event in, and returns what people are to be told of it.
    fn follow(&mut self, event: Event<Guarded>) -> Option<Told> {
        match event {
            Event::Init => self.listed.clear(),
            Event::InitApply(object) => {
                self.listed.insert(object.name_any());
                return self.offer(&object);
            }
            Event::InitDone => self.listed(),
            Event::Apply(object) => {
                let told = self.offer(&object);
                self.keeper.publish();
                return told;
            }
            Event::Delete(object) => {
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

    fn listed(&mut self) {
        self.keeper.retain(|uid| self.listed.contains(uid));
        self.keeper.publish();
        self.keeper.complete();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{SAMPLE, Sample};
    use crate::tables::Tables;
    use prometheus_client::registry::Registry;

    fn follower() -> (Follower, Tables) {
        let (keeper, tables) = Keeper::new(&mut Registry::default());
        (Follower { keeper, listed: HashSet::new() }, tables)
    }

    fn object(uid: &str, number: i64) -> Guarded {
        DeserializeGuard(Ok(Sample { uid, number, ..SAMPLE }.object()))
    }

    fn number(tables: &Tables, uid: &str) -> Option<i64> {
        tables.load().of(uid).map(|table| table.number)
    }

    #[test]
    fn a_list_is_shown_when_it_is_whole() {
        let (mut follower, tables) = follower();
        follower.follow(Event::Init);
        follower.follow(Event::InitApply(object("one", 1)));
        assert_eq!((number(&tables, "one"), tables.is_complete()), (None, false));
        follower.follow(Event::InitDone);
        assert_eq!((number(&tables, "one"), tables.is_complete()), (Some(1), true));
        follower.follow(Event::Init);
        follower.follow(Event::InitApply(object("two", 1)));
        assert_eq!((number(&tables, "one"), number(&tables, "two")), (Some(1), None));
        follower.follow(Event::InitDone);
        assert_eq!((number(&tables, "one"), number(&tables, "two")), (None, Some(1)));
    }

    #[test]
    fn an_object_that_cannot_be_read_leaves_the_one_before() {
        let (mut follower, tables) = follower();
        follower.follow(Event::Apply(object("one", 1)));
        let broken = serde_json::json!({"metadata": {"name": "one"}, "spec": {"number": "seven"}});
        let told = follower.follow(Event::Apply(serde_json::from_value(broken).unwrap()));
        assert!(told.is_some());
        assert_eq!(number(&tables, "one"), Some(1));
        assert_eq!(
            follower.follow(Event::Apply(object("one", 1))),
            None,
            "the same again is nothing to tell"
        );
        assert!(follower.follow(Event::Apply(object("one", 0))).is_some());
        follower.follow(Event::Apply(object("one", 2)));
        assert_eq!(number(&tables, "one"), Some(2));
        follower.follow(Event::Delete(object("one", 2)));
        assert_eq!(number(&tables, "one"), None);
    }
}
