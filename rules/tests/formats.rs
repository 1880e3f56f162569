//! The embedded formats are complete, and none changes unnoticed.

use std::path::Path;

use rules::{Delivery, Duplicates, Editorial, Format, Requirement, format, formats};

/// What each file held under [`rules::VERSION`]: name, version, FNV-1a of the text.
const PINNED: &[(&str, u32, u64)] = &[
    ("BannerLeaderboard", 1, 6936049543751212659),
    ("BannerMediumRectangle", 1, 889512777381815193),
    ("BannerMobile", 1, 1588024266584183410),
    ("Email", 2, 5679752390188437392),
    ("GoogleApp", 1, 18238114506283221865),
    ("GooglePerformanceMax", 1, 12359502976249839532),
    ("GoogleResponsiveDisplay", 1, 8448782961754945489),
    ("GoogleResponsiveSearch", 1, 4574872055947271122),
    ("LandingPageSection", 2, 12729783400025456406),
    ("LinkedInSingleImage", 1, 15984938648360717606),
    ("MetaFeed", 1, 16536736999630978036),
    ("MetaReels", 1, 3955022780509507719),
    ("MetaStories", 1, 1590079794675248365),
    ("MicrosoftResponsiveSearch", 1, 10314649853101503419),
    ("PushApns", 1, 17693809505574441363),
    ("PushFcm", 1, 16939945754032106841),
    ("ServiceMacro", 1, 14146321597910898732),
    ("Sms", 1, 13924084686030092936),
    ("VideoScript", 1, 7325880027217824917),
    ("WebBanner", 2, 4128448793565663366),
    ("XPost", 1, 512860876589481503),
];

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/formats");

#[test]
fn every_file_of_the_folder_is_a_format_by_its_name() {
    let mut files = 0;
    for entry in std::fs::read_dir(FOLDER).expect("the folder of formats") {
        let path = entry.expect("an entry").path();
        let read = Format::parse(&std::fs::read_to_string(&path).expect("a text")).expect("a format");
        assert_eq!(format(read.name()), Some(&read), "{} is not embedded", path.display());
        assert_eq!(stem(&path), kebab(read.name()));
        files += 1;
    }
    assert_eq!(formats().count(), files);
    assert!(formats().is_sorted_by_key(|format| format.name()));
}

#[test]
fn a_changed_file_has_a_new_version() {
    let now: Vec<(String, u32, u64)> = formats().map(pin).collect();
    let pinned: Vec<_> =
        PINNED.iter().map(|(name, version, sum)| ((*name).to_owned(), *version, *sum)).collect();
    assert_eq!(
        now, pinned,
        "raise the file's version and rules::VERSION, then write the left side into PINNED"
    );
}

#[test]
fn deliveries_are_those_of_the_channel() {
    let allowed = |name: &str| {
        let format = format(name).expect("a format");
        [Delivery::Gateway, Delivery::Batch, Delivery::Platform].map(|delivery| format.allows(delivery))
    };
    for own in ["WebBanner", "LandingPageSection", "ServiceMacro"] {
        assert_eq!(allowed(own), [true, false, false], "{own}");
    }
    for sent in ["Email", "Sms", "PushApns", "PushFcm"] {
        assert_eq!(allowed(sent), [true, true, false], "{sent}");
    }
    for made in ["BannerLeaderboard", "BannerMediumRectangle", "BannerMobile", "VideoScript"] {
        assert_eq!(allowed(made), [true, false, true], "{made}");
    }
    for network in ["Google", "Microsoft", "Meta", "LinkedIn", "X"] {
        let of_network = || formats().filter(|format| format.name().starts_with(network));
        assert!(of_network().count() > 0, "{network} has no format");
        for format in of_network() {
            assert_eq!(allowed(format.name()), [false, false, true], "{}", format.name());
        }
    }
}

#[test]
fn a_series_is_as_many_slots_the_first_of_them_required() {
    let format = format("GooglePerformanceMax").expect("a format");
    let headlines: Vec<_> = format
        .slots()
        .iter()
        .filter(|slot| slot.series.as_ref().is_some_and(|it| it.name == "headline"))
        .collect();
    let names: Vec<&str> = headlines.iter().map(|slot| slot.name.as_str()).collect();
    assert_eq!((names.len(), names[0], names[14]), (15, "headline1", "headline15"));
    let required = headlines.iter().filter(|slot| slot.required == Requirement::Required).count();
    assert_eq!(required, 3);
    assert_eq!((headlines[0].hard_limit, headlines[1].hard_limit), (15, 30));
    let series = headlines[4].series.as_ref().expect("a series");
    assert_eq!((series.least, series.most, series.duplicates), (3, 15, Duplicates::Refused));
}

#[test]
fn a_slot_has_the_checks_of_its_format_and_its_own_in_order() {
    let format = format("GoogleResponsiveSearch").expect("a format");
    let has = |slot: &str, check| format.slot(slot).expect("a slot").editorial.contains(&check);
    assert!(has("headline2", Editorial::ExclamationInHeadline) && has("headline2", Editorial::Emoji));
    assert!(!has("description1", Editorial::ExclamationInHeadline) && has("path1", Editorial::Emoji));
    for slot in formats().flat_map(Format::slots) {
        assert!(slot.editorial.is_sorted_by(|a, b| a < b), "{}", slot.name);
    }
}

/// As many slots as the definitions let a piece of copy have.
const SLOTS_OF_AN_OBJECT: usize = 32;

#[test]
fn slots_are_as_many_and_so_named_as_an_object_may_hold() {
    for format in formats() {
        assert!(format.slots().len() <= SLOTS_OF_AN_OBJECT, "{}", format.name());
    }
    for slot in formats().flat_map(Format::slots) {
        let letters = slot.name.chars().all(|c| c.is_ascii_alphanumeric());
        assert!(letters && slot.name.len() <= 32 && slot.name.starts_with(|c: char| c.is_ascii_lowercase()));
    }
}

#[test]
fn a_name_is_spelled_exactly() {
    assert!(format("webbanner").is_none());
    assert!(format("WebBanner").is_some_and(|format| format.slot("Headline").is_none()));
}

/// A good file, by parts: head, then one slot.
const HEAD: &str = "{name: N, version: 1, summary: s, counting: Graphemes, deliveries: [Batch], source: s, checked: 2026-01-31";
const SLOT: &str = "{name: a, purpose: p, required: true, hardLimit: 9, softLimit: 9, maximumLines: 1}";

#[test]
fn a_good_file_is_read() {
    let good = Format::parse(&format!("{HEAD}, slots: [{SLOT}]}}")).expect("a good file");
    assert_eq!((good.checked(), good.slots()[0].soft_limit), ("2026-01-31", Some(9)));
}

#[test]
fn a_bad_file_is_refused_with_its_reason() {
    // Sentence, what of the good file is replaced, by what, and words of the message.
    let cases = [
        ("version-starts-at-one", "version: 1", "version: 0", "count from 1"),
        ("a-name-is-needed", "name: N", "name: ''", "has no name"),
        ("a-source-is-needed", "source: s", "source: ''", "has no source"),
        ("a-summary-is-needed", "summary: s", "summary: ''", "has no summary"),
        ("a-delivery-is-needed", "[Batch]", "[]", "allows no delivery"),
        ("a-date-is-a-date", "2026-01-31", "yesterday", "YYYY-MM-DD"),
        ("a-slot-is-needed", SLOT, "", "has no slots"),
        ("slot-names-are-unique", SLOT, &format!("{SLOT}, {SLOT}"), "two slots of one name"),
        ("a-slot-is-required-or-repeats", "required: true, ", "", "say one"),
        (
            "a-slot-is-not-required-and-repeated",
            "required: true",
            "required: true, repeat: {least: 1, most: 2}",
            "say one",
        ),
        (
            "a-series-needs-no-more-than-it-has",
            "required: true",
            "repeat: {least: 3, most: 2}",
            "least <= most",
        ),
        ("a-series-of-one-is-a-slot", "required: true", "repeat: {least: 1, most: 1}", "least <= most"),
        ("a-series-has-an-end", "required: true", "repeat: {least: 1, most: 99}", "least <= most"),
        (
            "a-first-limit-is-ordered-too",
            "required: true",
            "repeat: {least: 1, most: 2, first: {hardLimit: 8}}",
            "0 < soft <= hard",
        ),
        ("a-needed-slot-exists", "required: true", "required: true, needs: b", "is not there"),
        ("a-slot-to-differ-from-exists", "required: true", "required: true, differsFrom: b", "is not there"),
        (
            "a-numbered-slot-may-not-come-twice",
            SLOT,
            "{name: a, purpose: p, repeat: {least: 1, most: 2}, hardLimit: 9, maximumLines: 1}, \
             {name: a1, purpose: p, required: true, hardLimit: 9, maximumLines: 1}",
            "two slots of one name",
        ),
        ("unknown-checks-are-refused", "source: s", "source: s, editorial: [Boredom]", "not of the shape"),
        (
            "a-payload-has-room",
            "source: s",
            "source: s, payload: {hardLimit: 99, reserve: 90, before: 'abcd', after: 'ef1'}",
            "leave no room",
        ),
        (
            "a-timing-names-series",
            "source: s",
            "source: s, timing: {lines: a, shots: a, unitsPerSecond: 9, hardLimit: 9, softLimit: 9}",
            "whose series are none",
        ),
        (
            "a-box-has-a-width",
            "softLimit: 9",
            "space: {width: 0, rows: 1, font: LiberationSans, size: 9}",
            "complete it",
        ),
        ("media-have-a-purpose", "source: s", "source: s, media: [{name: b, purpose: ''}]", "complete it"),
        (
            "media-have-names-of-their-own",
            "source: s",
            "source: s, media: [{name: a, purpose: p}]",
            "rename one",
        ),
        ("a-name-begins-with-a-capital", "name: N", "name: n", "no placement can give"),
        ("a-slot-begins-with-a-small-letter", "name: a", "name: A", "a slot name that is none"),
        ("a-slot-has-a-line", "maximumLines: 1", "maximumLines: 0", "complete it"),
        ("a-slot-has-a-purpose", "purpose: p", "purpose: ''", "complete it"),
        ("no-limit-is-zero", "softLimit: 9", "softLimit: 0", "0 < soft <= hard"),
        ("soft-is-not-above-hard", "softLimit: 9", "softLimit: 10", "0 < soft <= hard"),
        ("a-limit-has-a-bound", "hardLimit: 9", "hardLimit: 4097", "that no channel has"),
        ("lines-have-a-bound", "maximumLines: 1", "maximumLines: 201", "that no channel has"),
        (
            "a-box-has-a-bound",
            "softLimit: 9",
            "space: {width: 99999999, rows: 1, font: LiberationSans, size: 9}",
            "that no channel has",
        ),
        (
            "a-payload-has-a-bound",
            "source: s",
            "source: s, payload: {hardLimit: 65537, reserve: 0, before: '', after: ''}",
            "that no channel has",
        ),
        ("a-purpose-is-one-line", "purpose: p", "purpose: \"p\\nq\"", "is no sentence"),
        ("unknown-fields-are-typing-errors", "softLimit: 9", "softlimit: 9", "not of the shape"),
        ("unknown-counting-is-refused", "Graphemes", "Letters", "not of the shape"),
        ("unknown-deliveries-are-refused", "[Batch]", "[Pigeon]", "not of the shape"),
    ];
    let good = format!("{HEAD}, slots: [{SLOT}]}}");
    for (sentence, part, replacement, words) in cases {
        let bad = good.replacen(part, replacement, 1);
        assert_ne!(bad, good, "{sentence}");
        let error = Format::parse(&bad).expect_err(sentence).to_string();
        assert!(error.contains(words), "{sentence}: {error}");
    }
}

fn pin(format: &Format) -> (String, u32, u64) {
    let path = Path::new(FOLDER).join(kebab(format.name())).with_extension("yaml");
    let text = std::fs::read(path).expect("a format file");
    (format.name().to_owned(), format.version(), fnv1a(&text))
}

/// Fowler, Noll and Vo's hash, 64 bits: enough to notice a change.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

fn stem(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

fn kebab(name: &str) -> String {
    let mut kebab = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.extend(c.to_lowercase());
    }
    kebab
}
