//! The commands as they are typed: what they leave behind, and how they end.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use api::GenerationFailure;
use api::wire::report::{Outcome, Report};
use clap::Parser;
use worker::args::Arguments;
use worker::run::{Reporter, run};

const CAMPAIGN: &str = "
apiVersion: broadside.dev/v1alpha1
kind: AdCampaign
metadata: {name: cart}
spec:
  brief:
    product: Aero Trail 3
    audience: people who run on trails
    offer: {text: free returns for 60 days}
    facts: [weighs 240 g]
    callToAction: Shop now
    language: en
  rules: {forbidden: [cheap]}
  generation: {model: handbill, seed: 7}
  placements:
    - name: hero
      format: WebBanner
      delivery: {gateway: {}}
      control: {headline: Run further, button: Shop now}
      variants: 3
      metric: {name: view, kind: Binary, window: 30m}
";

struct Place(tempfile::TempDir);

impl Place {
    fn new(campaign: &str) -> Self {
        let place = Self(tempfile::tempdir().expect("a folder"));
        fs::write(place.path("campaign.yaml"), campaign).expect("written");
        place
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().expect("a path in UTF-8").to_owned()
    }

    /// Runs `worker generate` with more arguments and returns how it ended and what it reported.
    fn generate(&self, more: &[&str]) -> (Outcome, Report) {
        let (campaign, output, report) =
            (self.path("campaign.yaml"), self.path("output"), self.path("report.json"));
        let model = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/handbill");
        let mut typed =
            vec!["worker", "generate", "--campaign", &campaign, "--output", &output, "--report", &report];
        typed.extend(more);
        if !more.contains(&"--model") {
            typed.extend(["--model", model]);
        }
        let arguments = Arguments::try_parse_from(typed).expect("valid arguments");
        let outcome = run(&arguments.command, &Reporter::of(&arguments.command));
        (outcome, serde_json::from_str(&fs::read_to_string(report).expect("a report")).expect("a report"))
    }

    fn manifests(&self) -> Vec<(String, String)> {
        let entries =
            fs::read_dir(self.path("output")).expect("a folder").map(|entry| entry.expect("a file").path());
        let read = |path: &Path| fs::read_to_string(path).expect("readable");
        let mut files: Vec<_> = entries.map(|path| (path.display().to_string(), read(&path))).collect();
        files.sort();
        files
    }
}

#[test]
fn a_second_run_finds_everything_done_and_a_variant_taken_away_comes_back_as_it_was() {
    let place = Place::new(CAMPAIGN);
    let (outcome, report) = place.generate(&[]);
    assert_eq!(
        (outcome, report.placements[0].delivered, report.placements[0].existing),
        (Outcome::Complete, 3, 0)
    );
    let first = place.manifests();
    assert_eq!(first.len(), 3);

    let (outcome, report) = place.generate(&[]);
    assert_eq!(
        (outcome, report.placements[0].written, report.placements[0].existing),
        (Outcome::Complete, 0, 3)
    );
    assert_eq!(place.manifests(), first);

    fs::remove_file(&first[1].0).expect("removed");
    assert_eq!(place.generate(&[]).0, Outcome::Complete);
    assert_eq!(place.manifests(), first);
}

#[test]
fn a_run_does_not_take_the_copy_of_another_brief_seed_or_model_for_its_own() {
    let place = Place::new(CAMPAIGN);
    assert_eq!(place.generate(&[]).0, Outcome::Complete);
    let before = place.manifests();
    let check = |from: &str, to: &str, words: &str| {
        fs::write(place.path("campaign.yaml"), CAMPAIGN.replace(from, to)).expect("written");
        let (outcome, report) = place.generate(&[]);
        let message = report.message.expect("a message");
        assert_eq!(outcome, Outcome::Misconfigured, "{to}: {message}");
        assert!(message.contains(words) && message.contains("name an empty folder"), "{message}");
        assert_eq!(place.manifests(), before);
    };
    check("Aero Trail 3", "Zephyr 9", "copy for hero that another brief or brand made");
    check("seed: 7", "seed: 8", "copy for hero that another seed made");
    fs::write(place.path("campaign.yaml"), CAMPAIGN.replace("variants: 3", "variants: 4")).expect("written");
    let (outcome, report) = place.generate(&[]);
    assert_eq!((outcome, report.placements[0].existing), (Outcome::Complete, 3), "more may be asked for");
}

#[test]
fn a_misspelled_field_is_named_and_nothing_is_written() {
    let check = |from: &str, to: &str, words: &str| {
        let place = Place::new(&CAMPAIGN.replace(from, to));
        let (outcome, report) = place.generate(&[]);
        let message = report.message.expect("a message");
        assert_eq!(outcome, Outcome::Misconfigured, "{message}");
        assert!(message.contains(words), "{message}");
        assert!(!Path::new(&place.path("output")).exists());
    };
    check("audience:", "audiense:", "no such field: spec.brief.audiense");
    check("offer: {text", "offer: {until: now, text", "no such field: spec.brief.offer.until");
    check("variants: 3", "varients: 3", "no such field: spec.placements.0.varients");
}

#[test]
fn what_devices_reckon_with_writes_as_many_variants() {
    let place = Place::new(CAMPAIGN);
    let (outcome, report) = place.generate(&["--device", "tensors"]);
    assert_eq!((outcome, report.placements[0].delivered), (Outcome::Complete, 3));
}

#[test]
fn copy_that_cannot_hold_is_a_shortfall_that_names_the_rule() {
    // Forbidden words are not written in the first place, and demanded ones are put where they have room; these have none.
    let words = ["Quizhüpfwyxk", "jumblevexing"].map(|word| [word; 6].join(" ")).join(", ");
    let place = Place::new(&CAMPAIGN.replace("[cheap]", &format!("[cheap], required: [{words}]")));
    let (outcome, report) = place.generate(&["--attempts", "2"]);
    assert_eq!((outcome, report.outcome, outcome.exit_code()), (Outcome::Shortfall, Outcome::Shortfall, 3));
    let hero = &report.placements[0];
    assert_eq!((hero.asked, hero.delivered, hero.written), (3, 0, 10));
    assert_eq!(hero.rejected["RequiredWord"], 10);
    let message = report.message.expect("a message");
    assert!(
        message.starts_with("3 variants are missing: the model's copy was refused, most often by "),
        "{message}"
    );
}

#[test]
fn a_run_stops_before_it_has_written_more_tokens_than_it_may_and_keeps_what_it_wrote() {
    let within = |tokens: u64| {
        Place::new(&CAMPAIGN.replace("seed: 7", &format!("seed: 7, budget: {{tokens: {tokens}}}")))
    };
    let (outcome, whole) = within(100_000).generate(&[]);
    let spent = whole.effort.expect("it wrote").tokens;
    assert_eq!((outcome, whole.failure), (Outcome::Complete, None), "{spent} tokens");

    let most = spent / 2;
    let place = within(most);
    // One draft at a time: the first ones are whole when there is no room for more.
    let (outcome, report) = place.generate(&["--rows", "1"]);
    let wrote = report.effort.expect("it wrote").tokens;
    assert_eq!((outcome, report.failure), (Outcome::Shortfall, Some(GenerationFailure::BudgetSpent)));
    assert_eq!(wrote, most, "it stops in the midst of a draft, and counts what is lost with it");
    let delivered = report.placements[0].delivered;
    assert!((1..3).contains(&delivered), "{delivered}");
    assert_eq!(place.manifests().len(), delivered as usize);
    let message = report.message.expect("a message");
    assert!(message.contains(&format!("{wrote} of the {most} tokens")), "{message}");
}

#[test]
fn workers_that_share_the_placements_share_the_tokens() {
    let second =
        CAMPAIGN.split_once("    - name: hero").expect("a placement").1.replace("variants: 3", "variants: 1");
    let two =
        format!("{CAMPAIGN}    - name: side{second}").replace("seed: 7", "seed: 7, budget: {tokens: 8}");
    let place = Place::new(&two);
    let reports: Vec<Report> = ["0/2", "1/2"].map(|share| place.generate(&["--share", share]).1).into();
    for (report, most) in reports.iter().zip([6, 2]) {
        assert!(
            report.message.as_ref().is_some_and(|it| it.contains(&format!("of the {most} tokens"))),
            "{report:?}"
        );
    }
    let sum = Report::of_all(reports).expect("two reports");
    assert_eq!((sum.outcome, sum.failure), (Outcome::Shortfall, Some(GenerationFailure::BudgetSpent)));
    assert!(sum.effort.is_some_and(|effort| effort.tokens <= 8), "{sum:?}");
}

/// Runs `worker regenerate` on a manifest and returns its exit code.
fn regenerate(place: &Place, variant: &str, more: &[&str]) -> u8 {
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/handbill");
    let campaign = place.path("campaign.yaml");
    let typed =
        [&["worker", "regenerate", variant, "--campaign", &campaign, "--model", model], more].concat();
    let command = Arguments::try_parse_from(typed).expect("valid arguments").command;
    run(&command, &Reporter::of(&command)).exit_code()
}

#[test]
fn a_variant_is_written_again_from_its_provenance_alone() {
    let place = Place::new(CAMPAIGN);
    for more in [&["--rows", "7"][..], &["--weights", "q8", "--temperature", "0.7"]] {
        assert_eq!(place.generate(more).0, Outcome::Complete);
        let manifests = place.manifests();
        assert_eq!(manifests.len(), 3);
        for (path, _) in &manifests {
            assert_eq!(regenerate(&place, path, &[]), 0, "{path}");
        }
        manifests.iter().for_each(|(path, _)| fs::remove_file(path).expect("removed"));
    }
}

#[test]
fn a_variant_of_other_origin_is_not_said_to_be_the_same() {
    let place = Place::new(CAMPAIGN);
    place.generate(&[]);
    let (_, manifest) = place.manifests().remove(0);
    let check = |from: &str, to: &str, exit_code: u8| {
        assert!(manifest.contains(from), "{from}: {manifest}");
        let path = place.path("other.yaml");
        fs::write(&path, manifest.replace(from, to)).expect("written");
        assert_eq!(regenerate(&place, &path, &[]), exit_code, "{from} -> {to}");
    };
    check("button: ", "button: Not ", 3);
    check("seed: 7", "seed: 8", 2);
    check("modelDigest: sha256:", "modelDigest: sha256:0", 2);
    check("quantization: ", "quantization: gpu-", 2);
    check("campaign: cart", "campaign: heart", 2);
    check("provenance:", "unknown:", 2);
}

/// Writes a LoRA adapter for what Handbill's first layer makes of attention.
fn write_adapter(folder: &str, scale: f32) {
    fs::create_dir(folder).expect("made");
    let config = r#"{"peft_type": "LORA", "r": 2, "lora_alpha": 2}"#;
    fs::write(format!("{folder}/adapter_config.json"), config).expect("written");
    let number = |index: usize| scale * ((index * 7919 % 1000) as f32 / 500.0 - 1.0);
    let bytes: Vec<u8> = (0..2 * 192).map(number).flat_map(f32::to_le_bytes).collect();
    let tensor = |shape: [usize; 2]| {
        safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.to_vec(), &bytes)
            .expect("a tensor")
    };
    let name = |which: &str| format!("base_model.model.model.layers.0.self_attn.o_proj.lora_{which}.weight");
    let tensors = [(name("A"), tensor([2, 192])), (name("B"), tensor([192, 2]))];
    let file = safetensors::serialize(tensors, None).expect("tensors");
    fs::write(format!("{folder}/adapter_model.safetensors"), file).expect("written");
}

#[test]
fn a_variant_names_the_adapter_that_it_was_written_with() {
    let place = Place::new(CAMPAIGN);
    let [adapter, other] = ["adapter", "other"].map(|name| place.path(name));
    write_adapter(&adapter, 0.3);
    write_adapter(&other, 0.2);
    place.generate(&["--weights", "q8"]);
    let alone = place.manifests();
    fs::remove_dir_all(place.path("output")).expect("removed");
    place.generate(&["--weights", "q8", "--adapter", &adapter]);
    let manifests = place.manifests();
    let has_digest = |(_, text): &(String, String)| text.contains("adapterDigest: sha256:");
    assert!(manifests.iter().all(has_digest) && !alone.iter().any(has_digest));
    let names = |manifests: &[(String, String)]| manifests.iter().map(|it| it.0.clone()).collect::<Vec<_>>();
    assert_ne!(names(&alone), names(&manifests), "names are digests of the copy");
    let (path, _) = &manifests[0];
    assert_eq!(regenerate(&place, path, &["--adapter", &adapter]), 0);
    assert_eq!(regenerate(&place, path, &["--adapter", &other]), 2);
    assert_eq!(regenerate(&place, path, &[]), 2);
    let path = place.path("alone.yaml");
    fs::write(&path, &alone[0].1).expect("written");
    assert_eq!(regenerate(&place, &path, &["--adapter", &adapter]), 2);
}

#[test]
fn an_adapter_that_is_missing_or_of_another_model_is_told_as_such() {
    let place = Place::new(CAMPAIGN);
    let (outcome, report) = place.generate(&["--adapter", "brands/acme"]);
    assert_eq!(
        (outcome, report.failure),
        (Outcome::Misconfigured, Some(GenerationFailure::ModelFilesMissing))
    );
    let message = report.message.expect("a message");
    assert!(message.contains("models/handbill/brands/acme/adapter_config.json"), "{message}");
    let other = concat!(env!("CARGO_MANIFEST_DIR"), "/../engine/tests/oracles/adapters/qwen3");
    let (outcome, report) = place.generate(&["--adapter", other]);
    assert_eq!(
        (outcome, report.failure),
        (Outcome::Misconfigured, Some(GenerationFailure::ModelFilesDamaged))
    );
    let message = report.message.expect("a message");
    assert!(message.contains("has the shape [4, 96] and the model asks for [4, 512]"), "{message}");
}

#[test]
fn words_that_the_model_does_not_say_are_put_behind_its_copy() {
    let place = Place::new(&CAMPAIGN.replace("[cheap]", "[cheap], required: [最低价格, jumblevexing]"));
    let (outcome, report) = place.generate(&["--attempts", "2"]);
    assert_eq!((outcome, report.placements[0].delivered), (Outcome::Complete, 3), "{report:?}");
    for (name, manifest) in place.manifests() {
        // The model may say the first by itself, wherever it likes.
        assert!(manifest.contains("最低价格") && manifest.contains("Jumblevexing."), "{name}: {manifest}");
    }
}

#[test]
fn workers_that_share_the_placements_write_what_one_alone_would() {
    let second =
        CAMPAIGN.split_once("    - name: hero").expect("a placement").1.replace("variants: 3", "variants: 2");
    let two = format!("{CAMPAIGN}    - name: side{second}");
    let (alone, shared) = (Place::new(&two), Place::new(&two));
    let (_, whole) = alone.generate(&[]);
    let reports: Vec<Report> =
        ["0/3", "1/3", "2/3"].map(|share| shared.generate(&["--share", share]).1).into();
    let texts = |place: &Place| place.manifests().into_iter().map(|(_, text)| text).collect::<Vec<_>>();
    assert_eq!((texts(&alone).len(), texts(&alone)), (5, texts(&shared)));
    assert!(reports[2].placements.is_empty(), "there are two placements for three workers");
    let sum = Report::of_all(reports).expect("three reports");
    assert_eq!((sum.outcome, &sum.placements), (whole.outcome, &whole.placements));
    let tokens = |report: &Report| report.effort.expect("it ended well").tokens;
    assert_eq!(tokens(&sum), tokens(&whole));
    // Eleven words at the least, and a token is a word or less.
    assert!(tokens(&whole) > 5 * 5, "{} tokens", tokens(&whole));
}

/// Handbill's folder with one file changed or taken away.
fn damaged(name: &str, change: impl Fn(Vec<u8>) -> Option<Vec<u8>>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let handbill = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/handbill");
    for file in ["config.json", "generation_config.json", "tokenizer.json", "model.safetensors"] {
        let bytes = fs::read(handbill.join(file)).expect("the shipped model is complete");
        if let Some(bytes) = if file == name { change(bytes) } else { Some(bytes) } {
            fs::write(folder.path().join(file), bytes).expect("written");
        }
    }
    folder
}

#[test]
fn each_way_in_which_a_model_cannot_be_used_has_a_name_and_is_not_tried_again() {
    let check = |file: &str, change: &dyn Fn(Vec<u8>) -> Option<Vec<u8>>, failure, words: &str| {
        let model = damaged(file, change);
        let path = model.path().to_str().expect("a path in UTF-8");
        let (outcome, report) = Place::new(CAMPAIGN).generate(&["--model", path]);
        let message = report.message.expect("a message");
        assert!(message.contains(words), "{file}: {message}");
        assert_eq!((outcome.exit_code(), report.failure), (2, Some(failure)), "{file}: {message}");
    };
    let gone = |_| None;
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        check(file, &gone, GenerationFailure::ModelFilesMissing, file);
    }
    let half = |bytes: Vec<u8>| Some(bytes[..bytes.len() / 2].to_vec());
    check("model.safetensors", &half, GenerationFailure::ModelFilesDamaged, "fetch the model again");
    check("tokenizer.json", &half, GenerationFailure::ModelFilesDamaged, "cannot read the tokenizer");
    check("config.json", &half, GenerationFailure::ModelFilesDamaged, "is not what its name says");
    let with = |from: &'static str, to: &'static str| {
        move |bytes: Vec<u8>| Some(String::from_utf8(bytes).expect("text").replace(from, to).into_bytes())
    };
    let unknown = with("\"llama\"", "\"rwkv\"");
    check("config.json", &unknown, GenerationFailure::ModelFamilyUnknown, "this engine knows llama");
    let wider = with("\"hidden_size\": 192", "\"hidden_size\": 384");
    check("config.json", &wider, GenerationFailure::ModelFilesDamaged, "belong to two models");
}

/// A tiny embedder with random weights, with one file changed or taken away.
fn embedder(name: &str, change: impl Fn(Vec<u8>) -> Option<Vec<u8>>) -> tempfile::TempDir {
    let whole = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/embedding/bert-mean");
    let files =
        ["config.json", "tokenizer.json", "model.safetensors", "modules.json", "1_Pooling/config.json"];
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("1_Pooling")).expect("made");
    for file in files {
        let bytes = fs::read(whole.join(file)).expect("the embedder is complete");
        if let Some(bytes) = if file == name { change(bytes) } else { Some(bytes) } {
            fs::write(folder.path().join(file), bytes).expect("written");
        }
    }
    folder
}

#[test]
fn an_embedder_bears_on_which_drafts_are_taken_and_not_on_what_they_hold() {
    let whole = embedder("", Some);
    let folder = whole.path().to_str().expect("a path in UTF-8");
    let more = ["--embedder", folder, "--embedder-threshold", "0.999"];
    let place = Place::new(CAMPAIGN);
    let (outcome, report) = place.generate(&more);
    assert_eq!((outcome, report.placements[0].delivered), (Outcome::Complete, 3), "{report:?}");
    let first = place.manifests();
    for (path, manifest) in &first {
        assert!(
            manifest.contains("  embedder: sha256:") || manifest.contains("  embedder: \"sha256:"),
            "{manifest}"
        );
        assert_eq!(regenerate(&place, path, &[]), 0, "{path}");
    }
    fs::remove_file(&first[1].0).expect("removed");
    assert_eq!(place.generate(&more).0, Outcome::Complete);
    assert_eq!(place.manifests(), first, "a run that goes on takes the same");
}

#[test]
fn copy_that_says_the_same_is_refused_from_the_threshold_of_the_flag_or_of_the_campaign_on() {
    let whole = embedder("", Some);
    let folder = whole.path().to_str().expect("a path in UTF-8");
    // To random weights nearly all that Handbill writes is alike.
    let same = |campaign: &str, more: &[&str]| {
        let more = [&["--attempts", "2", "--embedder", folder], more].concat();
        let (_, report) = Place::new(campaign).generate(&more);
        report.placements[0].rejected.get("SameMeaning").copied().unwrap_or(0)
    };
    let strict = CAMPAIGN.replace("seed: 7", "seed: 7, embedder: {model: minilm, threshold: 50%}");
    assert!(same(&strict, &[]) > 0);
    assert!(same(CAMPAIGN, &["--embedder-threshold", "0.5"]) > 0);
    assert_eq!(same(&strict, &["--embedder-threshold", "0.999"]), 0);
}

#[test]
fn an_embedder_that_can_not_be_used_is_told_from_the_model_that_writes() {
    let check = |folder: &Path, words: &str| {
        let more = ["--embedder", folder.to_str().expect("a path in UTF-8")];
        let (outcome, report) = Place::new(CAMPAIGN).generate(&more);
        let message = report.message.expect("a message");
        assert!(message.contains(words), "{message}");
        let found = (outcome.exit_code(), report.failure);
        assert_eq!(found, (2, Some(GenerationFailure::EmbedderUnfit)), "{message}");
    };
    let changed = |file: &str, change: &dyn Fn(Vec<u8>) -> Option<Vec<u8>>, words: &str| {
        check(embedder(file, change).path(), words);
    };
    let handbill = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/handbill");
    check(&handbill, "the embedder cannot be used: the model_type is \"llama\": bert and xlm-roberta");
    for file in ["config.json", "tokenizer.json", "model.safetensors", "1_Pooling/config.json"] {
        changed(file, &|_| None, &format!("{file}: No such file"));
    }
    let half = |bytes: Vec<u8>| Some(bytes[..bytes.len() / 2].to_vec());
    changed("model.safetensors", &half, "fetch the model again");
    changed("tokenizer.json", &half, "cannot read the tokenizer");
    changed("modules.json", &half, "modules.json is not what its name says");
    let with = |from: &'static str, to: &'static str| {
        move |bytes: Vec<u8>| Some(String::from_utf8(bytes).expect("text").replace(from, to).into_bytes())
    };
    changed("config.json", &with("\"hidden_size\": 32", "\"hidden_size\": 64"), "belong to two models");
    // The last weights, which are half floats, become no numbers.
    let broken = |mut bytes: Vec<u8>| {
        let start = bytes.len() - 4_000;
        bytes[start..].fill(0xff);
        Some(bytes)
    };
    changed("model.safetensors", &broken, "the embedder gives numbers that are none");
}

#[test]
fn what_a_person_has_to_mend_ends_with_its_own_code_and_a_message() {
    let check = |campaign: &str, more: &[&str], message: &str| {
        let (outcome, report) = Place::new(campaign).generate(more);
        assert_eq!(
            (outcome, report.outcome, outcome.exit_code()),
            (Outcome::Misconfigured, Outcome::Misconfigured, 2)
        );
        let said = report.message.expect("a message");
        assert!(said.contains(message), "{said}");
    };
    check(
        &CAMPAIGN.replace("language: en", "language: fr"),
        &[],
        "written in \"fr\" and the model writes de, en, zh",
    );
    check(
        &CAMPAIGN.replace("WebBanner", "Billboard"),
        &[],
        "placement hero: format \"Billboard\" is unknown",
    );
    check("kind: [", &[], "is not an AdCampaign");
    check(CAMPAIGN, &["--model", "/nowhere"], "cannot read /nowhere/config.json");
    #[cfg(not(feature = "cuda"))]
    check(CAMPAIGN, &["--device", "cuda"], "this build has no CUDA: take --device cpu");
    // As many required words, and as long, as a campaign may hold.
    let words = ('a'..='h').map(|first| format!("{first}{}", "4Q-7z".repeat(16)).chars().take(80).collect());
    let words: Vec<String> = words.collect();
    check(
        &CAMPAIGN.replace("{forbidden: [cheap]}", &format!("{{required: [{}]}}", words.join(", "))),
        &[],
        "positions: shorten spec.rules.required or the brief",
    );
}

/// A container's first process hears no SIGTERM unless it asks to, and would hold its GPU for the time of grace.
#[test]
fn a_worker_that_is_told_to_end_ends_at_once_and_tells_what_it_took() {
    let many = CAMPAIGN.replace("variants: 3", "variants: 20").replace("WebBanner", "Email");
    let many = many.replace("headline: Run further, button: Shop now", "subject: Run further, body: Go");
    let place = Place::new(&many);
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/handbill");
    let mut worker = Command::new(env!("CARGO_BIN_EXE_worker"))
        .args(["generate", "--rows", "1", "--model", model])
        .args(["--campaign", &place.path("campaign.yaml"), "--output", &place.path("output")])
        .args(["--report", &place.path("report")])
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut log = BufReader::new(worker.stderr.take().expect("a pipe")).lines().map_while(Result::ok);
    assert!(log.any(|line| line.contains("held=2")), "it never began");
    let told =
        Command::new("kill").args(["-TERM", &worker.id().to_string()]).status().expect("kill is there");
    assert!(told.success());
    let status = worker.wait().expect("it ends");
    assert_eq!(status.code(), Some(143), "{status:?}: {:?}", log.collect::<Vec<_>>());
    let report = fs::read_to_string(place.path("report")).expect("a report");
    let report: Report = serde_json::from_str(&report).expect("readable");
    assert_eq!(report.outcome, Outcome::Failed);
    assert!(report.effort.is_some_and(|effort| effort.tokens > 0), "{report:?}");
    let (outcome, _) = place.generate(&[]);
    assert_eq!((outcome, place.manifests().len()), (Outcome::Complete, 20));
}
