//! What moves the rates of all variants alike.

use api::Percent;
use experiment::simulation::Trend;

use super::super::super::fault::{Fault, WorldProblem};
use super::super::super::limits::MOST_TRENDS;
use super::super::super::number::Fields;
use super::super::super::place::Place;
use super::super::super::read::{count, fraction};
use super::super::form;

pub(super) fn trends(trends: &[Fields<form::Trend>]) -> Result<Vec<Trend>, Fault> {
    let place = Place::default().field("trends");
    if trends.len() > MOST_TRENDS {
        return Err(Fault::at(&place, WorldProblem::TooManyTrends.into()));
    }
    trends.iter().enumerate().map(|(index, form)| trend(form, &place.index(index))).collect()
}

fn trend(form: &form::Trend, place: &Place) -> Result<Trend, Fault> {
    match (&form.linear, &form.wave, &form.sale) {
        (Some(linear), None, None) => {
            Ok(Trend::Linear(fraction(&place.field("linear").field("to"), &linear.to)?))
        }
        (None, Some(wave), None) => self::wave(wave, &place.field("wave")),
        (None, None, Some(sale)) => self::sale(sale, &place.field("sale")),
        _ => Err(Fault::at(place, WorldProblem::OneTrend.into())),
    }
}

fn wave(wave: &form::Wave, place: &Place) -> Result<Trend, Fault> {
    let amplitude = fraction(&place.field("amplitude"), &wave.amplitude)?;
    if amplitude > 1.0 {
        let problem = WorldProblem::Amplitude(wave.amplitude.0.clone());
        return Err(Fault::at(&place.field("amplitude"), problem.into()));
    }
    let rounds = count(&place.field("rounds"), &wave.rounds)?;
    if rounds < 2 {
        return Err(Fault::at(&place.field("rounds"), WorldProblem::Period.into()));
    }
    Ok(Trend::Wave { amplitude, period: rounds as f64 })
}

fn sale(sale: &form::Sale, place: &Place) -> Result<Trend, Fault> {
    let part = |field: &str, percent: &Percent, least: f64| {
        let place = place.field(field);
        match fraction(&place, percent)? {
            part if (least..=1.0).contains(&part) => Ok(part),
            _ => Err(Fault::at(&place, WorldProblem::Part(percent.0.clone()).into())),
        }
    };
    let from = part("from", &sale.from, 0.0)?;
    let until = sale.until.as_ref().map_or(Ok(1.0), |until| part("until", until, from))?;
    Ok(Trend::Sale { from, until, factor: fraction(&place.field("factor"), &sale.factor)? })
}
