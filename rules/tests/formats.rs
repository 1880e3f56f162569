//! The embedded formats are complete, and none changes unnoticed.

use std::path::Path;

use rules::{Delivery, Format, Requirement, format, formats};

/// What each file held under [`rules::VERSION`]: name, version, FNV-1a of the text.
const PINNED: &[(&str, u32, u64)] =
    &[("Email", 1, 17273320634609281245), ("WebBanner", 1, 3745101534844252969)];

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
fn the_formats_are_those_that_the_documentation_names() {
    let page =
        std::fs::read_to_string(Path::new(FOLDER).join("../../docs/formats.md")).expect("docs/formats.md");
    for format in formats() {
        for slot in format.slots() {
            let soft = slot.soft_limit.map_or("–".to_owned(), |limit| limit.to_string());
            let need = if slot.required == Requirement::Required { "required" } else { "optional" };
            let row = format!(
                "| `{}` | `{}` | {need} | {soft} | {} | {} |",
                format.name(),
                slot.name,
                slot.hard_limit,
                slot.maximum_lines
            );
            assert!(page.contains(&row), "docs/formats.md lacks the row\n{row}");
        }
    }
}

#[test]
fn deliveries_are_those_of_the_channel() {
    let allowed = |name: &str| {
        let format = format(name).expect("a format");
        [Delivery::Gateway, Delivery::Batch, Delivery::Platform].map(|delivery| format.allows(delivery))
    };
    assert_eq!(allowed("WebBanner"), [true, false, false]);
    assert_eq!(allowed("Email"), [true, true, false]);
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
        ("a-slot-has-a-line", "maximumLines: 1", "maximumLines: 0", "complete it"),
        ("a-slot-has-a-purpose", "purpose: p", "purpose: ''", "complete it"),
        ("no-limit-is-zero", "softLimit: 9", "softLimit: 0", "0 < soft <= hard"),
        ("soft-is-not-above-hard", "softLimit: 9", "softLimit: 10", "0 < soft <= hard"),
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
