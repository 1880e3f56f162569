//! A forecast as text for people.

use std::time::Duration;

use api::figure::percent;
use experiment::forecast::{End, Forecast, ForecastError, decided_after, part};
use experiment::simulation::Worth;

use super::outlook::{Case, Change, EXPERIMENTS, Outlook, Remedy, SEEN, wanted};
use super::picture::{Axis, Spread};
use crate::text::{left, plural, right, thousands, wrap};

pub(super) const INDENT: &str = "    ";

/// Columns before the picture.
const COLUMNS: usize = 52;

/// The people of a placement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Crowd {
    /// Who come, in a second.
    pub(super) coming: f64,
    /// The part that belongs to other campaigns.
    pub(super) excluded: f64,
    /// The part that is kept out.
    pub(super) held_out: f64,
}

impl Crowd {
    /// Who take part, in a second: both parts are drawn apart from each other.
    pub(super) fn counted(self) -> f64 {
        self.coming * (1.0 - self.excluded) * (1.0 - self.held_out)
    }
}

/// What a forecast is told of.
pub(super) struct Words<'a> {
    pub(super) placement: &'a str,
    pub(super) crowd: Crowd,
    pub(super) forecast: &'a Forecast,
    pub(super) width: usize,
}

/// What is missing: each flag, and an example.
pub(super) fn nothing_given(placement: &str, flags: &[(&str, &str)], width: usize) -> String {
    let missing = flags.iter().map(|(flag, example)| format!("--{flag} {placement}={example}"));
    let missing = missing.collect::<Vec<_>>().join(" and ");
    line(&format!("no forecast of {placement}: add {missing}"), width, "  ")
}

/// What the command's own checks let through.
pub(super) fn refused(placement: &str, fault: ForecastError, width: usize) -> String {
    line(&format!("no forecast of {placement}: {fault}; change --traffic or --rate"), width, "  ")
}

pub(super) fn line(text: &str, width: usize, indent: &str) -> String {
    format!("{}\n", wrap(text, width, indent))
}

impl Words<'_> {
    /// All of it.
    pub(super) fn text(&self, outlook: &Outlook) -> String {
        let mut text = line(&self.title(), self.width, "  ");
        for row in self.table(&outlook.cases) {
            text.push_str(&format!("{INDENT}{}\n", row.trim_end()));
        }
        let said = [self.seen(outlook), self.nothing(outlook)].into_iter().chain(self.remedies(outlook));
        said.chain([self.basis()]).for_each(|said| text.push_str(&line(&said, self.width, INDENT)));
        text
    }

    fn title(&self) -> String {
        let variants = self.variants();
        let (people, rate) = (daily(self.crowd.counted()), percent(self.forecast.prospect().rate));
        format!(
            "forecast of {}: {} beside the control, {people} people a day{}, {rate} of whom act on the control{}",
            self.placement,
            plural(variants, "variant"),
            self.left_out(),
            self.worth(),
        )
    }

    /// What those who act bring, where that is more than that they do.
    fn worth(&self) -> String {
        match self.forecast.prospect().worth {
            Worth::One => String::new(),
            worth @ Worth::LogNormal { .. } => {
                let (mean, deviation) = worth.moments();
                let (mean, deviation) = (amount(mean), amount(deviation));
                format!(", each for {mean} on average, with a standard deviation of {deviation}")
            }
        }
    }

    /// Who is not counted, where that is anybody.
    fn left_out(&self) -> String {
        let Crowd { coming, excluded, held_out } = self.crowd;
        let parts =
            [(excluded, "are of other campaigns (spec.exclusion)"), (held_out, "held out (spec.holdout)")];
        let parts: Vec<String> = parts
            .iter()
            .filter(|(part, _)| *part > 0.0)
            .map(|(part, what)| format!("{} {what}", percent(*part)))
            .collect();
        if parts.is_empty() {
            String::new()
        } else {
            format!(" ({} come; {})", daily(coming), parts.join(", "))
        }
    }

    fn variants(&self) -> usize {
        self.forecast.design().arms().len() - 1
    }

    fn longest(&self) -> String {
        time(self.forecast.prospect().longest)
    }

    /// A lift as the metric goes: down where less is better.
    fn lift(&self, lift: f64) -> String {
        let sign = if self.forecast.design().metric().direction.sign() > 0.0 { '+' } else { '-' };
        if lift > 0.0 { format!("{sign}{}", percent(lift)) } else { "nothing".to_owned() }
    }

    fn table(&self, cases: &[Case]) -> Vec<String> {
        let room = self.width.saturating_sub(INDENT.len() + COLUMNS);
        let axis = Axis::new(self.forecast.prospect().longest, room);
        let scale = axis.map_or(String::new(), |axis| axis.scale(&self.longest()));
        let head = ["ONE DIFFERS BY", "IT WINS IN", "HALF END IN", "9 OF 10 IN"].map(str::to_owned);
        let rows = cases.iter().map(|case| {
            let [early, middle, late] = [0.1, 0.5, 0.9].map(|part| case.after(part));
            let cells =
                [self.lift(case.lift), share(case.winner()), time_or_none(middle), time_or_none(late)];
            row(cells, &axis.map_or(String::new(), |axis| axis.draw(Spread { early, middle, late })))
        });
        std::iter::once(row(head, &scale)).chain(rows).collect()
    }

    fn seen(&self, outlook: &Outlook) -> String {
        let longest = self.longest();
        match outlook.smallest {
            Some(smallest) => format!(
                "It sees {} or more: a variant that differs so from the control wins in {} of tests within {longest}.",
                self.lift(smallest),
                percent(SEEN),
            ),
            None => format!(
                "It sees nothing: not even a variant at {} wins in {} of tests within {longest}.",
                self.lift(self.forecast.largest_lift()),
                percent(SEEN),
            ),
        }
    }

    /// What becomes of equal variants.
    fn nothing(&self, outlook: &Outlook) -> String {
        let equal = outlook.cases.first().expect("the first case is that of equal variants");
        let said = match self.forecast.design().stopping().worthwhile_lift() {
            Some(_) => self.ends_without(&equal.ends),
            None => format!("the test goes on until {} and ends undecided.", self.longest()),
        };
        let said = format!("If no variant differs, {said}");
        match &outlook.named {
            Some(named) => format!(
                "{said} With stopping.worthwhileLift: {}, {}",
                percent(named.lift),
                self.ends_without(&named.ends)
            ),
            None => said,
        }
    }

    fn ends_without(&self, ends: &[End]) -> String {
        let decided = share(part(ends, End::is_decided));
        let longest = self.longest();
        match decided_after(ends, 0.5) {
            Some(half) => {
                format!("half of the tests end within {}, and {decided} within {longest}.", time(half))
            }
            None => format!("{decided} of the tests end within {longest}, the others undecided then."),
        }
    }

    /// What to change, where there is need.
    fn remedies(&self, outlook: &Outlook) -> Vec<String> {
        if outlook.remedies.is_empty() {
            return Vec::new();
        }
        let wanted = self.lift(wanted(self.forecast));
        let why = match self.forecast.design().stopping().worthwhile_lift() {
            Some(_) => format!("It should see {wanted}, the stopping.worthwhileLift, and does not."),
            None => format!("Few changes of copy bring more than {wanted}."),
        };
        let changes: Vec<String> = outlook.remedies.iter().map(|remedy| self.remedy(remedy)).collect();
        vec![format!("{why} What would help: {}.", changes.join("; "))]
    }

    fn remedy(&self, remedy: &Remedy) -> String {
        let seen = remedy.smallest.map_or("nothing either".to_owned(), |lift| self.lift(lift));
        match remedy.change {
            Change::Fewer { variants } => format!("1 variant in place of {variants} sees {seen}"),
            Change::Longer { longest } => {
                format!(
                    "stopping.maximumDuration {} in place of {} sees {seen}",
                    time(longest),
                    self.longest()
                )
            }
        }
    }

    fn basis(&self) -> String {
        let confidence = self.forecast.design().stopping().confidence();
        let values = match self.forecast.prospect().worth {
            Worth::One => "",
            Worth::LogNormal { .. } => {
                " Amounts are log-normal, and what differs is each of them, before any cap."
            }
        };
        format!(
            "Each line is {EXPERIMENTS} experiments, played with this placement's policy, rounds and end: one variant differs by so much all the time, the others not at all, and people come evenly.{values} What wins where nothing differs is a false winner, {} at most. Time begins when variants are served. docs/statistics.md has more.",
            percent(1.0 - confidence),
        )
    }
}

fn row([lift, wins, half, most]: [String; 4], picture: &str) -> String {
    format!("{}{}{}{}   {picture}", left(&lift, 14), right(&wins, 12), right(&half, 12), right(&most, 11))
}

/// As it was typed, but for what reckoning did to the last digits.
fn amount(amount: f64) -> f64 {
    (1e4 * amount).round() / 1e4
}

/// A share of simulated tests, in whole percent.
pub(super) fn share(share: f64) -> String {
    match (100.0 * share).round() {
        none if none < 1.0 && share > 0.0 => "<1%".to_owned(),
        all if all > 99.0 && share < 1.0 => ">99%".to_owned(),
        other => format!("{other:.0}%"),
    }
}

fn time_or_none(after: Option<Duration>) -> String {
    after.map_or("–".to_owned(), time)
}

/// A time as exact as it is known: `14 d`, `2.5 d`, `14 h`, `25 min`, rounded up.
pub(super) fn time(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    let in_units = |unit: f64| (seconds / unit - 1e-9).ceil();
    match seconds {
        long if long > 10.0 * 86_400.0 - 1.0 => format!("{:.0} d", in_units(86_400.0)),
        days if days > 86_400.0 - 1.0 => format!("{} d", in_units(8_640.0) / 10.0),
        hours if hours > 7_200.0 => format!("{:.0} h", in_units(3_600.0)),
        _ => format!("{:.0} min", in_units(60.0)),
    }
}

/// People in a day.
fn daily(per_second: f64) -> String {
    let people = per_second * 86_400.0;
    if people < 10.0 { format!("{people:.1}") } else { thousands(people.round() as i64) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rounded_up_to_what_is_known() {
        let hours = |hours: f64| time(Duration::from_secs_f64(3_600.0 * hours));
        assert_eq!(
            [0.02, 1.5, 13.2, 24.0, 55.0, 240.0, 660.0, 672.0, 672.1].map(hours),
            ["2 min", "90 min", "14 h", "1 d", "2.3 d", "10 d", "28 d", "28 d", "29 d"]
        );
    }

    #[test]
    fn shares_of_some_are_never_none_or_all() {
        assert_eq!([0.0, 0.004, 0.5, 0.996, 1.0].map(share), ["0%", "<1%", "50%", ">99%", "100%"]);
    }

    #[test]
    fn those_who_are_left_out_are_taken_off() {
        let crowd = Crowd { coming: 1.0, excluded: 0.5, held_out: 0.1 };
        assert!((crowd.counted() - 0.45).abs() < 1e-12);
    }
}
