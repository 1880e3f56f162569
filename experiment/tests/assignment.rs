//! Assignments: golden vectors of an independent implementation (`oracles/assignment.py`), shares, and movement.

#![expect(clippy::unwrap_used, reason = "helpers of tests, where a panic is the report")]

use experiment::{AssignmentKey, PartsPerMillion, assign};
use statrs::distribution::{ChiSquared, ContinuousCDF};

const ORACLE: &str = include_str!("oracles/assignment.csv");
const SUBJECTS: usize = 200_000;

fn shares(parts: &[u32]) -> Vec<PartsPerMillion> {
    parts.iter().map(|&parts| PartsPerMillion::new(parts).unwrap()).collect()
}

/// The arm of each of many subjects.
fn assigned(key: &AssignmentKey, parts: &[u32]) -> Vec<usize> {
    let names: Vec<String> = (0..parts.len()).map(|arm| format!("arm-{arm}")).collect();
    let shares = shares(parts);
    let one = |subject: usize| {
        let arms = names.iter().map(String::as_str).zip(shares.iter().copied());
        assign(key, &subject.to_le_bytes(), arms).unwrap()
    };
    (0..SUBJECTS).map(one).collect()
}

/// The chance of a deviation from `expected` at least as large, by Pearson's χ².
fn p_value(observed: &[f64], expected: &[f64]) -> f64 {
    let statistic: f64 = observed.iter().zip(expected).map(|(o, e)| (o - e).powi(2) / e).sum();
    ChiSquared::new((observed.len() - 1) as f64).unwrap().sf(statistic)
}

#[test]
fn golden_assignments_hold_on_every_platform() {
    assert_eq!(ORACLE.lines().count(), 200);
    for line in ORACLE.lines() {
        let fields: Vec<&str> = line.split(';').collect();
        let [campaign, placement, seed, subject, arms, expected] = fields[..] else {
            panic!("not a vector: {line}")
        };
        let key = AssignmentKey::new(campaign, placement, seed.parse().unwrap());
        let digit_pairs = subject.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        let subject: Vec<u8> = digit_pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
        let arms = arms.split('|').map(|arm| arm.rsplit_once('=').unwrap());
        let arms = arms.map(|(name, parts)| (name, PartsPerMillion::new(parts.parse().unwrap()).unwrap()));
        assert_eq!(assign(&key, &subject, arms), Some(expected.parse().unwrap()), "{line}");
    }
}

#[test]
fn each_arm_gets_its_share() {
    let parts = [200_000, 1_000, 650_000, 0, 149_000];
    for seed in 0..5 {
        let arms = assigned(&AssignmentKey::new("uid", "hero", seed), &parts);
        let observed = |arm: usize| arms.iter().filter(|&&found| found == arm).count() as f64;
        assert_eq!(observed(3), 0.0, "a share of 0 was chosen");
        let served = [0, 1, 2, 4];
        let expected = served.map(|arm| SUBJECTS as f64 * f64::from(parts[arm]) / 1e6);
        let p_value = p_value(&served.map(observed), &expected);
        assert!(p_value > 1e-3, "seed {seed}: p = {p_value}");
    }
}

#[test]
fn campaigns_placements_and_seeds_draw_apart() {
    let parts = [500_000, 300_000, 200_000];
    let base = assigned(&AssignmentKey::new("uid", "hero", 1), &parts);
    // The last is the base with one letter moved across the border of its fields.
    for (campaign, placement, seed) in
        [("uid", "hero", 2), ("uid", "cart", 1), ("other", "hero", 1), ("uidh", "ero", 1)]
    {
        let other = assigned(&AssignmentKey::new(campaign, placement, seed), &parts);
        let (mut observed, mut expected) = ([0.0; 9], [0.0; 9]);
        base.iter().zip(&other).for_each(|(one, two)| observed[3 * one + two] += 1.0);
        for pair in 0..9 {
            expected[pair] = SUBJECTS as f64 * f64::from(parts[pair / 3]) * f64::from(parts[pair % 3]) / 1e12;
        }
        assert!(p_value(&observed, &expected) > 1e-3, "{campaign} {placement} {seed} depends on the base");
    }
}

#[test]
fn changes_of_shares_move_few_subjects() {
    let key = AssignmentKey::new("uid", "hero", 1);
    // A proportional change moves what must move; any other at most 2d/(1+d) where d must.
    let check = |before: &[u32], after: &[u32], proportional: bool| {
        let (one, two) = (assigned(&key, before), assigned(&key, after));
        let moved = one.iter().zip(&two).filter(|(one, two)| one != two).count() as f64 / SUBJECTS as f64;
        let lost = before.iter().zip(after).map(|(b, a)| f64::from(b.saturating_sub(*a)) / 1e6);
        let must: f64 = lost.sum();
        let bound = if proportional { must } else { 2.0 * must / (1.0 + must) };
        let error = 4.0 * (bound.max(1e-5) / SUBJECTS as f64).sqrt();
        assert!(moved <= bound + error, "{before:?} to {after:?}: {moved} moved, {must} must");
        for (one, two) in one.into_iter().zip(two).filter(|(one, two)| one != two) {
            let growth = |arm: usize| f64::from(after[arm]) / f64::from(before[arm]);
            assert!(growth(two) > growth(one), "{before:?} to {after:?}: from {one} to {two}");
        }
    };
    check(&[500_000, 500_000], &[500_000, 500_000], true);
    check(&[500_000, 500_000], &[200_000, 800_000], true);
    check(&[200_000, 800_000], &[200_001, 799_999], true);
    check(&[200_000, 400_000, 400_000], &[600_000, 200_000, 200_000], true);
    check(&[250_000, 250_000, 500_000], &[500_000, 0, 500_000], false);
    check(&[200_000, 200_000, 300_000, 300_000], &[200_000, 10_000, 700_000, 90_000], false);
    check(
        &[100_000; 10],
        &[200_000, 10_000, 10_000, 10_000, 10_000, 10_000, 10_000, 10_000, 10_000, 720_000],
        false,
    );
}

#[test]
fn without_shares_nobody_is_chosen() {
    let key = AssignmentKey::new("uid", "hero", 1);
    assert_eq!(assign(&key, b"subject", std::iter::empty()), None);
    assert_eq!(assign(&key, b"subject", [("a", PartsPerMillion::ZERO)].into_iter()), None);
    assert_eq!(
        assign(&key, b"subject", [("a", PartsPerMillion::ZERO), ("b", PartsPerMillion::ONE)].into_iter()),
        Some(1)
    );
}
