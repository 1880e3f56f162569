//! The operator is killed, and another takes its place.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::ensure;
use tokio::sync::Notify;

use crate::fault::{Fate, Faults, is_write};
use crate::life::{difference, live};
use crate::world::{World, none};

/// Each kill costs a life of a second, so without this variable some are left out.
const ALL: &str = "BROADSIDE_TEST_FAULTS";

/// Of so many writes one is followed by a kill.
const STEP: usize = 4;

/// A process that is killed once its write of that number was carried out, and before it hears so; it counts them.
///
/// That is before the next write too: between two of them it but reads, and what it read dies with it.
fn killed_after(write: usize, written: Arc<AtomicUsize>, killed: Arc<Notify>) -> Faults {
    Arc::new(move |request| match is_write(request) {
        true => match written.fetch_add(1, Ordering::SeqCst) + 1 {
            number if number < write => Fate::Passes,
            number if number == write => Fate::Last(Arc::clone(&killed)),
            _ => Fate::Never,
        },
        false if written.load(Ordering::SeqCst) < write => Fate::Passes,
        false => Fate::Never,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn whichever_write_was_the_last_of_one_the_next_completes_what_it_began() -> anyhow::Result<()> {
    let world = World::start().await?;
    let operator = world.operator(none()).await?;
    let undisturbed = live(&world).await?;
    drop(operator);
    let step = if std::env::var_os(ALL).is_some() { 1 } else { STEP };
    for write in (1..).step_by(step) {
        world.clear().await?;
        let (written, killed) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let faults = killed_after(write, Arc::clone(&written), Arc::clone(&killed));
        let _operators = world.operators(faults, killed).await?;
        let found =
            live(&world).await.map_err(|error| error.context(format!("killed after write {write}")))?;
        if let Some(lines) = difference(&undisturbed, &found) {
            anyhow::bail!("killed after write {write}:\n{lines}");
        }
        let written = written.load(Ordering::SeqCst);
        if written < write {
            ensure!(write > 20, "only {written} writes: the life was none, so the rest shows nothing");
            return Ok(());
        }
    }
    unreachable!("every life ends")
}
