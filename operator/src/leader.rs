//! Which of several operators acts: the one that holds a Lease.
//!
//! ```text
//!   Candidate ── the Lease is free, or was not renewed for as long as it says ──▶ Leader
//!       ▲                                                                         │ renews it
//!       └────────── its process ends, and starts anew ◀── it could not for a while ┘
//! ```
//!
//! Times of other machines are compared with nothing: whether a Lease was renewed is judged by when *we* saw it change, so clocks
//! may differ and jump. A leader stops well before others may follow, by its own clock, which goes on while its process stands
//! still: then a [`fence`] lets no write of it through any more.
//!
//! Source: the documentation of client-go's `tools/leaderelection`, whose Lease and whose times these are.

mod fence;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};

pub use fence::{LeadsNoMore, fenced};

/// How long a Lease holds, and how its holder keeps it.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// How long others wait for a renewal. Written in whole seconds.
    pub duration: Duration,
    /// How long after its last renewal a leader still acts; shorter, so that two never do.
    pub deadline: Duration,
    /// How often it is renewed, and looked at by others.
    pub retry: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        let [duration, deadline, retry] = [15, 10, 2].map(Duration::from_secs);
        Self { duration, deadline, retry }
    }
}

/// Waits for the Lease.
#[derive(Debug)]
pub struct Candidate {
    leases: Api<Lease>,
    name: String,
    identity: String,
    timing: Timing,
    observed: Observed,
}

/// Holds the Lease.
#[derive(Debug)]
pub struct Leader {
    candidate: Candidate,
    leadership: Leadership,
}

/// Whether this process may act. Clone it freely.
#[derive(Clone, Debug)]
pub struct Leadership(Option<Arc<Mutex<Instant>>>);

impl Leadership {
    /// Of a process that is alone.
    pub fn alone() -> Self {
        Self(None)
    }

    fn until(moment: Instant) -> Self {
        Self(Some(Arc::new(Mutex::new(moment))))
    }

    /// Whether it still holds.
    pub fn holds(&self) -> bool {
        self.0
            .as_ref()
            .is_none_or(|until| Instant::now() < *until.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns once it does not hold any more; never for a process that is alone.
    pub async fn lost(&self) {
        let Some(until) = &self.0 else { return std::future::pending().await };
        loop {
            let moment = *until.lock().unwrap_or_else(PoisonError::into_inner);
            if Instant::now() >= moment {
                return;
            }
            // It may be extended meanwhile.
            tokio::time::sleep_until(moment.into()).await;
        }
    }

    fn extend(&self, moment: Instant) {
        if let Some(until) = &self.0 {
            *until.lock().unwrap_or_else(PoisonError::into_inner) = moment;
        }
    }
}

impl Candidate {
    /// Waits for the Lease of that name in a namespace; `identity` is this process's own, which no other has.
    pub fn new(client: Client, namespace: &str, name: &str, identity: &str, timing: Timing) -> Self {
        let leases = Api::namespaced(client, namespace);
        let (name, identity) = (name.to_owned(), identity.to_owned());
        Self { leases, name, identity, timing, observed: Observed::default() }
    }

    /// Returns once this process leads.
    pub async fn lead(mut self) -> Leader {
        loop {
            let asked = Instant::now();
            match self.attempt_in_time(asked).await {
                Ok(Attempt::Ours) => {
                    tracing::info!(lease = self.name, identity = self.identity, "leading");
                    let leadership = Leadership::until(asked + self.timing.deadline);
                    return Leader { candidate: self, leadership };
                }
                Ok(Attempt::Theirs) => {}
                Err(error) => {
                    tracing::warn!(%error, lease = self.name, "the Lease can't be had; it is tried again");
                }
            }
            tokio::time::sleep(self.timing.retry).await;
        }
    }

    /// As [`Candidate::attempt`]; one that takes longer than a leader may act is given up.
    async fn attempt_in_time(&mut self, now: Instant) -> Result<Attempt, LeaseError> {
        let attempt = tokio::time::timeout(self.timing.deadline, self.attempt(now));
        attempt.await.map_err(|_| LeaseError::Unanswered)?.map_err(LeaseError::Refused)
    }

    /// Takes the Lease, or renews it, where nobody else holds it.
    async fn attempt(&mut self, now: Instant) -> Result<Attempt, kube::Error> {
        let lease = self.leases.get_opt(&self.name).await?;
        let spec = lease.as_ref().and_then(|lease| lease.spec.clone()).unwrap_or_default();
        self.observed.see(&spec, now);
        if self.observed.standing(&self.identity, now) == Standing::Held {
            return Ok(Attempt::Theirs);
        }
        let spec = Some(self.taken(spec, Timestamp::now()));
        let written = match lease {
            // Its version is in it, so that of two who take it one is told.
            Some(lease) => {
                self.leases.replace(&self.name, &PostParams::default(), &Lease { spec, ..lease }).await
            }
            None => {
                self.leases.create(&PostParams::default(), &Lease { metadata: self.metadata(), spec }).await
            }
        };
        match written {
            Ok(_) => Ok(Attempt::Ours),
            Err(kube::Error::Api(status)) if status.is_conflict() || status.is_already_exists() => {
                Ok(Attempt::Theirs)
            }
            Err(error) => Err(error),
        }
    }

    fn metadata(&self) -> ObjectMeta {
        ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() }
    }

    /// The Lease as its holder writes it.
    fn taken(&self, before: LeaseSpec, now: Timestamp) -> LeaseSpec {
        let LeaseSpec { acquire_time, holder_identity, lease_transitions, .. } = before;
        let was_ours = holder_identity.as_deref() == Some(&self.identity);
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: Some(i32::try_from(self.timing.duration.as_secs()).unwrap_or(i32::MAX)),
            acquire_time: acquire_time.filter(|_| was_ours).or(Some(MicroTime(now))),
            renew_time: Some(MicroTime(now)),
            // How often it went from one to another, so not when it was new.
            lease_transitions: Some(
                lease_transitions.map_or(0, |before| before.saturating_add(i32::from(!was_ours))),
            ),
            ..LeaseSpec::default()
        }
    }
}

/// Why an attempt failed.
#[derive(Debug, thiserror::Error)]
enum LeaseError {
    #[error("the API server does not answer")]
    Unanswered,
    #[error("the API server refused: {0}")]
    Refused(kube::Error),
}

/// Whose the Lease is after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attempt {
    Ours,
    Theirs,
}

impl Leader {
    /// Whether this process still leads.
    pub fn leadership(&self) -> Leadership {
        self.leadership.clone()
    }

    /// Renews the Lease, and returns when this process leads no more: then it should end at once.
    pub async fn keep(&mut self) {
        let Self { candidate, leadership } = self;
        while leadership.holds() {
            tokio::time::sleep(candidate.timing.retry).await;
            let asked = Instant::now();
            match candidate.attempt_in_time(asked).await {
                Ok(Attempt::Ours) => leadership.extend(asked + candidate.timing.deadline),
                Ok(Attempt::Theirs) => return leadership.extend(asked),
                Err(error) => tracing::warn!(%error, "the Lease is not renewed"),
            }
        }
    }

    /// Gives the Lease back, so that others need not wait. Nothing may be under way any more.
    ///
    /// # Errors
    /// When the API server refuses or does not answer: others then wait for as long as the Lease says.
    pub async fn release(self) -> Result<(), kube::Error> {
        let Self { candidate: Candidate { leases, name, identity, .. }, leadership } = self;
        leadership.extend(Instant::now());
        let Some(lease) = leases.get_opt(&name).await? else { return Ok(()) };
        let Some(spec) = lease.spec.clone().filter(|spec| spec.holder_identity.as_deref() == Some(&identity))
        else {
            return Ok(());
        };
        // An empty identity is nobody's; the Lease is good for no time.
        let spec =
            LeaseSpec { holder_identity: Some(String::new()), lease_duration_seconds: Some(1), ..spec };
        leases.replace(&name, &PostParams::default(), &Lease { spec: Some(spec), ..lease }).await.map(drop)
    }
}

/// What was last seen of the Lease, and since when it is so, by our own clock.
#[derive(Debug, Default)]
struct Observed(Option<(LeaseSpec, Instant)>);

/// Whose the Lease is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Ours,
    Free,
    Held,
}

impl Observed {
    fn see(&mut self, spec: &LeaseSpec, now: Instant) {
        if self.0.as_ref().is_none_or(|(known, _)| known != spec) {
            self.0 = Some((spec.clone(), now));
        }
    }

    fn standing(&self, identity: &str, now: Instant) -> Standing {
        let Some((spec, since)) = &self.0 else { return Standing::Free };
        let seconds = u64::try_from(spec.lease_duration_seconds.unwrap_or(0)).unwrap_or(0);
        match spec.holder_identity.as_deref() {
            None | Some("") => Standing::Free,
            Some(holder) if holder == identity => Standing::Ours,
            Some(_) if now.saturating_duration_since(*since) >= Duration::from_secs(seconds) => {
                Standing::Free
            }
            Some(_) => Standing::Held,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(holder: &str, renewed: i64) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(holder.to_owned()),
            lease_duration_seconds: Some(15),
            renew_time: Timestamp::from_second(renewed).ok().map(MicroTime),
            ..LeaseSpec::default()
        }
    }

    #[test]
    fn whose_a_lease_is_is_judged_by_when_it_was_seen_to_change() {
        let check = |seen: &[(u64, LeaseSpec)], now: u64, expected: Standing| {
            let (begin, mut observed) = (Instant::now(), Observed::default());
            let at = |seconds| begin + Duration::from_secs(seconds);
            seen.iter().for_each(|(seconds, spec)| observed.see(spec, at(*seconds)));
            assert_eq!(observed.standing("us", at(now)), expected, "{seen:?} after {now} s");
        };
        use Standing::{Free, Held, Ours};
        check(&[], 0, Free);
        check(&[(0, LeaseSpec::default())], 0, Free);
        check(&[(0, lease("", 0))], 0, Free);
        check(&[(0, lease("us", 0))], 99, Ours);
        check(&[(0, lease("them", 0))], 14, Held);
        check(&[(0, lease("them", 0))], 15, Free);
        check(&[(0, lease("them", 0)), (14, lease("them", 0))], 15, Free);
        check(&[(0, lease("them", 0)), (14, lease("them", 2))], 28, Held);
        check(&[(0, lease("them", 0)), (14, lease("others", 0))], 28, Held);
        // Their clock is years away from ours, or goes back.
        check(&[(0, lease("them", 1 << 40)), (14, lease("them", 5))], 28, Held);
    }

    #[test]
    fn leading_ends_by_our_own_clock() {
        let leadership = Leadership::until(Instant::now() + Duration::from_secs(60));
        assert!(leadership.holds() && Leadership::alone().holds());
        leadership.clone().extend(Instant::now());
        assert!(!leadership.holds(), "for all who were told");
    }
}
