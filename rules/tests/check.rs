//! One harness for the check; the cases are the files of `cases/`, each named as the sentence that it proves.
//!
//! `expect` lists the violations as they read, each behind `hard:` or `soft:`, in order.

use std::collections::BTreeMap;
use std::path::Path;

use rules::{BrandRules, Severity, Variable, Variables, Violation};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    format: String,
    #[serde(default)]
    forbidden: Vec<String>,
    #[serde(default)]
    required: Vec<String>,
    /// Name, longest value and fallback of each.
    #[serde(default)]
    variables: Vec<(String, u32, String)>,
    copy: BTreeMap<String, String>,
    expect: Vec<String>,
}

#[test]
fn every_case_is_judged_as_its_file_says() {
    let mut cases = 0;
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases")).expect("the cases") {
        judge(&entry.expect("an entry").path());
        cases += 1;
    }
    assert!(cases > 0, "no case was read");
}

fn judge(path: &Path) {
    let text = std::fs::read_to_string(path).expect("a case");
    let case: Case =
        serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let format = rules::format(&case.format).expect("a known format");
    let variable = |(name, maximum, fallback): &(String, u32, String)| {
        Variable::new(name, *maximum, fallback).expect("a good variable")
    };
    let variables = Variables::new(case.variables.iter().map(variable).collect()).expect("good variables");
    let brand = BrandRules::new(&case.forbidden, &case.required).expect("good word lists");
    let brand = brand.with_variables(variables);
    let found: Vec<String> = rules::check(format, &brand, &case.copy).iter().map(line).collect();
    assert_eq!(found, case.expect, "{}", path.display());
}

fn line(violation: &Violation) -> String {
    let severity = match violation.severity {
        Severity::Hard => "hard",
        Severity::Soft => "soft",
    };
    format!("{severity}: {violation}")
}
