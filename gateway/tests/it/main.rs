//! The gateway from outside: routers without a socket, the ledger against a plain reference, a process that is killed.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod applications;
mod auth;
mod backup;
mod browser;
mod clients;
mod clock;
mod cors;
mod decide;
mod decisions;
mod disk;
mod erasure;
mod events;
mod export;
mod export_files;
mod full;
mod fuzz;
mod hostile;
mod kill;
mod model;
mod nats;
mod ofrep;
mod openapi;
mod operations;
mod page;
mod parts;
mod probe;
mod process;
mod redirect;
mod samples;
mod schemathesis;
mod signed;
mod stream;
mod tls;
mod visitor;
mod world;
