//! What a Job, its pods and their events say of the writing.
//!
//! ```text
//! job        has it ended, may its pods run, since when        pods       what keeps one from starting, how it ended, what it took
//! volumes    what a pod waits for before it starts              warnings   what events say where nothing else does
//! ```

pub(crate) mod job;
pub(crate) mod pods;
pub(crate) mod volumes;
pub(crate) mod warnings;
