//! What is counted about decisions.

use api::wire::decide::DecideReason;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::visitor::Visitor;

/// Counters, one for each reason, found beforehand: a look-up by label on each request would take a lock.
#[derive(Clone, Debug)]
pub(super) struct DecideMetrics {
    /// In the order of [`DecideReason::ALL`], which begins with the usual one.
    answers: [(DecideReason, Counter); DecideReason::ALL.len()],
    /// Requests that were no question.
    pub(super) malformed: Counter,
    new_visitors: Counter,
    known_visitors: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VisitorLabels {
    visitor: &'static str,
}

impl DecideMetrics {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let decisions = Family::<ReasonLabels, Counter>::default();
        registry.register("broadside_decisions", "Answers, by their reason", decisions.clone());
        let malformed = Counter::default();
        registry.register("broadside_decide_refused", "Requests that were no question", malformed.clone());
        let answers = DecideReason::ALL.map(|reason| {
            let labels = ReasonLabels { reason: word(reason) };
            (reason, decisions.get_or_create_owned(&labels))
        });
        let visitors = Family::<VisitorLabels, Counter>::default();
        let help = "Requests of visitors whom nobody names, new ones and those whose cookie is known";
        registry.register("broadside_visitors", help, visitors.clone());
        let of = |visitor| visitors.get_or_create_owned(&VisitorLabels { visitor });
        Self { answers, malformed, new_visitors: of("new"), known_visitors: of("known") }
    }

    pub(super) fn came(&self, visitor: &Visitor) {
        match visitor {
            Visitor::New(_) => self.new_visitors.inc(),
            Visitor::Known => self.known_visitors.inc(),
            Visitor::Told | Visitor::Gone(_) => 0,
        };
    }

    pub(super) fn answered(&self, reason: DecideReason) {
        let counter = self.answers.iter().find(|(of, _)| *of == reason);
        counter.expect("every reason has its counter").1.inc();
    }
}

/// A reason in a word, as answers have it.
fn word(reason: DecideReason) -> String {
    let word = serde_json::to_value(reason).expect("a reason is a word");
    word.as_str().expect("a reason is a word").to_owned()
}
