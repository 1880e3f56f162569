//! Who takes no part in a campaign: they see the control, get no token, and so can't be counted.

use api::wire::decide::{DecideReason, Traffic};
use api::wire::token::Keys;

use super::Question;
use crate::table::{Part, Table};

/// Why the subject takes no part; nothing where it does.
///
/// A person who does not allow measuring is not even hashed. One who is held out stays so whether or not the campaign is
/// of a group, so that those of a holdout see no campaign that names it.
pub(super) fn reason(table: &Table, keys: &Keys, question: &Question<'_>) -> Option<DecideReason> {
    if !question.terms.consent.measurement {
        return Some(DecideReason::NoConsent);
    }
    let is_in = |part: &Part| part.numbers.contains(&keys.number_in_group(&part.group, question.subject()));
    match question.terms.traffic {
        Traffic::Staff => Some(DecideReason::Staff),
        Traffic::Test => Some(DecideReason::Test),
        Traffic::Bot => Some(DecideReason::Bot),
        Traffic::Visitor if table.holdout.as_ref().is_some_and(is_in) => Some(DecideReason::Holdout),
        Traffic::Visitor if table.exclusion.as_ref().is_some_and(|part| !is_in(part)) => {
            Some(DecideReason::Excluded)
        }
        Traffic::Visitor => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::Terms;
    use crate::samples::{SAMPLE, Sample, keys};
    use api::{AdTable, Group, TableExclusion, TableHoldout};

    const PEOPLE: usize = 20_000;

    fn table(uid: &str, change: impl FnOnce(&mut AdTable)) -> Table {
        let mut object = Sample { uid, ..SAMPLE }.object();
        change(&mut object);
        Table::try_from(&object).expect("the sample is right")
    }

    fn excluding(uid: &str, group: &str, from: u32, share: u32) -> Table {
        let group = Group(group.to_owned());
        table(uid, |object| object.spec.exclusion = Some(TableExclusion { group, from, share }))
    }

    fn holding(uid: &str, group: &str, share: u32) -> Table {
        let group = Group(group.to_owned());
        table(uid, |object| object.spec.holdout = Some(TableHoldout { group, share }))
    }

    /// What each of many people is told.
    fn told(table: &Table) -> Vec<Option<DecideReason>> {
        let person = |number| {
            let subject = format!("person {number}");
            reason(table, &keys(), &Question::new(&subject, None, None, Terms::default()).unwrap())
        };
        (0..PEOPLE).map(person).collect()
    }

    fn share(of: impl Iterator<Item = bool>) -> f64 {
        of.filter(|it| *it).count() as f64 / PEOPLE as f64
    }

    #[test]
    fn nobody_takes_part_in_two_campaigns_of_a_group() {
        let parts = [("one", 0, 250_000), ("two", 250_000, 500_000), ("three", 900_000, 100_000)];
        let told = parts.map(|(uid, from, share)| told(&excluding(uid, "checkout", from, share)));
        for (people, (uid, _, expected)) in told.iter().zip(parts) {
            let found = share(people.iter().map(Option::is_none));
            assert!((found - f64::from(expected) / 1e6).abs() < 0.012, "{uid}: {found}");
            assert!(people.iter().flatten().all(|reason| *reason == DecideReason::Excluded));
        }
        for person in 0..PEOPLE {
            assert!(told.iter().filter(|people| people[person].is_none()).count() <= 1);
        }
    }

    #[test]
    fn groups_have_nothing_to_do_with_each_other_and_neither_has_the_draw() {
        let (one, other) =
            (told(&excluding("one", "a", 0, 500_000)), told(&excluding("one", "b", 0, 500_000)));
        let both = share(one.iter().zip(&other).map(|(one, other)| one.is_none() && other.is_none()));
        assert!((both - 0.25).abs() < 0.012, "{both}");
        let table = excluding("one", "a", 0, 500_000);
        let (_, arms) = table.placements()[0].cell(None).unwrap();
        let control = |number: usize| {
            let subject = keys().subject("one", &format!("person {number}"));
            crate::decide::draw(&table.placements()[0], arms, &subject).unwrap().variant == 0
        };
        let of_those = share(one.iter().enumerate().map(|(number, told)| told.is_none() && control(number)));
        assert!((of_those - 0.25).abs() < 0.012, "{of_those}");
    }

    #[test]
    fn a_holdout_is_the_same_people_in_every_campaign_that_names_it() {
        let (one, other) =
            (told(&holding("one", "winter", 100_000)), told(&holding("two", "winter", 100_000)));
        assert_eq!(one, other);
        let out = share(one.iter().map(|told| *told == Some(DecideReason::Holdout)));
        assert!((out - 0.1).abs() < 0.01, "{out}");
        let elsewhere = told(&table("three", |object| {
            object.metadata.namespace = Some("other".to_owned());
            object.spec.holdout = Some(TableHoldout { group: Group("winter".to_owned()), share: 100_000 });
        }));
        assert_ne!(one, elsewhere, "a group is of its namespace");
    }

    #[test]
    fn a_holdout_goes_before_an_exclusion_and_has_nothing_to_do_with_it() {
        let both = table("one", |object| {
            let group = Group("winter".to_owned());
            object.spec.holdout = Some(TableHoldout { group: group.clone(), share: 500_000 });
            object.spec.exclusion = Some(TableExclusion { group, from: 0, share: 500_000 });
        });
        let told = told(&both);
        for (reason, expected) in
            [(None, 0.25), (Some(DecideReason::Excluded), 0.25), (Some(DecideReason::Holdout), 0.5)]
        {
            let found = share(told.iter().map(|told| *told == reason));
            assert!((found - expected).abs() < 0.012, "{reason:?}: {found}");
        }
    }
}
