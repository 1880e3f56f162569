//! Who writes drafts: a model in this process, or an engine elsewhere.

use std::ops::ControlFlow;

use api::Drawing;

use crate::draft::{Draft, Task};
use crate::endpoint::EndpointError;
use crate::meter::Meter;
use crate::model::ModelError;

/// Hears of each draft as soon as it is finished, by the place of its task; whoever has heard enough breaks off.
pub type Done<'a> = dyn FnMut(usize, Draft) -> ControlFlow<()> + 'a;

/// Writes drafts. Whatever comes back is checked by the same rules afterwards: an author is never trusted.
pub trait Author {
    /// What identifies the model: `sha256:` and the digest of its weights, or `endpoint:` and a name.
    fn model_digest(&self) -> &str;

    /// What identifies the adapter that is merged into the model: `sha256:` and the digest of its files; nothing where
    /// there is none, or nobody knows.
    fn adapter_digest(&self) -> Option<&str>;

    /// In which form it keeps the weights; nothing where it does not know.
    fn quantization(&self) -> Option<&str>;

    /// How it draws tokens; nothing where it does not know all of it.
    fn drawing(&self) -> Option<Drawing>;

    /// Counts the tokens that it writes, those of drafts that came to nothing included.
    fn meter(&self) -> &Meter;

    /// SHA-256, in hexadecimal, of everything that the model is told for a task, as the trace of its draft has it.
    ///
    /// # Errors
    /// When no prompt can be made of it.
    fn prompt_digest(&self, task: &Task<'_>) -> Result<String, AuthorError>;

    /// Writes one draft for each task, in any order, and gives each to `done` once. Where the meter has no room for more, the
    /// later ones are left out.
    ///
    /// # Errors
    /// When no draft can be written any more. Drafts that were given to `done` before stay given.
    fn write(&self, tasks: Vec<Task<'_>>, done: &mut Done<'_>) -> Result<(), AuthorError>;
}

/// Why an author cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum AuthorError {
    /// The model in this process can't.
    #[error("the model could not write")]
    Model(#[from] ModelError),
    /// The engine elsewhere can't.
    #[error("the endpoint could not write")]
    Endpoint(#[from] EndpointError),
}
