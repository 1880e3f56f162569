//! Copies a model out of its image: `copy FROM TO`, the files of a folder and of those below it.
//!
//! A model's image holds nothing but the model and this program, so that every cluster can use it as an init
//! container, whatever kinds of volume it knows. `broadside model pack` makes such an image.
//!
//! Exit codes are the worker's: 1 something failed that may go well another time; 2 there is nothing to copy.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Why nothing was copied.
enum Fault {
    /// The same image gives the same again.
    Final(String),
    /// Another try may go well.
    Again(String),
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.as_slice() {
        [from, to] => copy(Path::new(from), Path::new(to)),
        _ => Err(Fault::Final("write: copy FROM TO".to_owned())),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Fault::Final(message)) => refuse(&message, 2),
        Err(Fault::Again(message)) => refuse(&message, 1),
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), Fault> {
    let files = files(from, Path::new("")).map_err(|error| nothing(from, &error.to_string()))?;
    let copied = files.into_iter().map(|path| {
        let failed = |error| {
            format!("copying {} to {}: {error}; is there room in the volume?", path.display(), to.display())
        };
        copy_file(from, to, &path).map_err(|error| Fault::Again(failed(error)))
    });
    match copied.collect::<Result<Vec<_>, _>>()?.len() {
        0 => Err(nothing(from, "it holds no file")),
        _ => Ok(()),
    }
}

/// Makes the folders below `to` that the file needs, and never `to` itself: it is a volume.
fn copy_file(from: &Path, to: &Path, path: &Path) -> io::Result<u64> {
    fs::metadata(to)?;
    path.parent().map_or(Ok(()), |folder| fs::create_dir_all(to.join(folder)))?;
    fs::copy(from.join(path), to.join(path))
}

/// The files of `folder`, which lies below `from`, as paths below `from`. A link to a folder is none: it might lead back.
fn files(from: &Path, folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(from.join(folder))? {
        let entry = entry?;
        let path = folder.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            found.extend(files(from, &path)?);
        } else if entry.path().is_file() {
            found.push(path);
        }
    }
    Ok(found)
}

fn nothing(from: &Path, why: &str) -> Fault {
    Fault::Final(format!(
        "there is no model in {}: {why}; make the image with broadside model pack",
        from.display()
    ))
}

#[expect(clippy::print_stderr, reason = "a pod's log is where people look")]
fn refuse(message: &str, code: u8) -> ExitCode {
    eprintln!("{message}");
    ExitCode::from(code)
}
