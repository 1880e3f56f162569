//! Programs for people and tests that use a cluster.

use std::path::PathBuf;

use crate::binaries::Binary;
use crate::fetch::{Error, Fetch};
use crate::{Places, Progress};

/// The path of `kubectl`, fetched if it is not there yet.
pub async fn kubectl() -> Result<PathBuf, Error> {
    usual(Binary::Kubectl).await
}

/// The path of `helm`, fetched if it is not there yet.
pub async fn helm() -> Result<PathBuf, Error> {
    usual(Binary::Helm).await
}

async fn usual(binary: Binary) -> Result<PathBuf, Error> {
    Fetch::new(Places::from_env(), Progress::silent()).binary(binary).await
}
