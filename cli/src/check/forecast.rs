//! How each test of a campaign will go, before it is launched: by what is known of the people, and by playing it with the
//! campaign's own policy, rounds and end.
//!
//! ```text
//! --traffic, --rate ─typed▶ Prospects ┐
//!                                     ├──▶ Forecast ─outlook▶ Outlook ─words▶ text, with a picture
//! Campaign ─────────────── placement ─┘       experiments are played on all cores
//!                                                └─▶ guardrails: the harm that each shows
//! ```
//!
//! Each question has a place of its own in [`outlook`], which finds the figures, and in [`words`], which says them.

mod guardrails;
mod outlook;
mod picture;
mod typed;
mod words;

use std::time::Duration;

use api::MetricKind;
use experiment::forecast::{Forecast, ForecastError, Prospect, Rounds};
use experiment::simulation::Worth;
use jiff::SignedDuration;
use operator::Campaign;
use operator::campaign::Placement;
use operator::plan::ROUNDS_KEPT;

use guardrails::Guardrails;
use outlook::{Outlook, Stage};
use typed::{Amount, Given, Named, Rate, Traffic};
use words::{Crowd, Words};

/// What is known of the people before launch.
#[derive(Debug, clap::Args)]
pub(super) struct Prospects {
    /// Foretell how the test of each placement will go: after how many days it is decided, and the smallest lift that it can
    /// see. So many people come to the placement, such as 60000/d, also /h and /w. Each is counted once however often they
    /// come. May be given several times, for one placement each, such as hero=60000/d.
    #[arg(long, value_name = "[PLACEMENT=]PEOPLE/d", requires = "rate", value_parser = typed::traffic)]
    traffic: Vec<Given<Traffic>>,

    /// The part of the people shown the control who act as the placement's metric counts, such as 4%. May be given several
    /// times, for one placement each, such as hero=4%.
    #[arg(long, value_name = "[PLACEMENT=]PERCENT", requires = "traffic", value_parser = typed::rate)]
    rate: Vec<Given<Rate>>,

    /// For metrics of kind Value: what one of those who act is worth on average, such as 42.
    #[arg(long, value_name = "[PLACEMENT=]AMOUNT", requires = "traffic", value_parser = typed::amount)]
    mean: Vec<Given<Amount>>,

    /// For metrics of kind Value: how far that spreads, as a standard deviation, such as 60.
    #[arg(long, value_name = "[PLACEMENT=]AMOUNT", requires = "traffic", value_parser = typed::amount)]
    deviation: Vec<Given<Amount>>,

    /// Foretell the smallest harm that a guardrail shows: the part of the people shown the control to whom it happens, such as
    /// 40%. May be given several times, for one guardrail each, such as bounce=40% or hero/bounce=40%.
    #[arg(long, value_name = "[GUARDRAIL=]PERCENT", requires = "traffic", value_parser = typed::rate)]
    guardrail_rate: Vec<Given<Rate>>,
}

/// What was typed can't be meant.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// One of the two would be lost.
    #[error("--{flag} is given twice for {what}: keep one")]
    Twice {
        /// The flag.
        flag: &'static str,
        /// For which placement, or for all.
        what: String,
    },
    /// Most likely a typing error.
    #[error("--{flag} names the {kind} {name}, and there is none: {remedy}")]
    Unknown {
        /// The flag.
        flag: &'static str,
        /// What it names, in a word.
        kind: &'static str,
        /// The name.
        name: String,
        /// Names to choose from.
        remedy: String,
    },
}

impl Prospects {
    /// Whether a forecast was asked for.
    pub(super) fn is_asked(&self) -> bool {
        !self.traffic.is_empty()
    }

    /// That each flag is given once for each of the placements, and guardrails, that there are.
    pub(super) fn check(&self, placements: &[String], guardrails: &[String]) -> Result<(), Error> {
        let placements = Named { kind: "placement", names: placements };
        typed::check("traffic", &self.traffic, placements)?;
        typed::check("rate", &self.rate, placements)?;
        typed::check("mean", &self.mean, placements)?;
        typed::check("deviation", &self.deviation, placements)?;
        let guardrails = Named { kind: "guardrail", names: guardrails };
        typed::check("guardrail-rate", &self.guardrail_rate, guardrails)
    }

    /// What there is to say about each placement of `campaign`, in lines of at most `width` columns.
    pub(super) fn tell(&self, campaign: &Campaign, width: usize) -> String {
        let placements: Vec<String> =
            campaign.placements.iter().map(|placement| self.tell_of(campaign, placement, width)).collect();
        placements.concat()
    }

    fn tell_of(&self, campaign: &Campaign, placement: &Placement, width: usize) -> String {
        let name = &placement.name;
        let (traffic, rate, worth) = match self.known(placement) {
            Ok(known) => known,
            Err(missing) => return words::nothing_given(name, &missing, width),
        };
        let crowd = Crowd {
            coming: traffic.per_second,
            excluded: campaign.exclusion.as_ref().map_or(0.0, |part| 1.0 - fraction(part.share)),
            held_out: campaign.holdout.as_ref().map_or(0.0, |part| fraction(part.share)),
        };
        let forecast = match forecast(placement, crowd.counted(), rate, worth) {
            Ok(forecast) => forecast,
            Err(fault) => return words::refused(name, fault, width),
        };
        let mut stage = Stage::new(name);
        let outlook = Outlook::of(&forecast, &mut stage);
        let words = Words { placement: name, crowd, forecast: &forecast, width };
        let guardrails = Guardrails { forecast: &forecast, placement, rates: &self.guardrail_rate, width };
        words.text(&outlook) + &guardrails.text(&mut stage)
    }

    /// What is known of the people of a placement, or the flags that are missing.
    fn known(&self, placement: &Placement) -> Result<(Traffic, Rate, Worth), Vec<Missing>> {
        let name = &placement.name;
        let (traffic, rate) = (typed::of(&self.traffic, name), typed::of(&self.rate, name));
        let worth = match placement.metric.kind {
            MetricKind::Binary => Ok(Worth::One),
            MetricKind::Value => worth(typed::of(&self.mean, name), typed::of(&self.deviation, name)),
        };
        match (traffic, rate, worth) {
            (Some(traffic), Some(rate), Ok(worth)) => Ok((traffic, rate, worth)),
            (traffic, rate, worth) => {
                let traffic = traffic.is_none().then_some(("traffic", "60000/d"));
                let rate = rate.is_none().then_some(("rate", "4%"));
                Err(traffic.into_iter().chain(rate).chain(worth.err().into_iter().flatten()).collect())
            }
        }
    }
}

/// A flag, and an example of what it says.
type Missing = (&'static str, &'static str);

fn worth(mean: Option<Amount>, deviation: Option<Amount>) -> Result<Worth, Vec<Missing>> {
    match (mean, deviation) {
        (Some(Amount(mean)), Some(Amount(deviation))) => Ok(Worth::log_normal(mean, deviation)),
        (mean, deviation) => {
            let mean = mean.is_none().then_some(("mean", "42"));
            Err(mean.into_iter().chain(deviation.is_none().then_some(("deviation", "60"))).collect())
        }
    }
}

fn fraction(parts_per_million: u32) -> f64 {
    f64::from(parts_per_million) / 1e6
}

fn forecast(
    placement: &Placement,
    people_per_second: f64,
    Rate(rate): Rate,
    worth: Worth,
) -> Result<Forecast, ForecastError> {
    let rounds = Rounds {
        minimum: unsigned(placement.round.minimum),
        growth: fraction(placement.round.growth),
        most: ROUNDS_KEPT,
    };
    let prospect = Prospect {
        rate,
        worth,
        people_per_second,
        window: Duration::from_secs(placement.metric.window_seconds.into()),
        longest: unsigned(placement.maximum_duration),
        rounds,
    };
    Forecast::new(placement.design_when_complete(), placement.policy, prospect)
}

fn unsigned(duration: SignedDuration) -> Duration {
    duration.unsigned_abs()
}
