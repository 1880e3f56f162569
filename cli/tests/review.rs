//! Words on variants, before a cluster sees them: how variants are named, what a reviewer reads, and spreadsheets as people
//! have them.

use api::{AdCampaign, AdVariant, AdVariantSpec, AdVariantStatus, Decision, Origin, Slots, VariantState};
use cli::{SheetError, Word, WordError, find, read_sheet, screen, write_sheet};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::ResourceExt;

fn variant(headline: &str, origin: Origin, state: VariantState) -> AdVariant {
    let slots: Slots = [("headline", headline), ("button", "Go")]
        .map(|(slot, text)| (slot.to_owned(), text.to_owned()))
        .into();
    let spec = AdVariantSpec {
        campaign: "trail".to_owned(),
        placement: "hero".to_owned(),
        origin,
        slots,
        edit: None,
        provenance: None,
        appraisal: None,
    };
    let mut variant = AdVariant::new(&api::name::variant("trail", "hero", &spec.slots), spec);
    variant.metadata.owner_references =
        Some(vec![OwnerReference { uid: "u".to_owned(), ..OwnerReference::default() }]);
    variant.status = Some(AdVariantStatus { state: Some(state), share: None, reason: None });
    variant
}

fn variants() -> Vec<AdVariant> {
    use Origin::{Challenger, Control, Generated};
    use VariantState::{InReview, Refused, Served};
    vec![
        variant("Meet it", Control, Served),
        variant("Run, \"further\"\nand further", Challenger, InReview),
        variant("=1+1", Generated, InReview),
        variant("Müde Füße; nein", Generated, InReview),
        variant("Cheap", Generated, Refused),
    ]
}

#[test]
fn an_edit_changes_some_texts_and_keeps_the_rest() {
    let was = variant("Meet it", Origin::Challenger, VariantState::Served);
    let check = |typed: &[&str], expected: Result<[&str; 2], &str>| {
        let typed: Vec<String> = typed.iter().map(|text| (*text).to_owned()).collect();
        let found = Word::edit(&was, &typed, None).map(|words| words[0].texts.clone().expect("texts"));
        let slots = |[headline, button]: [&str; 2]| {
            Slots::from(
                [("button", button), ("headline", headline)].map(|(k, v)| (k.to_owned(), v.to_owned())),
            )
        };
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, slots(expected), "{typed:?}"),
            (Err(found), Err(expected)) => {
                assert!(found.to_string().contains(expected), "{typed:?}: {found}");
            }
            (found, expected) => panic!("{typed:?}: {found:?}, expected {expected:?}"),
        }
    };
    check(&["headline=Meet it now"], Ok(["Meet it now", "Go"]));
    check(&["headline=1 + 1 = 2", "button=See"], Ok(["1 + 1 = 2", "See"]));
    check(&["headline"], Err("headline is no text for a slot"));
    check(&["headline="], Err("headline= is no text for a slot"));
    check(&["body=Much more"], Err("has no body: its slots are button, headline"));
    check(&["headline=Meet it"], Err("says that already"));
}

#[test]
fn a_variant_is_named_whole_or_by_its_last_digits() {
    let all = variants();
    let check = |asked: &str, expected: Result<usize, fn(&WordError) -> bool>| match (
        find(&all, &[asked.to_owned()]),
        expected,
    ) {
        (Ok(found), Ok(index)) => assert_eq!(found[0].name_any(), all[index].name_any(), "{asked}"),
        (Err(found), Err(expected)) => assert!(expected(&found), "{asked}: {found:?}"),
        (found, expected) => panic!("{asked}: {found:?}, expected {expected:?}"),
    };
    let digits = |index: usize| all[index].name_any().rsplit('-').next().expect("digits").to_owned();
    check(&all[1].name_any(), Ok(1));
    check(&digits(2), Ok(2));
    check(&digits(2)[..4], Ok(2));
    check(&digits(2)[..3], Err(|found| matches!(found, WordError::Unknown(_))));
    check("hero", Err(|found| matches!(found, WordError::Unknown(_))));
    check(&digits(0), Err(|found| matches!(found, WordError::Control(_))));
    check(&digits(4), Err(|found| matches!(found, WordError::Refused(_))));
    let twice = [all[1].clone(), AdVariant::new(&format!("trail-other-{}", digits(1)), all[1].spec.clone())];
    assert!(matches!(find(&twice, &[digits(1)]), Err(WordError::Ambiguous(_))));
    let same = find(&all, &[all[1].name_any(), digits(1)]).expect("one");
    assert_eq!(same.len(), 1, "twice the same is once");
}

#[test]
fn a_word_fits_in_reviews() {
    let all = vec![variant("One", Origin::Generated, VariantState::InReview); 130];
    let all: Vec<&AdVariant> = all.iter().collect();
    let words = Word::new(Decision::Approve, &all, Some("good")).expect("words");
    assert_eq!(words.iter().map(|word| word.variants.len()).collect::<Vec<_>>(), [64, 64, 2]);
    let long = Word::new(Decision::Reject, &all, Some(&"x".repeat(501)));
    assert!(matches!(long, Err(WordError::Reason(501))));
}

/// The sheet with these decisions, by headline, as somebody types them.
fn decided(all: &[AdVariant], decisions: &[(usize, &str)]) -> String {
    let sheet = write_sheet(all);
    let mut rows = sheet.clone();
    for &(index, decision) in decisions {
        let name = all[index].name_any();
        let at = rows.find(&name).expect("a row");
        let end = at + rows[at..].find(",\"\",\"\"\r\n").expect("its end");
        rows.replace_range(end..end + ",\"\",\"\"".len(), &format!(",{decision}"));
    }
    rows
}

#[test]
fn what_a_spreadsheet_says_is_what_was_typed() {
    let all = variants();
    let check = |text: &str, expected: &[(Decision, &[usize], Option<&str>)]| {
        let words = read_sheet(text.as_bytes(), &all).expect(text);
        let found: Vec<_> = words
            .iter()
            .map(|word| {
                let names: Vec<String> = word.variants.iter().map(|it| it.name_any()).collect();
                (word.decision, names, word.reason.clone())
            })
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(decision, indexes, reason)| {
                let mut names: Vec<String> = indexes.iter().map(|&index| all[index].name_any()).collect();
                names.sort();
                (*decision, names, reason.map(ToOwned::to_owned))
            })
            .collect();
        let sorted = found.into_iter().map(|(decision, mut names, reason)| {
            names.sort();
            (decision, names, reason)
        });
        assert_eq!(sorted.collect::<Vec<_>>(), expected, "{text}");
    };
    let (approve, reject) = (Decision::Approve, Decision::Reject);
    let sheet = decided(&all, &[(1, "approve,"), (2, "APPROVED,"), (3, "reject,too long")]);
    assert!(sheet.starts_with('\u{feff}'), "spreadsheets know UTF-8 by its mark");
    assert!(sheet.contains("\"'=1+1\""), "no cell is a formula: {sheet}");
    let both: &[(Decision, &[usize], Option<&str>)] =
        &[(approve, &[1, 2], None), (reject, &[3], Some("too long"))];
    let sorted = |text: &str| {
        let words = read_sheet(text.as_bytes(), &all).expect("words");
        words.iter().map(|word| word.decision).collect::<Vec<_>>()
    };
    if sorted(&sheet)[0] == approve {
        check(&sheet, both);
    } else {
        check(&sheet, &[both[1], both[0]]);
    }
    // Without the mark, and with other line ends.
    check(
        &decided(&all, &[(2, "approve,")]).replace('\u{feff}', "").replace("\r\n", "\n"),
        &[(approve, &[2], None)],
    );
    // By hand, with semicolons, columns in another order, and one of somebody's own.
    let by_hand = format!("mine;decision;variant\nx;reject;{}\n;;\n", all[3].name_any());
    check(&by_hand, &[(reject, &[3], None)]);
}

#[test]
fn a_spreadsheet_that_can_not_be_carried_out_names_its_row() {
    let mut all = variants();
    let check = |all: &[AdVariant], bytes: &[u8], expected: fn(&SheetError) -> bool| {
        let found = read_sheet(bytes, all).expect_err("a fault");
        assert!(expected(&found), "{found:?}");
    };
    let sheet =
        |all: &[AdVariant], index: usize, decision: &str| decided(all, &[(index, decision)]).into_bytes();
    check(&all, &sheet(&all, 1, ""), |it| matches!(it, SheetError::Empty));
    check(
        &all,
        &sheet(&all, 1, "maybe,"),
        |it| matches!(it, SheetError::Decision { found, .. } if found == "maybe"),
    );
    check(&all, &sheet(&all, 0, "reject,"), |it| {
        matches!(it, SheetError::Variant { source: WordError::Control(_), .. })
    });
    check(&all, &sheet(&all, 4, "approve,"), |it| {
        matches!(it, SheetError::Variant { source: WordError::Refused(_), .. })
    });
    check(&all, b"variant,decision\ntrail-hero-00000000,reject\n", |it| {
        matches!(it, SheetError::Variant { row: 2, source: WordError::Unknown(_) })
    });
    check(&all, b"variant,what\nx,reject\n", |it| matches!(it, SheetError::Column("decision")));
    check(&all, b"variant,decision,decision\nx,reject,\n", |it| matches!(it, SheetError::Titles(_)));
    check(&all, b"variant,decision\nM\xfcde,reject\n", |it| matches!(it, SheetError::Encoding));
    let name = all[1].name_any();
    let twice = format!("variant,decision\n{name},reject\n{name},approve\n");
    check(&all, twice.as_bytes(), |it| matches!(it, SheetError::Twice { row: 3, .. }));
    let long = format!("variant,decision,reason\n{name},reject,{}\n", "x".repeat(501));
    check(&all, long.as_bytes(), |it| {
        matches!(it, SheetError::Variant { source: WordError::Reason(501), .. })
    });
    let edited = decided(&all, &[(3, "approve,")]).replace("nein", "ja");
    check(&all, edited.as_bytes(), |it| matches!(it, SheetError::Edited { slot, .. } if slot == "headline"));
    let other = decided(&all, &[(3, "approve,")]).replace("\"u\"", "\"v\"");
    check(&all, other.as_bytes(), |it| matches!(it, SheetError::Campaign { found, .. } if found == "v"));
    // Somebody recalled it since.
    let old = decided(&all, &[(2, "approve,")]);
    all[2].status = Some(AdVariantStatus {
        state: Some(VariantState::Rejected),
        share: None,
        reason: Some("by legal".to_owned()),
    });
    check(
        &all,
        old.as_bytes(),
        |it| matches!(it, SheetError::RejectedSince { reason, .. } if reason == "by legal"),
    );
    assert!(read_sheet(decided(&all, &[(2, "approve,")]).as_bytes(), &all).is_ok(), "who knows may");
}

#[test]
fn a_reviewer_reads_every_text_and_how_to_say_a_word() {
    let campaign: AdCampaign = serde_saphyr::from_str(
        "{apiVersion: broadside.dev/v1alpha1, kind: AdCampaign, metadata: {name: trail, namespace: shop, uid: u}, spec: {brief: \
         {product: Aero}, approval: FourEyes, placements: [{name: hero, format: WebBanner, delivery: {gateway: {}}, control: \
         {headline: Aero, button: Go}, metric: {name: view, kind: Binary, window: 30m}}]}}",
    )
    .expect("a campaign");
    let all = variants();
    let text = screen(&campaign, &all, 80);
    for part in [
        "shop/trail: 3 of 5 variants wait for a word (two people approve)",
        "\nhero\n",
        "control     served\n    headline  Meet it\n    button    Go\n",
        "challenger  waits for a word\n    headline  Run, \"further\" and further\n",
        "generated   refused by a rule\n",
        "approve: kubectl broadside approve -n shop trail ",
    ] {
        assert!(text.contains(part), "{part:?} is missing:\n{text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let decided = screen(&campaign, &all[..1], 80);
    assert!(!decided.contains("approve:"), "{decided}");
}
