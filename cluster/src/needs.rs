//! What this machine must have, asked before anything is fetched or built.

use std::env;
use std::path::PathBuf;

use tokio::process::Command;

use crate::Progress;
use crate::places::is_root;

/// What this machine lacks. Each message names the way out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not Linux.
    #[error("a cluster needs Linux: use a Linux machine or virtual machine")]
    NotLinux,
    /// Not root.
    #[error(
        "a node needs root, for namespaces and containers: use `sudo`, or start the control plane alone \
         (`broadside-cluster up --control-plane-only`), which runs no pods"
    )]
    NotRoot,
    /// Root without the rights of one, as in most containers.
    #[error(
        "this root may not make namespaces ({0}): use a machine, a virtual machine or a privileged container, or start \
         the control plane alone (`broadside-cluster up --control-plane-only`), which runs no pods"
    )]
    NoNamespaces(String),
    /// No cgroup hierarchy is mounted, or it cannot be written.
    #[error(
        "no cgroup file system can be written below /sys/fs/cgroup: mount it (`mount -t cgroup2 none /sys/fs/cgroup`), \
         or use a machine, a virtual machine or a privileged container"
    )]
    NoCgroups,
    /// Programs are missing and this is no system whose packages we know.
    #[error("this machine lacks {programs}: install them ({packages} on Debian and Ubuntu), then try again")]
    Programs {
        /// What is missing.
        programs: String,
        /// Where Debian has it.
        packages: String,
    },
    /// Installing failed.
    #[error(
        "`apt-get install {packages}` failed; the end of what it said:\n{output}\nInstall them by hand, then try again"
    )]
    Install {
        /// What was to be installed.
        packages: String,
        /// The last lines of its output.
        output: String,
    },
}

/// Programs that a node calls by name, and the Debian packages that have them.
const PROGRAMS: [(&str, &str); 8] = [
    ("containerd", "containerd"),
    ("ctr", "containerd"),
    ("runc", "runc"),
    ("ip", "iproute2"),
    ("nft", "nftables"),
    ("nsenter", "util-linux"),
    ("unshare", "util-linux"),
    ("setsid", "util-linux"),
];

/// Where distributions put the CNI plugins.
const PLUGIN_FOLDERS: [&str; 3] = ["/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"];

/// The plugins that a node calls, and the Debian package that has them.
const PLUGINS: [&str; 3] = ["loopback", "ptp", "host-local"];
const PLUGINS_PACKAGE: &str = "containernetworking-plugins";

/// Another installation may be under way, be it another cluster's: it is waited for, some minutes.
const LOCK: &str = "DPkg::Lock::Timeout=600";

/// Where root looks for programs, whatever the search path says.
const SYSTEM_FOLDERS: [&str; 2] = ["/usr/sbin", "/sbin"];

/// How much of a failed installation is shown.
const SHOWN_LINES: usize = 8;

/// Checks that this machine can run a control plane.
pub(crate) const fn control_plane() -> Result<(), Error> {
    if cfg!(target_os = "linux") { Ok(()) } else { Err(Error::NotLinux) }
}

/// Checks that this machine can run a node, installs what Debian and Ubuntu have as packages, and returns the folder
/// of the CNI plugins.
pub(crate) async fn node(progress: &Progress) -> Result<PathBuf, Error> {
    control_plane()?;
    if !is_root() {
        return Err(Error::NotRoot);
    }
    can_unshare().await?;
    has_cgroups()?;
    let missing = missing();
    if !missing.is_empty() {
        install(&missing, progress).await?;
    }
    plugins().ok_or_else(|| lacking(&[("CNI plugins".into(), PLUGINS_PACKAGE)]))
}

async fn can_unshare() -> Result<(), Error> {
    let words = ["--net", "--mount", "--pid", "--fork", "--mount-proc", "true"];
    match Command::new("unshare").args(words).output().await {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(Error::NoNamespaces(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
        // Without the program we cannot know; its absence is found below.
        Err(_) => Ok(()),
    }
}

fn has_cgroups() -> Result<(), Error> {
    let name = crate::Name::unique();
    let folders = crate::cgroups::folders(&name).map_err(|_| Error::NoCgroups)?;
    let tried = crate::cgroups::create(&folders);
    // What was not made cannot be removed, and what was made is empty.
    folders.iter().for_each(|folder| drop(std::fs::remove_dir(folder)));
    if folders.is_empty() || tried.is_err() { Err(Error::NoCgroups) } else { Ok(()) }
}

/// Missing programs with their packages.
fn missing() -> Vec<(String, &'static str)> {
    let programs = PROGRAMS.iter().filter(|(program, _)| !is_installed(program));
    let programs = programs.map(|(program, package)| ((*program).to_owned(), *package));
    let plugins = plugins().is_none().then(|| ("CNI plugins".to_owned(), PLUGINS_PACKAGE));
    programs.chain(plugins).collect()
}

fn is_installed(program: &str) -> bool {
    let search = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&search)
        .chain(SYSTEM_FOLDERS.map(PathBuf::from))
        .any(|folder| folder.join(program).is_file())
}

fn plugins() -> Option<PathBuf> {
    let has_all = |folder: &PathBuf| PLUGINS.iter().all(|plugin| folder.join(plugin).is_file());
    PLUGIN_FOLDERS.iter().map(PathBuf::from).find(has_all)
}

async fn install(missing: &[(String, &'static str)], progress: &Progress) -> Result<(), Error> {
    if !is_installed("apt-get") {
        return Err(lacking(missing));
    }
    let packages = packages(missing);
    let what = format!("installing {}", packages.join(", "));
    progress.during(&what, apt(&packages)).await
}

/// Installs; where the package lists are old or empty, once more with new ones.
async fn apt(packages: &[&str]) -> Result<(), Error> {
    if apt_get("install", packages).await.is_ok() {
        return Ok(());
    }
    let updated = apt_get("update", &[]).await;
    let installed = updated.and(apt_get("install", packages).await);
    installed.map_err(|output| Error::Install { packages: packages.join(" "), output })
}

async fn apt_get(verb: &str, packages: &[&str]) -> Result<(), String> {
    let mut command = Command::new("apt-get");
    command
        .args([verb, "--yes", "--no-install-recommends", "--option", LOCK])
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive");
    let output = command.output().await.map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text.lines().collect();
    Err(lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n"))
}

/// Each package once, in order.
fn packages(missing: &[(String, &'static str)]) -> Vec<&'static str> {
    let mut packages: Vec<_> = missing.iter().map(|(_, package)| *package).collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

fn lacking(missing: &[(String, &'static str)]) -> Error {
    let programs: Vec<_> = missing.iter().map(|(program, _)| program.as_str()).collect();
    Error::Programs { programs: programs.join(", "), packages: packages(missing).join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_package_is_named_once() {
        let missing = [
            ("ctr".to_owned(), "containerd"),
            ("ip".to_owned(), "iproute2"),
            ("containerd".to_owned(), "containerd"),
        ];
        assert_eq!(packages(&missing), ["containerd", "iproute2"]);
        let message = lacking(&missing).to_string();
        assert!(
            message.contains("ctr, ip, containerd") && message.contains("containerd iproute2 on Debian"),
            "{message}"
        );
    }
}
