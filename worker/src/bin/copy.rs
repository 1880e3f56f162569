//! Copies a model out of its image: `copy FROM TO`, files of one folder and, as adapters are, of folders in it.
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
    let copied = files(from).map_err(|error| nothing(from, &error.to_string()))?.into_iter().map(|name| {
        let failed = |error| {
            format!("copying {} to {}: {error}; is there room in the volume?", name.display(), to.display())
        };
        copy_file(from, to, &name).map_err(|error| Fault::Again(failed(error)))
    });
    match copied.collect::<Result<Vec<_>, _>>()?.len() {
        0 => Err(nothing(from, "it holds no file")),
        _ => Ok(()),
    }
}

fn copy_file(from: &Path, to: &Path, name: &Path) -> io::Result<u64> {
    // `to` itself is the volume: where it is missing, nothing is made in its place.
    if let Some(folder) = name.parent().filter(|_| to.is_dir()) {
        fs::create_dir_all(to.join(folder))?;
    }
    fs::copy(from.join(name), to.join(name))
}

/// The files below a folder, by their paths from it. Links to folders are none of a model's.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = PathBuf::from(entry.file_name());
        if entry.file_type()?.is_dir() {
            files.extend(self::files(&entry.path())?.into_iter().map(|inside| name.join(inside)));
        } else if entry.path().is_file() {
            files.push(name);
        }
    }
    Ok(files)
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
