//! Our binaries, as cargo built them beside this program, and those of the cluster.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use cluster::{Binary, Fetch, Places, Progress};

/// The repository, in which chart and examples lie.
pub fn repository() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("this crate is a folder of the repository").to_owned()
}

/// The path of one of our binaries.
///
/// # Errors
/// When it was not built.
pub fn ours(name: &str) -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe().context("finding this program")?;
    // A test lies in `deps/`, a binary above it.
    let folders = program.ancestors().skip(1).take(2);
    let found = folders.map(|folder| folder.join(name)).find(|path| path.is_file());
    let missing = || format!("{name} is not built: run `cargo build --workspace` first, or use make");
    ensure!(found.is_some(), missing());
    found.with_context(missing)
}

/// Gets every program of the cluster, and Helm, unless they are there.
///
/// # Errors
/// When one can't be had; the error names the way out.
pub async fn fetch(progress: &Progress) -> anyhow::Result<()> {
    Fetch::new(Places::from_env(), progress.clone()).binaries(&Binary::ALL).await?;
    Ok(())
}
