//! No output breaks a hard rule, and nearly all that was asked for is delivered.

mod limits;

use std::path::Path;

use engine::cpu;
use limits::{Counts, KNOWN, Kind, count};
use worker::model::Model;
use worker::write::Writer;

/// Formats that count otherwise than those that Handbill knows. It writes nonsense for them, within their limits.
const OTHERS: [&str; 4] = ["MetaFeed", "LinkedInSingleImage", "XPost", "Sms"];

fn counted(kind: Kind, formats: &[&str], outputs: u32) -> Counts {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let model =
        Model::open(&here.join("../models/handbill"), cpu::Form::AsStored).expect("the shipped model");
    let writer = Writer::new(&model, 32).expect("it has a form");
    count(&writer, &here.join("tests/limits"), kind, formats, outputs)
}

#[test]
fn odd_briefs_give_copy_within_limits_and_without_forbidden_words() {
    let counts = counted(Kind::Plain, &KNOWN, 7 * 16);
    assert_eq!(counts.faulty, 0, "{counts:?}");
    assert!(f64::from(counts.delivered) >= 0.95 * f64::from(counts.asked), "{counts:?}");
}

#[test]
fn briefs_that_give_orders_have_no_rule_broken() {
    let counts = counted(Kind::Hostile, &KNOWN, 5 * 16);
    assert_eq!(counts.faulty, 0, "{counts:?}");
    assert!(counts.delivered > 0, "{counts:?}");
}

#[test]
fn limits_hold_however_a_channel_counts() {
    for format in OTHERS {
        let counts = counted(Kind::Plain, &[format], 12);
        assert_eq!(counts.faulty, 0, "{format}: {counts:?}");
        assert!(counts.delivered > 0, "{format}: {counts:?}");
    }
}
