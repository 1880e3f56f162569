//! Copies a model out of its image: `copy FROM TO`, files of one folder.
//!
//! A model's image holds nothing but the model and this program, so that every cluster can use it as an init
//! container, whatever kinds of volume it knows. `broadside model pack` makes such an image.
//!
//! Exit codes are the worker's: 1 something failed that may go well another time; 2 there is nothing to copy.

use std::fs;
use std::io;
use std::path::Path;
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
        fs::copy(from.join(&name), to.join(&name)).map_err(|error| Fault::Again(failed(error)))
    });
    match copied.collect::<Result<Vec<_>, _>>()?.len() {
        0 => Err(nothing(from, "it holds no file")),
        _ => Ok(()),
    }
}

fn files(folder: &Path) -> io::Result<Vec<std::ffi::OsString>> {
    let entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    Ok(entries.into_iter().filter(|entry| entry.path().is_file()).map(|entry| entry.file_name()).collect())
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
