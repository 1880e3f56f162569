//! Nobody's input is more than refused: bodies, addresses, headers, tokens and key files that are nearly right, or noise.
//!
//! `make fuzz-gateway` tries ten million; the number and the seed of an input that fails make it again.

mod answer;
mod input;
mod mutate;
mod token;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::time::Instant;

use api::MetricKind;
use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::http::StatusCode;
use futures::FutureExt;
use futures::future::join_all;
use prometheus_client::registry::Registry;
use tower::ServiceExt;

use crate::applications::note;
use crate::auth::guarded;
use crate::samples::{SAMPLE, Sample};
use crate::world::World;
use input::Input;
use mutate::Mutator;
use token::Tokens;

/// Some seconds of a debug build.
const INPUTS: u64 = 20_000;

/// From here on the memory of this process is looked at. With fewer, tests beside this one would be seen.
const MANY: u64 = 1_000_000;

/// How much memory may grow from the first tenth of ten million inputs to the last, in KiB: less than a byte for each.
const GROWTH: u64 = 4 * 1024;

/// So many are under way at once: what waits for the disk waits together.
const AT_ONCE: u64 = 64;

#[tokio::test]
async fn no_input_is_more_than_refused() {
    let (inputs, seed) = (number("FUZZ_INPUTS", INPUTS), number("FUZZ_SEED", 6));
    let fuzzer = Fuzzer::new(seed).await;
    let (begin, mut tally, mut early) = (Instant::now(), BTreeMap::new(), 0);
    for first in (0..inputs).step_by(AT_ONCE as usize) {
        let tried = (first..inputs.min(first + AT_ONCE)).map(|number| fuzzer.holds(number));
        join_all(tried).await.into_iter().for_each(|kind| *tally.entry(kind).or_insert(0_u64) += 1);
        if first % (16 * AT_ONCE) == 0 {
            fuzzer.answers_as_before().await;
        }
        if first <= inputs / 10 {
            early = memory();
        }
    }
    fuzzer.answers_as_before().await;
    let (took, late) = (begin.elapsed(), memory());
    if inputs >= MANY {
        note(&format!(
            "{inputs} inputs of seed {seed} in {took:.0?}; memory {early} KiB, then {late} KiB\n{tally:#?}\n"
        ));
        assert!(late <= early + GROWTH, "memory grew from {early} to {late} KiB");
    }
}

struct Fuzzer {
    seed: u64,
    _world: World,
    router: Router,
    tokens: Tokens,
    inputs: Vec<Input>,
    /// Questions and their answers.
    known: Vec<(Input, Bytes)>,
    folder: tempfile::TempDir,
}

impl Fuzzer {
    async fn new(seed: u64) -> Self {
        let guardrails = &[("bounce", MetricKind::Binary, 60)];
        let world = World::new(Sample { guardrails, ..SAMPLE });
        let operations = gateway::serve::operations(Registry::default(), || true);
        let router = guarded(&world).merge(operations);
        let mut known = Vec::new();
        for question in input::questions() {
            let (status, body) = call(&router, &question).await;
            assert_eq!(status, StatusCode::OK, "{question:?}");
            known.push((question, body));
        }
        let inputs = [input::questions(), input::records()].concat();
        let folder = tempfile::tempdir().unwrap();
        Self { seed, _world: world, router, tokens: Tokens::new(), inputs, known, folder }
    }

    /// Tries one input, and says what it was and what came of it.
    async fn holds(&self, number: u64) -> String {
        let mut mutator = Mutator::new(self.seed.wrapping_mul(1 << 40).wrapping_add(number));
        let tried = AssertUnwindSafe(self.try_one(&mut mutator)).catch_unwind().await;
        match tried {
            Ok(Ok(kind)) => kind,
            Ok(Err(fault)) => panic!("input {number} of seed {}: {fault}", self.seed),
            Err(_) => panic!("input {number} of seed {} made it panic", self.seed),
        }
    }

    async fn try_one(&self, mutator: &mut Mutator) -> Result<String, String> {
        match mutator.below(256) {
            0 => token::key_files(mutator, self.folder.path()).map(|()| "a folder of keys".to_owned()),
            1..64 => self.tokens.verify(mutator).map(|()| "a token".to_owned()),
            _ => self.try_request(mutator).await,
        }
    }

    async fn try_request(&self, mutator: &mut Mutator) -> Result<String, String> {
        let right = &self.inputs[mutator.below(self.inputs.len())];
        let input = right.mutated(mutator, &self.tokens);
        let request = input.request();
        let method = request.method().clone();
        let response = self.router.clone().oneshot(request).await.expect("a router has no error");
        let (head, body) = response.into_parts();
        let body = to_bytes(body, 1 << 24).await.expect("it is in memory");
        answer::check(&method, &head, &body)
            .map_err(|fault| format!("{fault}: {input:?} gave {head:?} {body:?}"))?;
        let path = right.uri.split('?').next().unwrap_or_default();
        Ok(format!("{path} {}", head.status.as_u16()))
    }

    /// What was asked before has the answer that it had.
    async fn answers_as_before(&self) {
        for (question, body) in &self.known {
            assert_eq!(call(&self.router, question).await, (StatusCode::OK, body.clone()), "{question:?}");
        }
    }
}

async fn call(router: &Router, input: &Input) -> (StatusCode, Bytes) {
    let response = router.clone().oneshot(input.request()).await.unwrap();
    let status = response.status();
    (status, to_bytes(response.into_body(), 1 << 24).await.unwrap())
}

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |number| number.parse().unwrap())
}

/// The memory of this process that is in use, in KiB.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
