//! Whether what lies in a folder is of this campaign and this model, so that a run may go on from there.

use api::{AdVariantSpec, Provenance};

use crate::author::{Author, AuthorError};
use crate::campaign::Campaign;
use crate::generate::task;

/// Why a run can't go on from what is there.
#[derive(Debug, thiserror::Error)]
pub(super) enum OriginError {
    /// It was made from something else.
    #[error(
        "the folder has copy for {placement} that another {what} made: name an empty folder, or take its files away"
    )]
    Other {
        /// The placement.
        placement: String,
        /// What differs.
        what: &'static str,
    },
    /// Nobody can tell.
    #[error(transparent)]
    Author(#[from] AuthorError),
}

/// Holds that each of these would be written from the same prompt by the same model today.
pub(super) fn check(
    author: &dyn Author,
    campaign: &Campaign,
    existing: &[AdVariantSpec],
) -> Result<(), OriginError> {
    existing.iter().try_for_each(|variant| match &variant.provenance {
        Some(provenance) => check_one(author, campaign, &variant.placement, provenance),
        None => Ok(()),
    })
}

fn check_one(
    author: &dyn Author,
    campaign: &Campaign,
    placement: &str,
    provenance: &Provenance,
) -> Result<(), OriginError> {
    let other = |what| Err(OriginError::Other { placement: placement.to_owned(), what });
    if provenance.model_digest != author.model_digest()
        || provenance.adapter_digest.as_deref() != author.adapter_digest()
    {
        return other("model");
    }
    if provenance.seed != campaign.seed {
        return other("seed");
    }
    let assignment = campaign.assignments.iter().find(|assignment| assignment.placement == placement);
    // What is for a placement that asks for nothing is in nobody's way.
    let Some(assignment) = assignment else { return Ok(()) };
    let task = task(campaign, assignment, provenance.index, provenance.attempt);
    let told = format!("sha256:{}", author.prompt_digest(&task)?);
    if provenance.prompt_digest == told { Ok(()) } else { other("brief or brand") }
}
