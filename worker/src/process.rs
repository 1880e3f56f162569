//! The environment that the arithmetic reads, which has to be right before it is first used.
//!
//! candle and rayon take their threads from `RAYON_NUM_THREADS` and `CANDLE_NUM_THREADS`, and glibc its allocator's
//! settings from `GLIBC_TUNABLES`, when a process begins. Setting a variable in a running process is `unsafe`, since
//! another thread may read it; so the process starts itself anew, once, with the variables set. On Unix it stays the
//! same process, so a container's first process remains its first.

use std::env;
use std::ffi::OsString;
use std::io;
use std::num::NonZeroUsize;
use std::process::Command;

/// Keeps memory between the steps of a training. Each step frees what the next asks for again, hundreds of megabytes of
/// it; by default glibc gives it back to the system every time, and fetching it anew took a third of all CPU time
/// (25 s against 18 s for twenty steps). One arena, since memory freed by one thread is wanted by another.
const ALLOCATOR: &str = "glibc.malloc.mmap_threshold=4294967295:glibc.malloc.trim_threshold=4294967295:\
    glibc.malloc.top_pad=268435456:glibc.malloc.arena_max=1";

/// The exit code of a process that was told to end: 128 and the number of the signal, as shells have it.
const TOLD_TO_END: i32 = 143;

/// What the arithmetic is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Many threads on one product.
    Writing,
    /// One thread on each product, since each shard of a batch has a thread of its own.
    Training,
}

/// Sets the variables and starts the process anew, unless they are set already; returns in the new one.
///
/// # Errors
/// When the process cannot be started anew.
pub fn prepare(work: Work, threads: Option<NonZeroUsize>) -> io::Result<()> {
    let wanted = variables(work, threads.map_or_else(available, NonZeroUsize::get));
    let missing = wanted.iter().any(|(name, value)| env::var_os(name).as_ref() != Some(value));
    if missing { restart(&wanted) } else { Ok(()) }
}

/// Lets the process end when it is told to, from now on. A container's first process hears no SIGTERM otherwise, and a
/// pod that is to go would hold its GPU for the whole time of grace. Nothing is lost: what was delivered stays, and
/// another run goes on from there. Before it ends `last` is done, which is to take no time.
///
/// # Errors
/// When the system has no thread or no signal for it.
#[cfg(unix)]
pub fn end_when_told(last: impl FnOnce() + Send + 'static) -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let mut told = {
        let _within = runtime.enter();
        signal(SignalKind::terminate())?
    };
    let wait = move || {
        runtime.block_on(told.recv());
        tracing::info!("told to end");
        last();
        std::process::exit(TOLD_TO_END)
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(wait).map(drop)
}

/// Elsewhere the system's own way is good enough.
///
/// # Errors
/// Never.
#[cfg(not(unix))]
pub fn end_when_told(_last: impl FnOnce() + Send + 'static) -> io::Result<()> {
    Ok(())
}

fn variables(work: Work, threads: usize) -> Vec<(&'static str, OsString)> {
    let (threads, allocator) = match work {
        Work::Writing => (threads, None),
        Work::Training => (1, Some(("GLIBC_TUNABLES", ALLOCATOR.into()))),
    };
    let count = OsString::from(threads.to_string());
    [("RAYON_NUM_THREADS", count.clone()), ("CANDLE_NUM_THREADS", count)]
        .into_iter()
        .chain(allocator)
        .collect()
}

fn available() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

fn again(variables: &[(&'static str, OsString)]) -> io::Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.args(env::args_os().skip(1)).envs(variables.iter().map(|(name, value)| (name, value)));
    Ok(command)
}

#[cfg(unix)]
fn restart(variables: &[(&'static str, OsString)]) -> io::Result<()> {
    use std::os::unix::process::CommandExt;
    Err(again(variables)?.exec())
}

#[cfg(not(unix))]
fn restart(variables: &[(&'static str, OsString)]) -> io::Result<()> {
    let status = again(variables)?.status()?;
    std::process::exit(status.code().unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writing_uses_the_threads_and_training_leaves_them_to_its_shards() {
        let threads = |work| {
            let variables = variables(work, 3);
            let of = |name| variables.iter().find(|(it, _)| *it == name).map(|(_, value)| value.clone());
            (of("RAYON_NUM_THREADS"), of("CANDLE_NUM_THREADS"), of("GLIBC_TUNABLES").is_some())
        };
        assert_eq!(threads(Work::Writing), (Some("3".into()), Some("3".into()), false));
        assert_eq!(threads(Work::Training), (Some("1".into()), Some("1".into()), true));
    }
}
