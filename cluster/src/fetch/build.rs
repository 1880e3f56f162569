//! Builds a binary from its Go module: slow, but needs only Go and its module proxy.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::{env, fs, io};

use tokio::process::Command;

use super::{Error, cache_error};
use crate::binaries::{Binary, Module};

/// Where the Go project's own archive is installed, when it is not in the search path.
const USUAL_GO: &str = "/usr/local/go/bin/go";

/// How much of a failed build is shown.
const SHOWN_LINES: usize = 12;

/// The `go` command, if there is one.
pub(super) fn find_go() -> Option<PathBuf> {
    let search = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&search).map(|folder| folder.join("go")).chain([USUAL_GO.into()]).find(|go| go.is_file())
}

/// Builds `binary` into the file `part`: static, without paths of this machine.
pub(super) async fn build(go: &Path, binary: Binary, part: &Path) -> Result<(), Error> {
    let module = binary.component().module();
    let folder = part.with_extension("module");
    write(&module, &folder).map_err(|source| cache_error(&folder, source))?;
    let output = command(go, binary, part, &folder).output().await;
    fs::remove_dir_all(&folder).map_err(|source| cache_error(&folder, source))?;
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(Error::Build { binary: binary.name(), output: tail(&output) }),
        Err(error) => Err(Error::Build { binary: binary.name(), output: error.to_string() }),
    }
}

fn command(go: &Path, binary: Binary, part: &Path, folder: &Path) -> Command {
    let mut command = Command::new(go);
    command
        .current_dir(folder)
        .env("CGO_ENABLED", "0")
        // A workspace file in some folder above would replace our pinned versions.
        .env("GOWORK", "off")
        .args(["build", "-trimpath", "-ldflags", &binary.component().linker_flags(), "-o"])
        .arg(part)
        .arg(binary.package())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

fn write(module: &Module, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("go.mod"), module.definition)?;
    fs::write(folder.join("go.sum"), module.sums)
}

fn tail(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A `go` that writes its arguments and what it sees of the module into the file after `-o`.
    const RECORDER: &str = "#!/bin/sh\nfor last do case $prev in -o) out=$last ;; esac; prev=$last; done\n\
        { echo \"$@\"; echo \"CGO_ENABLED=$CGO_ENABLED\"; head -n 3 go.mod; wc -c < go.sum; } > \"$out\"\n";

    /// Another process writes what is started: a file that this one had open to write could be held by a child that
    /// another test starts at the same time, and can't be started then.
    fn script(folder: &Path, text: &str) -> PathBuf {
        let (source, path) = (folder.join("go.sh"), folder.join("go"));
        fs::write(&source, text).unwrap();
        let installed =
            std::process::Command::new("install").args(["-m", "755"]).args([&source, &path]).status();
        assert!(installed.unwrap().success());
        path
    }

    #[tokio::test]
    async fn a_build_is_static_versioned_and_pinned() {
        let folder = tempfile::tempdir().unwrap();
        let part = folder.path().join("kubelet.part");
        build(&script(folder.path(), RECORDER), Binary::Kubelet, &part).await.unwrap();
        let seen = fs::read_to_string(&part).unwrap();
        assert!(seen.contains("-trimpath") && seen.contains("gitVersion=v1.37.2"), "{seen}");
        assert!(seen.contains("k8s.io/kubernetes/cmd/kubelet"), "{seen}");
        assert!(seen.contains("CGO_ENABLED=0") && seen.contains("module broadside.dev"), "{seen}");
        assert!(!folder.path().join("kubelet.module").exists(), "the module's folder stays behind");
    }

    #[tokio::test]
    async fn a_failed_build_shows_what_go_said() {
        let folder = tempfile::tempdir().unwrap();
        let go = script(folder.path(), "#!/bin/sh\necho 'module lookup disabled' >&2\nexit 1\n");
        let error = build(&go, Binary::Helm, &folder.path().join("helm.part")).await.unwrap_err();
        assert!(error.to_string().contains("module lookup disabled"), "{error}");
    }
}
