//! What was counted in a run, and what it comes to.

use std::io::Write;

/// Counts of a run, or of several.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) briefs: u32,
    pub(crate) asked: u32,
    pub(crate) delivered: u32,
    pub(crate) written: u32,
    /// Of what was delivered, names the product.
    pub(crate) named: u32,
    /// Of what was delivered, had an offer in its prompt.
    pub(crate) told: u32,
    /// Of those, says the offer.
    pub(crate) told_said: u32,
    /// Drafts that pass the rules of format and brand, delivered or refused by the worker's own checks.
    pub(crate) passing: u32,
    /// Of those, name the product.
    pub(crate) passing_named: u32,
    /// Of those that pass, had an offer in their prompt.
    pub(crate) offered: u32,
    /// Of those, say the offer.
    pub(crate) offer_said: u32,
    /// Refusals for a misspelled name or an invented figure; a draft with both counts twice.
    pub(crate) suspect: u32,
}

/// What the figures come to, each between 0 and 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shares {
    /// Of what was asked, delivered.
    pub(crate) delivered: f64,
    /// Of what was delivered, names the product.
    pub(crate) named: f64,
    /// Of what was delivered and whose prompt had an offer, says it.
    pub(crate) told_said: f64,
    /// Of the drafts that pass the rules of format and brand, names the product.
    pub(crate) passing_named: f64,
    /// The lowest that one can make of it: every draft with a misspelled name or an invented figure counts as one that
    /// does not name the product, though it may name it in another slot.
    pub(crate) least_named: f64,
    /// Of the drafts that pass and whose prompt had an offer, says it.
    pub(crate) offer_said: f64,
}

impl Figures {
    pub(crate) fn add(&mut self, other: Self) {
        let Self {
            briefs,
            asked,
            delivered,
            written,
            named,
            told,
            told_said,
            passing,
            passing_named,
            offered,
            offer_said,
            suspect,
        } = other;
        self.briefs += briefs;
        self.asked += asked;
        self.delivered += delivered;
        self.written += written;
        self.named += named;
        self.told += told;
        self.told_said += told_said;
        self.passing += passing;
        self.passing_named += passing_named;
        self.offered += offered;
        self.offer_said += offer_said;
        self.suspect += suspect;
    }

    pub(crate) fn shares(self) -> Shares {
        let share = |part: u32, whole: u32| f64::from(part) / f64::from(whole);
        Shares {
            delivered: share(self.delivered, self.asked),
            named: share(self.named, self.delivered),
            told_said: share(self.told_said, self.told),
            passing_named: share(self.passing_named, self.passing),
            least_named: share(self.named, self.delivered + self.suspect),
            offer_said: share(self.offer_said, self.offered),
        }
    }

    /// To standard error itself, past what the test harness holds back: the figures are what the test is for.
    pub(crate) fn print(self, kind: &str) {
        let percent = |share: f64| format!("{:.1} %", 100.0 * share);
        let Shares { delivered, named, told_said, passing_named, least_named, offer_said } = self.shares();
        let Self { briefs, asked, delivered: count, told, written, passing, suspect, offered, .. } = self;
        let line = format!(
            "{briefs} briefs {kind}: {} of {asked} variants delivered from {written} drafts; of the delivered, {} of \
             {count} name the product, {} of {told} say their offer; of the drafts that pass the rules, {} of {passing} \
             name the product, {} of {} if no refused draft did, {} of {offered} say their offer",
            percent(delivered),
            percent(named),
            percent(told_said),
            percent(passing_named),
            percent(least_named),
            count + suspect,
            percent(offer_said),
        );
        writeln!(std::io::stderr(), "{line}").expect("standard error is open");
    }
}
