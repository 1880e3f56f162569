//! The simulated truth: what an experiment has to find is there, once, and the same at every run.

use std::collections::{BTreeMap, BTreeSet};

use cli::world::{Kind, Taste, World};

fn taste(kind: Kind, seed: u64) -> Taste {
    Taste { kind, seed, control_rate: 0.05, best_lift: 0.6, fixed: BTreeMap::new() }
}

fn placement(variants: &[&str]) -> api::TablePlacement {
    let variants: Vec<_> = variants
        .iter()
        .map(|name| serde_json::json!({"name": name, "digest": "", "slots": {"headline": name}}))
        .collect();
    serde_json::from_value(serde_json::json!({
        "name": "hero", "format": "WebBanner", "seed": 1,
        "metric": {"name": "product-view", "kind": "Binary", "windowSeconds": 30},
        "variants": variants, "rounds": [],
    }))
    .expect("a placement")
}

const NAMES: [&str; 7] = ["control", "a", "b", "c", "d", "e", "f"];

#[test]
fn one_variant_is_best_one_is_the_controls_twin_and_the_rest_lie_between() {
    let mut best = BTreeSet::new();
    for seed in 1..=100 {
        let world = World::draw(taste(Kind::Different, seed), &placement(&NAMES)).expect("a world");
        let truth = world.truth("campaign", "hero");
        let twin = truth["twin"].as_str().expect("a twin");
        let named = world.best().expect("one is best").to_owned();
        assert!((world.rate(&named) - 0.08).abs() < 1e-12, "seed {seed}");
        assert_eq!(world.rate(twin).to_bits(), world.rate("control").to_bits(), "seed {seed}");
        for (name, rate) in world.rates().filter(|(name, _)| *name != named) {
            assert!((0.035..=0.06).contains(&rate), "seed {seed}: {name} has {rate}");
        }
        best.insert(named);
    }
    assert_eq!(best.len(), NAMES.len() - 1, "each is the best of some seed: {best:?}");
}

#[test]
fn the_order_of_a_table_makes_no_difference() {
    let mut turned = NAMES;
    turned[1..].reverse();
    let one = World::draw(taste(Kind::Different, 7), &placement(&NAMES)).expect("a world");
    let other = World::draw(taste(Kind::Different, 7), &placement(&turned)).expect("a world");
    assert_eq!(one, other);
}

#[test]
fn a_world_without_differences_has_no_best() {
    let world = World::draw(taste(Kind::Null, 7), &placement(&NAMES)).expect("a world");
    assert_eq!(world.best(), None);
    assert!(world.rates().all(|(_, rate)| rate.to_bits() == 0.05_f64.to_bits()));
}

#[test]
fn rates_that_are_given_are_kept_and_wrong_ones_are_refused() {
    let with = |name: &str, rate: f64| {
        let fixed = BTreeMap::from([(name.to_owned(), rate)]);
        World::draw(Taste { fixed, ..taste(Kind::Different, 7) }, &placement(&NAMES))
    };
    let world = with("c", 0.5).expect("a world");
    assert_eq!((world.best(), world.rate("c").to_bits()), (Some("c"), 0.5_f64.to_bits()));
    assert!(
        with("g", 0.5)
            .expect_err("nobody is called g")
            .to_string()
            .contains("g, which the table does not hold")
    );
    assert!(with("c", 1.5).expect_err("no probability").to_string().contains("--appeal"));
}

#[test]
fn people_act_at_the_rate_of_what_they_see_and_on_everything_better() {
    let world = World::draw(taste(Kind::Different, 7), &placement(&NAMES)).expect("a world");
    let best = world.best().expect("one is best");
    let acting = |variant: &str| (0..100_000).filter(|&person| world.acts(person, variant)).count();
    let (control, better) = (acting("control"), acting(best));
    // Five standard deviations of 100 000 draws at 5 % and 8 %.
    assert!((4_655..=5_345).contains(&control) && (7_571..=8_429).contains(&better), "{control}, {better}");
    assert!((0..100_000).all(|person| !world.acts(person, "control") || world.acts(person, best)));
}
