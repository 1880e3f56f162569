//! `broadside check --traffic --rate`, as people start it.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::json;

fn broadside(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_broadside"))
        .args(arguments)
        .env_remove("RUST_BACKTRACE")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("broadside starts");
    child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("it reads all");
    child.wait_with_output().expect("broadside ends")
}

/// What is said of `campaign`, which has no faults.
fn forecast(flags: &[&str], campaign: &str) -> String {
    let output = broadside(&[&["check", "-"], flags].concat(), campaign);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The same in one line, as it may be broken anywhere.
fn in_a_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

const HERO: &str = "\
apiVersion: broadside.dev/v1alpha1
kind: AdCampaign
metadata: {name: hero, namespace: shop}
spec:
  brief: {product: Aero Trail 3}
  placements:
    - name: hero
      format: WebBanner
      delivery: {gateway: {}}
      control: {headline: Meet the Aero Trail 3, button: Shop now}
      challengers: [{headline: Your trail is waiting, button: Shop now}]
      metric: {name: product-view, kind: Binary, window: 30m}
      stopping: {worthwhileLift: 20%, maximumDuration: 10d}
";

const CART: &str = "    - name: cart
      format: WebBanner
      delivery: {gateway: {}}
      control: {headline: Free returns for 60 days, button: Pay now}
      challengers: [{headline: Your trail is waiting, button: Pay now}]
      metric: {name: revenue, kind: Value, cap: \"500\", window: 1d}
";

/// The lift that is said to be seen, as a fraction.
fn seen(text: &str) -> f64 {
    let (_, rest) = text.split_once("It sees ").expect("something is seen");
    let (lift, _) = rest.split_once('%').expect("a percentage");
    lift.parse::<f64>().expect("a number") / 100.0
}

#[test]
fn a_forecast_follows_what_was_found() {
    let flags = ["--traffic", "10000/d", "--rate", "5%"];
    let said = forecast(&flags, HERO);
    let mut lines = said.lines();
    assert_eq!(lines.next(), Some("-:1: AdCampaign shop/hero: ok"));
    assert_eq!(
        lines.next(),
        Some(
            "  forecast of hero: 1 variant beside the control, 10 000 people a day, 5% of whom act on the control"
        )
    );
    for part in [
        "ONE DIFFERS BY",
        "    nothing ",
        "    +20% ",
        "●",
        "If no variant differs, half of the tests end within",
    ] {
        assert!(said.contains(part), "{part} is not in\n{said}");
    }
    assert!(!said.contains("What would help"), "it sees enough:\n{said}");
    assert_eq!(said, forecast(&flags, HERO), "seeds are fixed");
}

/// The lift that is just seen, played as a world by `broadside simulate`, whose rounds and looks are its own: four in five of
/// them end with the winner, within three standard errors of thirty.
#[test]
fn the_lift_that_is_seen_wins_in_four_of_five_simulated_worlds() {
    let lift = seen(&forecast(&["--traffic", "10000/d", "--rate", "5%"], HERO));
    let percent = |share: f64| format!("{:.4}%", 100.0 * share);
    // 37 rounds from 300 on that grow by a tenth are ten days of 10 000 people, but for 1 %.
    let world = json!({
        "metric": {"name": "product-view"}, "control": "control", "worthwhileLift": "20%",
        "policy": {"type": "Thompson", "floor": "1%", "controlShare": "20%", "minimumPerVariant": 100},
        "variants": {"control": {"rate": "5%"}, "a": {"rate": percent(0.05 * (1.0 + lift))}},
        "rounds": {"number": 37, "exposures": 300, "growth": "10%"},
    });
    let wins = (1..=30).filter(|seed| {
        let seed = seed.to_string();
        let output =
            broadside(&["simulate", "--world", "-", "--output", "json", "--seed", &seed], &world.to_string());
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        answer["estimate"]["verdict"] == "Winner"
    });
    let wins = wins.count();
    assert!((17..=30).contains(&wins), "{wins} of 30 at {lift}");
}

#[test]
fn people_of_other_campaigns_are_taken_off() {
    let fewer = HERO.replace(
        "  placements:\n",
        "  exclusion: {group: checkout, share: 50%}\n  holdout: {group: winter, share: 10%}\n  placements:\n",
    );
    let said = in_a_line(&forecast(&["--traffic", "10000/d", "--rate", "5%"], &fewer));
    let expected = "4 500 people a day (10 000 come; 50% are of other campaigns (spec.exclusion), 10% held out (spec.holdout))";
    assert!(said.contains(expected), "{said}");
}

#[test]
fn each_placement_has_people_of_its_own_and_values_are_told_by_mean_and_deviation() {
    let both = format!("{HERO}{CART}");
    let said = in_a_line(&forecast(&["--traffic", "hero=70000/w", "--rate", "5%"], &both));
    assert!(said.contains("10 000 people a day, 5% of whom"), "{said}");
    let missing =
        "no forecast of cart: add --traffic cart=60000/d and --mean cart=42 and --deviation cart=60";
    assert!(said.contains(missing), "{said}");
    let people = ["--traffic", "10000/d", "--rate", "5%", "--rate", "hero=6%"];
    let said = in_a_line(&forecast(&[&people[..], &["--mean", "42"]].concat(), &both));
    assert!(said.contains("6% of whom act on the control"), "{said}");
    assert!(said.contains("no forecast of cart: add --deviation cart=60"), "{said}");
}

#[test]
fn what_spreads_more_is_seen_later() {
    let campaign = HERO.split_once("    - name: hero").expect("a placement").0.to_owned() + CART;
    let said = |deviation: &str| {
        let people = ["--traffic", "10000/d", "--rate", "5%", "--mean", "cart=42", "--deviation", deviation];
        forecast(&people, &campaign)
    };
    let (narrow, wide) = (said("20"), said("150"));
    let told = "5% of whom act on the control, each for 42 on average, with a standard deviation of 20";
    assert!(in_a_line(&narrow).contains(told), "{narrow}");
    assert!(in_a_line(&narrow).contains("Amounts are log-normal"), "{narrow}");
    assert!(seen(&wide) > 1.2 * seen(&narrow), "{} {}", seen(&wide), seen(&narrow));
}

#[test]
fn each_guardrail_has_the_harm_that_it_shows() {
    let guardrails = "      guardrails:
        - {metric: {name: bounce, kind: Binary, window: 5m}, maximumIncrease: 10%}
        - {metric: {name: complaint, kind: Binary, window: 1d}, maximumIncrease: 50%}
        - {metric: {name: leave, kind: Binary, window: 5m}, maximumIncrease: 50%}
        - {metric: {name: refund, kind: Value, window: 1d}, maximumIncrease: 50%}
";
    let campaign = format!("{HERO}{guardrails}");
    let people = ["--traffic", "10000/d", "--rate", "5%"];
    let rates = ["--guardrail-rate", "70%", "--guardrail-rate", "hero/bounce=40%"];
    let rare = ["--guardrail-rate", "complaint=0.01%"];
    let said = in_a_line(&forecast(&[&people[..], &rates, &rare].concat(), &campaign));
    let (_, shown) = said.split_once("Guardrail bounce: it shows +").expect("harm");
    let (least, rest) = shown.split_once('%').expect("a percentage");
    let least: f64 = least.parse().expect("a number");
    assert!((10.0..30.0).contains(&least), "{said}");
    assert!(rest.starts_with(" or more, from 40% on the control with 10% allowed: a variant that rises so is out in 80% of tests before they end, in half of them within "), "{said}");
    assert!(said.contains("Guardrail complaint: it shows nothing, from 0.01% on the control with 50% allowed: not even a variant at +300% is out"), "{said}");
    let never = "Guardrail leave: it never shows harm: from 70% on the control it can't rise by more than 42.86%, and 50% is allowed; lower maximumIncrease.";
    assert!(said.contains(never), "{said}");
    assert!(said.contains("Guardrail refund: no forecast, since it is of kind Value"), "{said}");
    let said = in_a_line(&forecast(&people, &campaign));
    assert!(said.contains("Guardrail bounce: add --guardrail-rate bounce=40% to foretell"), "{said}");
}

#[test]
fn a_test_that_sees_too_little_says_what_would_help() {
    let challenger = |number: u32| format!("{{headline: Your trail number {number}, button: Shop now}}");
    let challengers = (1..=8).map(challenger).collect::<Vec<_>>().join(", ");
    let many = HERO.replace("{headline: Your trail is waiting, button: Shop now}", &challengers);
    let said = in_a_line(&forecast(&["--traffic", "2000/d", "--rate", "5%"], &many));
    let alone = in_a_line(&forecast(&["--traffic", "2000/d", "--rate", "5%"], HERO));
    assert!(said.contains("8 variants beside the control"), "{said}");
    assert!(
        said.contains(
            "It should see +20%, the stopping.worthwhileLift, and does not. What would help: 1 variant in place of 8 sees"
        ),
        "{said}"
    );
    assert!(said.contains("stopping.maximumDuration 20 d in place of 10 d sees"), "{said}");
    let (_, promised) = said.split_once("1 variant in place of 8 sees +").expect("a remedy");
    let promised: f64 = promised.split_once('%').expect("a percentage").0.parse().expect("a number");
    assert!((100.0 * seen(&alone) - promised).abs() < 1e-9, "a remedy is what it brings: {promised} {alone}");
}

#[test]
fn a_campaign_with_errors_has_no_forecast() {
    let wrong = HERO.replace("format: WebBanner", "format: Billboard");
    let output = broadside(&["check", "-", "--traffic", "10000/d", "--rate", "5%"], &wrong);
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(output.status.code(), Some(1));
    assert!(said.ends_with("  no forecast: mend the errors first\n"), "{said}");
}

#[test]
fn what_is_typed_wrongly_names_the_flag_and_the_remedy() {
    let check = |flags: &[&str], expected: &str| {
        let output = broadside(&[&["check", "-"], flags].concat(), HERO);
        let error = in_a_line(&String::from_utf8(output.stderr).expect("UTF-8"));
        assert!(!output.status.success() && output.stdout.is_empty());
        assert!(error.contains(expected), "{flags:?}: {error}");
    };
    check(&["--traffic", "many", "--rate", "5%"], "--traffic <[PLACEMENT=]PEOPLE/d>': write it like 60000/d");
    check(&["--traffic", "10000/d", "--rate", "0%"], "0% is not above 0%: write what the control has");
    let people = ["--traffic", "10000/d", "--rate"];
    check(&["--traffic", "10000/d"], "--rate");
    check(&["--rate", "5%"], "--traffic");
    let unknown = "--traffic names the placement side, and there is none: use one of hero";
    check(&["--traffic", "side=10000/d", "--rate", "5%"], unknown);
    let none = "--guardrail-rate names the guardrail bounce, and there is none: write spec.placements[].guardrails, or leave it out";
    check(&[&people[..], &["5%", "--guardrail-rate", "bounce=4%"]].concat(), none);
    check(&[&people[..], &["5%", "--mean", "0"]].concat(), "0 is no amount above 0 and at most a billion");
    check(
        &[&people[..], &["5%", "--deviation", "side=4"]].concat(),
        "--deviation names the placement side, and",
    );
    let twice = "--rate is given twice for all placements: keep one";
    check(&["--traffic", "10000/d", "--rate", "5%", "--rate", "6%"], twice);
}
