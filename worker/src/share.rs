//! Which placements one of several workers writes for.

use std::str::FromStr;

use crate::campaign::Assignment;

/// One of several equal workers that share a campaign's placements without talking to each other.
///
/// A placement is never divided: its variants are judged against each other as near-duplicates, in one order, and two
/// workers could not do that. So whoever writes for a placement, its copy is the same.
///
/// Placements are dealt out in the order of the campaign, which is fixed once writing has begun. A hash of their names
/// would do without an order, and give three of four placements to one worker every fifth time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    index: usize,
    count: usize,
}

/// The text is no share.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no share: write it like 0/4, the first of four, with an index below the count")]
pub struct ShareError(String);

impl Share {
    /// Which of the shares it is, from 0.
    #[must_use]
    pub fn index(self) -> u32 {
        u32::try_from(self.index).unwrap_or(u32::MAX)
    }

    /// The placements of this worker, in the order of the campaign.
    #[must_use]
    pub fn of(self, assignments: Vec<Assignment>) -> Vec<Assignment> {
        assignments.into_iter().skip(self.index).step_by(self.count).collect()
    }
}

impl FromStr for Share {
    type Err = ShareError;

    fn from_str(text: &str) -> Result<Self, ShareError> {
        let parts =
            text.split_once('/').and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
        match parts {
            Some((index, count)) if index < count => Ok(Self { index, count }),
            _ => Err(ShareError(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(share: &str, placements: usize) -> Vec<String> {
        let assignment = |index: usize| Assignment {
            placement: index.to_string(),
            format: rules::format("WebBanner").expect("a format of ours").clone(),
            variants: 1,
            people: Vec::new(),
        };
        let share: Share = share.parse().expect("a share");
        share.of((0..placements).map(assignment).collect()).into_iter().map(|it| it.placement).collect()
    }

    #[test]
    fn every_placement_is_in_exactly_one_share() {
        for count in 1..=32 {
            for placements in 0..=5 {
                let mut all: Vec<String> =
                    (0..count).flat_map(|index| names(&format!("{index}/{count}"), placements)).collect();
                all.sort();
                assert_eq!(
                    all,
                    (0..placements).map(|it| it.to_string()).collect::<Vec<_>>(),
                    "{count} shares"
                );
            }
        }
        assert_eq!(
            (names("0/2", 4), names("1/2", 4)),
            (vec!["0".into(), "2".into()], vec!["1".into(), "3".into()])
        );
    }

    #[test]
    fn what_is_no_share_is_refused() {
        for bad in ["", "1", "1/1", "4/4", "0/0", "-1/2", "a/2", "$(JOB_COMPLETION_INDEX)/2"] {
            assert_eq!(bad.parse::<Share>(), Err(ShareError(bad.to_owned())), "{bad}");
        }
    }
}
