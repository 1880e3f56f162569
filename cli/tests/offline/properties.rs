//! What holds for every document: nothing makes it panic, and the answer is about what was counted, not about how it was
//! written down.

use cli::offline::world::Played;
use cli::offline::{EstimateAnswer, Question, table, world};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Map, Value, json};

use crate::{assert_alike, estimate, example, question};

/// All that can be asked, to the end.
fn ask(bytes: &[u8]) {
    let Ok(question) = Question::parse(bytes) else { return };
    let answer = question.estimate().expect("what could be read can be estimated");
    serde_json::to_string(&answer).expect("plain data");
    for width in [0, 1, 40, 80, 200] {
        table(&question, &answer, width);
    }
    if let Ok(shares) = question.allocate() {
        let text = serde_json::to_value(&shares).expect("plain data");
        let of_segments = text["segments"].as_object().into_iter().flat_map(|segments| segments.values());
        for part in of_segments.chain([&text]).filter_map(|part| part.get("allocation")) {
            let sum: u64 = part.as_object().expect("shares").values().filter_map(Value::as_u64).sum();
            assert_eq!(sum, 1_000_000, "{text}");
        }
    }
}

/// All that can be played, to the end, unless it takes long.
fn play(bytes: &[u8]) {
    /// A quarter of a second at most.
    const MOST: u64 = 20_000;
    let Some(played) = Played::parse(bytes).ok().filter(|played| played.steps() <= MOST) else { return };
    let story = played.play(|_, _| {}).expect("what could be read can be played");
    let answer = story.answer(&played).expect("what was played has an answer");
    assert_eq!(answer.decided.is_some(), answer.right.is_some(), "{answer:?}");
    serde_json::to_string(&answer).expect("plain data");
    for width in [0, 1, 40, 80, 200] {
        world::table(&story, &answer, width);
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        extreme_number(),
        word().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 6, |inner| {
        let name = prop_oneof![word(), ".{0,4}"];
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((name, inner), 0..5).prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

/// Words of the form, so that what is drawn gets further than the first field.
fn word() -> impl Strategy<Value = String> {
    const WORDS: [&str; 68] = [
        "metric",
        "name",
        "kind",
        "Binary",
        "Value",
        "direction",
        "Minimize",
        "cap",
        "window",
        "control",
        "confidence",
        "95%",
        "99.9999%",
        "50%",
        "worthwhileLift",
        "0.1%",
        "70%",
        "rounds",
        "number",
        "allocation",
        "totals",
        "segments",
        "n",
        "sum",
        "sumSquares",
        "decisions",
        "variants",
        "generation",
        "retired",
        "policy",
        "type",
        "TopTwo",
        "lookBack",
        "LinearThompson",
        "basis",
        "AsDelivered",
        "NotRandomized",
        "covariate",
        "sumProducts",
        "guardrails",
        "bounce",
        "maximumIncrease",
        "features",
        "plannedExposures",
        "open",
        "seed",
        "rate",
        "laterRate",
        "worth",
        "mean",
        "deviation",
        "fromRound",
        "untilRound",
        "share",
        "rates",
        "trends",
        "linear",
        "to",
        "wave",
        "sale",
        "factor",
        "exposures",
        "growth",
        "delay",
        "people",
        "visits",
        "EveryRound",
        "0%",
    ];
    proptest::sample::select(&WORDS[..]).prop_map(str::to_owned)
}

/// Numbers at the borders of what is allowed, as numbers and as texts.
fn extreme_number() -> impl Strategy<Value = Value> {
    const NUMBERS: [&str; 16] = [
        "0",
        "1",
        "2",
        "29",
        "30",
        "1000",
        "1000000",
        "4294967296",
        "9007199254740992",
        "9007199254740993",
        "18446744073709551615",
        "1e60",
        "1e-60",
        "1e30",
        "0.1",
        "-1",
    ];
    (proptest::sample::select(&NUMBERS[..]), any::<bool>()).prop_map(|(number, quoted)| {
        if quoted { Value::from(number) } else { serde_json::from_str(number).expect("a number") }
    })
}

/// Every place of a document, as a JSON pointer.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(key, value)| places(value, &format!("{at}/{key}"), found));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| places(item, &format!("{at}/{index}"), found));
        }
        _ => {}
    }
}

/// A document that uses every field.
fn full() -> Value {
    let mut document = example();
    document["metric"] =
        json!({"name": "revenue", "kind": "Value", "direction": "Minimize", "cap": "100", "window": "1h"});
    document["elapsed"] = "3d".into();
    document["guardrails"] = json!([
        {"metric": {"name": "bounce", "window": "5m"}, "maximumIncrease": "50%"},
        {"metric": {"name": "calls", "kind": "Value", "cap": 10}, "maximumIncrease": "10%"},
    ]);
    document["plannedExposures"] = 50_000.into();
    document["segments"] = json!({"new": {"features": [1, 0.5]}, "known": {"features": [1, -0.5]}});
    document["maximumDuration"] = "28d".into();
    document["variants"] = json!({"a": {"generation": 2}, "b": {"retired": true}, "d": {}});
    document["policy"] = json!({"type": "TopTwo", "floor": "1%", "controlShare": "none", "lookBack": 5000});
    let totals = |n: u32| {
        json!({"n": n, "sum": "90.5", "sumSquares": "700.25", "decisions": n + 5,
        "covariate": {"sum": "-20.5", "sumSquares": "900", "sumProducts": "-30"},
        "guardrails": {"bounce": {"sum": "40", "sumSquares": "40"}, "calls": {"n": n - 7, "sum": 3.5, "sumSquares": 7}}})
    };
    let segment = |share: u32| {
        json!({
            "allocation": {"control": share, "a": 1_000_000 - share - 300_000, "b": 300_000},
            "totals": {"control": totals(2000), "a": totals(3000), "b": totals(3500)},
        })
    };
    document["rounds"] = json!([
        {"number": 2, "segments": {"new": segment(200_000), "known": segment(350_000)}},
        {"number": 1, "segments": {"new": segment(400_000)}},
    ]);
    document
}

/// A small world that uses every field but `people`, for which `exposures` are not asked.
fn full_world() -> Value {
    let variant = |rate: &str| json!({"rate": rate, "laterRate": "30%", "worth": {"mean": "4", "deviation": "3"}, "generation": 1});
    let mut late = variant("25%");
    late["fromRound"] = 3.into();
    late["untilRound"] = 5.into();
    json!({
        "metric": {"name": "revenue", "kind": "Value", "direction": "Minimize", "cap": "20", "window": "1h"},
        "control": "old", "confidence": "90%", "maximumLoss": "2%", "worthwhileLift": "10%", "seed": 7, "delay": 2,
        "policy": {"type": "LinearThompson", "floor": "1%", "controlShare": "20%", "minimumPerVariant": 5},
        "variants": {"old": variant("20%"), "new": variant("10%"), "late": late},
        "segments": {"known": {"share": "60%", "rates": {"new": "15%"}, "features": [1, 0.5]},
            "new": {"share": "40%", "features": [1, -0.5]}},
        "trends": [{"linear": {"to": "200%"}}, {"wave": {"amplitude": "50%", "rounds": 3}},
            {"sale": {"from": "50%", "until": "80%", "factor": "250%"}}],
        "rounds": {"number": 6, "exposures": 300, "growth": "10%"},
    })
}

/// A small one whose people come back.
fn crowded_world() -> Value {
    json!({
        "metric": {"name": "click"}, "control": "old", "variants": {"old": {"rate": "20%"}, "new": {"rate": "50%"}},
        "rounds": {"number": 5},
        "people": {"number": 300, "visits": "40%", "counted": "EveryRound", "reseededEvery": 2},
    })
}

/// `document` with anything in some of its places, and what stands at another place in one.
fn changed(mut document: Value, changes: Vec<(Index, Value)>, moved: Option<(Index, Index)>) -> String {
    let mut found = Vec::new();
    places(&document, "", &mut found);
    for (index, value) in changes {
        if let Some(place) = document.pointer_mut(index.get::<String>(&found)) {
            *place = value;
        }
    }
    if let Some((from, to)) = moved {
        let value = document.pointer(from.get::<String>(&found)).cloned().unwrap_or_default();
        if let Some(place) = document.pointer_mut(to.get::<String>(&found)) {
            *place = value;
        }
    }
    document.to_string()
}

fn changes() -> impl Strategy<Value = Vec<(Index, Value)>> {
    vec((any::<Index>(), prop_oneof![extreme_number(), any_json()]), 1..4)
}

#[test]
fn worlds_that_use_every_field_are_played() {
    for world in [full_world(), crowded_world()] {
        let bytes = world.to_string();
        let played = Played::parse(bytes.as_bytes()).unwrap_or_else(|fault| panic!("{fault}"));
        assert!(played.steps() < 10_000, "{}", played.steps());
        play(bytes.as_bytes());
    }
}

/// What the fuzzer starts from besides `cases/`: documents whose screens are too wide to be shown.
#[test]
fn seeds_of_the_fuzzer_are_answered() {
    let seeds = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    for entry in std::fs::read_dir(seeds).expect("seeds") {
        let bytes = std::fs::read(entry.expect("an entry").path()).expect("readable");
        ask(&bytes);
        assert!(Question::parse(&bytes).expect("a question").allocate().is_ok());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..200)) {
        ask(&bytes);
        play(&bytes);
    }

    #[test]
    fn no_json_makes_it_panic(value in any_json()) {
        ask(value.to_string().as_bytes());
        play(value.to_string().as_bytes());
    }

    /// Places of two good documents are filled with anything, or with what stands at another place.
    #[test]
    fn no_change_of_a_good_document_makes_it_panic(
        is_full in any::<bool>(),
        changes in changes(),
        moved in proptest::option::of(any::<(Index, Index)>()),
    ) {
        let document = if is_full { full() } else { example() };
        ask(changed(document, changes, moved).as_bytes());
    }

    /// The same of worlds.
    #[test]
    fn no_change_of_a_good_world_makes_it_panic(
        is_full in any::<bool>(),
        changes in changes(),
        moved in proptest::option::of(any::<(Index, Index)>()),
    ) {
        let world = if is_full { full_world() } else { crowded_world() };
        play(changed(world, changes, moved).as_bytes());
    }

    #[test]
    fn no_change_of_a_byte_makes_it_panic(at in any::<Index>(), byte in any::<u8>()) {
        for (document, asked) in [(full(), ask as fn(&[u8])), (full_world(), play), (crowded_world(), play)] {
            let mut bytes = document.to_string().into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            asked(&bytes);
        }
    }

    /// Sums over many magnitudes have an estimate, and its limits are in order.
    #[test]
    fn extreme_totals_have_estimates(experiment in experiment(EXTREME)) {
        ask(experiment.document().to_string().as_bytes());
        for variant in estimate(&experiment.document()).variants {
            prop_assert!(!(variant.p_best.0 < 0.0 || variant.p_best.0 > 1.0), "{variant:?}");
            if let Some(limits) = variant.lift_anytime {
                prop_assert!(limits.low.0 <= limits.high.0, "{limits:?} of {}", variant.name);
            }
        }
    }

    /// Rounds may be written in any order, and variants too.
    #[test]
    fn the_order_of_a_document_changes_nothing(experiment in experiment(USUAL)) {
        let document = experiment.document();
        let mut turned = document.clone();
        turned["rounds"].as_array_mut().expect("rounds").reverse();
        let turned = backwards(&turned);
        prop_assert_ne!(&turned, &document.to_string());
        let turned = Question::parse(turned.as_bytes()).expect("a question");
        prop_assert_eq!(plain(&turned.estimate().expect("an estimate")), plain(&estimate(&document)));
        prop_assert_eq!(turned.allocate().ok(), question(&document).allocate().ok());
    }

    /// Other names, in another order of the alphabet, give the same figures under the other names.
    #[test]
    fn names_change_nothing(experiment in experiment(USUAL)) {
        const OTHERS: [&str; 4] = ["n", "z", "y", "x"];
        let (one, other) = (estimate(&experiment.document()), estimate(&experiment.named(OTHERS)));
        for (name, as_named) in NAMES.into_iter().zip(OTHERS) {
            let of = |answer: &EstimateAnswer, name: &str| {
                let mut variants = answer.variants.iter();
                let mut variant = figures(variants.find(|variant| variant.name == name).expect("a variant"));
                variant["name"] = "".into();
                variant
            };
            assert_alike(&of(&one, name), &of(&other, as_named), 1e-9, name);
        }
        prop_assert_eq!(one.verdict, other.verdict);
    }

    /// Which segment comes last in the alphabet says nothing about it.
    #[test]
    fn names_of_segments_change_nothing(experiment in experiment(USUAL), shares in 1..=8_u32) {
        let round = &experiment.document()["rounds"][0];
        let named = |names: [&str; 3]| {
            let mut document = experiment.document();
            let segment = |part: u32| json!({
                "allocation": {"control": 100_000 * part, "a": 1_000_000 - 100_000 * part},
                "totals": {"control": round["totals"]["control"], "a": round["totals"]["a"]},
            });
            let segments: Map<String, Value> = names
                .into_iter()
                .zip([segment(1), segment(shares), segment(9)])
                .map(|(name, segment)| (name.to_owned(), segment))
                .collect();
            document["rounds"] = json!([{"number": 1, "segments": segments}]);
            estimate(&document)
        };
        let (one, other) = (named(["a", "b", "c"]), named(["z", "y", "x"]));
        prop_assert_eq!(one.still_needed, other.still_needed);
        assert_alike(&figures(&one.variants), &figures(&other.variants), 1e-9, "");
    }

    /// Two rounds of equal shares may be written as one.
    #[test]
    fn merging_rounds_of_equal_shares_changes_nothing(experiment in experiment(USUAL)) {
        let mut equal = experiment;
        equal.rounds[1].shares = equal.rounds[0].shares.clone();
        let merged = equal.merged();
        let (apart, together) = (estimate(&equal.document()), estimate(&merged.document()));
        // Limits of values are found by halving, so they are not known to all digits.
        let tolerance = if equal.metric["kind"] == "Binary" { 1e-12 } else { 1e-9 };
        assert_alike(&figures(&apart), &figures(&together), tolerance, "");
    }
}

/// What is answered, but for the numbers of rounds, sentences, which round, and e-values, whose logarithms say the same with all their digits.
fn figures(answer: &impl serde::Serialize) -> Value {
    let mut answer = plain(answer);
    forget(&mut answer);
    answer
}

fn forget(answer: &mut Value) {
    match answer {
        Value::Object(fields) => {
            fields.retain(|key, _| !["sentence", "eValue", "rounds"].contains(&key.as_str()));
            fields.values_mut().for_each(forget);
        }
        Value::Array(items) => items.iter_mut().for_each(forget),
        _ => {}
    }
}

fn plain(answer: &impl serde::Serialize) -> Value {
    serde_json::to_value(answer).expect("plain data")
}

/// The document with all fields in reverse.
fn backwards(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .rev()
                .map(|(key, value)| format!("{}:{}", json!(key), backwards(value)))
                .collect();
            format!("{{{}}}", fields.join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(backwards).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

/// A made-up experiment of four variants.
#[derive(Clone, Debug)]
struct Experiment {
    metric: Value,
    rounds: Vec<Round>,
}

#[derive(Clone, Debug)]
struct Round {
    shares: Vec<u32>,
    /// n, Σy and Σy² by variant.
    totals: Vec<(u64, f64, f64)>,
}

const NAMES: [&str; 4] = ["control", "a", "b", "c"];

/// What is made up.
#[derive(Clone, Copy, Debug)]
struct Size {
    /// Of the smallest and the largest traffic of a round.
    bits: (u32, u32),
    /// The smallest weight of a share, of a largest one of 1000.
    weight: u32,
    /// How far a count may be from what its share makes of the traffic.
    off: f64,
    /// The smallest and the largest part of exposures that are rewarded.
    part: (f64, f64),
    /// Of ten, of the largest and the smallest value.
    power: i32,
}

/// As campaigns have them.
const USUAL: Size = Size { bits: (12, 14), weight: 100, off: 0.01, part: (0.04, 0.06), power: 0 };

/// Nothing beside nearly everything, whatever the shares are: the last digits are not worth much then.
const EXTREME: Size = Size { bits: (0, 40), weight: 0, off: 1.0, part: (0.0, 1.0), power: 12 };

fn experiment(size: Size) -> impl Strategy<Value = Experiment> {
    let direction = prop_oneof![Just("Maximize"), Just("Minimize")];
    (any::<bool>(), direction).prop_flat_map(move |(is_binary, direction)| {
        let kind = if is_binary { "Binary" } else { "Value" };
        let metric = json!({"name": "m", "kind": kind, "direction": direction});
        vec(round(is_binary, size), 2..=4)
            .prop_map(move |rounds| Experiment { metric: metric.clone(), rounds })
    })
}

fn round(is_binary: bool, size: Size) -> impl Strategy<Value = Round> {
    let shares = vec(size.weight..=1000, 4).prop_map(|weights| {
        let total = weights.iter().sum::<u32>().max(1);
        let mut shares: Vec<u32> = weights.iter().map(|&weight| weight * 1_000_000 / total).collect();
        shares[0] += 1_000_000 - shares.iter().sum::<u32>();
        shares
    });
    let bits = size.bits.0..=size.bits.1;
    (shares, bits, vec(totals(is_binary, size), 4)).prop_map(|(shares, bits, totals)| {
        let of_share = |(share, totals): (&u32, &Counts)| match share {
            0 => (0, 0.0, 0.0),
            share => totals.of(f64::from(*share) / 1e6 * (1_u64 << bits) as f64),
        };
        Round { totals: shares.iter().zip(&totals).map(of_share).collect(), shares }
    })
}

/// How a variant does, whatever its share.
#[derive(Clone, Debug)]
struct Counts {
    is_binary: bool,
    off: f64,
    part: f64,
    /// From 0, where all rewards are equal, to 1, where one is everything.
    spread: f64,
    value: f64,
}

fn totals(is_binary: bool, size: Size) -> impl Strategy<Value = Counts> {
    let powers = -size.power..=size.power;
    (-size.off..=size.off, size.part.0..=size.part.1, 0.0..=0.01_f64, powers).prop_map(
        move |(off, part, spread, power)| Counts { is_binary, off, part, spread, value: 10_f64.powi(power) },
    )
}

impl Counts {
    /// n, Σy and Σy² where some `exposures` are expected.
    fn of(&self, exposures: f64) -> (u64, f64, f64) {
        let exposures = (exposures * (1.0 + self.off)).round();
        let rewarded = (exposures * self.part).round();
        let n = exposures as u64;
        if self.is_binary || rewarded == 0.0 {
            return (n, rewarded, rewarded);
        }
        let (sum, least) = (rewarded * self.value, rewarded * self.value * self.value);
        (n, sum, least * (1.0 + self.spread * (rewarded - 1.0)))
    }
}

impl Experiment {
    fn document(&self) -> Value {
        self.named(NAMES)
    }

    fn named(&self, names: [&str; 4]) -> Value {
        let round = |(index, round): (usize, &Round)| {
            let shares = names.into_iter().zip(&round.shares);
            let allocation: Map<String, Value> =
                shares.map(|(name, share)| (name.to_owned(), json!(share))).collect();
            let entries = names.into_iter().zip(&round.totals);
            let totals: Map<String, Value> = entries
                .map(|(name, (n, sum, squares))| {
                    let totals = json!({"n": n, "sum": sum.to_string(), "sumSquares": squares.to_string()});
                    (name.to_owned(), totals)
                })
                .collect();
            json!({"number": index + 1, "allocation": allocation, "totals": totals})
        };
        let rounds: Vec<Value> = self.rounds.iter().enumerate().map(round).collect();
        json!({"metric": self.metric, "control": names[0], "worthwhileLift": "5%", "rounds": rounds})
    }

    /// The first two rounds as one.
    fn merged(&self) -> Self {
        let mut merged = self.clone();
        let second = merged.rounds.remove(1);
        for (sum, totals) in merged.rounds[0].totals.iter_mut().zip(second.totals) {
            *sum = (sum.0 + totals.0, sum.1 + totals.1, sum.2 + totals.2);
        }
        merged
    }
}
