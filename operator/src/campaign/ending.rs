//! Whether the experiments of a campaign have ended.

use api::AdCampaign;

use super::Campaign;

/// How far the ends of a campaign's experiments are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Some placement has no verdict.
    Open,
    /// Every verdict is in the status that this pass began with, so what follows from them may be done.
    Settled,
}

/// A verdict acts only once it is stored: what a crash could undo must not have been promoted.
pub(crate) fn ending(object: &AdCampaign, campaign: &Campaign) -> Ending {
    let stored = object.status.as_ref().map_or(&[][..], |status| &status.placements);
    let settled = |name: &str| stored.iter().any(|before| before.name == name && before.verdict.is_some());
    if campaign.placements.iter().all(|placement| settled(&placement.name)) {
        Ending::Settled
    } else {
        Ending::Open
    }
}
