//! What is counted about decisions.

use api::wire::decide::DecideReason;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// Counters, one for each reason, found beforehand: a look-up by label on each request would take a lock.
#[derive(Clone, Debug)]
pub(super) struct DecideMetrics {
    assigned: Counter,
    no_consent: Counter,
    subset: Counter,
    unknown_segment: Counter,
    unknown_campaign: Counter,
    unknown_placement: Counter,
    /// Requests that were no question.
    pub(super) malformed: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

impl DecideMetrics {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let decisions = Family::<ReasonLabels, Counter>::default();
        registry.register("broadside_decisions", "Answers, by their reason", decisions.clone());
        let malformed = Counter::default();
        registry.register("broadside_decide_refused", "Requests that were no question", malformed.clone());
        let of = |reason| decisions.get_or_create_owned(&ReasonLabels { reason: word(reason) });
        Self {
            assigned: of(DecideReason::Assigned),
            no_consent: of(DecideReason::NoConsent),
            subset: of(DecideReason::Subset),
            unknown_segment: of(DecideReason::UnknownSegment),
            unknown_campaign: of(DecideReason::UnknownCampaign),
            unknown_placement: of(DecideReason::UnknownPlacement),
            malformed,
        }
    }

    pub(super) fn answered(&self, reason: DecideReason) {
        let counter = match reason {
            DecideReason::Assigned => &self.assigned,
            DecideReason::NoConsent => &self.no_consent,
            DecideReason::Subset => &self.subset,
            DecideReason::UnknownSegment => &self.unknown_segment,
            DecideReason::UnknownCampaign => &self.unknown_campaign,
            DecideReason::UnknownPlacement => &self.unknown_placement,
        };
        counter.inc();
    }
}

/// A reason in a word, as answers have it.
pub(super) fn word(reason: DecideReason) -> &'static str {
    match reason {
        DecideReason::Assigned => "Assigned",
        DecideReason::NoConsent => "NoConsent",
        DecideReason::Subset => "Subset",
        DecideReason::UnknownSegment => "UnknownSegment",
        DecideReason::UnknownCampaign => "UnknownCampaign",
        DecideReason::UnknownPlacement => "UnknownPlacement",
    }
}
