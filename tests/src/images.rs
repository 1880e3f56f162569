//! Packs our binaries, and our model, into images.

use std::path::{Path, PathBuf};

use cluster::Image;

use crate::programs;

/// The registry part and the tag of images that are never pushed.
const REGISTRY: &str = "broadside.local";
const TAG: &str = "dev";

/// Any user but root; the chart says the same.
const USER: &str = "65532";

/// The image of one of our programs.
///
/// # Errors
/// When the program was not built.
pub fn program(name: &str) -> anyhow::Result<Image> {
    let inside = format!("/{name}");
    Ok(image(name, vec![inside.clone()], vec![(programs::ours(name)?, inside)]))
}

/// The image of a model, as `broadside model pack` makes it.
///
/// # Errors
/// When the folder is no model or the copier was not built.
pub fn model(name: &str, folder: &Path) -> anyhow::Result<Image> {
    let reference = format!("{REGISTRY}/{name}:{TAG}");
    Ok(cli::model::image(folder, &reference, &programs::ours("copy")?)?.0)
}

/// An image of files of this machine.
pub fn image(name: &str, entrypoint: Vec<String>, files: Vec<(PathBuf, String)>) -> Image {
    Image { reference: format!("{REGISTRY}/{name}:{TAG}"), entrypoint, user: USER.to_owned(), files }
}

/// Every image of a release with its model.
///
/// # Errors
/// When a program was not built.
pub fn all() -> anyhow::Result<Vec<Image>> {
    let handbill = programs::repository().join("models/handbill");
    Ok(vec![program("operator")?, program("gateway")?, program("worker")?, model("handbill", &handbill)?])
}

/// From where nodes have our images.
#[derive(Clone, Debug)]
pub struct Registry {
    name: String,
    pull_policy: &'static str,
}

impl Default for Registry {
    /// They were loaded into the nodes, and no registry has them.
    fn default() -> Self {
        Self { name: REGISTRY.to_owned(), pull_policy: "Never" }
    }
}

impl Registry {
    /// One from which nodes pull, such as `registry.example/team`.
    pub fn pulled(name: &str) -> Self {
        Self { name: name.trim_end_matches('/').to_owned(), pull_policy: "IfNotPresent" }
    }

    /// A manifest, or the name of an image, with the names that our images have there.
    pub fn rename(&self, text: &str) -> String {
        text.replace(&format!("{REGISTRY}/"), &format!("{}/", self.name))
    }

    /// Helm's arguments that name our images.
    pub fn values(&self) -> Vec<String> {
        let Self { name, pull_policy } = self;
        let parts = ["operator", "gateway", "worker"].into_iter();
        parts
            .flat_map(|part| {
                [
                    format!("{part}.image.repository={name}/{part}"),
                    format!("{part}.image.tag={TAG}"),
                    format!("{part}.image.pullPolicy={pull_policy}"),
                ]
            })
            .flat_map(|value| ["--set-string".to_owned(), value])
            .collect()
    }
}
