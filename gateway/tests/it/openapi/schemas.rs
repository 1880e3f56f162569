//! The shapes of bodies: those of the wire types, and of what the gateway reads and writes without a type that it shares.

use api::wire::decide::{DecideAllResponse, DecideReason, DecideRequest, DecideResponse, Traffic};
use api::wire::erasure::ErasureResponse;
use api::wire::event::{EventsRequest, EventsResponse};
use api::wire::ofrep::{EvaluationRequest, FlagErrorCode, FlagFailure, FlagReason};
use api::wire::totals::TotalsResponse;
use gateway::decide::{ELIGIBLE_LIMIT, FLAGS_LIMIT, SUBJECT_LIMIT};
use gateway::ledger::EVENTS_LIMIT;
use gateway::ledger::check::TOKEN_LIMIT;
use gateway::refusal::Code;
use schemars::generate::SchemaSettings;
use schemars::transform::transform_subschemas;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// What the schemas of an OpenAPI document are collected in.
pub(super) struct Schemas {
    requests: SchemaGenerator,
    responses: SchemaGenerator,
    ours: Map<String, Value>,
}

impl Schemas {
    pub(super) fn new() -> Self {
        let settings =
            || SchemaSettings::draft2020_12().with(|it| it.definitions_path = "/components/schemas".into());
        let responses = settings().for_serialize().with_transform(never_null);
        Self {
            requests: settings().into_generator(),
            responses: responses.into_generator(),
            ours: Map::new(),
        }
    }

    /// All that were asked for, by name.
    pub(super) fn components(mut self) -> Map<String, Value> {
        let mut all = self.requests.take_definitions(true);
        tell_what_types_leave_out(&mut all);
        all.extend(self.responses.take_definitions(true));
        all.extend(self.ours);
        all.sort_keys();
        all
    }

    pub(super) fn decide_request(&mut self) -> Value {
        self.read::<DecideRequest>()
    }

    pub(super) fn decide_response(&mut self) -> Value {
        self.written::<DecideResponse>()
    }

    /// Of one placement, or of several.
    pub(super) fn decide_answer(&mut self) -> Value {
        json!({"oneOf": [self.decide_response(), self.written::<DecideAllResponse>()]})
    }

    pub(super) fn subject(&self) -> Value {
        json!({"type": "string", "minLength": 1, "maxLength": SUBJECT_LIMIT})
    }

    /// Names that commas can stand between.
    pub(super) fn names(&self) -> Value {
        json!({"type": "array", "maxItems": ELIGIBLE_LIMIT, "items": {"type": "string"}})
    }

    pub(super) fn traffic(&mut self) -> Value {
        self.read::<Traffic>()
    }

    pub(super) fn tag(&self) -> Value {
        json!({"type": "string", "pattern": "^\"[0-9a-f]{32}\"$"})
    }

    pub(super) fn evaluation_request(&mut self) -> Value {
        self.read::<EvaluationRequest>()
    }

    pub(super) fn evaluation(&mut self) -> Value {
        let text = json!({"type": "string"});
        let schema = json!({
            "description": "The value of a flag. Without `value` the application's default is to be shown.",
            "type": "object",
            "properties": {
                "key": text,
                "reason": self.written::<FlagReason>(),
                "variant": text,
                "value": {"type": "object", "additionalProperties": text},
                "metadata": self.metadata(),
            },
            "required": ["key", "reason", "metadata"],
        });
        self.ours("Evaluation", schema)
    }

    fn metadata(&mut self) -> Value {
        json!({
            "type": "object",
            "properties": {
                "decision": self.written::<DecideReason>(),
                "token": {"type": "string"},
                "probability": {"type": "integer", "minimum": 0, "maximum": 1_000_000},
                "round": {"type": "integer", "minimum": 0},
                "dryRun": {"type": "boolean"},
                "expiresAt": {"type": "string", "format": "date-time"},
                "variables": {"type": "string", "description": "The variables as JSON in a text."},
            },
            "required": ["decision"],
        })
    }

    pub(super) fn evaluations(&mut self) -> Value {
        let flags = json!({"type": "array", "maxItems": FLAGS_LIMIT, "items": self.evaluation()});
        json!({"type": "object", "properties": {"flags": flags}, "required": ["flags"]})
    }

    /// The answer without a value, for one of these reasons.
    pub(super) fn failure(&mut self, codes: &[FlagErrorCode]) -> Value {
        let one_of_these = json!({"properties": {"errorCode": {"enum": codes}}});
        let schema = json!({"allOf": [self.written::<FlagFailure>(), one_of_these]});
        super::parts::json_response("There is no value: show the application's own default.", schema)
    }

    /// A refusal in OpenFeature's words, with what it tells in its head.
    pub(super) fn failure_for(&mut self, code: Code) -> Value {
        let mut failure = self.failure(&[FlagErrorCode::General]);
        if let Some(headers) = super::parts::headers(code) {
            failure["headers"] = headers;
        }
        failure
    }

    pub(super) fn events_request(&mut self) -> Value {
        self.read::<EventsRequest>()
    }

    pub(super) fn erasure_response(&mut self) -> Value {
        self.written::<ErasureResponse>()
    }

    pub(super) fn events_response(&mut self) -> Value {
        self.written::<EventsResponse>()
    }

    pub(super) fn totals_response(&mut self) -> Value {
        self.written::<TotalsResponse>()
    }

    pub(super) fn cloud_event_type(&self) -> Value {
        json!({"enum": ["dev.broadside.decision", "dev.broadside.exposure", "dev.broadside.reward"]})
    }

    pub(super) fn cloud_event_data(&mut self) -> Value {
        let schema = json!({
            "description": "The data of a CloudEvent.",
            "type": "object",
            "properties": {
                "token": {"type": "string", "maxLength": TOKEN_LIMIT, "description": "The decision's token."},
                "metric": {"type": ["string", "null"], "description": "Of a reward: the metric's name."},
            },
            "required": ["token"],
        });
        self.ours("CloudEventData", schema)
    }

    pub(super) fn cloud_event(&mut self) -> Value {
        let text = |description: &str| json!({"type": "string", "minLength": 1, "description": description});
        let schema = json!({
            "description": "A CloudEvent, as far as it concerns the ledger. What else it carries is left alone.",
            "type": "object",
            "properties": {
                "specversion": {"const": "1.0"},
                "id": text("What no other event of the source has."),
                "source": text("Who gave the id."),
                "type": self.cloud_event_type(),
                "time": {"type": "string", "format": "date-time", "description": "When it happened."},
                "data": self.cloud_event_data(),
            },
            "required": ["specversion", "id", "source", "type", "data"],
        });
        self.ours("CloudEvent", schema)
    }

    pub(super) fn cloud_events(&mut self) -> Value {
        json!({"type": "array", "maxItems": EVENTS_LIMIT, "items": self.cloud_event()})
    }

    fn read<T: JsonSchema>(&mut self) -> Value {
        self.requests.subschema_for::<T>().to_value()
    }

    fn written<T: JsonSchema>(&mut self) -> Value {
        self.responses.subschema_for::<T>().to_value()
    }

    fn ours(&mut self, name: &str, schema: Value) -> Value {
        self.ours.insert(name.to_owned(), schema);
        json!({"$ref": format!("#/components/schemas/{name}")})
    }
}

/// A question names one placement or several, and a context somebody: what is checked after the types.
fn tell_what_types_leave_out(schemas: &mut Map<String, Value>) {
    schemas["DecideRequest"]["anyOf"] =
        json!([only("placement", "string", "placements"), only("placements", "array", "placement")]);
    schemas["EvaluationRequest"]["required"] = json!(["context"]);
    let context = &mut schemas["EvaluationContext"];
    context["required"] = json!(["targetingKey"]);
    context["properties"]["targetingKey"]["type"] = json!("string");
}

fn only(named: &str, kind: &str, other: &str) -> Value {
    json!({"properties": {named: {"type": kind}, other: {"type": "null"}}, "required": [named]})
}

/// What an answer lacks it leaves out.
fn never_null(schema: &mut Schema) {
    if let Some(Value::Array(kinds)) = schema.get("type")
        && let [one, Value::String(null)] = kinds.as_slice()
        && null == "null"
    {
        let one = one.clone();
        schema.insert("type".to_owned(), one);
    }
    transform_subschemas(&mut never_null, schema);
}
