//! What can be wrong with a document, as an enum so that a reader may tell the cases apart. Each problem ends with a
//! remedy.

mod replay;
mod world;

use api::{DurationError, PercentError};
use experiment::PolicyError;

use super::limits::{
    MOST_BYTES, MOST_CELLS, MOST_FIGURES, MOST_GUARDRAILS, MOST_SEGMENTS, MOST_VARIANTS, NAME_LIMIT,
};

pub use replay::ReplayProblem;
pub use world::WorldProblem;

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// The place, such as `rounds[0].totals.a.n`; empty where the document as a whole is meant.
    pub path: String,
    /// What is wrong there.
    pub problem: Problem,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let colon = if self.path.is_empty() { "" } else { ": " };
        write!(formatter, "{}{colon}{}", self.path, self.problem)
    }
}

impl std::error::Error for Fault {}

impl Fault {
    pub(super) fn at(place: &impl std::fmt::Display, problem: Problem) -> Self {
        Self { path: place.to_string(), problem }
    }
}

/// What can be wrong. First the shape, in the order in which it is read, then the meaning, field by field.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Problem {
    /// More than anybody's totals take.
    #[error("the document is larger than {} MiB: merge rounds of equal shares", MOST_BYTES >> 20)]
    TooLarge,
    /// Not JSON at all.
    #[error("this is no JSON: {0}; mend it there")]
    NotJson(String),
    /// A field that must be there is not.
    #[error("is missing: add it")]
    Missing,
    /// A field that nobody reads; most likely a typing error.
    #[error("is not known here: {remedy}")]
    UnknownField {
        /// Another name to use, or to choose from.
        remedy: String,
    },
    /// A word that is none of those that there are.
    #[error("{found:?} is not known: use one of {known}")]
    UnknownWord {
        /// The word.
        found: String,
        /// Those that there are.
        known: String,
    },
    /// The same name twice in one object: one of the two would be lost.
    #[error("stands there twice: rename or remove one")]
    Twice,
    /// A text where a number is meant, for example.
    #[error("is {found}, and must be {wanted}")]
    WrongType {
        /// What it is.
        found: String,
        /// What it must be.
        wanted: String,
    },

    /// A name that can't be shown.
    #[error("is no name: use 1 to {NAME_LIMIT} characters, without line breaks and control characters")]
    Name,
    /// No round ever knew the control.
    #[error("{control:?} is in no allocation: {remedy}")]
    UnknownControl {
        /// The control.
        control: String,
        /// The variants to choose from, if there are any.
        remedy: String,
    },
    /// The control was taken away.
    #[error("the control can't be retired: it is what all others are compared with; leave this out")]
    RetiredControl,
    /// There is only the control.
    #[error("hold nothing to compare with the control: add a variant to an allocation, or to `variants`")]
    Alone,
    /// More variants than one experiment can tell apart.
    #[error("hold more than {MOST_VARIANTS} variants: leave out those that were never served")]
    TooManyVariants,
    /// More segments than one experiment can tell apart.
    #[error("hold more than {MOST_SEGMENTS} segments: join some")]
    TooManySegments,
    /// Segments are spoken of, and no round has any.
    #[error(
        "speaks of segments, and the rounds have none: write `segments` in the rounds, or leave this out"
    )]
    SegmentsUnused,
    /// Whoever is shown what in a segment is the network's choice.
    #[error("are for the basis Randomized: sum the segments of each round")]
    SegmentsNotRandomized,
    /// Harm is told from shares that were drawn.
    #[error("are for the basis Randomized: leave them out")]
    GuardrailsNotRandomized,
    /// Shares that are not ours.
    #[error(
        "is {0}, so the shares are not ours to set: set them where the network is, or use estimate alone"
    )]
    NotAllocated(&'static str),
    /// More rounds × segments than are worth to be kept apart.
    #[error("hold more than {MOST_CELLS} cells (rounds × segments): merge rounds of equal shares")]
    TooManyCells,
    /// More rounds × segments × variants than are worth to be kept apart.
    #[error(
        "hold more than {MOST_FIGURES} totals (rounds × segments × variants): merge rounds of equal shares"
    )]
    TooManyFigures,

    /// Generations are counted from one.
    #[error("is no generation: write a whole number from 1 to 4294967295")]
    Generation,
    /// A plan of nothing.
    #[error("is 0: write how many exposures were planned, or leave it out")]
    PlannedNothing,
    /// No percentage.
    #[error(transparent)]
    Percent(#[from] PercentError),
    /// No length of time.
    #[error(transparent)]
    Duration(#[from] DurationError),
    /// No confidence.
    #[error("{0} can't be promised: write at least 50% and less than 100%")]
    Confidence(String),
    /// No loss.
    #[error("{0} is no loss that can be reached: write more than 0% and at most 100%")]
    MaximumLoss(String),
    /// No lift.
    #[error("{0} can't be refuted: write 0.1% to 70%, such as 5%")]
    WorthwhileLift(String),
    /// A limit of nothing.
    #[error("is no limit: write a number above 0, or leave it out")]
    Cap,
    /// A limit of what is 0 or 1.
    #[error("is for metrics of kind Value: leave it out, or write \"kind\": \"Value\"")]
    CapOfBinary,

    /// Nothing was ever shown.
    #[error("is empty: add a round; one that has just begun has empty totals")]
    NoRounds,
    /// Two rounds of one number.
    #[error("{number} is the number of {first} too: number each round differently, or merge them")]
    RoundTwice {
        /// The number.
        number: u64,
        /// The other round.
        first: String,
    },
    /// What was followed by another round is over.
    #[error(
        "is true, and a later round has begun: write it in the round of the highest number, or leave it out"
    )]
    OpenBefore,
    /// Both ways at once.
    #[error("has `segments` beside `allocation` and `totals`: keep either")]
    BothForms,
    /// One round one way, another the other way.
    #[error(
        "has other fields than rounds[0]: write `segments` in all rounds, or `allocation` and `totals` in all"
    )]
    MixedForms,
    /// No segment at all.
    #[error("is empty: add a segment, or write `allocation` and `totals` instead")]
    NoSegments,
    /// Something would be left over, or given twice.
    #[error("sums to {sum} parts per million, and must sum to 1000000: mend the shares")]
    Shares {
        /// The sum.
        sum: u64,
    },
    /// More than there is.
    #[error("is above 1000000 parts per million, which are all of it: write a smaller share")]
    Share,
    /// Counts of a variant that the allocation does not know.
    #[error("is not in the allocation, so nobody can have seen it: add its share, or remove its totals")]
    Unallocated,
    /// Counts of a variant that had no share.
    #[error("was counted although its share is 0: mend the share, or remove the totals")]
    Unserved,

    /// A text that is no number.
    #[error("{0:?} is no number: write digits such as \"41\" or \"41.5\"")]
    NotANumber(String),
    /// Less than nothing.
    #[error("is {0}: it can't be below 0")]
    Negative(String),
    /// A part of a person.
    #[error("is {0}: write a whole number")]
    NotWhole(String),
    /// More than a double counts.
    #[error("is above 2^53 = 9007199254740992, beyond which counts are not exact: count less")]
    TooMany,
    /// Sums whose products no double holds.
    #[error("is {0}, beyond 1e-60 to 1e60: write sums in another unit")]
    OutOfRange(String),
    /// A 0/1 metric that was counted more than once.
    #[error(
        "is {sum}, and n is {n}: a metric of kind Binary counts an exposure once at most; use Value for sums"
    )]
    AboveExposures {
        /// How many were rewarded.
        sum: f64,
        /// Of how many.
        n: u64,
    },
    /// 0² = 0 and 1² = 1.
    #[error("is {squares}, and sum is {sum}: they are equal for a metric of kind Binary")]
    SquaresDiffer {
        /// The sum of squares.
        squares: f64,
        /// The sum.
        sum: f64,
    },
    /// (Σ y)² ≤ n Σ y² for all numbers.
    #[error("is {squares}, and can't be below sum²/n = {least}: sum the square of what each exposure earned")]
    SquaresTooSmall {
        /// The sum of squares.
        squares: f64,
        /// What it can be at least.
        least: f64,
    },
    /// Σ y² ≤ (Σ y)² for values of 0 or more.
    #[error("is {squares}, and can't be above sum² = {most}: sum the square of what each exposure earned")]
    SquaresTooLarge {
        /// The sum of squares.
        squares: f64,
        /// What it can be at most.
        most: f64,
    },
    /// Σ y² ≤ cap · Σ y for values of 0 to the cap.
    #[error("is {squares}, and can't be above cap × sum = {most}: cap each exposure's value, then square it")]
    AboveCap {
        /// The sum of squares.
        squares: f64,
        /// What it can be at most.
        most: f64,
    },
    /// Something out of nothing.
    #[error("is 0, and there are rewards: count the exposures that were rewarded too")]
    Unexposed,
    /// Shown without having been decided.
    #[error("is {decisions}, and n is {n}: each exposure has a decision; count those too")]
    DecisionsBelowExposures {
        /// How often the variant was chosen.
        decisions: u64,
        /// How often it was shown.
        n: u64,
    },
    /// What only some variants have can't be compared.
    #[error("is missing although other variants have it: give it for all variants of a round, or for none")]
    MissingForSome,
    /// What only some rounds have can't be compared over all of them.
    #[error(
        "is missing although other rounds have it: give it for all rounds in which anybody was exposed, or for none"
    )]
    MissingInSomeRounds,

    /// Something of nobody.
    #[error("and its like must be 0 where n is 0: sum over the exposures that are counted")]
    CovariateUnexposed,
    /// (Σ x)² ≤ n Σ x² for all numbers.
    #[error("is {squares}, and can't be below sum²/n = {least}: sum the square of each exposure's covariate")]
    CovariateSquares {
        /// The sum of squares.
        squares: f64,
        /// What it can be at least.
        least: f64,
    },
    /// (Σ x y)² ≤ Σ x² Σ y² for all numbers.
    #[error(
        "is {products}, and lies at most {most} from 0, the root of both sums of squares' product: sum each exposure's covariate times its reward"
    )]
    CovariateProducts {
        /// The sum of products.
        products: f64,
        /// How far from 0 it can be.
        most: f64,
    },
    /// More than anybody watches.
    #[error("hold more than {MOST_GUARDRAILS}: keep those that would stop the experiment")]
    TooManyGuardrails,
    /// Two guardrails of one name.
    #[error("is the metric of another guardrail too: name each differently, or remove one")]
    GuardrailTwice,
    /// No limit that can be watched.
    #[error("{0} can't be watched: write 1% to 200%, such as 50%")]
    MaximumIncrease(String),
    /// Sums of something that nobody watches.
    #[error("is no guardrail: {remedy}")]
    UnknownGuardrail {
        /// The names that there are.
        remedy: String,
    },

    /// No share of the control.
    #[error(
        "{0:?} is no share: write a percentage up to 100% such as 20%, or none to let the control compete"
    )]
    ControlShare(String),
    /// No share of each variant.
    #[error("{0} is above 100%: write a smaller floor")]
    Floor(String),
    /// No shares can be kept so.
    #[error("{0}: change policy.floor, policy.controlShare or policy.lookBack")]
    Policy(PolicyError),
    /// Segments without features are all alike.
    #[error(
        "LinearThompson learns from the features of segments: write segments in the rounds, and `segments: {{NAME: {{\"features\": [1, 0.3]}}}}`, or use Thompson"
    )]
    NoFeatures,
    /// One segment without features.
    #[error("is empty: LinearThompson needs features of every segment; write numbers such as [1, 0.3]")]
    FeaturesMissing,
    /// Lists of different length.
    #[error("has {found} numbers, and the first segment has {expected}: write as many for each")]
    FeatureCount {
        /// How many there are.
        found: usize,
        /// How many the first segment has.
        expected: usize,
    },
    /// Too many, or too large, to be solved.
    #[error("has a number beyond -1000 to 1000, or more than 256 of them: scale them, or leave some out")]
    FeatureRange,
    /// Forgetting is for the rules that count.
    #[error("is not for LinearThompson: leave it out, or use Thompson or TopTwo")]
    LinearLookBack,
    /// Of a world, and not of totals.
    #[error(transparent)]
    World(#[from] WorldProblem),
    /// Of a log, or of a policy that is scored on it.
    #[error(transparent)]
    Replay(#[from] ReplayProblem),
    /// What passed all of the above and still makes no experiment.
    #[error("{0}: compare the document with docs/offline.md")]
    Refused(String),
}
