//! How a command ended that failed: whether another try may go well, and the known ways in which it went wrong.

use std::io::ErrorKind;

use api::GenerationFailure;
use api::wire::report::{Effort, Outcome};
use engine::EngineError;

use super::RunError;
use crate::author::AuthorError;
use crate::cluster::ClusterError;
use crate::embedding::EmbedderError;
use crate::generate::GenerateError;
use crate::model::ModelError;
use crate::train::TrainError;

impl RunError {
    /// Whether the same inputs would fail again.
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::Model(error) | Self::Embedder(EmbedderError::Model(error)) if is_of_machine(error) => {
                Outcome::Failed
            }
            Self::Campaign(_)
            | Self::Model(_)
            | Self::Embedder(_)
            | Self::Generate { source: GenerateError::Embedder(_), .. }
            | Self::Language { .. }
            | Self::Access(_)
            | Self::Origin(_)
            | Self::Regenerate(_)
            | Self::EmptyPrompt
            | Self::Grammar(_)
            | Self::Recipe(_)
            | Self::Plan(_) => Outcome::Misconfigured,
            Self::Endpoint(error)
            | Self::Generate { source: GenerateError::Author(AuthorError::Endpoint(error)), .. }
                if error.is_lasting() =>
            {
                Outcome::Misconfigured
            }
            Self::Fetch(error) => error.outcome(),
            Self::Train(TrainError::Save(_) | TrainError::Arithmetic(_)) => Outcome::Failed,
            Self::Train(_) => Outcome::Misconfigured,
            Self::Cluster(ClusterError::NotFromCluster) => Outcome::Misconfigured,
            Self::Generate { source: GenerateError::Author(AuthorError::Model(error)), .. }
                if is_lasting(error) =>
            {
                Outcome::Misconfigured
            }
            Self::Generate { source: GenerateError::Destination(error), .. } if error.is_lasting() => {
                Outcome::Misconfigured
            }
            Self::Runtime(_)
            | Self::Endpoint(_)
            | Self::Output(_)
            | Self::Cluster(_)
            | Self::Generate { .. }
            | Self::Stream(_) => Outcome::Failed,
        }
    }

    /// What writing took until then, where it had begun.
    pub(super) fn effort(&self) -> Option<Effort> {
        match self {
            Self::Generate { effort, .. } => Some(**effort),
            _ => None,
        }
    }

    /// The known way in which it failed, if it is one.
    pub(super) fn failure(&self) -> Option<GenerationFailure> {
        match self {
            Self::Model(error)
            | Self::Generate { source: GenerateError::Author(AuthorError::Model(error)), .. } => {
                failure_of(error)
            }
            Self::Embedder(EmbedderError::Model(error)) if is_of_machine(error) => None,
            Self::Embedder(_) | Self::Generate { source: GenerateError::Embedder(_), .. } => {
                Some(GenerationFailure::EmbedderUnfit)
            }
            _ => None,
        }
    }
}

fn failure_of(error: &ModelError) -> Option<GenerationFailure> {
    match error {
        ModelError::Engine(EngineError::Family(_)) => Some(GenerationFailure::ModelFamilyUnknown),
        ModelError::Engine(EngineError::OutOfMemory { .. }) => Some(GenerationFailure::OutOfMemory),
        ModelError::Engine(
            EngineError::Malformed { .. }
            | EngineError::Truncated { .. }
            | EngineError::Weight { .. }
            | EngineError::Token { .. }
            | EngineError::AdapterTensor { .. }
            | EngineError::AdapterShape { .. },
        )
        | ModelError::Parse { .. }
        | ModelError::Tokens(_) => Some(GenerationFailure::ModelFilesDamaged),
        _ => match unreadable(error)? {
            ErrorKind::NotFound
            | ErrorKind::PermissionDenied
            | ErrorKind::IsADirectory
            | ErrorKind::NotADirectory => Some(GenerationFailure::ModelFilesMissing),
            ErrorKind::UnexpectedEof => Some(GenerationFailure::ModelFilesDamaged),
            _ => None,
        },
    }
}

/// Whether a model that fails while it writes would fail again. What a device did may pass.
fn is_lasting(error: &ModelError) -> bool {
    let of_device =
        matches!(error, ModelError::Engine(EngineError::Arithmetic(_) | EngineError::Device { .. }));
    !of_device && !is_of_machine(error)
}

/// Whether reading failed for a reason that is not the model's, such as a disk or network that is away.
fn is_of_machine(error: &ModelError) -> bool {
    unreadable(error).is_some() && failure_of(error).is_none()
}

/// Why the system could not read a file of the model.
fn unreadable(error: &ModelError) -> Option<ErrorKind> {
    match error {
        ModelError::Read { source, .. } | ModelError::Engine(EngineError::Read { source, .. }) => {
            Some(source.kind())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    use crate::destination::DestinationError;

    impl From<GenerateError> for RunError {
        fn from(source: GenerateError) -> Self {
            Self::Generate { source, effort: Box::default() }
        }
    }

    fn read(kind: ErrorKind) -> ModelError {
        ModelError::Engine(EngineError::Read {
            path: "model.safetensors".into(),
            source: io::Error::from(kind),
        })
    }

    fn check(error: impl Into<RunError>, exit_code: u8, failure: Option<GenerationFailure>) {
        let error = error.into();
        let found = (error.outcome().exit_code(), error.failure());
        assert_eq!(found, (exit_code, failure), "{error:?}");
    }

    #[test]
    fn what_may_go_well_another_time_is_told_from_what_will_not() {
        let missing = Some(GenerationFailure::ModelFilesMissing);
        for kind in [ErrorKind::NotFound, ErrorKind::PermissionDenied, ErrorKind::IsADirectory] {
            check(read(kind), 2, missing);
        }
        check(read(ErrorKind::UnexpectedEof), 2, Some(GenerationFailure::ModelFilesDamaged));
        for kind in [ErrorKind::TimedOut, ErrorKind::StaleNetworkFileHandle, ErrorKind::Other] {
            check(read(kind), 1, None);
        }
        let family = ModelError::Engine(EngineError::Family("gemma".into()));
        check(family, 2, Some(GenerationFailure::ModelFamilyUnknown));
        let truncated = EngineError::Truncated { path: "a".into(), expected: 2, found: 1 };
        check(ModelError::Engine(truncated), 2, Some(GenerationFailure::ModelFilesDamaged));
        check(ModelError::TooLong { found: 9, positions: 8 }, 2, None);
        let too_long = ModelError::TooLong { found: 9, positions: 8 };
        check(GenerateError::Author(AuthorError::Model(too_long)), 2, None);
        let writing = |error| GenerateError::Author(AuthorError::Model(ModelError::Engine(error)));
        let token = EngineError::Token { token: 9, vocabulary: 8 };
        check(writing(token), 2, Some(GenerationFailure::ModelFilesDamaged));
        let full = || candle_core::Error::Msg("CUDA_ERROR_OUT_OF_MEMORY".into());
        check(writing(full().into()), 2, Some(GenerationFailure::OutOfMemory));
        check(writing(candle_core::Error::Msg("a launch failed".into()).into()), 1, None);
        check(GenerateError::Destination(DestinationError::Other("away".into())), 1, None);
        check(GenerateError::Destination(DestinationError::Refused("422".into())), 2, None);
    }
}
