//! The commands as they are typed: what they leave behind, and how they end.

use std::fs;
use std::path::Path;

use api::wire::report::{Outcome, Report};
use clap::Parser;
use worker::args::Arguments;
use worker::run::run;

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
        let outcome = run(&arguments.command);
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
fn copy_that_cannot_hold_is_a_shortfall_that_names_the_rule() {
    // Forbidden words are not written in the first place; demanded ones that the model can't spell stay missing.
    let place =
        Place::new(&CAMPAIGN.replace("[cheap]", "[cheap], required: [最低价格, Quizhüpfwyxk, jumblevexing]"));
    let (outcome, report) = place.generate(&["--attempts", "2"]);
    assert_eq!((outcome, report.outcome, outcome.exit_code()), (Outcome::Shortfall, Outcome::Shortfall, 3));
    let hero = &report.placements[0];
    assert_eq!((hero.asked, hero.delivered, hero.written), (3, 0, 6));
    assert_eq!(hero.rejected["RequiredWord"], 6);
    assert!(report.message.expect("a message").contains("most often by RequiredWord (6 times)"));
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
    // As many required words, and as long, as a campaign may hold.
    let words = ('a'..='h').map(|first| format!("{first}{}", "4Q-7z".repeat(16)).chars().take(80).collect());
    let words: Vec<String> = words.collect();
    check(
        &CAMPAIGN.replace("{forbidden: [cheap]}", &format!("{{required: [{}]}}", words.join(", "))),
        &[],
        "positions: shorten spec.rules.required or the brief",
    );
}
