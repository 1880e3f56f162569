//! `broadside promote`: what a campaign ended with, into a work tree.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use api::{AdCampaign, Promotion, VerdictReason};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, ResourceExt};

use super::edit::{EditError, Form, edit};
use super::record::{HandedOn, Record, RecordError, of_config};
use super::recount::recount;
use crate::campaign::{self, Target};
use crate::results::is_decided;
use crate::terminal::{Output, note};

/// Write what a campaign ended with into a work tree, and print a message for the commit.
///
/// Each placement names its file and place in `spec.placements[].promotion`; nothing else of the file changes, and what is there
/// already is left alone. The verdict is reached again from its evidence first, and nothing is written where it differs.
///
/// Exits with 0 when the files are as the verdict says, with 3 while the campaign is not decided; with `--if-decided` that is 0
/// too, and nothing is written. Of a dry run nothing is ever written, and it exits with 4.
#[derive(Debug, clap::Args)]
pub(crate) struct PromoteArgs {
    #[command(flatten)]
    target: Target,
    /// The top of the work tree.
    #[arg(long, value_name = "DIR", default_value = ".")]
    into: PathBuf,
    /// Do nothing while the campaign is not decided.
    #[arg(long)]
    if_decided: bool,
    /// Write the commit message into a file, in place of standard output; empty where nothing changed.
    #[arg(long, value_name = "FILE")]
    message: Option<PathBuf>,
}

/// The exit status while a campaign is not decided.
const UNDECIDED: u8 = 3;

/// The exit status of a dry run.
const DRY_RUN: u8 = 4;

/// Why nothing was promoted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The campaign can't be read.
    #[error(transparent)]
    Campaign(#[from] campaign::Error),
    /// No placement says where its copy belongs.
    #[error(
        "{0} names no place: write promotion: {{file: .., at: ..}} into a placement of its spec, under a new name once it has begun"
    )]
    NoPlace(String),
    /// Nobody saw anything but the control.
    #[error(
        "{0} is a dry run, in which everybody sees the control: there is nothing to promote; apply the launch under a new name, without spec.dryRun"
    )]
    DryRun(String),
    /// The winner is not handed on yet, or somebody deleted it.
    #[error(
        "there is no ConfigMap {0}: the operator writes it within seconds after the verdict, and again within half an hour"
    )]
    NoWinner(String),
    /// It can't be read.
    #[error("{config}: {source}")]
    Record {
        /// The ConfigMap.
        config: String,
        /// What is wrong.
        source: RecordError,
    },
    /// The verdict is not what its evidence gives.
    #[error("{placement}: {difference}; nothing was written")]
    Differs {
        /// The placement.
        placement: String,
        /// Where.
        difference: String,
    },
    /// A placement is missing in it.
    #[error("{0} is not among what is handed on: look again in a minute")]
    NoPlacement(String),
    /// A file can't be read or written.
    #[error("{}: {source}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A link leads elsewhere.
    #[error("{} lies outside of the work tree: name the file itself in spec.placements[].promotion.file", .0.display())]
    Outside(PathBuf),
    /// A file can't take the texts.
    #[error("{}: {source}", file.display())]
    Edit {
        /// The file.
        file: PathBuf,
        /// Why.
        source: EditError,
    },
}

/// A placement whose file changes.
#[derive(Debug)]
pub struct Promoted<'a> {
    /// The placement.
    pub placement: &'a str,
    /// The file, from the top of the work tree on.
    pub file: &'a str,
    /// What is handed on, and on what grounds.
    pub record: &'a Record,
}

pub(crate) async fn promote(args: PromoteArgs) -> Result<ExitCode, super::Error> {
    let source = args.target.source().await.map_err(Error::Campaign)?;
    let (campaign, _) = source.look().await.map_err(Error::Campaign)?;
    if campaign.spec.dry_run || !is_decided(&campaign) {
        // One of an earlier run must not be taken for this one's.
        args.message.iter().try_for_each(|file| tell(file, ""))?;
    }
    if campaign.spec.dry_run {
        note(&format!("{}; nothing was written", Error::DryRun(campaign.name_any())));
        return Ok(ExitCode::from(DRY_RUN));
    }
    if !is_decided(&campaign) {
        return Ok(if args.if_decided { ExitCode::SUCCESS } else { ExitCode::from(UNDECIDED) });
    }
    let configs: Api<ConfigMap> = Api::namespaced(source.client.clone(), &source.namespace);
    let name = api::name::winner_config(&source.name);
    let config = configs.get_opt(&name).await.map_err(|error| Error::Campaign(Box::new(error).into()))?;
    let config = config.ok_or_else(|| Error::NoWinner(name.clone()))?;
    let records = of_config(&config).map_err(|source| Error::Record { config: name, source })?;
    let draft = draft(&campaign, &records, &args.into)?;
    let message = message(&campaign, &draft.promoted);
    match &args.message {
        Some(file) => tell(file, &message)?,
        None => Output::detect().print(&message)?,
    }
    draft.publish()?;
    Ok(ExitCode::SUCCESS)
}

fn tell(file: &Path, message: &str) -> Result<(), Error> {
    std::fs::write(file, message).map_err(|source| Error::File { file: file.to_owned(), source })
}

/// Files that are written beside those whose place they take.
#[derive(Debug)]
pub struct Draft<'a> {
    /// The placements whose texts were not there yet.
    pub promoted: Vec<Promoted<'a>>,
    files: Vec<(tempfile::NamedTempFile, PathBuf)>,
}

impl Draft<'_> {
    /// Puts each file in its place.
    ///
    /// # Errors
    /// When one can't be moved. Those before it are in their places then; the next run goes on.
    pub fn publish(self) -> Result<(), Error> {
        for (written, file) in self.files {
            written.persist(&file).map_err(|error| Error::File { file, source: error.error })?;
        }
        Ok(())
    }
}

/// Writes what is handed on into drafts of the files that the campaign names, below `into`: of all placements, or of none.
///
/// # Errors
/// When the campaign is a dry run, a verdict is not the campaign's own, or not what its evidence gives, or a file can't be read,
/// changed or written.
pub fn draft<'a>(
    campaign: &'a AdCampaign,
    records: &'a [Result<Record, RecordError>],
    into: &Path,
) -> Result<Draft<'a>, Error> {
    let places: Vec<(&api::Placement, &Promotion)> =
        campaign.spec.placements.iter().filter_map(|it| Some((it, it.promotion.as_ref()?))).collect();
    if places.is_empty() {
        return Err(Error::NoPlace(campaign.name_any()));
    }
    if campaign.spec.dry_run {
        return Err(Error::DryRun(campaign.name_any()));
    }
    let mut texts: BTreeMap<PathBuf, (String, String)> = BTreeMap::new();
    let mut promoted = Vec::new();
    for (placement, promotion) in places {
        // Of what was never tested there is nothing to say: the file stays as it is.
        let Some(record) = of_placement(campaign, records, &placement.name)? else { continue };
        let handed_on =
            record.handed_on.as_ref().ok_or_else(|| Error::NoPlacement(placement.name.clone()))?;
        let file = below(into, &promotion.file)?;
        let (before, text) = match texts.remove(&file) {
            Some(known) => known,
            None => read(&file).map(|text| (text.clone(), text))?,
        };
        let after = edited(placement, promotion, handed_on, &text)
            .map_err(|source| Error::Edit { file: file.clone(), source })?;
        if after != text {
            promoted.push(Promoted { placement: &placement.name, file: &promotion.file, record });
        }
        texts.insert(file, (before, after));
    }
    let changed = texts.into_iter().filter(|(_, (before, after))| before != after);
    let files = changed.map(|(file, (_, text))| Ok((beside(&file, &text)?, file)));
    Ok(Draft { promoted, files: files.collect::<Result<_, Error>>()? })
}

/// The file, which a link must not lead out of the work tree.
fn below(into: &Path, file: &str) -> Result<PathBuf, Error> {
    let path = into.join(file);
    let fault = |source| Error::File { file: path.clone(), source };
    let (top, real) = (into.canonicalize().map_err(fault)?, path.canonicalize().map_err(fault)?);
    if real.starts_with(&top) { Ok(real) } else { Err(Error::Outside(path)) }
}

fn read(file: &Path) -> Result<String, Error> {
    std::fs::read_to_string(file).map_err(|source| Error::File { file: file.to_owned(), source })
}

/// The text in a file of the same folder and with the same permissions.
fn beside(file: &Path, text: &str) -> Result<tempfile::NamedTempFile, Error> {
    let written = || {
        let folder = file.parent().unwrap_or_else(|| Path::new("."));
        let mut written = tempfile::NamedTempFile::new_in(folder)?;
        written.write_all(text.as_bytes())?;
        written.as_file().set_permissions(std::fs::metadata(file)?.permissions())?;
        written.as_file().sync_all()?;
        Ok(written)
    };
    written().map_err(|source| Error::File { file: file.to_owned(), source })
}

/// The record, if it is that of the campaign's own verdict, and gives it; nothing where the days were over before anything was
/// tested.
fn of_placement<'a>(
    campaign: &AdCampaign,
    records: &'a [Result<Record, RecordError>],
    placement: &str,
) -> Result<Option<&'a Record>, Error> {
    let differs = |difference: String| Error::Differs { placement: placement.to_owned(), difference };
    // The status is the operator's word; a ConfigMap may be anybody's, or that of a namesake.
    let placements = campaign.status.iter().flat_map(|status| &status.placements);
    let stored = placements.filter(|it| it.name == placement).find_map(|it| it.verdict.as_ref());
    if stored.is_some_and(|verdict| verdict.evidence.is_none() && verdict.samples == 0) {
        return Ok(None);
    }
    let record = records.iter().flatten().find(|record| record.evidence.placement == placement);
    let Some(record) = record else {
        let mut faults = records.iter().filter_map(|record| record.as_ref().err());
        let why = faults.find(|error| error.is_of(placement));
        return Err(
            why.map_or_else(|| Error::NoPlacement(placement.to_owned()), |why| differs(why.to_string()))
        );
    };
    let handed_on = record.handed_on.as_ref().map(|handed_on| &handed_on.verdict);
    if campaign.uid().as_ref() != Some(&record.evidence.campaign.uid) || stored != handed_on {
        return Err(differs("what is handed on is not the verdict in the campaign's status".to_owned()));
    }
    match recount(record).differences.first() {
        Some(difference) => Err(differs(difference.to_string())),
        None => Ok(Some(record)),
    }
}

fn edited(
    placement: &api::Placement,
    promotion: &Promotion,
    handed_on: &HandedOn,
    text: &str,
) -> Result<String, EditError> {
    // The definition takes no other ending.
    let form = Form::of(&promotion.file)
        .ok_or_else(|| EditError::Unreadable("its name ends with none of .yaml, .json, .toml".to_owned()))?;
    let format = rules::format(&placement.format);
    let slots: Vec<String> =
        format.iter().flat_map(|format| format.slots()).map(|slot| slot.name.clone()).collect();
    edit(form, text, &promotion.at, &handed_on.slots, &slots)
}

/// What to write above the change: the verdicts in words, and by which record each can be verified. Nothing where nothing
/// changed.
pub fn message(campaign: &AdCampaign, promoted: &[Promoted<'_>]) -> String {
    let Some(first) = promoted.first() else { return String::new() };
    let namespace = campaign.namespace().unwrap_or_else(|| "default".to_owned());
    let names: Vec<&str> = promoted.iter().map(|it| it.placement).collect();
    let handed_on = |it: &Promoted<'_>| it.record.handed_on.as_ref().map(|it| it.variant.clone());
    let mut text = format!("Promote {} of campaign {namespace}/{}\n", names.join(", "), campaign.name_any());
    for it in promoted {
        let verdict = &it.record.evidence.verdict;
        let gone = |which: fn(&HandedOn) -> &Option<String>| {
            it.record.handed_on.as_ref().and_then(|it| which(it).as_ref())
        };
        let shown = match (verdict.reason, gone(|it| &it.withdrawn), gone(|it| &it.expired)) {
            (_, Some(withdrawn), _) => format!("{withdrawn} was withdrawn, so the control is back"),
            (_, _, Some(expired)) => format!("the offer of {expired} is over, so the control is back"),
            (VerdictReason::Winner, None, None) => verdict.sentence.clone(),
            (_, None, None) => format!("{:?}: {}", verdict.reason, verdict.sentence),
        };
        write!(text, "\n{} ({}): {shown}\n", it.placement, it.file).expect("text");
        writeln!(text, "Variant: {}", handed_on(it).unwrap_or_default()).expect("text");
        writeln!(text, "Evidence-SHA256: {}", it.record.digest).expect("text");
    }
    writeln!(text, "\nCampaign-UID: {}", first.record.evidence.campaign.uid).expect("text");
    text
}
