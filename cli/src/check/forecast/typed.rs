//! `--traffic hero=60000/d`, `--rate 4%`.

use super::Error;

/// More than any placement has, and few enough that a year of them is counted exactly.
const MOST_PEOPLE: f64 = 1e9;

/// What was typed for one placement, or for all.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Given<T> {
    placement: Option<String>,
    value: T,
}

/// People who come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Traffic {
    pub(super) per_second: f64,
}

/// The part of them who act, above 0 and below 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rate(pub(super) f64);

pub(super) fn traffic(text: &str) -> Result<Given<Traffic>, String> {
    given(text, |text| {
        let seconds = |unit| match unit {
            "h" => Some(3_600.0),
            "d" => Some(86_400.0),
            "w" => Some(7.0 * 86_400.0),
            _ => None,
        };
        let read = text
            .split_once('/')
            .and_then(|(people, unit)| Some((people.parse::<f64>().ok()?, seconds(unit)?)));
        match read {
            Some((people, seconds)) if people > 0.0 && people <= MOST_PEOPLE => {
                Ok(Traffic { per_second: people / seconds })
            }
            Some(_) => Err(format!("{text} is not above 0 and at most a billion: write it like 60000/d")),
            None => {
                Err("write it like 60000/d, 2500/h or 400000/w, and behind a name like hero=60000/d".into())
            }
        }
    })
}

pub(super) fn rate(text: &str) -> Result<Given<Rate>, String> {
    given(text, |text| {
        let parts = api::Percent(text.to_owned()).parts_per_million().map_err(|error| error.to_string())?;
        match parts {
            1..1_000_000 => Ok(Rate(f64::from(parts) / 1e6)),
            _ => {
                Err(format!("{text} is not above 0% and below 100%: write what the control has, such as 4%"))
            }
        }
    })
}

fn given<T>(text: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<Given<T>, String> {
    let (placement, value) = match text.split_once('=') {
        Some((name, value)) => (Some(name.to_owned()), value),
        None => (None, text),
    };
    Ok(Given { placement, value: read(value)? })
}

/// What was given for a placement; what names it goes before what is for all.
pub(super) fn of<T: Copy>(all: &[Given<T>], placement: &str) -> Option<T> {
    let named = all.iter().find(|given| given.placement.as_deref() == Some(placement));
    named.or_else(|| all.iter().find(|given| given.placement.is_none())).map(|given| given.value)
}

/// That each of `placements` is named once at most, and nothing else.
pub(super) fn check<T>(flag: &'static str, all: &[Given<T>], placements: &[String]) -> Result<(), Error> {
    for (index, given) in all.iter().enumerate() {
        let name = given.placement.as_ref();
        if all[..index].iter().any(|earlier| earlier.placement.as_ref() == name) {
            let what = name.map_or("all placements".to_owned(), |name| format!("the placement {name}"));
            return Err(Error::Twice { flag, what });
        }
        if let Some(name) = name.filter(|name| !placements.contains(name)) {
            return Err(Error::UnknownPlacement { flag, name: name.clone(), remedy: remedy(placements) });
        }
    }
    Ok(())
}

fn remedy(placements: &[String]) -> String {
    if placements.is_empty() {
        "name a file with an AdCampaign".to_owned()
    } else {
        format!("use one of {}", placements.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traffic_is_people_in_a_time() {
        let check = |text: &str, placement: Option<&str>, per_day: f64| {
            let found = traffic(text).expect("it is one");
            assert_eq!(found.placement.as_deref(), placement, "{text}");
            assert!((found.value.per_second * 86_400.0 / per_day - 1.0).abs() < 1e-12, "{text}");
        };
        check("60000/d", None, 60_000.0);
        check("2500/h", None, 60_000.0);
        check("hero=70/w", Some("hero"), 10.0);
        check("0.5/h", None, 12.0);
        for wrong in
            ["60000", "60000/m", "/d", "many/d", "0/d", "-1/d", "NaN/d", "inf/d", "2e9/d", "hero=", "=1"]
        {
            let said = traffic(wrong).expect_err(wrong);
            assert!(said.contains("write it like 60000/d"), "{wrong}: {said}");
        }
    }

    #[test]
    fn a_rate_is_a_part_of_the_people() {
        assert_eq!(rate("4%").map(|given| given.value), Ok(Rate(0.04)));
        assert_eq!(rate("hero=0.25%").map(|given| given.placement), Ok(Some("hero".to_owned())));
        for wrong in ["4", "0%", "100%", "-1%", "hero=", ""] {
            let said = rate(wrong).expect_err(wrong);
            assert!(said.contains("write"), "{wrong}: {said}");
        }
    }

    #[test]
    fn a_name_goes_before_what_is_for_all() {
        let all = ["4%", "hero=2%"].map(|text| rate(text).expect(text));
        assert_eq!([of(&all, "hero"), of(&all, "cart")], [Some(Rate(0.02)), Some(Rate(0.04))]);
        assert_eq!(of(&all[1..], "cart"), None);
    }

    #[test]
    fn a_placement_is_named_once_and_is_there() {
        let placements = ["hero".to_owned(), "cart".to_owned()];
        let told = |typed: &[&str], placements: &[String], expected: Option<&str>| {
            let all: Vec<_> = typed.iter().map(|text| rate(text).expect(text)).collect();
            let said = check("rate", &all, placements).err().map(|error| error.to_string());
            assert_eq!(said.as_deref(), expected, "{typed:?}");
        };
        told(&["4%", "hero=2%", "cart=2%"], &placements, None);
        told(&["4%", "5%"], &placements, Some("--rate is given twice for all placements: keep one"));
        told(
            &["cart=4%", "cart=4%"],
            &placements,
            Some("--rate is given twice for the placement cart: keep one"),
        );
        let unknown = "--rate names the placement side, and there is none: use one of hero, cart";
        told(&["side=4%"], &placements, Some(unknown));
        let nothing = "--rate names the placement side, and there is none: name a file with an AdCampaign";
        told(&["side=4%"], &[], Some(nothing));
    }
}
