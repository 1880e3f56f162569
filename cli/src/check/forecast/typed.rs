//! `--traffic hero=60000/d`, `--rate 4%`, `--mean 42`, `--guardrail-rate bounce=40%`.

use super::Error;

/// More than any placement has, and few enough that a year of them is counted exactly.
const MOST_PEOPLE: f64 = 1e9;

/// What was typed for one placement or guardrail, or for all.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Given<T> {
    name: Option<String>,
    value: T,
}

/// People who come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Traffic {
    pub(super) per_second: f64,
}

/// The part of them who act, above 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rate(pub(super) f64);

/// What somebody is worth, above 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Amount(pub(super) f64);

/// What there is to be named by a flag.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named<'a> {
    /// In a word.
    pub(super) kind: &'static str,
    pub(super) names: &'a [String],
}

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
            1..=1_000_000 => Ok(Rate(f64::from(parts) / 1e6)),
            _ => Err(format!("{text} is not above 0%: write what the control has, such as 4%")),
        }
    })
}

/// Above a billion the ledger counts nothing.
const MOST_WORTH: f64 = 1e9;

pub(super) fn amount(text: &str) -> Result<Given<Amount>, String> {
    given(text, |text| match text.parse::<f64>() {
        Ok(amount) if amount > 0.0 && amount <= MOST_WORTH => Ok(Amount(amount)),
        _ => Err(format!(
            "{text} is no amount above 0 and at most a billion: write it like 42, and behind a name like hero=42"
        )),
    })
}

fn given<T>(text: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<Given<T>, String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (Some(name.to_owned()), value),
        None => (None, text),
    };
    Ok(Given { name, value: read(value)? })
}

/// What was given under a name; what names it goes before what is for all.
pub(super) fn of<T: Copy>(all: &[Given<T>], name: &str) -> Option<T> {
    let for_all = all.iter().find(|given| given.name.is_none()).map(|given| given.value);
    named(all, name).or(for_all)
}

/// What was given under a name, and not for all.
pub(super) fn named<T: Copy>(all: &[Given<T>], name: &str) -> Option<T> {
    all.iter().find(|given| given.name.as_deref() == Some(name)).map(|given| given.value)
}

/// That each of what there is is named once at most, and nothing else.
pub(super) fn check<T>(flag: &'static str, all: &[Given<T>], known: Named<'_>) -> Result<(), Error> {
    let Named { kind, names } = known;
    for (index, given) in all.iter().enumerate() {
        let name = given.name.as_ref();
        if all[..index].iter().any(|earlier| earlier.name.as_ref() == name) {
            let what = name.map_or(format!("all {kind}s"), |name| format!("the {kind} {name}"));
            return Err(Error::Twice { flag, what });
        }
        if let Some(name) = name.filter(|name| !names.contains(name)) {
            return Err(Error::Unknown { flag, kind, name: name.clone(), remedy: remedy(known) });
        }
    }
    Ok(())
}

fn remedy(known: Named<'_>) -> String {
    match known {
        Named { names: [], kind: "guardrail" } => {
            "write spec.placements[].guardrails, or leave it out".to_owned()
        }
        Named { names: [], .. } => "name a file with an AdCampaign".to_owned(),
        Named { names, .. } => format!("use one of {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traffic_is_people_in_a_time() {
        let check = |text: &str, placement: Option<&str>, per_day: f64| {
            let found = traffic(text).expect("it is one");
            assert_eq!(found.name.as_deref(), placement, "{text}");
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
        assert_eq!(rate("hero=0.25%").map(|given| given.name), Ok(Some("hero".to_owned())));
        assert_eq!(rate("100%").map(|given| given.value), Ok(Rate(1.0)), "everybody may be worth something");
        for wrong in ["4", "0%", "101%", "-1%", "hero=", ""] {
            let said = rate(wrong).expect_err(wrong);
            assert!(said.contains("write"), "{wrong}: {said}");
        }
    }

    #[test]
    fn an_amount_is_above_nothing() {
        assert_eq!(amount("42").map(|given| given.value), Ok(Amount(42.0)));
        assert_eq!(amount("cart=0.5").map(|given| given.name), Ok(Some("cart".to_owned())));
        for wrong in ["0", "-1", "NaN", "inf", "2e9", "much", "cart=", ""] {
            let said = amount(wrong).expect_err(wrong);
            assert!(said.contains("write it like 42"), "{wrong}: {said}");
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
            let known = Named { kind: "placement", names: placements };
            let said = check("rate", &all, known).err().map(|error| error.to_string());
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
