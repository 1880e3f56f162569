//! Handbill on briefs that it never saw: how much of its copy names the product, and how much of what was asked it
//! delivers.

use std::io::Write;
use std::path::{Path, PathBuf};

use api::AdVariantSpec;
use candle_transformers::models::llama::LlamaConfig;
use rules::BrandRules;
use worker::brief::Brief;
use worker::campaign::{Assignment, Campaign};
use worker::destination::{Destination, DestinationError};
use worker::generate::{Settings, generate};
use worker::model::Model;
use worker::random::Random;
use worker::train::corpus::{Corpus, Names};
use worker::train::recipe::{Recipe, Shape};

/// Briefs drawn from the corpus, with product names that hold a word which no training name holds.
const DRAWN: usize = 24;
/// Variants asked for in each of two placements.
const VARIANTS: u32 = 2;

/// Keeps variants in memory.
#[derive(Default)]
struct Memory(Vec<AdVariantSpec>);

impl Destination for Memory {
    fn existing(&mut self, _campaign: &str) -> Result<Vec<AdVariantSpec>, DestinationError> {
        Ok(self.0.clone())
    }

    fn deliver(&mut self, variant: &AdVariantSpec) -> Result<(), DestinationError> {
        self.0.push(variant.clone());
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    asked: u32,
    delivered: u32,
    written: u32,
    named: usize,
}

impl Figures {
    fn add(&mut self, other: Self) {
        self.asked += other.asked;
        self.delivered += other.delivered;
        self.written += other.written;
        self.named += other.named;
    }

    /// Shares of what was asked that was delivered, and of what was delivered that names the product.
    fn shares(self) -> (f64, f64) {
        (f64::from(self.delivered) / f64::from(self.asked), self.named as f64 / f64::from(self.delivered))
    }
}

fn path(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(below)
}

fn handbill() -> Model {
    Model::open(&path("../models/handbill")).expect("the shipped model is complete")
}

fn campaign(name: String, brief: Brief) -> Campaign {
    let assignment = |placement: &str, format| Assignment {
        placement: placement.to_owned(),
        format: rules::format(format).expect("a format of ours"),
        variants: VARIANTS,
        people: Vec::new(),
    };
    Campaign {
        name,
        seed: 1,
        language: "en".to_owned(),
        brief,
        brand: BrandRules::new(&[], &[]).expect("no words break no bound"),
        assignments: vec![assignment("hero", "WebBanner"), assignment("mail", "Email")],
        home: None,
    }
}

fn write(model: &Model, campaign: &Campaign) -> (Figures, Vec<AdVariantSpec>) {
    let mut memory = Memory::default();
    let settings = Settings { sampling: model.sampling(), attempts: 12 };
    let report = generate(model, campaign, settings, &mut memory).expect("the model writes");
    let names =
        |variant: &&AdVariantSpec| variant.slots.values().any(|text| text.contains(&campaign.brief.product));
    let mut figures = Figures { named: memory.0.iter().filter(names).count(), ..Figures::default() };
    for placement in &report.placements {
        figures.asked += placement.asked;
        figures.delivered += placement.delivered;
        figures.written += placement.written;
    }
    (figures, memory.0)
}

fn by_hand() -> Vec<Brief> {
    let text = std::fs::read_to_string(path("tests/briefs.yaml")).expect("the briefs are there");
    let briefs: Vec<api::Brief> = serde_saphyr::from_str(&text).expect("each is a brief");
    briefs.iter().map(|brief| Brief::new(brief, &[])).collect()
}

fn drawn() -> Vec<Brief> {
    let corpus = Corpus::open(&path("../models/handbill/corpus")).expect("the corpus is valid");
    let mut random = Random::from_seed(99);
    let rows = (0..DRAWN).map(|_| corpus.row(Names::HeldOut, &mut random).expect("a row"));
    rows.map(|row| Brief {
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
    let count = briefs.len();
    let mut total = Figures::default();
    for (index, brief) in briefs.into_iter().enumerate() {
        total.add(write(model, &campaign(format!("{kind}-{index}"), brief)).0);
    }
    print(kind, count, total);
    total
}

/// To standard error itself, past what the test harness holds back: the figures are what this test is for.
fn print(kind: &str, briefs: usize, figures: Figures) {
    let (delivered, named) = figures.shares();
    let Figures { asked, delivered: count, written, named: _ } = figures;
    let line = format!(
        "{briefs} briefs {kind}: {:.1} % of {asked} variants delivered from {written} drafts, {:.1} % of {count} name the product",
        100.0 * delivered,
        100.0 * named
    );
    writeln!(std::io::stderr(), "{line}").expect("standard error is open");
}

#[test]
fn copy_names_products_that_the_model_never_saw_and_nearly_all_that_was_asked_is_delivered() {
    let model = handbill();
    let mut total = measure("by-hand", &model, by_hand());
    total.add(measure("drawn", &model, drawn()));
    print("in-all", by_hand().len() + DRAWN, total);
    let (delivered, named) = total.shares();
    assert!(delivered >= 0.95, "{total:?}");
    assert!(named >= 0.80, "{total:?}");
}

#[test]
fn the_same_inputs_give_the_same_copy_and_another_seed_gives_another() {
    let model = handbill();
    let one = campaign("same".to_owned(), by_hand().remove(0));
    let copy = write(&model, &one).1;
    assert!(!copy.is_empty());
    assert_eq!(copy, write(&model, &one).1);
    let other = Campaign { seed: 2, ..one };
    assert_ne!(copy, write(&model, &other).1);
}

#[test]
fn a_run_that_goes_on_writes_what_the_first_would_have_written() {
    let model = handbill();
    let campaign = campaign("again".to_owned(), by_hand().remove(1));
    let whole = write(&model, &campaign).1;
    let settings = Settings { sampling: model.sampling(), attempts: 12 };
    for kept in 0..whole.len() {
        let mut memory = Memory(whole[..kept].to_vec());
        let report = generate(&model, &campaign, settings, &mut memory).expect("the model writes");
        assert_eq!(memory.0, whole, "killed after {kept} variants");
        let existing: u32 = report.placements.iter().map(|it| it.existing).sum();
        assert_eq!(existing as usize, kept);
    }
}

#[test]
fn a_model_whose_parts_do_not_belong_together_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        std::fs::copy(path("../models/handbill").join(file), folder.path().join(file)).expect("copied");
    }
    let config = folder.path().join("config.json");
    let text = std::fs::read_to_string(&config).expect("readable");
    let layers = text.lines().find(|line| line.contains("num_hidden_layers")).expect("a line").to_owned();
    std::fs::write(&config, text.replace(&layers, "  \"num_hidden_layers\": 99,")).expect("written");
    let error = Model::open(folder.path()).expect_err("no model has 99 of these layers").to_string();
    assert!(error.contains("model.layers.") && error.contains("belong to two models"), "{error}");
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
    assert_eq!(handbill().languages(), recipe.corpus.languages);
}

#[test]
fn a_prompt_that_does_not_fit_is_an_error_and_no_panic() {
    let error = handbill().begin(&"word ".repeat(2000)).expect_err("it has 512 positions").to_string();
    assert!(error.contains("positions"), "{error}");
}
