//! `POST /v1/events`: what was shown, and what people did.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Some events. All are tried; each has its own outcome.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EventsRequest {
    /// At most one thousand.
    #[schemars(length(max = 1000))]
    pub events: Vec<Event>,
}

/// One event.
///
/// Unknown fields are left alone: serde can't tell them from those of a flattened kind, and refused every event.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Chosen by the sender, in 128 bytes at most: sent twice, it counts once.
    #[schemars(length(min = 1, max = 128))]
    pub id: String,
    /// The decision's token.
    #[schemars(length(max = 2048))]
    pub token: String,
    /// When it happened. Left out, when it arrives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: Option<Timestamp>,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum EventKind {
    /// The copy was chosen for the person, who may see it or not. It is known of everyone who saw it; telling it of all
    /// others too shows early when one variant is seen more seldom than the rest.
    Decision,
    /// The copy was really shown.
    Exposure {
        /// A number that was known about the person before, such as how much they bought last year: what goes with the
        /// reward makes results surer. At most a thousand million, of either sign.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        covariate: Option<f64>,
    },
    /// The person did what a metric counts.
    Reward {
        /// The name of the metric: the placement's own, or one that is watched for harm.
        metric: String,
        /// For a metric of the kind `Value`: how much it was worth, 0 to a thousand million. Else left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<f64>,
    },
}

/// The outcomes, in the order of the events. Sent only when all that is accepted is on disk.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventsResponse {
    /// One outcome for each event.
    pub outcomes: Vec<EventOutcome>,
}

/// What became of one event.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventOutcome {
    /// The event's id.
    pub id: String,
    /// What became of it.
    pub outcome: Outcome,
    /// What to change, where the event was not accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What became of one event.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// It is on disk and counts once its window has passed.
    Accepted,
    /// It was sent before.
    Duplicate,
    /// It came after its window had closed. A reward of within the window is counted apart for a week; else it is not
    /// counted.
    Late,
    /// No table knows its campaign, placement or metric.
    Unknown,
    /// The token or the event is malformed, or the token's signature is not ours.
    Invalid,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_read_as_they_are_documented() {
        let json = r#"{"events":[
            {"id":"1","token":"t","type":"exposure"},
            {"id":"2","token":"t","at":"2026-11-24T12:00:00Z","type":"reward","metric":"product-view"},
            {"id":"3","token":"t","type":"exposure","covariate":-2.5},
            {"id":"4","token":"t","type":"reward","metric":"revenue","value":59.9},
            {"id":"5","token":"t","type":"decision"}
        ]}"#;
        let request: EventsRequest = serde_json::from_str(json).expect("all are events");
        let reward = |metric: &str, value| EventKind::Reward { metric: metric.to_owned(), value };
        let kinds: Vec<&EventKind> = request.events.iter().map(|event| &event.kind).collect();
        let expected = [
            &EventKind::Exposure { covariate: None },
            &reward("product-view", None),
            &EventKind::Exposure { covariate: Some(-2.5) },
            &reward("revenue", Some(59.9)),
            &EventKind::Decision,
        ];
        assert_eq!(kinds, expected);
        let again = serde_json::to_string(&request).expect("events are JSON");
        assert_eq!(serde_json::from_str::<EventsRequest>(&again).expect("what we wrote"), request);
    }
}
