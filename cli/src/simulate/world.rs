//! The truth that an experiment has to find: how appealing each variant is.
//!
//! Pure. All draws are SipHash-2-4 of the seed and a name, so a world depends on its seed and on the set of variants,
//! and not on the order in which a table lists them.
//!
//! | Variant | Rate, for a control of rate c and a best lift b |
//! | --- | --- |
//! | control | c |
//! | the best | c · (1 + b) |
//! | the twin | c: exactly as good as the control, so a winner among equals would be a mistake |
//! | others | c · (1 + l), l even between −b/2 and +b/3 |
//!
//! Best and twin are the first two in the order of a hash. With one variant besides the control there is no twin.

use std::collections::BTreeMap;

use api::TablePlacement;
use serde_json::{Value, json};
use siphasher::sip::SipHasher24;

/// Whether variants differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// One is the best, one is as good as the control, the rest differ.
    Different,
    /// All are as good as the control: who names a winner is wrong.
    Null,
}

/// What a world is drawn from.
#[derive(Clone, Debug, PartialEq)]
pub struct Taste {
    /// Whether variants differ.
    pub kind: Kind,
    /// Draws everything else.
    pub seed: u64,
    /// The rate at which people act who saw the control, from 0 to 1.
    pub control_rate: f64,
    /// The best variant's rate over the control's, minus one.
    pub best_lift: f64,
    /// Rates of some variants that are not drawn.
    pub fixed: BTreeMap<String, f64>,
}

/// Why there is no such world.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// A rate is no probability.
    #[error("the rate of {variant} is {:.1}%: rates lie between 0% and 100%; lower --control-rate, --best-lift or --appeal", .rate * 100.0)]
    Rate {
        /// Whose rate.
        variant: String,
        /// The rate.
        rate: f64,
    },
    /// A rate was given for a variant that does not exist.
    #[error("--appeal names {variant}, which the table does not hold: use one of {}", .known.join(", "))]
    UnknownVariant {
        /// The name that was given.
        variant: String,
        /// The names that there are.
        known: Vec<String>,
    },
}

/// The appeal of every variant.
#[derive(Clone, Debug, PartialEq)]
pub struct World {
    taste: Taste,
    control: String,
    twin: Option<String>,
    rates: BTreeMap<String, f64>,
}

impl World {
    /// The world of `placement`, whose first variant is the control.
    ///
    /// # Errors
    /// When a rate is above one, or one was given for a variant that the placement lacks.
    pub fn draw(taste: Taste, placement: &TablePlacement) -> Result<Self, Error> {
        let names: Vec<String> = placement.variants.iter().map(|variant| variant.name.clone()).collect();
        if let Some(variant) = taste.fixed.keys().find(|name| !names.contains(name)) {
            return Err(Error::UnknownVariant { variant: variant.clone(), known: names });
        }
        let control = names.first().cloned().unwrap_or_default();
        let mut others: Vec<String> = names.into_iter().skip(1).collect();
        others.sort_by_key(|name| hash(taste.seed, "order", name));
        let twin = others.get(1).filter(|name| !taste.fixed.contains_key(*name)).cloned();
        let ranked = others.iter().enumerate().map(|(rank, name)| (name.clone(), taste.rate(rank, name)));
        let mut rates: BTreeMap<String, f64> = ranked.collect();
        rates.insert(control.clone(), taste.control_rate);
        rates.extend(taste.fixed.clone());
        let world = Self { taste, control, twin, rates };
        world.checked()
    }

    fn checked(self) -> Result<Self, Error> {
        match self.rates.iter().find(|(_, rate)| !(0.0..=1.0).contains(*rate)) {
            Some((variant, rate)) => Err(Error::Rate { variant: variant.clone(), rate: *rate }),
            None => Ok(self),
        }
    }

    /// The rate at which people act who saw `variant`. One that came into the table later is drawn as the others are.
    pub fn rate(&self, variant: &str) -> f64 {
        self.rates.get(variant).copied().unwrap_or_else(|| self.taste.rate(usize::MAX, variant).min(1.0))
    }

    /// Whether the person of that number acts on `variant`. A person has one threshold, so who acts on a variant acts
    /// on every better one.
    pub fn acts(&self, person: u64, variant: &str) -> bool {
        unit(hash(self.taste.seed, "person", &person.to_string())) < self.rate(variant)
    }

    /// The one variant that is better than all others, if there is one and it is not the control.
    pub fn best(&self) -> Option<&str> {
        let top = self.rates.values().copied().fold(0.0, f64::max);
        let mut at_top = self.rates.iter().filter(|(_, rate)| **rate >= top);
        match (at_top.next(), at_top.next()) {
            (Some((name, _)), None) if *name != self.control => Some(name),
            _ => None,
        }
    }

    /// What it was drawn from.
    pub fn seed(&self) -> u64 {
        self.taste.seed
    }

    /// The control.
    pub fn control(&self) -> &str {
        &self.control
    }

    /// Every variant with its rate, by name.
    pub fn rates(&self) -> impl Iterator<Item = (&str, f64)> {
        self.rates.iter().map(|(name, rate)| (name.as_str(), *rate))
    }

    /// The world as JSON, for programs that compare a verdict with it. Rates are numbers from 0 to 1.
    pub fn truth(&self, campaign: &str, placement: &str) -> Value {
        json!({
            "campaign": campaign, "placement": placement, "seed": self.taste.seed,
            "control": self.control, "best": self.best(), "twin": self.twin, "rates": self.rates,
        })
    }
}

impl Taste {
    /// The rate of a variant that is not the control, by its place in the drawn order.
    fn rate(&self, rank: usize, name: &str) -> f64 {
        let lift = match (self.kind, rank) {
            (Kind::Null, _) | (Kind::Different, 1) => 0.0,
            (Kind::Different, 0) => self.best_lift,
            (Kind::Different, _) => {
                let (lowest, highest) = (-self.best_lift / 2.0, self.best_lift / 3.0);
                lowest + (highest - lowest) * unit(hash(self.seed, "lift", name))
            }
        };
        (self.control_rate * (1.0 + lift)).max(0.0)
    }
}

/// A number from 0 up to, but not including, 1: the upper 53 bits, exact in floating point.
fn unit(hash: u64) -> f64 {
    (hash >> 11) as f64 / (1_u64 << 53) as f64
}

/// A draw of its own for each use, so that the order says nothing about the lifts.
fn hash(seed: u64, usage: &str, name: &str) -> u64 {
    SipHasher24::new_with_keys(seed, 0).hash(format!("{usage}/{name}").as_bytes())
}

/// What a person does later is drawn apart from whether they act: the part of the longest time that they take.
pub(super) fn hesitation(seed: &str, person: u64) -> f64 {
    unit(hash(0, seed, &person.to_string()))
}
