//! What each guardrail of a placement would show.

use std::time::Duration;

use api::MetricKind;
use api::figure::percent;
use experiment::forecast::{Forecast, ForecastError, Watch};
use operator::campaign::{Guardrail, Placement};

use super::outlook::{SEEN, Stage};
use super::typed::{self, Given, Rate};
use super::words::{INDENT, line, time};

/// The guardrails of a placement, and what is known of them.
pub(super) struct Guardrails<'a> {
    pub(super) forecast: &'a Forecast,
    pub(super) placement: &'a Placement,
    pub(super) rates: &'a [Given<Rate>],
    pub(super) width: usize,
}

impl Guardrails<'_> {
    /// A paragraph for each.
    pub(super) fn text(&self, stage: &mut Stage<'_>) -> String {
        let said = self.placement.guardrails.iter().map(|guardrail| self.said(guardrail, stage));
        said.map(|said| line(&said, self.width, INDENT)).collect()
    }

    fn said(&self, guardrail: &Guardrail, stage: &mut Stage<'_>) -> String {
        let metric = &guardrail.metric.name;
        if guardrail.metric.kind == MetricKind::Value {
            return format!(
                "Guardrail {metric}: no forecast, since it is of kind Value and --guardrail-rate tells how often something happens; watch a Binary metric to foretell it."
            );
        }
        let Some(Rate(rate)) = self.rate(metric) else {
            return format!(
                "Guardrail {metric}: add --guardrail-rate {metric}=40% to foretell the harm that it shows."
            );
        };
        let window = Duration::from_secs(guardrail.metric.window_seconds.into());
        match Watch::new(guardrail.limit, rate, window) {
            Ok(watch) => format!("Guardrail {metric}: {}", self.shown(guardrail, rate, &watch, stage)),
            Err(fault) => refused(metric, fault),
        }
    }

    /// What names it in this placement goes before what names it in all.
    fn rate(&self, metric: &str) -> Option<Rate> {
        let here = format!("{}/{metric}", self.placement.name);
        typed::named(self.rates, &here).or_else(|| typed::of(self.rates, metric))
    }

    fn shown(&self, guardrail: &Guardrail, rate: f64, watch: &Watch, stage: &mut Stage<'_>) -> String {
        let (most, rate) = (&guardrail.maximum_increase.0, percent(rate));
        let largest = watch.largest_increase();
        if largest <= guardrail.limit.maximum_increase() {
            return format!(
                "it never shows harm: from {rate} on the control it can't rise by more than {}, and {most} is allowed; lower maximumIncrease.",
                percent(largest)
            );
        }
        let often = percent(SEEN);
        match stage.smallest_harm(self.forecast, watch) {
            Some(harm) => format!(
                "it shows +{} or more, from {rate} on the control with {most} allowed: a variant that rises so is out in {often} of tests before they end, in half of them within {}.",
                percent(harm.increase),
                half(&harm.after),
            ),
            None => format!(
                "it shows nothing, from {rate} on the control with {most} allowed: not even a variant at +{} is out in {often} of tests before they end. More people, more time or fewer variants would help, or a metric that is less rare.",
                percent(largest)
            ),
        }
    }
}

fn refused(metric: &str, fault: ForecastError) -> String {
    format!("Guardrail {metric}: no forecast: {fault}; change --guardrail-rate.")
}

/// After how long half of all tests show it, of which more do.
fn half(after: &[Option<Duration>]) -> String {
    let mut times: Vec<Duration> = after.iter().flatten().copied().collect();
    times.sort_unstable();
    time(times[after.len().div_ceil(2) - 1])
}
