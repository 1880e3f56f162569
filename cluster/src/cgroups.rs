//! The cgroup folders of a cluster: its pods live under `broadside-NAME` of every hierarchy that is mounted.
//!
//! Clusters share no folder, so that one can be removed while another is made.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::Name;

/// The folder of `name` in every cgroup hierarchy of this machine, of version 1 and 2 alike.
pub(crate) fn folders(name: &Name) -> io::Result<Vec<PathBuf>> {
    let mounts = fs::read_to_string("/proc/mounts")?;
    Ok(hierarchies(&mounts).map(|mount| mount.join(folder(name))).collect())
}

/// The same as the kubelet names it: seen from the root of a hierarchy.
pub(crate) fn root(name: &Name) -> String {
    format!("/{}", folder(name))
}

fn folder(name: &Name) -> String {
    format!("broadside-{name}")
}

/// Makes the folders, which the kubelet expects to find.
pub(crate) fn create(folders: &[PathBuf]) -> io::Result<()> {
    folders.iter().try_for_each(|folder| fs::create_dir(folder).and_then(|()| inherit(folder)))
}

/// Gives a new folder what its parent has: in version 1 a set of processors, without which no process may enter it;
/// in version 2 the controllers, which a parent must hand on.
fn inherit(folder: &Path) -> io::Result<()> {
    let parent = folder.parent().expect("never the root of a hierarchy");
    match fs::read_to_string(parent.join("cgroup.controllers")) {
        Ok(controllers) => hand_on(parent, &controllers),
        Err(_) => ["cpuset.cpus", "cpuset.mems"].iter().try_for_each(|file| copy(parent, folder, file)),
    }
}

fn hand_on(parent: &Path, controllers: &str) -> io::Result<()> {
    let all: Vec<String> = controllers.split_whitespace().map(|name| format!("+{name}")).collect();
    fs::write(parent.join("cgroup.subtree_control"), all.join(" "))
}

/// Copies a setting that the child does not have yet; hierarchies without it are left alone.
fn copy(parent: &Path, child: &Path, file: &str) -> io::Result<()> {
    let child = child.join(file);
    if !fs::read_to_string(&child).is_ok_and(|value| value.trim().is_empty()) {
        return Ok(());
    }
    fs::write(child, fs::read_to_string(parent.join(file))?)
}

/// Mount points of cgroup hierarchies, each once, in a table like `/proc/mounts`.
fn hierarchies(mounts: &str) -> impl Iterator<Item = PathBuf> + '_ {
    mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ');
        let (point, kind) = (fields.nth(1)?, fields.next()?);
        matches!(kind, "cgroup" | "cgroup2").then(|| PathBuf::from(point))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hierarchies_of_both_versions_are_found_and_nothing_else() {
        let mounts = "proc /proc proc rw 0 0\n\
            tmpfs /sys/fs/cgroup tmpfs rw 0 0\n\
            cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n\
            cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
        let found: Vec<_> = hierarchies(mounts).collect();
        assert_eq!(found, ["/sys/fs/cgroup/memory", "/sys/fs/cgroup/unified"].map(PathBuf::from));
    }
}
