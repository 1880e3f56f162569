//! The bad days: what may go wrong around the operator, each on a real API server. No root, no node.
//!
//! After each of them there is no second Job, no variant is lost or doubled, nothing is served that people did not approve, and
//! the status is true within a minute.
//!
//! ```text
//! world ── an API server, a ledger, and operators of this process, each behind faults of its own (fault)
//! life  ── one campaign from its manifest to its verdict; ends with all that it left, as text
//! ```
//!
//! Some are tested elsewhere: a brand's ConfigMap that is gone, people's words beside a ledger that hangs, reviews without their
//! admission policy, decisions without an API server, and who leads, in `tests/plane/`; workers that lose their key, their node or
//! their pod, in `tests/cluster/`; a gateway's keys that change, in `gateway/tests/it/`.

mod backup;
mod clocks;
mod ends;
mod fault;
#[path = "../plane/gateway.rs"]
mod gateway;
mod hands;
mod kills;
mod life;
#[path = "../plane/passes.rs"]
mod passes;
#[expect(dead_code, reason = "some of it is for other tests")]
#[path = "../plane/server.rs"]
mod server;
mod servers;
mod stale;
mod storms;
mod untold;
mod world;
