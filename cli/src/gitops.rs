//! What GitOps does with a verdict: `broadside verify` reaches it again from its evidence, without a cluster, and `broadside
//! promote` writes what it hands on into a work tree.
//!
//! ```text
//! record    a ConfigMap ──▶ evidence, and what is handed on       recount   evidence ──▶ the verdict, or where it differs
//! strength  evidence ──▶ its e-values, or where they differ
//! edit      a file, a place in it, a text ──▶ the file            promote   what is handed on ──▶ files and a message
//! ```

mod edit;
mod promote;
mod record;
mod recount;
mod strength;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use api::Evidence;

use crate::offline::file;
use crate::terminal::Output;
pub use edit::{EditError, Form, edit};
pub use promote::{Draft, Promoted, draft, message};
pub(crate) use promote::{PromoteArgs, promote};
pub use record::{HandedOn, Record, RecordError, records};
pub use recount::{Difference, Recount, recount};
pub use strength::Lack;

/// Reach a verdict again from its evidence, without a cluster.
///
/// Reads the winner's ConfigMap as `kubectl get configmap adc-NAME-winner -o yaml` prints it, or a file of evidence as it was
/// committed. Checks that each text is that of its name and digest, that the totals give the same verdict with the same
/// figures, and that what is handed on is what the verdict says. Exits with 1 where something differs.
#[derive(Debug, clap::Args)]
pub(crate) struct VerifyArgs {
    /// The file, in YAML or JSON. `-` reads standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Why a verdict can't be reached again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file can't be read.
    #[error("{} can't be read", file::name(.file))]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It holds no evidence.
    #[error("{}: {source}", file::name(.file))]
    Record {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        source: RecordError,
    },
    /// What was decided can't be written.
    #[error(transparent)]
    Promote(#[from] promote::Error),
    /// Standard output is closed or full.
    #[error("the answer can't be written")]
    Unwritable(#[from] std::io::Error),
}

/// Verifies, and tells what was found for each placement.
pub(crate) fn verify(args: &VerifyArgs) -> Result<ExitCode, Error> {
    let output = Output::detect();
    let mut differs = false;
    for record in &read(&args.file)? {
        let (text, is_same) = match record {
            Ok(record) => {
                let found = recount(record);
                (tell(&record.evidence, &found), found.differences.is_empty())
            }
            Err(error) => (format!("DIFFERS: {error}\n"), false),
        };
        output.print(&text)?;
        differs |= !is_same;
    }
    Ok(if differs { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn read(file: &Path) -> Result<Vec<Result<Record, RecordError>>, Error> {
    let bytes = file::read(file).map_err(|source| Error::Unreadable { file: file.to_owned(), source })?;
    records(&bytes).map_err(|source| Error::Record { file: file.to_owned(), source })
}

/// What was found, as people read it.
fn tell(evidence: &Evidence, found: &Recount) -> String {
    let Evidence { campaign, placement, verdict, dry_run, .. } = evidence;
    let dry = if *dry_run { " (dry run)" } else { "" };
    let mut text =
        format!("{}/{} {placement}: {:?}{dry}\n", campaign.namespace, campaign.name, verdict.reason);
    text.push_str(&format!("  {}\n", verdict.sentence));
    for difference in &found.differences {
        text.push_str(&format!("  DIFFERS: {difference}\n"));
    }
    for lack in &found.lacks {
        text.push_str(&format!("  it lacks {lack}: that was not recounted\n"));
    }
    if found.differences.is_empty() {
        text.push_str(&format!(
            "  the same verdict from {} people in {}, and the texts are those of their names\n",
            crate::text::thousands(found.people),
            crate::text::plural(found.rounds, "round"),
        ));
    }
    text
}
