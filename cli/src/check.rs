//! `broadside check`: every fault of the campaigns in a file, before a cluster sees them.
//!
//! Three looks, each with the code that later decides: the shape by the custom resource definition, the meaning by the
//! operator's own parsers, and the copy by the rules, whose soft limits become warnings. Rules in CEL are left to the
//! API server; the one on a campaign's name is checked here too.

mod brand;
mod document;
mod forecast;
mod shape;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use api::{AdCampaign, AdModel, Slots};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use operator::Campaign;
use operator::campaign::{Judges, judges};
use operator::model::Model;
use rules::BrandRules;
use serde_json::Value;

use crate::terminal::Output;
use crate::text::plural;
pub use brand::Brands;
use document::Document;
use forecast::Prospects;

/// Check campaigns offline, with the operator's own code.
///
/// Prints every fault with its field and a remedy. Warnings are soft limits: copy that is served, and worth a look.
/// Notes show copy with variables as it reads where no value is known.
/// With --traffic and --rate, a forecast follows for each placement of each campaign without errors; metrics of kind Value need
/// --mean and --deviation too, and each guardrail a --guardrail-rate.
/// Exits with 1 when there is an error, with 0 when there are only warnings.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// YAML files; one may hold several objects. `-` reads standard input.
    #[arg(required_unless_present = "brand", value_name = "FILE")]
    files: Vec<PathBuf>,

    /// A YAML file with the ConfigMap of a brand, for campaigns that name it and do not stand in one file with it. It is
    /// checked too.
    #[arg(long, value_name = "FILE")]
    brand: Vec<PathBuf>,

    #[command(flatten)]
    prospects: Prospects,
}

/// Why nothing could be checked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file can't be read.
    #[error("{} can't be read: {source}", .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Nothing can be foretold of what was typed.
    #[error(transparent)]
    Forecast(#[from] forecast::Error),
    /// Standard output is closed or full.
    #[error("the report can't be written: {0}")]
    Unwritable(#[from] io::Error),
}

/// Whether an object may be applied in spite of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// It is refused, or the campaign is `Stalled`.
    Error,
    /// It is served, and worth a look.
    Warning,
    /// Nothing to mend: what a reader sees, and the file does not say.
    Note,
}

/// One thing that was found: where, what, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What follows.
    pub severity: Severity,
    /// The field, such as `spec.placements[0].control`; empty where the document as a whole is meant.
    pub field: String,
    /// What is wrong, ending with a remedy; of a note, what is so.
    pub problem: String,
}

impl Finding {
    pub(crate) fn error(field: impl Into<String>, problem: impl fmt::Display) -> Self {
        Self { severity: Severity::Error, field: field.into(), problem: problem.to_string() }
    }

    fn warning(field: impl Into<String>, problem: impl fmt::Display) -> Self {
        Self { severity: Severity::Warning, ..Self::error(field, problem) }
    }

    fn note(field: impl Into<String>, what: impl fmt::Display) -> Self {
        Self { severity: Severity::Note, ..Self::error(field, what) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        let colon = if self.field.is_empty() { "" } else { ": " };
        write!(formatter, "{word:<8}{}{colon}{}", self.field, self.problem)
    }
}

/// What was found in one document of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The line on which the document begins, from 1.
    pub line: usize,
    /// Kind, namespace and name, as far as they could be read.
    pub title: String,
    /// What was found, in the order of the looks.
    pub findings: Vec<Finding>,
}

impl Report {
    fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }
}

/// What there is to say about each document of `text`; documents of other API groups are passed over.
///
/// ```
/// let reports = cli::check("apiVersion: broadside.dev/v1alpha1\nkind: AdModel\nmetadata: {name: a}\nspec: {}\n");
/// assert_eq!(reports[0].findings[0].to_string(), "error   spec.source: is missing: add it");
/// ```
pub fn check(text: &str) -> Vec<Report> {
    check_beside(text, &Brands::default())
}

/// The same, where campaigns may also name brands that are not in `text`.
pub fn check_beside(text: &str, brands: &Brands) -> Vec<Report> {
    let brands = brands.and(text);
    document::split(text).into_iter().filter_map(|document| check_document(document, &brands)).collect()
}

fn check_document((line, text): (usize, &str), brands: &Brands) -> Option<Report> {
    match document::read(text) {
        Ok(Document::Ours(object)) => {
            Some(Report { line, title: document::title(&object), findings: check_object(&object, brands) })
        }
        Ok(Document::Foreign(_)) => None,
        Err(problem) => {
            Some(Report { line, title: "document".to_owned(), findings: vec![Finding::error("", problem)] })
        }
    }
}

fn check_object(object: &Value, brands: &Brands) -> Vec<Finding> {
    let mut findings = match shape::check(object) {
        Ok(findings) => findings,
        Err(unknown_kind) => return vec![unknown_kind],
    };
    match object["kind"].as_str() {
        Some("AdCampaign") => findings.extend(check_campaign(object, brands, findings.is_empty())),
        Some("AdModel") => findings.extend(check_model(object, findings.is_empty())),
        Some(kind @ ("AdVariant" | "AdTable")) => findings.push(Finding::error(
            "kind",
            format!("{kind} is written by Broadside alone: write an AdCampaign, it follows from it"),
        )),
        _ => {}
    }
    findings
}

fn check_model(object: &Value, has_right_shape: bool) -> Vec<Finding> {
    match serde_json::from_value::<AdModel>(object.clone()).map(|model| Model::try_from(&model)) {
        Ok(Ok(_)) => Vec::new(),
        Ok(Err(fault)) => vec![Finding::error(fault.field, fault.problem)],
        Err(error) if has_right_shape => vec![Finding::error("", error)],
        Err(_) => Vec::new(),
    }
}

/// Meaning and copy, as far as the shape lets them be read.
fn check_campaign(object: &Value, brands: &Brands, has_right_shape: bool) -> Vec<Finding> {
    match read_campaign(object) {
        Ok(campaign) => {
            let brand = brands.of(&campaign);
            let findings = [name(&campaign), meaning(&campaign, brand), copy(&campaign, brand)].concat();
            findings.into_iter().chain(dry_run(&campaign)).collect()
        }
        Err(error) if has_right_shape => vec![Finding::error("", error)],
        Err(_) => Vec::new(),
    }
}

fn read_campaign(object: &Value) -> serde_json::Result<AdCampaign> {
    let mut object = object.clone();
    // What the API server would add; the parser insists on an object that it could own children of.
    object["metadata"]["uid"] = Value::from("00000000-0000-0000-0000-000000000000");
    serde_json::from_value(object)
}

/// The campaigns of `text`, each with the line of its document.
fn campaigns(text: &str) -> impl Iterator<Item = (usize, Value)> {
    let campaign = |(line, text): (usize, &str)| match document::read(text) {
        Ok(Document::Ours(object)) if object["kind"] == "AdCampaign" => Some((line, object)),
        _ => None,
    };
    document::split(text).into_iter().filter_map(campaign)
}

fn name(campaign: &AdCampaign) -> Vec<Finding> {
    let name = campaign.name_any();
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let fits = name.len() <= api::name::CAMPAIGN_NAME_LIMIT
        && name.bytes().all(allowed)
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-');
    let problem =
        "must be at most 36 small letters, digits and hyphens, begin with a letter and end without a hyphen";
    if fits {
        Vec::new()
    } else {
        vec![Finding::error("metadata.name", format!("{name:?} {problem}: shorten or rename it"))]
    }
}

fn meaning(campaign: &AdCampaign, brand: Option<&ConfigMap>) -> Vec<Finding> {
    match Campaign::read(campaign, brand) {
        // The file of a campaign that has ended stays right.
        Ok(read) => match read.has_time(campaign, Timestamp::now()) {
            Ok(()) => Vec::new(),
            Err(past) => past.0.into_iter().map(|it| Finding::warning(it.field, it.problem)).collect(),
        },
        Err(invalid) => {
            invalid.0.into_iter().map(|fault| Finding::error(fault.field, fault.problem)).collect()
        }
    }
}

/// The soft violations of people's copy, and how copy with variables reads; hard ones are the parser's matter.
fn copy(campaign: &AdCampaign, brand: Option<&ConfigMap>) -> Vec<Finding> {
    let Judges { formats, brand } = judges(campaign, brand);
    let mut findings = Vec::new();
    for (index, placement) in campaign.spec.placements.iter().enumerate() {
        let Some(format) = formats.get(&placement.format) else { continue };
        let challengers = placement.challengers.iter().flatten().enumerate();
        let challengers = challengers.map(|(index, slots)| (format!("challengers[{index}]"), slots));
        for (field, slots) in [("control".to_owned(), &placement.control)].into_iter().chain(challengers) {
            let field = format!("spec.placements[{index}].{field}");
            let soft =
                rules::check(format, &brand, slots).into_iter().filter(|violation| !violation.is_hard());
            findings.extend(soft.map(|violation| Finding::warning(&field, violation)));
            findings.extend(shown(&field, &brand, slots));
        }
    }
    findings
}

fn dry_run(campaign: &AdCampaign) -> Option<Finding> {
    let what = "everybody sees the control, and nothing is handed on; a launch is a campaign of another name";
    campaign.spec.dry_run.then(|| Finding::note("spec.dryRun", what))
}

/// How texts with variables read where no value is known.
fn shown(field: &str, brand: &BrandRules, slots: &Slots) -> Vec<Finding> {
    let note = |(slot, text): (&String, &String)| {
        let shown = brand.variables().with_fallbacks(text);
        let what = format!("reads {shown:?} where no value is known");
        (shown != *text).then(|| Finding::note(format!("{field}.{slot}"), what))
    };
    slots.iter().filter_map(note).collect()
}

/// Checks the files and prints what was found.
pub(crate) fn run(args: &Args) -> Result<ExitCode, Error> {
    let output = Output::detect();
    let mut sections = Vec::new();
    let mut brands = Brands::default();
    for file in &args.brand {
        let text = read(file)?;
        brands = brands.and(&text);
        let nothing = "holds no ConfigMap: name the file with the brand's";
        sections.push(describe(file, &brand::check(&text), nothing, &Forecasts::new()));
    }
    let texts: Vec<String> = args.files.iter().map(read).collect::<Result<_, _>>()?;
    let names = named(&texts);
    args.prospects.check(&names.placements, &names.guardrails)?;
    for (file, text) in args.files.iter().zip(&texts) {
        let reports = check_beside(text, &brands);
        let forecasts = args.forecasts(text, &reports, &brands, output.width());
        let nothing = "holds no object of broadside.dev: name a file with an AdCampaign, and a brand's files behind --brand";
        sections.push(describe(file, &reports, nothing, &forecasts));
    }
    let text: String = sections.iter().map(|(text, _)| text.as_str()).collect();
    let errors: usize = sections.iter().map(|(_, errors)| errors).sum();
    output.print(&text)?;
    Ok(if errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What a flag of the forecast may name.
#[derive(Default)]
struct Names {
    placements: Vec<String>,
    /// Each by itself and behind its placement, as in `hero/bounce`.
    guardrails: Vec<String>,
}

/// The placements and guardrails of all campaigns, whether or not these have faults.
fn named(texts: &[String]) -> Names {
    let mut names = Names::default();
    for (_, campaign) in texts.iter().flat_map(|text| campaigns(text)) {
        for placement in campaign["spec"]["placements"].as_array().into_iter().flatten() {
            let Some(name) = placement["name"].as_str() else { continue };
            names.placements.push(name.to_owned());
            let guardrails = placement["guardrails"].as_array().into_iter().flatten();
            for metric in guardrails.filter_map(|guardrail| guardrail["metric"]["name"].as_str()) {
                names.guardrails.extend([metric.to_owned(), format!("{name}/{metric}")]);
            }
        }
    }
    names
}

/// What is foretold of a campaign, by the line of its document.
type Forecasts = BTreeMap<usize, String>;

impl Args {
    /// Of each campaign, where a forecast was asked for.
    fn forecasts(&self, text: &str, reports: &[Report], brands: &Brands, width: usize) -> Forecasts {
        if !self.prospects.is_asked() {
            return Forecasts::new();
        }
        let brands = brands.and(text);
        let is_right = |line: usize| {
            reports.iter().any(|report| report.line == line && report.count(Severity::Error) == 0)
        };
        let said = |line: usize, object: &Value| {
            let object = read_campaign(object).ok().filter(|_| is_right(line))?;
            let campaign = Campaign::read(&object, brands.of(&object)).ok()?;
            Some(self.prospects.tell(&campaign, width))
        };
        let first_mend = || "  no forecast: mend the errors first\n".to_owned();
        campaigns(text).map(|(line, object)| (line, said(line, &object).unwrap_or_else(first_mend))).collect()
    }
}

fn read(file: &PathBuf) -> Result<String, Error> {
    let text =
        if file.as_os_str() == "-" { io::read_to_string(io::stdin()) } else { std::fs::read_to_string(file) };
    text.map_err(|source| Error::Unreadable { file: file.clone(), source })
}

/// The reports of one file as text, each with its forecast, and how many errors they hold. A file without an object of ours
/// is an error too: most likely it is not the file that was meant.
fn describe(file: &Path, reports: &[Report], nothing: &str, forecasts: &Forecasts) -> (String, usize) {
    let file = file.display();
    if reports.is_empty() {
        return (format!("{file}: {nothing}\n"), 1);
    }
    let mut text = String::new();
    for report in reports {
        let (errors, warnings) = (report.count(Severity::Error), report.count(Severity::Warning));
        let result = match (errors, warnings) {
            (0, 0) => "ok".to_owned(),
            (0, warnings) => plural(warnings, "warning"),
            (errors, 0) => plural(errors, "error"),
            (errors, warnings) => format!("{}, {}", plural(errors, "error"), plural(warnings, "warning")),
        };
        text.push_str(&format!("{file}:{}: {}: {result}\n", report.line, report.title));
        for finding in &report.findings {
            text.push_str(&format!("  {finding}\n"));
        }
        text.push_str(forecasts.get(&report.line).map_or("", String::as_str));
    }
    (text, reports.iter().map(|report| report.count(Severity::Error)).sum())
}
