//! What a decision waits for while tables are replaced: a thousand campaigns of four placements of ten variants, of which one
//! is replaced a hundred times a second by a thread beside. The whole request is measured, without a network.
//!
//! A machine stops threads for other work, which is nobody's waiting for a table; so each request is measured by the
//! processor's time of its own thread as well, and beside the same without replacing. What waits for a lock shows in the time
//! that passed alone: then it would be longer while tables are replaced, and not at rest.
//!
//! `make bench-gateway`, or `cargo bench -p broadside-gateway --bench swap`

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use futures::executor::block_on;
use gateway::clock::SystemClock;
use gateway::decide::DecideState;
use gateway::key::Keyring;
use gateway::tables::{Keeper, Tables};
use nix::time::{ClockId, clock_gettime};
use prometheus_client::registry::Registry;
use tower::ServiceExt;

#[path = "../tests/it/samples.rs"]
mod samples;
#[path = "shared/tables.rs"]
mod tables;

const CAMPAIGNS: usize = 1000;
const DURING: Duration = Duration::from_secs(10);
/// More than one thread can ask in that time, so that no list grows meanwhile.
const MOST: usize = 10_000_000;
const REPLACED_EVERY: Duration = Duration::from_millis(10);

fn main() {
    let mut registry = Registry::default();
    let (mut keeper, served) = Keeper::new(&mut registry);
    for campaign in 0..CAMPAIGNS {
        keeper.offer(&tables::table(campaign, 1, 4, &tables::TEN)).expect("a table");
    }
    keeper.publish();
    let router = router(served, &mut registry);
    println!("{CAMPAIGNS} campaigns x 4 placements x 10 variants, one thread that asks for {DURING:?}");
    measure("at rest", &router);
    let (ends, replaced) = (AtomicBool::new(false), AtomicI64::new(1));
    std::thread::scope(|scope| {
        scope.spawn(|| replace(&mut keeper, &ends, &replaced));
        measure("while tables are replaced", &router);
        ends.store(true, Ordering::Relaxed);
    });
    println!("{} tables were replaced", replaced.into_inner() - 1);
}

fn router(tables: Tables, registry: &mut Registry) -> Router {
    let keyring = Keyring::new(samples::keys());
    gateway::decide::router(DecideState::new(tables, keyring, Arc::new(SystemClock), None, None, registry))
}

/// One table after the other, until that ends.
fn replace(keeper: &mut Keeper, ends: &AtomicBool, number: &AtomicI64) {
    while !ends.load(Ordering::Relaxed) {
        let number = number.fetch_add(1, Ordering::Relaxed);
        let campaign = usize::try_from(number).expect("it counts up") % CAMPAIGNS;
        keeper.offer(&tables::table(campaign, number + 1, 4, &tables::TEN)).expect("a newer table");
        keeper.publish();
        std::thread::sleep(REPLACED_EVERY);
    }
}

/// Asks one question after the other, about all campaigns in turn.
fn measure(when: &str, router: &Router) {
    let (mut waited, mut worked) = (Vec::with_capacity(MOST), Vec::with_capacity(MOST));
    let end = Instant::now() + DURING;
    for number in 0.. {
        let question = question(number);
        let (begin, begin_work) = (Instant::now(), processor_time());
        let answer = block_on(router.clone().oneshot(question)).expect("it answers");
        let (has_waited, has_worked) = (begin.elapsed(), processor_time() - begin_work);
        waited.push(has_waited);
        worked.push(has_worked);
        assert_eq!(answer.status(), StatusCode::OK);
        if Instant::now() >= end || waited.len() == MOST {
            break;
        }
    }
    for (of, times) in [("waited", &mut waited), ("worked", &mut worked)] {
        times.sort_unstable();
        let at = |share: f64| milliseconds(times[((times.len() - 1) as f64 * share) as usize]);
        println!(
            "{when:<26} {of}: median {:.4} ms, p99.9 {:.3} ms, p99.999 {:.3} ms, longest of {} {:.3} ms",
            at(0.5),
            at(0.999),
            at(0.99999),
            times.len(),
            at(1.0)
        );
    }
}

fn question(number: usize) -> Request<Body> {
    let campaign = tables::name(number % CAMPAIGNS);
    let body = format!(
        r#"{{"namespace":"shop","campaign":"{campaign}","placement":"hero","subject":"person {number}"}}"#
    );
    Request::post("/v1/decide").body(Body::from(body)).expect("a request")
}

/// The processor's time that this thread has used.
fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("Linux has this clock").into()
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
