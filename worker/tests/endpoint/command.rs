//! `worker generate --endpoint` as it is typed: how it ends, and what it reports.

use std::fs;
use std::path::Path;

use api::wire::report::{Outcome, Report};
use clap::Parser;
use worker::args::Arguments;
use worker::run::{Reporter, run};

use crate::mock::{Mock, error, says};
use crate::{KEY, mounted};

/// Two formats: one whose limits a schema can hold, and one whose limits only the rules know.
const CAMPAIGN: &str = "
apiVersion: broadside.dev/v1alpha1
kind: AdCampaign
metadata: {name: cart}
spec:
  brief:
    product: Aero Trail 3
    audience: people who run on trails
    offer: {text: free returns for 60 days}
    facts: [weighs 240 g, upper from recycled yarn]
    tone: [warm, direct]
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
    - name: app
      format: GoogleApp
      delivery: {gateway: {}}
      control: {headline1: Run further, description1: Trail shoes for the weekend}
      variants: 1
      metric: {name: install, kind: Binary, window: 30m}
";

/// Runs `worker generate` and returns how it ended and what it reported.
pub(crate) fn generate(folder: &Path, secret: &Path, more: &[&str]) -> (Outcome, Report) {
    let path = |name: &str| folder.join(name).to_str().expect("a path in UTF-8").to_owned();
    fs::write(path("campaign.yaml"), CAMPAIGN).expect("written");
    let secret = secret.to_str().expect("a path in UTF-8");
    let (campaign, output, report) = (path("campaign.yaml"), path("output"), path("report.json"));
    let typed = ["worker", "generate", "--campaign", &campaign, "--output", &output, "--report", &report];
    let endpoint = ["--endpoint", secret, "--endpoint-model", "handbill", "--endpoint-concurrency", "2"];
    let arguments =
        Arguments::try_parse_from([&typed[..], &endpoint, more].concat()).expect("valid arguments");
    let outcome = run(&arguments.command, &Reporter::of(&arguments.command));
    (outcome, serde_json::from_str(&fs::read_to_string(report).expect("a report")).expect("a report"))
}

#[test]
fn copy_that_holds_is_delivered_and_what_is_missing_is_reported() {
    // Every banner has a headline of its own; the other placement's slots are never filled.
    let mock = Mock::new(|number, _| {
        let headline = ["Made for mud", "Light on every hill", "Your weekend starts here"][number % 3];
        says(&format!(r#"{{"headline": "{headline}", "button": "Shop now"}}"#))
    });
    let (folder, secret) = (mounted(&[]), mounted(&[("url", &mock.url), ("key", KEY)]));
    let (outcome, report) = generate(folder.path(), secret.path(), &["--attempts", "2"]);
    assert_eq!((outcome, outcome.exit_code()), (Outcome::Shortfall, 3));
    assert_eq!(report.model_digest.as_deref(), Some("endpoint:handbill"));
    let [hero, app] = &report.placements[..] else { panic!("two placements: {report:?}") };
    assert!(hero.delivered > 0, "{hero:?}");
    assert_eq!((app.delivered, app.written, app.rejected["MissingSlot"]), (0, 4, 4));
}

#[test]
fn what_a_person_has_to_mend_ends_with_its_own_code() {
    let check = |secret: &tempfile::TempDir, said: &str| {
        let (outcome, report) = generate(mounted(&[]).path(), secret.path(), &[]);
        assert_eq!((outcome, outcome.exit_code()), (Outcome::Misconfigured, 2));
        let message = report.message.expect("a message");
        assert!(message.contains(said) && !message.contains(KEY), "{message}");
    };
    let mock = Mock::new(|_, _| error(401, "no such key: s3cret-Key"));
    check(
        &mounted(&[("url", &mock.url), ("key", KEY)]),
        "refuses the key (401: no such key: [key]): correct `key` (`broadside-endpoint-key` of the Secret)",
    );
    check(&mounted(&[("key", KEY)]), "the endpoint's Secret cannot be used: cannot read");
    check(&mounted(&[("key", KEY)]), "/url (`broadside-endpoint-url` of the Secret)");
    check(&mounted(&[("url", "http://llm.example.com"), ("key", KEY)]), "is plain http to another network");
}
