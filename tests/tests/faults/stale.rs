//! Two operators, of which one was paused between asking and sending.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::ensure;
use api::AdTable;
use tokio::sync::Notify;

use crate::fault::{Fate, Faults, is_write};
use crate::life::{apply, asked, left, write};
use crate::world::{World, none};

/// A process that stands still before it sends its first table, and sends it once it is let go; then it is gone.
#[derive(Default)]
struct Paused {
    stands: Arc<Notify>,
    let_go: Arc<Notify>,
    answered: Arc<Notify>,
    met: AtomicBool,
}

impl Paused {
    fn faults(self: &Arc<Self>) -> Faults {
        let paused = Arc::clone(self);
        Arc::new(move |request| {
            let table = is_write(request) && request.uri().path().contains("/adtables/");
            match (table, is_write(request)) {
                (true, _) if !paused.met.swap(true, Ordering::SeqCst) => {
                    paused.stands.notify_one();
                    Fate::Held(Arc::clone(&paused.let_go))
                }
                (_, true) if paused.met.load(Ordering::SeqCst) => {
                    paused.answered.notify_one();
                    Fate::Never
                }
                _ => Fate::Passes,
            }
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_a_paused_operator_sends_late_is_refused() -> anyhow::Result<()> {
    let world = World::start().await?;
    let paused = Arc::new(Paused::default());
    let _stale = world.operator(paused.faults()).await?;
    apply(&world).await?;
    paused.stands.notified().await;
    let _leads = world.operator(none()).await?;
    asked(&world).await?;
    write(&world).await?;
    let before = left(&world).await?;
    let number = world.list::<AdTable>().await?.remove(0).spec.number;
    ensure!(number > 1, "nothing changed meanwhile: {before}");
    paused.let_go.notify_one();
    paused.answered.notified().await;
    ensure!(left(&world).await? == before, "{}", left(&world).await?);
    Ok(())
}
