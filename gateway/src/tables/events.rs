//! Tells people why a table is not taken, as events on its campaign, where they look, or on one that can't be read.

use std::sync::Arc;
use std::time::Duration;

use api::{AdCampaign, AdTable};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::core::DeserializeGuard;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource, ResourceExt};
use tokio::sync::Semaphore;

use super::Refused;

/// Publishes events. Made once, since it remembers what it said and counts what it says again.
#[derive(Clone)]
pub(super) struct Publisher {
    recorder: Recorder,
    room: Arc<Semaphore>,
}

/// What is said of a table.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Told {
    /// The campaign, or else the table itself where it can't be read.
    regarding: ObjectReference,
    /// The table.
    related: Option<ObjectReference>,
    /// Why it is not served, and what to do.
    note: String,
}

/// How many events may be under way. What finds no room is in the log alone.
const UNDER_WAY: usize = 8;

/// How long the API server may take for one.
const WITHIN: Duration = Duration::from_secs(5);

/// What the API server takes of a note, in bytes.
const NOTE_BYTES: usize = 1024;

impl Publisher {
    pub(super) fn new(client: Client) -> Self {
        let reporter = Reporter { controller: "broadside-gateway".to_owned(), instance: None };
        Self { recorder: Recorder::new(client, reporter), room: Arc::new(Semaphore::new(UNDER_WAY)) }
    }

    /// Publishes beside the watch, which waits for nobody. An event that can't be published is no failure.
    pub(super) fn publish(&self, Told { regarding, related, note }: Told) {
        let Ok(place) = Arc::clone(&self.room).try_acquire_owned() else { return };
        let recorder = self.recorder.clone();
        let event = Event {
            type_: EventType::Warning,
            reason: "TableRefused".to_owned(),
            note: Some(note),
            action: "ServeTable".to_owned(),
            secondary: related,
        };
        tokio::spawn(async move {
            let _place = place;
            let published = tokio::time::timeout(WITHIN, recorder.publish(&event, &regarding)).await;
            if let Ok(Err(error)) = published {
                tracing::debug!(%error, "an event was not published");
            }
        });
    }
}

impl Told {
    /// What is said of a table that is refused.
    pub(super) fn of(object: &DeserializeGuard<AdTable>, refused: &Refused) -> Self {
        let table = reference::<AdTable>(object.namespace(), object.name_any(), object.meta().uid.clone());
        let sentence = format!("the table is not taken, and the one before stays: {refused}");
        let note = cut(sentence);
        match &object.0 {
            Ok(read) => {
                let (name, uid) = (read.spec.campaign.name.clone(), read.spec.campaign.uid.clone());
                let campaign = reference::<AdCampaign>(object.namespace(), name, Some(uid));
                Self { regarding: campaign, related: Some(table), note }
            }
            Err(_) => Self { regarding: table, related: None, note },
        }
    }
}

fn reference<K: Resource<DynamicType = ()>>(
    namespace: Option<String>,
    name: String,
    uid: Option<String>,
) -> ObjectReference {
    ObjectReference {
        api_version: Some(K::api_version(&()).into_owned()),
        kind: Some(K::kind(&()).into_owned()),
        namespace,
        name: Some(name),
        uid,
        ..ObjectReference::default()
    }
}

fn cut(mut note: String) -> String {
    let end = note.floor_char_boundary(NOTE_BYTES);
    note.truncate(end);
    note
}
