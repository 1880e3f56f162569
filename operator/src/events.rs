//! Tells people what changed, as events on the campaign.

use api::AdCampaign;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource};

use crate::plan::{Note, Tone};

/// Publishes events. Made once, since it remembers what it said.
#[derive(Clone)]
pub struct Publisher(Recorder);

/// What the API server takes of a note, in bytes.
const NOTE_BYTES: usize = 1024;

impl Publisher {
    /// A publisher under our name.
    pub fn new(client: Client) -> Self {
        Self(Recorder::new(client, Reporter { controller: "broadside".to_owned(), instance: None }))
    }

    /// Publishes `notes` about `object`. An event that can't be published is no failure of the pass.
    pub async fn publish(&self, object: &AdCampaign, notes: &[Note]) {
        for Note { tone, reason, message } in notes {
            let event = Event {
                type_: match tone {
                    Tone::News => EventType::Normal,
                    Tone::Warning => EventType::Warning,
                },
                reason: reason.clone(),
                note: Some(cut(message)),
                action: "Reconcile".to_owned(),
                secondary: None,
            };
            tracing::info!(reason, message, "changed");
            if let Err(error) = self.0.publish(&event, &object.object_ref(&())).await {
                tracing::debug!(%error, "an event was not published");
            }
        }
    }
}

fn cut(message: &str) -> String {
    let ends = message.char_indices().map(|(index, character)| index + character.len_utf8());
    let end = ends.take_while(|end| *end <= NOTE_BYTES).last().unwrap_or(0);
    message[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_note_is_cut_between_characters() {
        let cut = cut(&"é".repeat(1000));
        assert_eq!(cut.len(), 1024);
    }
}
