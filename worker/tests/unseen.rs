//! Handbill on briefs that it never saw: how much of its copy names the product, and how much of what was asked it
//! delivers.

#[path = "unseen/figures.rs"]
mod figures;

use std::cell::RefCell;
use std::error::Error;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use api::{AdVariantSpec, Drawing, Slots};
use candle_transformers::models::llama::LlamaConfig;
use engine::cpu::Form;
use rules::{BrandRules, MeaningThreshold};
use worker::author::{Author, AuthorError, Done};
use worker::brief::Brief;
use worker::campaign::{Assignment, Campaign};
use worker::choose::{INVENTED_FIGURE, MISSPELLED_NAME};
use worker::destination::{Destination, DestinationError};
use worker::draft::{Draft, Task};
use worker::generate::generate;
use worker::meter::Meter;
use worker::model::Model;
use worker::prompt::Prompt;
use worker::random::Random;
use worker::train::corpus::Corpus;
use worker::train::names::Names;
use worker::train::recipe::{Recipe, Shape, Weights};
use worker::write::Writer;

use figures::{Figures, Shares};

/// Briefs of each language that are drawn from its corpus, with product names that hold a part which no training name
/// holds.
const DRAWN: usize = 16;
/// Variants asked for in each of two placements.
const VARIANTS: u32 = 2;
/// Of the drafts that pass the rules, in each language, name the product. What does not is refused for it, so a variant
/// that is delivered names it nearly always; a draft that was refused cost time.
const LEAST_NAMED: f64 = 0.90;
/// Of the drafts that pass the rules and whose prompt had an offer, say it letter for letter.
const LEAST_OFFERED: f64 = 0.80;
const LANGUAGES: [&str; 3] = ["en", "de", "zh"];

/// Keeps variants in memory.
#[derive(Default)]
struct Memory {
    variants: Vec<AdVariantSpec>,
}

impl Destination for Memory {
    fn existing(&mut self, _campaign: &str) -> Result<Vec<AdVariantSpec>, DestinationError> {
        Ok(self.variants.clone())
    }

    fn deliver(&mut self, variant: &AdVariantSpec) -> Result<(), DestinationError> {
        self.variants.push(variant.clone());
        Ok(())
    }
}

/// Keeps every draft of a writer, and the offer that its prompt had.
struct Recorder<'m> {
    writer: Writer<'m>,
    drafts: RefCell<Vec<(Slots, Option<String>)>>,
}

impl Author for Recorder<'_> {
    fn model_digest(&self) -> &str {
        self.writer.model_digest()
    }

    fn adapter_digest(&self) -> Option<&str> {
        self.writer.adapter_digest()
    }

    fn quantization(&self) -> Option<&str> {
        self.writer.quantization()
    }

    fn drawing(&self) -> Option<Drawing> {
        self.writer.drawing()
    }

    fn meter(&self) -> &Meter {
        self.writer.meter()
    }

    fn prompt_digest(&self, task: &Task<'_>) -> Result<String, AuthorError> {
        self.writer.prompt_digest(task)
    }

    fn write(&self, tasks: Vec<Task<'_>>, done: &mut Done<'_>) -> Result<(), AuthorError> {
        let offers: Vec<_> = tasks.iter().map(|task| task.prompt.offer.clone()).collect();
        self.writer.write(tasks, &mut |place, draft| {
            self.drafts.borrow_mut().push((draft.slots.clone(), offers[place].clone()));
            done(place, draft)
        })
    }
}

fn path(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(below)
}

fn handbill() -> Model {
    Model::open(&path("../models/handbill"), Form::AsStored).expect("the shipped model is complete")
}

fn writer(model: &Model) -> Writer<'_> {
    Writer::new(model, 32).expect("it has a form")
}

fn campaign(name: String, brief: Brief) -> Campaign {
    let assignment = |placement: &str, format| Assignment {
        placement: placement.to_owned(),
        format: rules::format(format).expect("a format of ours").clone(),
        variants: VARIANTS,
        people: Vec::new(),
    };
    Campaign {
        name,
        seed: 1,
        language: brief.language.clone(),
        brief,
        brand: BrandRules::new(&[], &[]).expect("no words break no bound"),
        rules_version: rules::VERSION.to_owned(),
        assignments: vec![assignment("hero", "WebBanner"), assignment("mail", "Email")],
        tokens: None,
        taken: api::TokensTaken::new(),
        same_meaning: MeaningThreshold::default(),
        home: None,
    }
}

fn write(model: &Model, campaign: &Campaign) -> (Figures, Vec<AdVariantSpec>) {
    let mut memory = Memory::default();
    let author = Recorder { writer: writer(model), drafts: RefCell::default() };
    let report = generate(&author, None, campaign, 12, &mut memory).expect("the model writes");
    let mut figures = Figures { briefs: 1, ..Figures::default() };
    for placement in &report.placements {
        figures.asked += placement.asked;
        figures.delivered += placement.delivered;
        figures.written += placement.written;
        let suspect = [INVENTED_FIGURE, MISSPELLED_NAME].into_iter();
        figures.suspect += suspect.filter_map(|rule| placement.rejected.get(rule)).sum::<u32>();
    }
    let says = |slots: &Slots, value: &str| u32::from(slots.values().any(|text| text.contains(value)));
    let product = &campaign.brief.product;
    for (slots, offer) in author.drafts.borrow().iter().filter(|(slots, _)| passes_rules(slots, campaign)) {
        let (told, said) =
            (u32::from(offer.is_some()), offer.iter().map(|offer| says(slots, offer)).sum::<u32>());
        figures.passing += 1;
        figures.passing_named += says(slots, product);
        figures.offered += told;
        figures.offer_said += said;
        // A draft that repeats a variant is refused for that, so slots tell which drafts were delivered, but for the
        // repetition itself, which says the same.
        if memory.variants.iter().any(|variant| variant.slots == *slots) {
            figures.told += told;
            figures.told_said += said;
        }
    }
    figures.named = memory.variants.iter().map(|variant| says(&variant.slots, product)).sum();
    (figures, memory.variants)
}

/// Whether no rule of format or brand stands against a draft. Its slots tell its format: none has all of another's.
fn passes_rules(slots: &Slots, campaign: &Campaign) -> bool {
    let passes = |it: &Assignment| {
        !rules::check(&it.format, &campaign.brand, slots).iter().any(rules::Violation::is_hard)
    };
    campaign.assignments.iter().any(passes)
}

fn by_hand(language: &str) -> Vec<Brief> {
    let text = std::fs::read_to_string(path("tests/briefs").join(language).with_extension("yaml"));
    let briefs: Vec<api::Brief> =
        serde_saphyr::from_str(&text.expect("the briefs are there")).expect("briefs");
    briefs.iter().map(|brief| Brief::new(brief, &[])).collect()
}

fn drawn(language: &str) -> Vec<Brief> {
    let only = Weights::from([(language.to_owned(), 1)]);
    let corpus = Corpus::open(&path("../models/handbill/corpus"), &only).expect("the corpus is valid");
    let mut random = Random::from_seed(99);
    let rows = (0..DRAWN).map(|_| corpus.row(Names::HeldOut, &mut random).expect("a row"));
    rows.map(|row| Brief {
        language: row.prompt.language,
        product: row.prompt.product,
        audience: row.prompt.audience,
        offer: row.prompt.offer,
        facts: row.prompt.facts,
        tones: row.prompt.tone.into_iter().collect(),
        action: row.prompt.action,
        words: Vec::new(),
    })
    .collect()
}

fn measure(kind: &str, model: &Model, briefs: Vec<Brief>) -> Figures {
    let mut total = Figures::default();
    for (index, brief) in briefs.into_iter().enumerate() {
        total.add(write(model, &campaign(format!("{kind}-{index}"), brief)).0);
    }
    total.print(kind);
    total
}

#[test]
fn copy_names_products_that_the_model_never_saw_and_nearly_all_that_was_asked_is_delivered() {
    let model = handbill();
    let (mut total, mut of_languages) = (Figures::default(), Vec::new());
    for language in LANGUAGES {
        let mut figures = measure(&format!("{language}-by-hand"), &model, by_hand(language));
        figures.add(measure(&format!("{language}-drawn"), &model, drawn(language)));
        figures.print(language);
        total.add(figures);
        of_languages.push((language, figures));
    }
    total.print("in-all");
    for (language, figures) in of_languages {
        let Shares { named, passing_named, .. } = figures.shares();
        assert!(named >= 0.95, "{language}: {figures:?}");
        assert!(passing_named >= LEAST_NAMED, "{language}: {figures:?}");
    }
    let Shares { delivered, offer_said, .. } = total.shares();
    assert!(delivered >= 0.95, "{total:?}");
    assert!(offer_said >= LEAST_OFFERED, "{total:?}");
}

#[test]
fn the_same_inputs_give_the_same_copy_and_another_seed_gives_another() {
    let model = handbill();
    let one = campaign("same".to_owned(), by_hand("en").remove(0));
    let copy = write(&model, &one).1;
    assert!(!copy.is_empty());
    assert_eq!(copy, write(&model, &one).1);
    let other = Campaign { seed: 2, ..one };
    assert_ne!(copy, write(&model, &other).1);
}

#[test]
fn a_run_that_goes_on_writes_what_the_first_would_have_written() {
    let model = handbill();
    let campaign = campaign("again".to_owned(), by_hand("en").remove(1));
    let whole = write(&model, &campaign).1;
    for kept in 0..whole.len() {
        let mut memory = Memory { variants: whole[..kept].to_vec() };
        let report = generate(&writer(&model), None, &campaign, 12, &mut memory).expect("the model writes");
        assert_eq!(memory.variants, whole, "killed after {kept} variants");
        let existing: u32 = report.placements.iter().map(|it| it.existing).sum();
        assert_eq!(existing as usize, kept);
    }
}

/// A folder with Handbill's files, to be spoilt.
fn copy_of_handbill() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        std::fs::copy(path("../models/handbill").join(file), folder.path().join(file)).expect("copied");
    }
    folder
}

#[test]
fn a_configuration_that_does_not_belong_to_the_weights_is_refused_by_name() {
    let check = |field: &str, value: &str, said: &str| {
        let folder = copy_of_handbill();
        let config = folder.path().join("config.json");
        let text = std::fs::read_to_string(&config).expect("readable");
        let line = text.lines().find(|line| line.contains(field)).expect("a line").to_owned();
        std::fs::write(&config, text.replace(&line, &format!("  \"{field}\": {value},"))).expect("written");
        let error = Model::open(folder.path(), Form::AsStored).expect_err("it is refused").to_string();
        assert!(error.contains(said), "{field} {value}: {error}");
    };
    check("num_hidden_layers", "99", "configuration and weights belong to two models");
    check("num_hidden_layers", "18446744073709551615", "number of layers is 18446744073709551615");
    check("num_attention_heads", "0", "number of heads is 0");
    check("num_attention_heads", "192", "head size is 1: this engine takes multiples of 16");
    check("num_attention_heads", "18446744073709551615", "number of heads is 18446744073709551615");
    check("num_key_value_heads", "0", "number of heads of keys is 0");
    check(
        "num_key_value_heads",
        "4",
        "number of heads is 6: this engine takes multiples of its heads of keys",
    );
    check("hidden_size", "0", "hidden size is 0");
}

#[test]
fn weights_that_are_no_numbers_are_an_error_and_no_panic() {
    // No number, and infinity, in half precision, from the last weight backwards.
    for broken in [0x7e00u16, 0x7c00] {
        let folder = copy_of_handbill();
        let weights = folder.path().join("model.safetensors");
        let mut bytes = std::fs::read(&weights).expect("readable");
        let end = bytes.len();
        for half in bytes[end / 2..].rchunks_exact_mut(2) {
            half.copy_from_slice(&broken.to_le_bytes());
        }
        std::fs::write(&weights, bytes).expect("written");
        let model = Model::open(folder.path(), Form::AsStored).expect("its shapes are right");
        let error = write_one(&model, "Velta").expect_err("nothing can be drawn");
        let error = error.source().expect("a cause").to_string();
        assert!(
            error.contains("logits are not finite") && error.contains("train the model again"),
            "{error}"
        );
    }
}

#[test]
fn the_shipped_model_has_the_shape_that_its_recipe_gives_it() {
    let recipe = Recipe::open(&path("../models/handbill/recipe.yaml")).expect("the recipe is valid");
    let text = std::fs::read_to_string(path("../models/handbill/config.json")).expect("readable");
    let config: LlamaConfig = serde_json::from_str(&text).expect("a configuration");
    let Shape { hidden, layers, heads, feed_forward, positions, rope_theta, norm_epsilon } = recipe.model;
    assert_eq!((config.hidden_size, config.num_hidden_layers), (hidden, layers));
    assert_eq!((config.num_attention_heads, config.num_key_value_heads()), (heads, heads));
    assert_eq!((config.intermediate_size, config.max_position_embeddings), (feed_forward, positions));
    assert_eq!((config.rope_theta, config.rms_norm_eps), (rope_theta, norm_epsilon));
    assert_eq!(config.vocab_size, recipe.tokenizer.vocabulary);
    let languages: Vec<String> = recipe.corpus.languages.into_keys().collect();
    assert_eq!(handbill().languages(), languages);
}

/// Writes one draft of a banner about a product.
fn write_one(model: &Model, product: &str) -> Result<Draft, AuthorError> {
    let brand = BrandRules::new(&[], &[]).expect("no words break no bound");
    let format = rules::format("WebBanner").expect("a format of ours");
    let prompt = Prompt {
        format: "WebBanner".into(),
        language: "en".into(),
        product: product.to_owned(),
        ..Prompt::default()
    };
    let task =
        Task { prompt, format, brand: &brand, language: "en", siblings: &[], random: Random::from_seed(1) };
    let mut written = None;
    Writer::new(model, 1).expect("it has a form").write(vec![task], &mut |_, draft| {
        written = Some(draft);
        ControlFlow::Continue(())
    })?;
    Ok(written.expect("a task gives a draft"))
}

#[test]
fn a_prompt_that_does_not_fit_is_an_error_and_no_panic() {
    let error = write_one(&handbill(), &"word ".repeat(2000)).expect_err("it has 512 positions");
    let error = error.source().expect("a cause").to_string();
    assert!(error.contains("512 positions: shorten spec.rules.required or the brief"), "{error}");
}

/// A slot that has room for the beginning of a product's name is no place for a headline: what is written there was cut off.
#[test]
fn copy_that_its_limit_cut_off_is_told_from_copy_that_ended() {
    let file = "{name: Tiny, version: 1, summary: A tiny spot., counting: CodePoints, deliveries: [Gateway], source: Ours., \
        checked: 2026-11-29, slots: [{name: headline, purpose: The promise., required: true, hardLimit: 7, maximumLines: 1}]}";
    let format = rules::Format::parse(file).expect("a format");
    let brand = BrandRules::new(&[], &[]).expect("no words break no bound");
    let model = handbill();
    let prompt = Prompt {
        format: "WebBanner".into(),
        language: "en".into(),
        product: "Aero Trail 3".into(),
        offer: Some("Free returns for 60 days".into()),
        ..Prompt::default()
    };
    let task = |seed| Task {
        prompt: prompt.clone(),
        format: &format,
        brand: &brand,
        language: "en",
        siblings: &[],
        random: Random::from_seed(seed),
    };
    let mut drafts = Vec::new();
    let writer = Writer::new(&model, 16).expect("it has a form");
    let written = writer.write((0..16).map(task).collect(), &mut |_, draft| {
        drafts.push(draft);
        ControlFlow::Continue(())
    });
    written.expect("the model writes");
    assert!(drafts.iter().all(|draft| draft.slots["headline"].chars().count() <= 7), "{drafts:?}");
    let cut_off = drafts.iter().filter(|draft| !draft.finished).count();
    // Some end by themselves after a detour; without the judgment none would be told.
    assert!(cut_off >= 8, "{cut_off} of 16: {drafts:?}");
}

#[test]
fn a_draft_turns_away_from_what_people_wrote_as_far_as_it_is_told_to() {
    let format = rules::format("WebBanner").expect("a format of ours");
    let brand = BrandRules::new(&[], &[]).expect("no words break no bound");
    let model = handbill();
    let prompt = Prompt {
        format: "WebBanner".into(),
        language: "en".into(),
        product: "Aero Trail 3".into(),
        tone: Some("warm".into()),
        ..Prompt::default()
    };
    let write = |people: &[Slots], sibling_penalty: f64| {
        let random = Random::from_seed(5);
        let task =
            Task { prompt: prompt.clone(), format, brand: &brand, language: "en", siblings: people, random };
        let mut writer = Writer::new(&model, 1).expect("it has a form");
        writer.sampling.sibling_penalty = sibling_penalty;
        let mut slots = Slots::new();
        let written = writer.write(vec![task], &mut |_, draft| {
            slots = draft.slots;
            ControlFlow::Continue(())
        });
        written.expect("the model writes");
        slots
    };
    let alone = write(&[], 10.0);
    let people = [alone.clone()];
    assert_eq!(write(&people, 0.0), alone, "without a penalty people's copy changes nothing");
    assert_ne!(write(&people, 10.0), alone, "it says the same again: {alone:?}");
}
