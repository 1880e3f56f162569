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

/// Helm's arguments that name these images.
pub fn values() -> Vec<String> {
    let parts = ["operator", "gateway", "worker"].into_iter();
    parts
        .flat_map(|part| {
            [
                format!("{part}.image.repository={REGISTRY}/{part}"),
                format!("{part}.image.tag={TAG}"),
                format!("{part}.image.pullPolicy=Never"),
            ]
        })
        .flat_map(|value| ["--set-string".to_owned(), value])
        .collect()
}
