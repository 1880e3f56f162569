//! `spec.schedule` and `spec.brief.offer.validUntil`: when experiments begin, and when they end at the latest.

use api::AdCampaign;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{Campaign, Fault, Faults, InvalidSpec, has_begun};

/// The days of a campaign.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// The control is served alone until then.
    pub starts_at: Option<Timestamp>,
    /// Experiments end then at the latest.
    pub ends_at: Option<Timestamp>,
    /// What copy promises is over then.
    pub offer_ends_at: Option<Timestamp>,
}

const ENDS_AT: &str = "spec.schedule.endsAt";
const VALID_UNTIL: &str = "spec.brief.offer.validUntil";

impl Schedule {
    /// The start, where it is yet to come.
    pub(crate) fn starts_after(&self, now: Timestamp) -> Option<Timestamp> {
        self.starts_at.filter(|start| *start > now)
    }

    /// Whether nobody may be promised the offer any more.
    pub(crate) fn is_offer_over(&self, now: Timestamp) -> bool {
        self.offer_ends_at.is_some_and(|end| end <= now)
    }

    /// Whether no experiment goes on.
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        self.end().is_some_and(|(_, end)| end <= now)
    }

    /// How long an experiment may last that began at `begun` and might last for `maximum`.
    pub(crate) fn longest(&self, begun: Timestamp, maximum: SignedDuration) -> SignedDuration {
        self.end().map_or(maximum, |(_, end)| end.duration_since(begun).min(maximum))
    }

    /// The next moment at which something else is to be served.
    pub(crate) fn next_turn(&self, now: Timestamp) -> Option<Timestamp> {
        [self.starts_at, self.ends_at, self.offer_ends_at].into_iter().flatten().filter(|it| *it > now).min()
    }

    /// The end, and the field that sets it.
    fn end(&self) -> Option<(&'static str, Timestamp)> {
        let named = [(ENDS_AT, self.ends_at), (VALID_UNTIL, self.offer_ends_at)];
        named.into_iter().filter_map(|(field, at)| Some((field, at?))).min_by_key(|(_, at)| *at)
    }
}

impl Faults {
    pub(super) fn read_schedule(&mut self, object: &AdCampaign) -> Schedule {
        let moment = |time: &Option<Time>| time.as_ref().map(|time| time.0);
        let written = object.spec.schedule.clone().unwrap_or_default();
        let schedule = Schedule {
            starts_at: moment(&written.starts_at),
            ends_at: moment(&written.ends_at),
            offer_ends_at: object.spec.offer_ends_at(),
        };
        // An end may be moved once it has begun.
        let is_new = !has_begun(object);
        if let (Some(start), Some((field, end)), true) = (schedule.starts_at, schedule.end(), is_new) {
            self.leaves_time(object, field, end.duration_since(start));
        }
        schedule
    }

    /// An exposure counts once its window has passed: without that much time nothing could ever be said.
    fn leaves_time(&mut self, object: &AdCampaign, field: &str, time: SignedDuration) {
        let windows = object.spec.placements.iter().filter_map(|it| {
            let seconds = i64::try_from(it.metric.window.seconds().ok()?).ok()?;
            Some((SignedDuration::from_secs(seconds), &it.name, &it.metric.window.0))
        });
        let longest = windows.max_by_key(|(window, ..)| *window).filter(|(window, ..)| *window >= time);
        if let Some((_, placement, window)) = longest {
            let problem = format!(
                "is no later than the start and the window of {placement}, {window}, so nothing would be counted: end later, or start earlier"
            );
            self.add(field, problem);
        }
    }
}

impl Campaign {
    /// Whether there is time left for what has not begun.
    ///
    /// # Errors
    /// With the field that lies in the past.
    pub fn has_time(&self, object: &AdCampaign, now: Timestamp) -> Result<(), InvalidSpec> {
        match self.schedule.end().filter(|(_, end)| *end <= now && !has_begun(object)) {
            Some((field, end)) => {
                let problem = format!("{end} has passed before anything began: name a later moment");
                Err(InvalidSpec(vec![Fault { field: field.to_owned(), problem }]))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn campaign(schedule: &str, valid_until: &str) -> AdCampaign {
        let yaml = format!(
            "{{apiVersion: broadside.dev/v1alpha1, kind: AdCampaign, metadata: {{name: sale, uid: u}}, \
             spec: {{brief: {{product: Aero, offer: {{text: free returns, validUntil: {valid_until}}}}}, schedule: {schedule}, \
             placements: [{{name: hero, format: WebBanner, delivery: {{gateway: {{}}}}, \
             control: {{headline: Aero, button: See}}, challengers: [{{headline: Run, button: See}}], \
             metric: {{name: view, kind: Binary, window: 30m}}}}]}}}}"
        );
        serde_saphyr::from_str(&yaml).expect("a campaign")
    }

    const NOON: &str = "2026-03-01T12:00:00Z";

    fn check(schedule: &str, valid_until: &str, expected: Option<&str>) {
        let object = campaign(schedule, valid_until);
        let now = NOON.parse().expect("a moment");
        let found = Campaign::try_from(&object).and_then(|campaign| campaign.has_time(&object, now));
        assert_eq!(
            found.err().map(|error| error.to_string()).as_deref(),
            expected,
            "{schedule} {valid_until}"
        );
    }

    #[test]
    fn a_schedule_leaves_time_to_count_something() {
        check("null", "null", None);
        check("{startsAt: '2026-03-02T00:00:00Z', endsAt: '2026-03-02T00:30:01Z'}", "null", None);
        let short = "is no later than the start and the window of hero, 30m, so nothing would be counted: end later, or start earlier";
        let (ends, valid) = (format!("{ENDS_AT}: {short}"), format!("{VALID_UNTIL}: {short}"));
        check("{startsAt: '2026-03-02T00:00:00Z', endsAt: '2026-03-02T00:30:00Z'}", "null", Some(&ends));
        check("{startsAt: '2026-03-02T00:00:00Z'}", "'2026-03-01T13:00:00Z'", Some(&valid));
        let past = format!("{ENDS_AT}: {NOON} has passed before anything began: name a later moment");
        check(&format!("{{endsAt: '{NOON}'}}"), "'2027-01-01T00:00:00Z'", Some(&past));
    }

    #[test]
    fn what_ends_first_ends_all() {
        let object = campaign("{endsAt: '2026-03-03T12:00:00Z'}", "'2026-03-02T12:00:00Z'");
        let schedule = Campaign::try_from(&object).expect("it is valid").schedule;
        let at = |text: &str| text.parse::<Timestamp>().expect("a moment");
        let (noon, offer, end) = (at(NOON), at("2026-03-02T12:00:00Z"), at("2026-03-03T12:00:00Z"));
        let day = SignedDuration::from_hours(24);
        assert_eq!(schedule.longest(noon, 28 * day), day);
        assert_eq!(schedule.longest(noon, day / 2), day / 2);
        assert_eq!((schedule.next_turn(noon), schedule.next_turn(offer)), (Some(offer), Some(end)));
        assert!(!schedule.is_over(noon) && schedule.is_over(offer) && schedule.is_offer_over(offer));
    }
}
