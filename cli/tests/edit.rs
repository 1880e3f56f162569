//! Texts written into files: the values change, and nothing else does.

use api::Slots;
use cli::gitops::{EditError, Form, edit};

fn slots(texts: &[(&str, &str)]) -> Slots {
    texts.iter().map(|(slot, text)| ((*slot).to_owned(), (*text).to_owned())).collect()
}

fn check(form: Form, text: &str, at: &str, texts: &[(&str, &str)], expected: &str) {
    let format = ["headline", "body"].map(str::to_owned);
    let found = edit(form, text, at, &slots(texts), &format).expect(text);
    assert_eq!(found, expected);
    assert_eq!(
        edit(form, &found, at, &slots(texts), &format).expect("again"),
        found,
        "a second time changes nothing"
    );
}

#[test]
fn a_text_changes_and_comments_order_and_quotes_stay() {
    use Form::{Json, Toml, Yaml};
    let yaml = "# top\nhero: # here\n  z: 1\n  headline: Old # was\n  button: 'Go'\n";
    check(Yaml, yaml, "hero", &[("headline", "New")], &yaml.replace("Old", "\"New\""));
    check(Yaml, yaml, "hero", &[("headline", "Old"), ("button", "Go")], yaml);
    check(
        Yaml,
        yaml,
        "hero",
        &[("headline", "a: b # c, \"d\"")],
        &yaml.replace("Old", r#""a: b # c, \"d\"""#),
    );
    check(Yaml, yaml, "hero", &[("headline", "two\nlines")], &yaml.replace("Old", r#""two\nlines""#));
    check(Yaml, yaml, "hero", &[("headline", "Müde 越野 🏃")], &yaml.replace("Old", "\"Müde 越野 🏃\""));
    // In flow, in a list, in blocks, as a number, and where nothing stands yet.
    check(
        Yaml,
        "a: {headline: x, other: [1, 2]}\n",
        "a",
        &[("headline", "b, c")],
        "a: {headline: \"b, c\", other: [1, 2]}\n",
    );
    check(
        Yaml,
        "a:\n- headline: x\n- headline: y\n",
        "a.1",
        &[("headline", "z")],
        "a:\n- headline: x\n- headline: \"z\"\n",
    );
    check(
        Yaml,
        "a:\n  headline: >-\n    two\n    lines\n  b: 1\n",
        "a",
        &[("headline", "z")],
        "a:\n  headline: \"z\"\n  b: 1\n",
    );
    check(Yaml, "a:\n  headline: ''\n", "a", &[("headline", "true")], "a:\n  headline: \"true\"\n");
    // What belonged to other copy goes with it.
    check(
        Yaml,
        "a:\n  headline: x\n  body: old\n",
        "a",
        &[("headline", "y")],
        "a:\n  headline: \"y\"\n  body: \"\"\n",
    );
    let json = "{\n    \"a\": {\"headline\": \"x\",\n      \"n\": 1.50},\n  \"z\": [ 1 ]\n}\n";
    check(Json, json, "a", &[("headline", "\"y\"")], &json.replace("\"x\"", r#""\"y\"""#));
    let toml = "# top\n[a.hero] # here\nheadline = 'Old' # was\nn = 1_000\nwhen = 2026-01-01\n\n[[b]]\nheadline = \"x\"\n";
    check(Toml, toml, "a.hero", &[("headline", "New")], &toml.replace("'Old'", "\"New\""));
    check(Toml, toml, "b.0", &[("headline", "y \"z\"")], &toml.replace("\"x\"", r#""y \"z\"""#));
    let lines = "a = { headline = 'x' } # b\r\nc = 1\r\n";
    check(Toml, lines, "a", &[("headline", "y")], &lines.replace("'x'", "\"y\""));
    let lines = "a:\r\n  headline: x\r\n  b: 1\r\n";
    check(Yaml, lines, "a", &[("headline", "z")], &lines.replace("x", "\"z\""));
    let year = "a:\n  '2026':\n    headline: x\n";
    check(Yaml, year, "a.2026", &[("headline", "z")], &year.replace("x", "\"z\""));
}

#[test]
fn what_can_not_be_written_says_what_to_do() {
    let refused = |form, text: &str, at: &str| {
        edit(form, text, at, &slots(&[("headline", "New")]), &[]).expect_err(text)
    };
    let missing = |path: &str| EditError::Missing(path.to_owned());
    assert_eq!(refused(Form::Yaml, "a:\n  button: x\n", "a"), missing("a.headline"));
    assert_eq!(refused(Form::Yaml, "a:\n  button: x\n", "a.b"), missing("a.b"));
    assert_eq!(refused(Form::Json, "{\"a\": []}", "a.0"), missing("a.0"));
    assert!(matches!(refused(Form::Json, "{\"a\": {\"headline\": {}}}", "a"), EditError::NotText(_)));
    assert!(matches!(refused(Form::Yaml, "a: [", "a"), EditError::Unreadable(_)));
    assert!(matches!(refused(Form::Toml, "a = ", "a"), EditError::Unreadable(_)));
    assert!(matches!(refused(Form::Yaml, "a:\n  headline:\n  b: 1\n", "a"), EditError::Empty(_)));
    assert!(matches!(refused(Form::Yaml, "a:\n  headline: >- # why\n    x\n", "a"), EditError::Form(_)));
    assert!(matches!(refused(Form::Yaml, "a:\n  headline: x\n---\nb: 1\n", "a"), EditError::Unreadable(_)));
    let alias = "x: &x\n  headline: one\na: *x\n";
    assert!(
        matches!(refused(Form::Yaml, alias, "a"), EditError::Form(_)),
        "the other place would change too"
    );
}
