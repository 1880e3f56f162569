//! Our definitions and the operator's pass against a real API server. No root, no node.

mod away;
mod banner;
mod brand;
mod chart;
mod current;
mod drift;
mod dry_run;
mod gateway;
mod group;
mod guardrails;
mod leader;
mod outdated;
mod passes;
mod policies;
mod promote;
mod quiet;
mod reviews;
mod rights;
mod schemas;
mod scope;
mod server;
mod transcripts;
mod transitions;
mod upgrade;
mod visitors;
mod waits;
