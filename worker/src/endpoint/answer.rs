//! What an endpoint answers, and the copy in it.

use api::Slots;
use rules::{Format, Slot};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::request::Form;
use crate::draft::{Draft, Trace};
use crate::prompt;

/// How many braces of an answer are tried as the beginning of its object.
const BEGINNINGS: usize = 32;

/// An answer, as far as it is read. What an engine adds to it is its own affair.
#[derive(Debug, Deserialize)]
pub(super) struct Completion {
    choices: Vec<Choice>,
    usage: Option<Usage>,
}

#[derive(Debug, Default, Deserialize)]
struct Choice {
    message: Message,
    finish_reason: Option<String>,
    /// Engines differ in what they put here, and none of it is needed to write.
    #[serde(default)]
    logprobs: Value,
}

#[derive(Debug, Default, Deserialize)]
struct Message {
    content: Option<String>,
    /// Where an engine keeps thinking apart; some call it `reasoning`.
    #[serde(alias = "reasoning")]
    reasoning_content: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Usage {
    completion_tokens: Option<u32>,
}

impl Completion {
    /// Tokens that the engine says it wrote.
    pub(super) fn tokens(&self) -> Option<u32> {
        self.usage.as_ref()?.completion_tokens
    }

    /// Whether the answer was cut off and a part of it was thinking.
    pub(super) fn thought_too_long(&self) -> bool {
        self.choices.first().is_some_and(|Choice { message, finish_reason, .. }| {
            let apart = message.reasoning_content.as_ref().is_some_and(|it| !it.is_empty());
            let within = message.content.as_ref().is_some_and(|it| it.contains("<think>"));
            finish_reason.as_deref() == Some("length") && (apart || within)
        })
    }

    /// The copy of an answer. One that is no use gives a draft without any, which is unfinished.
    ///
    /// An engine that holds its model to a schema cuts a text off at the longest, and says that it has come to its end.
    /// So a text that is as long as that is taken for one that was cut off.
    pub(super) fn into_draft(self, format: &Format, form: Form) -> Draft {
        let tokens = self.tokens().unwrap_or_default();
        let Self { choices, usage: _ } = self;
        let Choice { message, finish_reason, logprobs } = choices.into_iter().next().unwrap_or_default();
        let slots = message.content.as_deref().and_then(object).map(|it| slots(&it, format));
        let slots = slots.unwrap_or_default();
        // An engine that says nothing of the end has come to it.
        let ended = finish_reason.is_none_or(|reason| reason == "stop");
        let trace = Trace { tokens, log_probability: mean_log_probability(&logprobs), ..Trace::default() };
        let cut_off = format.slots().iter().any(|slot| {
            let length = slots.get(&slot.name).map_or(0, |text| text.chars().count());
            form.longest(slot).is_some_and(|longest| length >= longest)
        });
        Draft { finished: ended && !cut_off && !slots.is_empty(), slots, trace }
    }
}

/// The JSON object of an answer: bare, in a fence, or behind other words.
fn object(content: &str) -> Option<Map<String, Value>> {
    let said = without_thinking(content);
    let parse = |(at, _)| {
        let mut values = serde_json::Deserializer::from_str(&said[at..]).into_iter::<Map<String, Value>>();
        values.next()?.ok()
    };
    said.match_indices('{').take(BEGINNINGS).find_map(parse)
}

/// What is said after thinking. Some templates open the section in the prompt, so that an answer only closes it.
fn without_thinking(content: &str) -> &str {
    let said = content.rsplit_once("</think>").map_or(content, |(_, said)| said);
    said.split_once("<think>").map_or(said, |(said, _)| said)
}

/// The texts of the format's slots; whatever else stands in the object is nobody's.
fn slots(object: &Map<String, Value>, format: &Format) -> Slots {
    let text = |slot: &Slot| Some(shaped(object.get(&slot.name)?.as_str()?, slot.maximum_lines));
    let filled = format.slots().iter().filter_map(|slot| Some((slot.name.clone(), text(slot)?)));
    filled.filter(|(_, text)| !text.is_empty()).collect()
}

/// A text with single spaces and no space at its ends, in one line where the slot has one.
fn shaped(text: &str, maximum_lines: usize) -> String {
    if maximum_lines == 1 {
        return prompt::value(text);
    }
    text.lines().map(prompt::value).collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// The mean over the tokens of `logprobs.content`; nothing where it is not told, or one of them is no logarithm of a
/// probability.
fn mean_log_probability(logprobs: &Value) -> Option<f64> {
    let tokens = logprobs.get("content")?.as_array()?;
    let told = tokens.iter().map(|token| log_probability(token.get("logprob")?.as_f64()?));
    let told = told.collect::<Option<Vec<_>>>()?;
    log_probability(told.iter().sum::<f64>() / told.len() as f64)
}

/// A number that is the logarithm of a probability above zero.
fn log_probability(number: f64) -> Option<f64> {
    (number.is_finite() && number <= 0.0).then_some(number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn draft(format: &str, choice: &Value) -> Draft {
        let answer = json!({"choices": [choice], "usage": {"completion_tokens": 9}});
        let completion: Completion = serde_json::from_value(answer).expect("an answer");
        completion.into_draft(rules::format(format).expect("a format of ours"), Form::Schema)
    }

    /// The slots of an answer, as `name=text` in the order of names.
    fn check(format: &str, content: &str, expected: &[&str]) {
        let draft = draft(format, &json!({"message": {"content": content}, "finish_reason": "stop"}));
        let slots: Vec<String> = draft.slots.iter().map(|(name, text)| format!("{name}={text}")).collect();
        assert_eq!(slots, expected, "{content}");
        assert_eq!(draft.finished, !expected.is_empty(), "{content}");
    }

    #[test]
    fn copy_is_found_wherever_it_stands() {
        let object = r#"{"headline": "Run far", "button": "Go"}"#;
        let copy = ["button=Go", "headline=Run far"];
        check("WebBanner", object, &copy);
        check("WebBanner", &format!("```json\n{object}\n```"), &copy);
        check("WebBanner", &format!("Here {{it}} is: {object} Enjoy {{}}"), &copy);
        check("WebBanner", &format!("<think>{{\"headline\": \"No\"}}</think>\n{object}"), &copy);
        check("WebBanner", &format!("a thought</think>{object}"), &copy);
        check("WebBanner", &format!("{object}<think>was that good?"), &copy);
    }

    #[test]
    fn only_texts_of_the_formats_slots_are_taken() {
        check(
            "WebBanner",
            r#"{"headline": " a\r\n b\u0000 c ", "Body": "x", "button": 7}"#,
            &["headline=a b c"],
        );
        check("WebBanner", r#"{"headline": "a", "body": null, "button": " "}"#, &["headline=a"]);
        check(
            "Email",
            r#"{"subject": "a\nb", "body": "\nHi  you,\r\n\n bye\n"}"#,
            &["body=Hi you,\n\nbye", "subject=a b"],
        );
    }

    #[test]
    fn an_answer_of_no_use_is_an_empty_draft() {
        let nested = "{\"a\":".repeat(10_000);
        for useless in
            ["", "I can't.", "{\"headline\": \"cut", "[]", "\"{}\"", "<think>{\"headline\": \"a\"}", &nested]
        {
            check("WebBanner", useless, &[]);
        }
        let completion: Completion = serde_json::from_str(r#"{"choices": []}"#).expect("an answer");
        let format = rules::format("WebBanner").expect("a format of ours");
        assert_eq!(completion.into_draft(format, Form::Free).slots, Slots::new());
    }

    #[test]
    fn what_was_cut_off_is_unfinished_and_what_was_counted_is_told() {
        let choice = |reason: Value| {
            json!({
                "message": {"content": "{\"headline\": \"a\"}"},
                "finish_reason": reason,
                "logprobs": {"content": [{"logprob": -1.0}, {"logprob": -2.0}]},
            })
        };
        for (reason, finished) in [
            (json!("stop"), true),
            (json!(null), true),
            (json!("length"), false),
            (json!("content_filter"), false),
        ] {
            let draft = draft("WebBanner", &choice(reason));
            assert_eq!(draft.finished, finished);
            assert_eq!((draft.trace.tokens, draft.trace.log_probability), (9, Some(-1.5)));
        }
        let of_tokens = |told: &[f64]| {
            let tokens = told.iter().map(|it| json!({"logprob": it}));
            json!({"content": tokens.collect::<Vec<_>>()})
        };
        for (logprobs, mean) in [
            (json!(null), None),
            (json!({"content": null}), None),
            (json!({"content": []}), None),
            (json!({"content": [{}]}), None),
            (of_tokens(&[20.0]), None),
            (of_tokens(&[-9.0, 1.0]), None),
            (of_tokens(&[f64::MIN, f64::MIN]), None),
            (of_tokens(&[0.0, -3.0]), Some(-1.5)),
        ] {
            let choice = json!({"message": {"content": "{}"}, "logprobs": logprobs});
            assert_eq!(draft("WebBanner", &choice).trace.log_probability, mean, "{logprobs}");
        }
    }

    #[test]
    fn a_text_as_long_as_its_schema_allows_was_cut_off() {
        let format = rules::format("GoogleResponsiveSearch").expect("a format of ours");
        for (letters, form, finished) in [
            (29, Form::Schema, true),
            (30, Form::Schema, false),
            (30, Form::ObjectOfSchema, false),
            (30, Form::Free, true),
        ] {
            let content = json!({"headline1": "x".repeat(letters)}).to_string();
            let answer = json!({"choices": [{"message": {"content": content}, "finish_reason": "stop"}]});
            let completion: Completion = serde_json::from_value(answer).expect("an answer");
            assert_eq!(completion.into_draft(format, form).finished, finished, "{letters} {form:?}");
        }
    }

    #[test]
    fn thinking_that_leaves_no_room_for_an_answer_is_noticed() {
        for (message, reason, noticed) in [
            (json!({"content": "<think>hm"}), "length", true),
            (json!({"content": null, "reasoning_content": "hm"}), "length", true),
            (json!({"content": "", "reasoning": "hm"}), "length", true),
            (json!({"content": "<think>hm</think>{}"}), "stop", false),
            (json!({"content": "{\"headline\": \"long"}), "length", false),
        ] {
            let answer = json!({"choices": [{"message": message, "finish_reason": reason}]});
            let completion: Completion = serde_json::from_value(answer).expect("an answer");
            assert_eq!(completion.thought_too_long(), noticed, "{message}");
        }
    }
}
