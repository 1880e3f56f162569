//! What is done with a ledger that does not serve.

use std::io::Write;

use crate::args::{BackupArgs, ExportArgs, RepairArgs, RestoreArgs};
use crate::clock::Clock;
use crate::ledger::backup::{self, BackupError, Copied, RestoreError};
use crate::ledger::export::{self, ExportError};
use crate::ledger::repair::{self, Found, Mode};
use crate::ledger::store::StoreError;

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// The export ended early.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The ledger can't be mended.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no backup.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// Nothing was restored.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// What was found or done can't be told.
    #[error("what was found or done can't be written")]
    Write(#[from] std::io::Error),
    /// Something is wrong, and nothing was done about it.
    #[error(
        "nothing was changed: --set-aside moves what can't be read, and all that follows it, out of the log"
    )]
    Faults,
    /// There is no ledger.
    #[error("--data: {} holds no ledger", .0.display())]
    NoLedger(std::path::PathBuf),
}

/// Prints the log as lines of JSON, or writes it into a file.
///
/// # Errors
/// When the log can't be read, or the lines can't be written.
pub fn export(args: &ExportArgs, to: impl Write) -> Result<(), OfflineError> {
    let ExportArgs { data, campaign, format, out } = args;
    is_ledger(data)?;
    let campaign = campaign.as_deref();
    let lines = match out {
        Some(file) => export::export_to(file, *format, data, campaign)?,
        None => export::export(data, campaign, to)?,
    };
    tracing::info!(lines, "exported");
    Ok(())
}

/// Tells what can't be read, and sets it aside where that is asked for.
///
/// # Errors
/// When there is something and it is not to be set aside, so that a script notices; or when it can't be mended.
pub fn repair(args: &RepairArgs, mut to: impl Write) -> Result<(), OfflineError> {
    let RepairArgs { data, set_aside } = args;
    is_ledger(data)?;
    let mode = if *set_aside { Mode::SetAside } else { Mode::Look };
    let Found { faults, set_aside } = repair::repair(data, mode)?;
    for fault in &faults {
        writeln!(to, "{fault}")?;
    }
    for path in set_aside {
        writeln!(to, "set aside: {}", path.display())?;
    }
    match (mode, faults.as_slice()) {
        (_, []) => writeln!(to, "the log is whole")?,
        (Mode::SetAside, _) => writeln!(to, "the ledger can be opened, with all that came before")?,
        (Mode::Look, _) => return Err(OfflineError::Faults),
    }
    Ok(())
}

/// Copies the ledger.
///
/// # Errors
/// When it can't be read, is damaged, or can't be copied there.
pub fn backup(args: &BackupArgs, clock: &dyn Clock, mut to: impl Write) -> Result<(), OfflineError> {
    let BackupArgs { data, to: folder } = args;
    is_ledger(data)?;
    let Copied { files, bytes } = backup::backup(data, folder, clock.now())?;
    writeln!(to, "backed up to {}: {files} files, {bytes} bytes", folder.display())?;
    Ok(())
}

/// Makes a ledger from its copy.
///
/// # Errors
/// When the copy is damaged, or can't be written there.
pub fn restore(args: &RestoreArgs, mut to: impl Write) -> Result<(), OfflineError> {
    let RestoreArgs { from, data } = args;
    let Copied { files, bytes } = backup::restore(from, data)?;
    writeln!(to, "restored to {}: {files} files, {bytes} bytes", data.display())?;
    Ok(())
}

fn is_ledger(data: &std::path::Path) -> Result<(), OfflineError> {
    if data.join("log").is_dir() { Ok(()) } else { Err(OfflineError::NoLedger(data.to_owned())) }
}
