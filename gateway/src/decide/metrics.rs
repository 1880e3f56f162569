//! What is counted about decisions.

use api::wire::decide::DecideReason;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// Counters, one for each reason, found beforehand: a look-up by label on each request would take a lock.
#[derive(Clone, Debug)]
pub(super) struct DecideMetrics {
    /// In the order of [`DecideReason::ALL`], which begins with the usual one.
    answers: [(DecideReason, Counter); DecideReason::ALL.len()],
    /// Requests that were no question.
    pub(super) malformed: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: String,
}

impl DecideMetrics {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let decisions = Family::<ReasonLabels, Counter>::default();
        registry.register("broadside_decisions", "Answers, by their reason", decisions.clone());
        let malformed = Counter::default();
        registry.register("broadside_decide_refused", "Requests that were no question", malformed.clone());
        let answers = DecideReason::ALL.map(|reason| {
            // As answers have it.
            let labels = ReasonLabels { reason: format!("{reason:?}") };
            (reason, decisions.get_or_create_owned(&labels))
        });
        Self { answers, malformed }
    }

    pub(super) fn answered(&self, reason: DecideReason) {
        let counter = self.answers.iter().find(|(of, _)| *of == reason);
        counter.expect("every reason has its counter").1.inc();
    }
}
