//! Copies a model out of its image: `copy FROM TO`, files of one folder.
//!
//! A model's image holds nothing but the model and this program, so that every cluster can use it as an init
//! container, whatever kinds of volume it knows.

use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to] = arguments.as_slice() else {
        return refuse("write: copy FROM TO");
    };
    match copy(Path::new(from), Path::new(to)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refuse(&format!("copying {from} to {to}: {error}; is there room in the volume?")),
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

#[expect(clippy::print_stderr, reason = "a pod's log is where people look")]
fn refuse(message: &str) -> ExitCode {
    eprintln!("{message}");
    ExitCode::FAILURE
}
