//! Names that parts agree on: labels, children, and names made from content.
//!
//! A name made from content is a digest of it, so making a thing twice is making it once.

use sha2::{Digest, Sha256};

use crate::Slots;

/// Label on every child: the name of its campaign.
pub const CAMPAIGN_LABEL: &str = "broadside.dev/campaign";
/// Label on variants: the name of their placement.
pub const PLACEMENT_LABEL: &str = "broadside.dev/placement";
/// Label that tells who made an object, by Kubernetes' own convention.
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";
/// The value of [`MANAGED_BY_LABEL`] on all that we make.
pub const MANAGED_BY: &str = "broadside";

/// The fixed ClusterRole that a campaign's worker account is bound to.
pub const WORKER_CLUSTER_ROLE: &str = "broadside-worker";

/// The segment of everybody, where a campaign names none.
pub const EVERYBODY: &str = "all";

/// The longest name of a campaign: with placement and digest a variant's name still fits in a label.
pub const CAMPAIGN_NAME_LIMIT: usize = 36;
/// The longest name of a placement, for the same reason.
pub const PLACEMENT_NAME_LIMIT: usize = 16;

/// The account of a campaign's worker, and the name of its role binding.
pub fn worker_account(campaign: &str) -> String {
    format!("adc-{campaign}-worker")
}

/// The ConfigMap with the brief that a campaign's worker reads.
pub fn brief_config(campaign: &str) -> String {
    format!("adc-{campaign}-brief")
}

/// The ConfigMap with the winner, for GitOps to read.
pub fn winner_config(campaign: &str) -> String {
    format!("adc-{campaign}-winner")
}

/// The ConfigMap with the record of this digest, on which a verdict of the campaign rests: one that is made again of other
/// totals is another, and takes the place of none.
pub fn evidence_config(campaign: &str, digest: &str) -> String {
    format!("adc-{campaign}-evidence-{}", &digest[..digest.len().min(16)])
}

/// The Job that generates variants from these inputs.
///
/// The name is the inputs' digest and not that of the pod template, so an upgrade of ours repeats no finished work.
pub fn generation_job(campaign: &str, inputs: &str) -> String {
    format!("adc-{campaign}-{}", &hex(&Sha256::digest(inputs.as_bytes()))[..8])
}

/// The name of a variant: campaign, placement, and eight hexadecimal digits of a digest of both and of the copy.
///
/// Both are in the digest, since hyphens tell no names apart: `spring` and `sale-hero` read as `spring-sale` and `hero`.
pub fn variant(campaign: &str, placement: &str, slots: &Slots) -> String {
    let parts = [campaign, placement].into_iter().chain(parts(slots));
    format!("{campaign}-{placement}-{}", &digest(parts)[..8])
}

/// The digest of a piece of copy: SHA-256 over each slot's name and text, each preceded by its length in bytes as
/// eight big-endian bytes, in the order of the names; in lower-case hexadecimal.
pub fn copy_digest(slots: &Slots) -> String {
    digest(parts(slots))
}

fn parts(slots: &Slots) -> impl Iterator<Item = &str> {
    slots.iter().flat_map(|(name, text)| [name.as_str(), text.as_str()])
}

fn digest<'a>(parts: impl Iterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hex(&hash.finalize())
}

/// SHA-256 of a text, in lower-case hexadecimal.
pub fn text_digest(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

/// Bytes in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(half.into(), 16).expect("a half of a byte is one digit");
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(pairs: &[(&str, &str)]) -> Slots {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn a_text_moved_between_slots_is_another_copy() {
        let one = slots(&[("body", "ab"), ("headline", "c")]);
        let other = slots(&[("body", "a"), ("headline", "bc")]);
        assert_ne!(copy_digest(&one), copy_digest(&other));
    }

    #[test]
    fn campaigns_whose_names_run_together_share_no_variant() {
        let copy = slots(&[("headline", "x")]);
        assert_ne!(variant("spring", "sale-hero", &copy), variant("spring-sale", "hero", &copy));
    }

    #[test]
    fn the_longest_variant_name_fits_in_a_label() {
        let name = variant(
            &"c".repeat(CAMPAIGN_NAME_LIMIT),
            &"p".repeat(PLACEMENT_NAME_LIMIT),
            &slots(&[("headline", "x")]),
        );
        assert!(name.len() <= 63, "{} characters", name.len());
    }
}
