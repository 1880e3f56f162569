//! Features of segments, for the policy that learns over them.

use experiment::{Features, FeaturesError};

use super::super::document::SegmentFacts;
use super::super::fault::{Fault, Problem};
use super::super::number::{Fields, Named};
use super::super::place::Place;

/// The features of `segments`, in their order.
pub(super) fn features(
    segments: Option<&[String]>,
    facts: &Named<Fields<SegmentFacts>>,
) -> Result<Features, Fault> {
    let (Some(segments), false) = (segments, facts.is_empty()) else {
        return Err(Fault::at(&Place::default().field("policy").field("type"), Problem::NoFeatures));
    };
    let place =
        |segment: usize| Place::default().field("segments").entry(&segments[segment]).field("features");
    let of = |name: &String| facts.get(name).map(|facts| facts.features.clone()).unwrap_or_default();
    let by_segment: Vec<Vec<f64>> = segments.iter().map(of).collect();
    if let Some(segment) = by_segment.iter().position(Vec::is_empty) {
        return Err(Fault::at(&place(segment), Problem::FeaturesMissing));
    }
    Features::new(by_segment).map_err(|error| match error {
        FeaturesError::Length { segment, found, expected } => {
            Fault::at(&place(segment), Problem::FeatureCount { found, expected })
        }
        FeaturesError::Range { segment } => Fault::at(&place(segment), Problem::FeatureRange),
        FeaturesError::Empty => Fault::at(&Place::default().field("segments"), Problem::FeaturesMissing),
    })
}
