//! A program of a cluster with its arguments, as data.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// One program that a cluster runs for as long as it lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Process {
    /// Names its log.
    pub(crate) name: String,
    /// The executable.
    pub(crate) program: PathBuf,
    /// What it is told.
    pub(crate) arguments: Vec<String>,
    /// A file that must exist before it is started; a program started too early would give up.
    pub(crate) after: Option<PathBuf>,
}

impl Process {
    /// A program that is started at once, with arguments of the form `--flag=value` from pairs.
    pub(crate) fn new(name: &str, program: PathBuf, flags: &[(&str, String)]) -> Self {
        let arguments = flags.iter().map(|(flag, value)| format!("--{flag}={value}")).collect();
        Self { name: name.into(), program, arguments, after: None }
    }

    /// The same, once `file` exists.
    pub(crate) fn after(mut self, file: impl Into<PathBuf>) -> Self {
        self.after = Some(file.into());
        self
    }
}

/// A script for `sh` that runs all `processes` at once until it is killed. The output of each goes to
/// `log/NAME.log`; when one ends, `run/NAME.exit` appears. Where there is a [`stop_file`] of its name then, that becomes its
/// [`away_file`] instead, and it is started again once that is gone.
pub(crate) fn script(processes: &[Process]) -> String {
    let mut text = String::from("cd \"$1\" || exit\n");
    for process in processes {
        let words =
            std::iter::once(process.program.display().to_string()).chain(process.arguments.iter().cloned());
        let command: Vec<String> = words.map(|word| quoted(&word)).collect();
        let name = &process.name;
        let (command, [stop, away]) =
            (command.join(" "), [stop_file(name), away_file(name)].map(|it| quoted(&it)));
        text += &format!(
            "(while {command} >>log/{name}.log 2>&1; code=$?; mv {stop} {away} 2>/dev/null; do \
             while [ -e {away} ]; do sleep 0.05; done; done; echo $code >run/{name}.exit) &\n"
        );
    }
    text + "wait\n"
}

/// The file, inside the cluster's folder, that says that the process of that name will be ended on purpose.
pub(crate) fn stop_file(name: &str) -> String {
    format!("run/{name}.stop")
}

/// The file that says that it has ended so.
pub(crate) fn away_file(name: &str) -> String {
    format!("run/{name}.away")
}

/// A word that the shell takes as it is.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_keeps_every_word_whole() {
        let folder = tempfile::tempdir().unwrap();
        for sub in ["log", "run"] {
            std::fs::create_dir(folder.path().join(sub)).unwrap();
        }
        let odd = "it's $HOME; `id`".to_owned();
        let process = Process::new("echo", "/bin/echo".into(), &[("flag", odd.clone())]);
        let status = std::process::Command::new("sh")
            .args(["-c", &script(&[process]), "run"])
            .arg(folder.path())
            .status()
            .unwrap();
        assert!(status.success());
        let log = std::fs::read_to_string(folder.path().join("log/echo.log")).unwrap();
        assert_eq!(log, format!("--flag={odd}\n"));
        assert_eq!(std::fs::read_to_string(folder.path().join("run/echo.exit")).unwrap(), "0\n");
    }
}
