//! How large the objects of a campaign grow.
//!
//! The API server keeps what is a megabyte, but whoever follows an object reads all of it at each change.

use api::AdCampaign;
use serde::Serialize;

use super::{Copy, Faults, Placement, has_begun};

/// The most bytes of an object that changes while a campaign runs: of its own with its status, and of its table.
const MOST_BYTES: usize = 100_000;

/// Of these the bytes of a table that are no placement's, and what rounds take after the last that is opened by traffic.
const BESIDE_ROWS: usize = 8_000;

/// The bytes of a status that no variant has: conditions, summary, and how writing stands. What a Job takes while it runs may be
/// 11,000 more, and then there are no figures yet.
const BESIDE_VARIANTS: usize = 8_000;

/// The most bytes of a variant's figures, and of those of one of its guardrails.
const FIGURES: usize = 320;
const GUARDRAIL_FIGURES: usize = 230;

/// The most bytes of one of so many placements' rows in the table. A round that would go beyond is not opened.
pub(crate) fn row_bytes(placements: usize) -> usize {
    (MOST_BYTES - BESIDE_ROWS) / placements.max(1)
}

/// The most bytes of all copy of one of so many placements: the rest of its row is for rounds.
pub(crate) fn copy_bytes(placements: usize) -> usize {
    row_bytes(placements) / 4 * 3
}

/// How many bytes a piece of copy takes in the table.
pub(crate) fn bytes_of(copy: &Copy) -> usize {
    json_bytes(&copy.table_variant(None))
}

/// How many bytes an object or a part of it takes where it is kept.
pub(crate) fn json_bytes(value: &impl Serialize) -> usize {
    serde_json::to_vec(value).map_or(0, |text| text.len())
}

impl Faults {
    /// Holds that there is room for people's copy in the table, and for the figures of all variants in the campaign's status.
    /// What has begun goes on.
    pub(super) fn check_size(&mut self, object: &AdCampaign, placements: &[Placement]) {
        if has_begun(object) {
            return;
        }
        let most = copy_bytes(placements.len());
        for (index, placement) in placements.iter().enumerate() {
            let people = std::iter::once(&placement.control).chain(&placement.challengers);
            let taken: usize = people.map(bytes_of).sum();
            if taken > most {
                let field = format!("spec.placements[{index}].challengers");
                self.add(field, format!("take {taken} bytes with the control, and the table has {most} for the copy of a placement: write fewer or shorter ones, or give placements campaigns of their own"));
            }
        }
        let (spec, status) = (json_bytes(&object.spec), status_bytes(placements));
        if spec + status > MOST_BYTES {
            self.add("spec", format!("takes {spec} bytes and its status up to {status}, which is more than {MOST_BYTES} together: ask for fewer variants, watch fewer guardrails, or give placements campaigns of their own"));
        }
    }
}

/// The most bytes of a status.
fn status_bytes(placements: &[Placement]) -> usize {
    let of = |placement: &Placement| {
        let arms = 1 + placement.challengers.len() + usize::try_from(placement.asked).unwrap_or(usize::MAX);
        arms * (FIGURES + placement.guardrails.len() * GUARDRAIL_FIGURES)
    };
    BESIDE_VARIANTS + placements.iter().map(of).sum::<usize>()
}
