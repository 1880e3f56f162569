//! Drafts from an engine elsewhere: a mock where it shows a fault better, and a real server that nobody here wrote.

mod command;
mod faults;
mod handbill;
mod mock;
mod real;
mod serving;
mod tls;

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::time::Duration;

use rules::BrandRules;
use worker::author::{Author, AuthorError};
use worker::backoff::Backoff;
use worker::draft::{Draft, Task};
use worker::endpoint::{Access, Endpoint, EndpointError, Patience, Settings};
use worker::prompt::Prompt;
use worker::random::Random;

/// A key that may be seen nowhere but in the header that carries it.
const KEY: &str = "s3cret-Key";

/// Waits of milliseconds: what is waited for is tested apart, as a function.
const QUICK: Patience = Patience {
    connect: Duration::from_secs(5),
    answer: Duration::from_secs(20),
    backoff: Backoff { first: Duration::from_millis(1), longest: Duration::from_millis(5) },
    draft: Duration::from_secs(20),
    tries: 4,
    key: Duration::from_millis(500),
};

/// A mounted Secret.
fn mounted(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).expect("written");
    }
    folder
}

fn endpoint(url: &str, concurrency: usize) -> Endpoint {
    endpoint_of(&mounted(&[("url", url), ("key", KEY)]), concurrency)
}

fn endpoint_of(secret: &tempfile::TempDir, concurrency: usize) -> Endpoint {
    opened(secret, Settings { concurrency: NonZeroUsize::new(concurrency).expect("one"), ..settings("qwen") })
}

/// An endpoint that knows its model by this name.
fn endpoint_named(model: &str, url: &str) -> Endpoint {
    opened(&mounted(&[("url", url), ("key", KEY)]), settings(model))
}

fn settings(model: &str) -> Settings {
    Settings {
        model: model.into(),
        concurrency: NonZeroUsize::MIN,
        temperature: Some(0.7),
        top_p: None,
        patience: QUICK,
    }
}

fn opened(secret: &tempfile::TempDir, settings: Settings) -> Endpoint {
    Endpoint::new(Access::open(secret.path()).expect("a Secret"), settings).expect("a client")
}

/// Drafts of so many tasks, by the place of each, in the order in which they were finished.
fn write(endpoint: &Endpoint, count: u64) -> Result<Vec<(usize, Draft)>, EndpointError> {
    let mut drafts = Vec::new();
    let written = write_until(endpoint, count, &mut |place, draft| {
        drafts.push((place, draft));
        ControlFlow::Continue(())
    });
    written.map(|()| drafts)
}

fn write_until(
    endpoint: &Endpoint,
    count: u64,
    done: &mut dyn FnMut(usize, Draft) -> ControlFlow<()>,
) -> Result<(), EndpointError> {
    let brand = BrandRules::default();
    let format = rules::format("WebBanner").expect("a format of ours");
    let prompt = Prompt { format: "WebBanner".into(), product: "Aero Trail 3".into(), ..Prompt::default() };
    let task = |seed| Task {
        prompt: prompt.clone(),
        format,
        brand: &brand,
        language: "en",
        siblings: &[],
        random: Random::from_seed(seed),
    };
    endpoint.write((0..count).map(task).collect(), done).map_err(|error| match error {
        AuthorError::Endpoint(error) => error,
        AuthorError::Model(error) => panic!("{error} is not an endpoint's"),
    })
}

/// An error with everything that caused it.
fn chain(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(Some(error), |error| error.source());
    sources.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
