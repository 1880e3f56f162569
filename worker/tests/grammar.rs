//! Copy that is held to a form while it is written, and raw completions too.

use std::ops::ControlFlow;
use std::path::Path;

use api::Slots;
use engine::{Sampling, cpu};
use rules::{BrandRules, Format, Grammar, Source};
use worker::author::Author;
use worker::complete::{Completion, Finish, Request, complete};
use worker::draft::{Draft, Task};
use worker::model::Model;
use worker::prompt::Prompt;
use worker::random::Random;
use worker::write::Writer;

fn handbill() -> Model {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/handbill");
    Model::open(&folder, cpu::Form::AsStored).expect("the shipped model is complete")
}

/// A format of two slots, of which the second has a form.
fn tile(form: &str) -> Format {
    let yaml = format!(
        "
name: ShopTile
version: 1
summary: A tile of our shop.
counting: Graphemes
deliveries: [Gateway]
source: Our design system.
checked: 2026-11-29
slots:
  - {{name: headline, purpose: The promise., required: true, hardLimit: 60, maximumLines: 1}}
  - {{name: body, purpose: What it costs., required: true, hardLimit: 40, maximumLines: 1, {form}}}
"
    );
    Format::parse(&yaml).expect("a good format")
}

fn drafts(model: &Model, format: &Format, brand: &BrandRules, count: u64) -> Vec<Draft> {
    let siblings: [Slots; 0] = [];
    let task = |seed| Task {
        prompt: Prompt { product: "Aero Trail 3".to_owned(), ..Prompt::default() },
        format,
        brand,
        language: "en",
        siblings: &siblings,
        random: Random::from_seed(seed),
    };
    let mut drafts = Vec::new();
    let writer = Writer::new(model, 32).expect("it has a form");
    let keep = &mut |_, draft| {
        drafts.push(draft);
        ControlFlow::Continue(())
    };
    writer.write((0..count).map(task).collect(), keep).expect("it writes");
    drafts
}

#[test]
fn every_draft_has_the_form_of_its_slot_and_most_come_to_its_end() {
    let model = handbill();
    let brand = BrandRules::new(&[], &[]).expect("no words break no bound");
    for form in [
        r"pattern: 'Only \d{1,3} €'",
        r"pattern: '[A-Z][a-z]+ [a-z]+ for [1-9]\d? €'",
        r#"grammar: "start: verb \" \" NAME \" for \" price\nverb: \"Try\" | \"Meet\"\nNAME: /[A-Z][a-z]{2,7}/\nprice: /[1-9][0-9]/ \" €\"""#,
        "pattern: '[一-龥]{2,8}，立即购买'",
    ] {
        let format = tile(form);
        let grammar = format.slots()[1].grammar.as_ref().expect("a form");
        let drafts = drafts(&model, &format, &brand, 100);
        for draft in drafts.iter().filter(|it| it.finished) {
            assert_eq!(grammar.departure(&draft.slots["body"]), None, "{form}: {:?}", draft.slots);
            let broken = rules::check(&format, &brand, &draft.slots);
            assert!(!broken.iter().any(|it| it.rule.name() == "Grammar"), "{form}: {broken:?}");
        }
        let finished = drafts.iter().filter(|it| it.finished).count();
        assert!(finished >= 85, "{form}: {finished} of 100 came to an end");
    }
}

/// The end is the form's, however much more the model would rather have said.
#[test]
fn a_form_of_one_text_gives_this_text() {
    let model = handbill();
    let brand = BrandRules::new(&[], &["Terms apply".to_owned()]).expect("one word");
    let format = tile("pattern: From 19 €");
    for draft in drafts(&model, &format, &brand, 20) {
        assert_eq!(draft.slots["body"], "From 19 €", "{draft:?}");
        // The longest slot that has no form of its own keeps the words that copy must hold.
        assert!(draft.slots["headline"].contains("Terms apply"), "{draft:?}");
    }
}

#[test]
fn a_form_longer_than_its_slot_may_be_is_never_taken_for_finished() {
    let model = handbill();
    let brand = BrandRules::new(&[], &[]).expect("no words break no bound");
    let format = tile("pattern: '[a-z]{60}'");
    assert!(drafts(&model, &format, &brand, 8).iter().all(|it| !it.finished));
}

fn completed(model: &Model, source: Source, max_tokens: u32) -> Vec<Completion> {
    let prompt =
        model.tokens().encode_framed("<s>format: WebBanner\nproduct: Velta\nheadline:").expect("encoded");
    let grammar = Some(Grammar::new(source).expect("a good grammar"));
    complete(
        model,
        &Request { prompt, count: 16, max_tokens, sampling: Sampling::default(), grammar, seed: 3 },
    )
    .expect("the model goes on")
}

fn ends(completions: &[Completion], finish: Finish) -> usize {
    completions.iter().filter(|it| it.finish == finish).count()
}

#[test]
fn a_raw_completion_is_held_to_a_grammar_from_its_first_byte() {
    let model = handbill();
    let lark = |text: &str| Source::Lark(text.to_owned());
    let offer = "start: \" \" (\"Meet\" | \"Try\") \" \" /[A-Z][a-z]{2,8}/";
    let grammar = Grammar::new(lark(offer)).expect("a good grammar");
    let found = completed(&model, lark(offer), 40);
    assert!(ends(&found, Finish::Stop) >= 8, "{found:?}");
    for it in found.iter().filter(|it| it.finish == Finish::Stop) {
        assert_eq!(grammar.departure(&it.text), None, "{it:?}");
    }
    let only = completed(&model, lark("start: \" From 19 €\""), 40);
    assert!(only.iter().all(|it| (it.text.as_str(), it.finish) == (" From 19 €", Finish::Stop)), "{only:?}");
}

#[test]
fn a_json_schema_gives_json() {
    let model = handbill();
    // A model that never saw JSON would write spaces without end wherever they may stand.
    let schema = r#"{"x-guidance": {"whitespace_flexible": false}, "type": "object", "properties": {"size": {"enum": ["small", "large"]}}, "required": ["size"],
        "additionalProperties": false}"#;
    let found = completed(&model, Source::Schema(schema.to_owned()), 60);
    for it in found.iter().filter(|it| it.finish == Finish::Stop) {
        let json: serde_json::Value = serde_json::from_str(&it.text).expect("JSON");
        assert!(["small", "large"].contains(&json["size"].as_str().expect("a size")), "{it:?}");
    }
    assert!(ends(&found, Finish::Stop) > 0, "{found:?}");
}

#[test]
fn a_completion_that_cannot_reach_its_end_says_why() {
    let model = handbill();
    let short = completed(&model, Source::Pattern("[a-z ]{50,}".to_owned()), 4);
    assert_eq!(ends(&short, Finish::Length), 16, "{short:?}");
    // More work than a reading may be.
    let hostile = "(((.{1,100}){1,100}){1,100}){1,100}x";
    let stuck = completed(&model, Source::Pattern(hostile.to_owned()), 40);
    assert_eq!(ends(&stuck, Finish::Stuck), 16, "{stuck:?}");
}
