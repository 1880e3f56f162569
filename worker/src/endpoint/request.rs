//! What an endpoint is asked.

use rules::{Format, Slot};
use serde::Serialize;

use super::Settings;
use super::schema::{ResponseFormat, code_points};

/// Room for braces, quotation marks and a slot's name, in tokens.
const FRAME: usize = 16;
/// Room for a model that thinks before it answers, in tokens; some think for thousands and none is paid to think longer.
const THINKING: usize = 4096;

/// The body of a request.
#[derive(Debug, Serialize)]
pub(super) struct Request<'a> {
    model: &'a str,
    messages: Messages<'a>,
    seed: usize,
    max_tokens: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<ResponseFormat<'a>>,
}

impl<'a> Request<'a> {
    pub(super) fn new(
        settings: &'a Settings,
        messages: Messages<'a>,
        format: &'a Format,
        seed: usize,
        offer: Offer,
    ) -> Self {
        Self {
            model: &settings.model,
            messages,
            seed,
            max_tokens: most_tokens(format, offer),
            temperature: settings.temperature,
            top_p: settings.top_p,
            logprobs: offer.logprobs.then_some(true),
            response_format: offer.form.of(format),
        }
    }

    /// The model that is asked for.
    pub(super) fn model(&self) -> &str {
        self.model
    }
}

/// The most tokens of an answer to what is asked, thinking included.
pub(super) fn most_tokens(format: &Format, offer: Offer) -> usize {
    longest(format) + if offer.thinking { THINKING } else { 0 }
}

/// The most tokens of copy. A letter is a token at most in the vocabularies that are about; an escape or a rare
/// letter takes more, and few texts fill every slot.
fn longest(format: &Format) -> usize {
    format.slots().iter().map(|slot| slot.letters() + slot.name.len() + FRAME).sum()
}

/// A system message and a user message.
#[derive(Debug, Serialize)]
pub(super) struct Messages<'a>([Message<'a>; 2]);

#[derive(Debug, Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

impl<'a> Messages<'a> {
    pub(super) fn new(system: &'a str, user: &'a str) -> Self {
        Self([Message { role: "system", content: system }, Message { role: "user", content: user }])
    }
}

/// What a server is asked for beyond text: everything first, and what it turns down no more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Offer {
    /// How answers are held to a form.
    pub(super) form: Form,
    /// Whether the probabilities of tokens are told.
    pub(super) logprobs: bool,
    /// Whether the model has room to think.
    pub(super) thinking: bool,
}

impl Offer {
    /// All that the API knows. Room to think is only given to a model that was seen to think: others would fill it.
    pub(super) fn everything() -> Self {
        Self { form: Form::Schema, logprobs: true, thinking: false }
    }

    /// What is left to ask for after a refusal: without what it names, or else without the most demanding. Nothing
    /// where all that is left is text.
    pub(super) fn without(self, said: &str) -> Option<Self> {
        let lower = self.form.lower().map(|form| Self { form, ..self });
        let silent = self.logprobs.then_some(Self { logprobs: false, ..self });
        if said.contains("logprobs") { silent.or(lower) } else { lower.or(silent) }
    }

    /// Whether a refusal names something that need not be asked for. Some servers call their own lack an internal
    /// error, and only this tells it from one that may pass.
    pub(super) fn is_named_in(said: &str) -> bool {
        ["logprobs", "response_format", "json_schema", "grammar", "pattern"]
            .iter()
            .any(|it| said.contains(it))
    }
}

/// How answers are held to a form, the most demanding first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Form {
    /// To a schema, as OpenAI's API has it.
    Schema,
    /// To a schema, as llama.cpp had it before: beside `json_object`.
    ObjectOfSchema,
    /// To some JSON object.
    Object,
    /// To nothing.
    Free,
}

impl Form {
    /// For the log.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Schema => "json_schema",
            Self::ObjectOfSchema => "json_object with schema",
            Self::Object => "json_object",
            Self::Free => "text",
        }
    }

    /// The most code points of a slot that answers are held to, where there is such a bound.
    pub(super) fn longest(self, slot: &Slot) -> Option<usize> {
        match self {
            Self::Schema | Self::ObjectOfSchema => code_points(slot),
            Self::Object | Self::Free => None,
        }
    }

    fn lower(self) -> Option<Self> {
        match self {
            Self::Schema => Some(Self::ObjectOfSchema),
            Self::ObjectOfSchema => Some(Self::Object),
            Self::Object => Some(Self::Free),
            Self::Free => None,
        }
    }

    fn of(self, format: &Format) -> Option<ResponseFormat<'_>> {
        match self {
            Self::Schema => Some(ResponseFormat::schema(format)),
            Self::ObjectOfSchema => Some(ResponseFormat::object_of_schema(format)),
            Self::Object => Some(ResponseFormat::object()),
            Self::Free => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use serde_json::{Value, json};

    use super::*;
    use crate::endpoint::Patience;

    fn body(format: &str, offer: Offer) -> Value {
        let settings = Settings {
            model: "qwen".into(),
            concurrency: NonZeroUsize::MIN,
            temperature: None,
            top_p: Some(0.5),
            patience: Patience::default(),
        };
        let format = rules::format(format).expect("a format of ours");
        let request = Request::new(&settings, Messages::new("system", "user"), format, 7, offer);
        serde_json::to_value(request).expect("JSON")
    }

    #[test]
    fn a_request_asks_for_everything_and_holds_the_answer_to_the_format() {
        assert_eq!(
            body("WebBanner", Offer::everything()),
            json!({
                "model": "qwen",
                "messages": [{"role": "system", "content": "system"}, {"role": "user", "content": "user"}],
                "seed": 7,
                "max_tokens": 60 + 140 + 24 + 8 + 4 + 6 + 3 * 16,
                "top_p": 0.5,
                "logprobs": true,
                "response_format": {"type": "json_schema", "json_schema": {
                    "name": "WebBanner",
                    "strict": true,
                    "schema": {
                        "type": "object",
                        "properties": {
                            "headline": {"type": "string", "description": "The promise, read first."},
                            "body": {
                                "type": ["string", "null"],
                                "description": "One or two sentences that make the promise believable.",
                            },
                            "button": {"type": "string", "description": "What the reader does next."},
                        },
                        "required": ["headline", "body", "button"],
                        "additionalProperties": false,
                    },
                }},
            })
        );
    }

    #[test]
    fn what_is_turned_down_is_not_asked_for_again() {
        let seen = |said: &str| {
            let steps = std::iter::successors(Some(Offer::everything()), |offer| offer.without(said));
            steps.map(|offer| (offer.form.name(), offer.logprobs)).collect::<Vec<_>>()
        };
        let forms = ["json_schema", "json_object with schema", "json_object", "text"];
        let last = ("text", false);
        assert_eq!(seen("no"), [forms.map(|it| (it, true)).to_vec(), vec![last]].concat());
        assert_eq!(
            seen("logprobs?"),
            [vec![(forms[0], true)], forms.map(|it| (it, false)).to_vec()].concat()
        );
        let free = Offer { form: Form::Free, logprobs: false, thinking: true };
        let body = body("WebBanner", free);
        assert_eq!((body.get("logprobs"), body.get("response_format")), (None, None));
        assert_eq!(body["max_tokens"], 290 + THINKING);
    }
}
