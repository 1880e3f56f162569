//! How each test of a campaign will go, before it is launched: by what is known of the people, and by playing it with the
//! campaign's own policy, rounds and end.
//!
//! ```text
//! --traffic, --rate ─typed▶ Prospects ┐
//!                                     ├──▶ Forecast ─outlook▶ Outlook ─words▶ text, with a picture
//! Campaign ─────────────── placement ─┘       experiments are played on all cores
//! ```
//!
//! Each question has a place of its own in [`outlook`], which finds the figures, and in [`words`], which says them.

mod outlook;
mod picture;
mod typed;
mod words;

use std::time::Duration;

use experiment::forecast::{Forecast, ForecastError, Prospect, Rounds};
use jiff::SignedDuration;
use operator::Campaign;
use operator::campaign::Placement;
use operator::plan::ROUNDS_KEPT;

use outlook::Outlook;
use typed::{Given, Rate, Traffic};
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
    #[error("--{flag} names the placement {name}, and there is none: {remedy}")]
    UnknownPlacement {
        /// The flag.
        flag: &'static str,
        /// The placement.
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

    /// That each flag is given once for each of the placements that there are.
    pub(super) fn check(&self, placements: &[String]) -> Result<(), Error> {
        typed::check("traffic", &self.traffic, placements)?;
        typed::check("rate", &self.rate, placements)
    }

    /// What there is to say about each placement of `campaign`, in lines of at most `width` columns.
    pub(super) fn tell(&self, campaign: &Campaign, width: usize) -> String {
        let placements: Vec<String> =
            campaign.placements.iter().map(|placement| self.tell_of(campaign, placement, width)).collect();
        placements.concat()
    }

    fn tell_of(&self, campaign: &Campaign, placement: &Placement, width: usize) -> String {
        let name = &placement.name;
        let (traffic, rate) = (typed::of(&self.traffic, name), typed::of(&self.rate, name));
        let (Some(traffic), Some(rate)) = (traffic, rate) else {
            let flags = [("traffic", traffic.is_none(), "60000/d"), ("rate", rate.is_none(), "4%")];
            return words::nothing_given(name, &flags, width);
        };
        let crowd = Crowd {
            coming: traffic.per_second,
            excluded: campaign.exclusion.as_ref().map_or(0.0, |part| 1.0 - fraction(part.share)),
            held_out: campaign.holdout.as_ref().map_or(0.0, |part| fraction(part.share)),
        };
        match forecast(placement, crowd.counted(), rate.0) {
            Ok(forecast) => {
                let outlook = Outlook::of(&forecast, &mut outlook::Stage::new(name));
                Words { placement: name, crowd, forecast: &forecast, width }.text(&outlook)
            }
            Err(ForecastError::Values) => words::values(name, width),
            Err(fault) => words::refused(name, fault, width),
        }
    }
}

fn fraction(parts_per_million: u32) -> f64 {
    f64::from(parts_per_million) / 1e6
}

fn forecast(placement: &Placement, people_per_second: f64, rate: f64) -> Result<Forecast, ForecastError> {
    let rounds = Rounds {
        minimum: unsigned(placement.round.minimum),
        growth: fraction(placement.round.growth),
        most: ROUNDS_KEPT,
    };
    let prospect = Prospect {
        rate,
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
