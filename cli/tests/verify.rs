//! Verdicts of the operator's own plan are reached again from their evidence, and what was changed in one is found.

use api::record::StoredRecord;
use api::wire::totals::{
    CellTotals, CovariateTotals, GuardrailTotals, LateTotals, PlacementTotals, TotalsResponse,
};
use api::{
    AdCampaign, AdReview, AdReviewSpec, AdTable, AdVariant, CampaignIdentity, Decision, Evidence,
    ReviewedVariant, Safety, TablePlacement, TableVariant,
};
use cli::gitops::{Difference, Lack, Record, RecordError, draft, message, records, recount};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use operator::Campaign;
use operator::apply::Applied;
use operator::objects::job::{ModelImages, WorkerImage};
use operator::observe::{Seen, Totals};
use operator::plan::{Plan, Settings, plan};
use operator::status::{Pass, report};
use operator::world::ReviewPolicy;

/// A campaign, pass by pass.
struct World {
    object: AdCampaign,
    seen: Seen,
    now: Timestamp,
}

/// What a cell counted: exposures, rewards, their squares, and what was known before.
type Counted = (u64, f64, f64, Option<f64>);

impl World {
    fn new(metric: &str, more: &str) -> Self {
        let yaml = format!(
            "{{apiVersion: broadside.dev/v1alpha1, kind: AdCampaign, metadata: {{name: trail, namespace: shop, uid: u, \
             generation: 1}}, spec: {{brief: {{product: Aero}}, {more} placements: [{{name: hero, format: WebBanner, \
             delivery: {{gateway: {{}}}}, control: {{headline: Aero, button: Go}}, challengers: [{{headline: Trail, button: Go}}, \
             {{headline: Run, button: Go}}], metric: {metric}, \
             stopping: {{maximumDuration: 7d, worthwhileLift: 5%}}}}]}}}}"
        );
        let object = serde_saphyr::from_str(&yaml).expect("a campaign");
        let now = "2026-03-01T12:00:00Z".parse().expect("a moment");
        let mut world = Self { object, seen: Seen::default(), now };
        world.pass();
        world
    }

    fn pass(&mut self) -> Plan {
        let campaign = Campaign::try_from(&self.object).expect("a good one");
        let settings = Settings {
            worker: WorkerImage {
                reference: "worker:1".to_owned(),
                pull_policy: None,
                model_images: ModelImages::Copied,
            },
            figures_interval: std::time::Duration::from_secs(1),
        };
        let made = plan(&self.object, &campaign, &self.seen, &settings, self.now);
        self.seen.variants.extend(made.variants.clone());
        self.seen.table = made.table.clone().or_else(|| self.seen.table.take());
        let pass =
            Pass { campaign: Some(campaign), plan: Some(made.clone()), applied: Some(Applied::default()) };
        self.object.status = Some(report(&self.object, &pass, None, self.now));
        made
    }

    /// Counts this much of each arm in every segment, and looks a day later.
    fn count(&mut self, counted: &[Counted]) -> Plan {
        self.count_watched(counted, &[])
    }

    /// The same, and of guardrails.
    fn count_watched(&mut self, counted: &[Counted], watched: &[(&str, &[Counted])]) -> Plan {
        let table: &AdTable = self.seen.table.as_ref().expect("a table");
        let row = &table.spec.placements[0];
        let of_guardrail = |(metric, counted): &(&str, &[Counted])| GuardrailTotals {
            metric: (*metric).to_owned(),
            pending_exposures: 0,
            cells: cells(row, counted),
        };
        let counted = PlacementTotals {
            name: row.name.clone(),
            seed: row.seed,
            pending_exposures: 0,
            cells: cells(row, counted),
            guardrails: watched.iter().map(of_guardrail).collect(),
        };
        let mut placements = match std::mem::take(&mut self.seen.totals) {
            Totals::Known(known) => known.placements,
            Totals::NotAsked | Totals::Deferred | Totals::Unreachable(_) => Vec::new(),
        };
        match placements.first_mut() {
            Some(known) => {
                known.cells.extend(counted.cells);
                for (known, counted) in known.guardrails.iter_mut().zip(counted.guardrails) {
                    known.cells.extend(counted.cells);
                }
            }
            None => placements.push(counted),
        }
        self.now += SignedDuration::from_hours(24);
        self.seen.totals =
            Totals::Known(TotalsResponse { campaign: "u".to_owned(), as_of: self.now, placements });
        self.pass()
    }

    /// A person writes another headline in place of one.
    fn edit(&mut self, headline: &str, other: &str) {
        let texts = |slots: &api::Slots| {
            let mut texts = slots.clone();
            texts.insert("headline".to_owned(), other.to_owned());
            texts
        };
        self.review(headline, Decision::Edit, Some(&texts));
        // It is out, and then the other is in.
        self.pass();
        self.pass();
    }

    /// A person approves a variant, whatever guardrails showed before.
    fn approve(&mut self, headline: &str) -> Plan {
        self.now += SignedDuration::from_secs(1);
        self.review(headline, Decision::Approve, None);
        self.pass()
    }

    fn review(
        &mut self,
        headline: &str,
        decision: Decision,
        texts: Option<&dyn Fn(&api::Slots) -> api::Slots>,
    ) {
        self.seen.review_policy = ReviewPolicy::Since(Timestamp::UNIX_EPOCH);
        let is_meant = |it: &&AdVariant| it.spec.slots["headline"] == headline;
        let variant = self.seen.variants.iter().find(is_meant).expect("a variant");
        let digest = api::name::copy_digest(&variant.spec.slots);
        let spec = AdReviewSpec {
            campaign: CampaignIdentity { name: "trail".to_owned(), uid: "u".to_owned() },
            variants: vec![ReviewedVariant { name: variant.name_any(), digest }],
            decision,
            texts: texts.map(|texts| texts(&variant.spec.slots)),
            reviewer: "alice".to_owned(),
            on_behalf_of: None,
            reason: None,
        };
        let mut review = AdReview::new(&format!("{decision:?}"), spec);
        review.metadata.creation_timestamp = Some(Time(self.now));
        self.seen.reviews.push(review);
    }

    /// The winner's ConfigMap, once the verdict is stored.
    fn handed_on(&mut self, reached: &Plan) -> ConfigMap {
        let record = reached.evidence.first().expect("a verdict");
        let record = StoredRecord::all(record, "evidence.json").next().expect("a record");
        self.seen.evidence.insert("hero".to_owned(), record);
        self.pass().winner.expect("it is settled")
    }
}

/// So much of each arm in every segment of the round in force.
fn cells(row: &TablePlacement, counted: &[Counted]) -> Vec<CellTotals> {
    let round = row.rounds.last().expect("a round");
    let segments = round.allocations.iter().flat_map(|allocation| &allocation.segments);
    let of_segment = |segment: &String| {
        let of_arm =
            |(variant, &(exposures, rewards, squared_rewards, before)): (&TableVariant, &Counted)| {
                CellTotals {
                    round: round.number,
                    segment: segment.clone(),
                    variant: variant.name.clone(),
                    decisions: Some(exposures + exposures / 10),
                    exposures,
                    rewards,
                    squared_rewards,
                    covariate: before.map(|sum| CovariateTotals {
                        exposures,
                        sum,
                        squares: sum * 2.0,
                        products: sum,
                    }),
                    late: LateTotals::default(),
                    unconfirmed_clicks: 0,
                }
            };
        row.variants.iter().zip(counted).map(of_arm).collect::<Vec<_>>()
    };
    segments.flat_map(of_segment).collect()
}

fn yaml(config: &ConfigMap) -> String {
    yaml_of(config)
}

fn read(text: &str) -> Vec<Record> {
    let found = records(text.as_bytes()).expect("records").into_iter();
    found.collect::<Result<_, _>>().expect("each has its evidence")
}

/// Git, in a folder.
fn git(folder: &std::path::Path, arguments: &[&str]) -> String {
    let identity = ["-c", "user.name=pipeline", "-c", "user.email=pipeline@shop.example"];
    let mut command = std::process::Command::new("git");
    let output = command.arg("-C").arg(folder).args(identity).args(arguments).output().expect("git runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

const PAGE: &str = "# The home page.
banner:
  hero: # tested in campaigns
    headline: Aero   # the control
    button: 'Go'
  footer: {note: stays, links: [a, b]}
";

#[test]
fn a_winner_is_one_line_of_a_commit_and_a_revert_brings_the_old_copy_back() {
    let (mut world, reached) = winner();
    let config = yaml(&world.handed_on(&reached));
    let promotion = api::Promotion { file: "site/home.yaml".to_owned(), at: "banner.hero".to_owned() };
    world.object.spec.placements[0].promotion = Some(promotion);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("site/home.yaml");
    std::fs::create_dir(folder.path().join("site")).expect("a folder");
    std::fs::write(&file, PAGE).expect("a file");
    git(folder.path(), &["init", "--quiet"]);
    git(folder.path(), &["add", "."]);
    git(folder.path(), &["commit", "--quiet", "--message", "Begin"]);

    let records = records(config.as_bytes()).expect("records");
    let written = draft(&world.object, &records, folder.path()).expect("it is written");
    let text = message(&world.object, &written.promoted);
    assert_eq!(std::fs::read_to_string(&file).expect("a file"), PAGE, "a draft is beside it");
    written.publish().expect("it takes its place");
    assert!(text.starts_with("Promote hero of campaign shop/trail\n\nhero (site/home.yaml): "), "{text}");
    let digest = &records[0].as_ref().expect("a record").digest;
    assert!(text.contains(&format!("Evidence-SHA256: {digest}")), "{text}");
    let now = PAGE.replace("headline: Aero ", "headline: \"Trail\" ");
    assert_eq!(std::fs::read_to_string(&file).expect("a file"), now);
    let changed = git(folder.path(), &["diff", "--numstat"]);
    assert_eq!(changed.split_whitespace().collect::<Vec<_>>(), ["1", "1", "site/home.yaml"]);
    git(folder.path(), &["commit", "--quiet", "--all", "--message", &text]);

    let again = draft(&world.object, &records, folder.path()).expect("it is there");
    assert!(again.promoted.is_empty() && message(&world.object, &again.promoted).is_empty());
    again.publish().expect("there is nothing to publish");
    assert_eq!(git(folder.path(), &["status", "--porcelain"]), "");
    git(folder.path(), &["revert", "--no-edit", "HEAD"]);
    assert_eq!(std::fs::read_to_string(&file).expect("a file"), PAGE);

    // A ConfigMap is anybody's who may edit them; what agrees with itself is not yet the campaign's verdict.
    let refused = |object: &AdCampaign, config: &str, part: &str| {
        let found = records_of(config);
        let refused = draft(object, &found, folder.path()).expect_err(part).to_string();
        assert!(refused.contains(part) && refused.ends_with("nothing was written"), "{refused}");
    };
    let forged = config.replace("Trail", "Free");
    assert_ne!(forged, config);
    refused(&world.object, &forged, "hero: ");
    let mut other = world.object.clone();
    other.metadata.uid = Some("another".to_owned());
    refused(&other, &config, "not the verdict in the campaign's status");
    let mut elsewhere = world.object.clone();
    let status = elsewhere.status.as_mut().expect("a status");
    status.placements[0].verdict.as_mut().expect("a verdict").served = "other".to_owned();
    refused(&elsewhere, &config, "not the verdict in the campaign's status");
    assert_eq!(std::fs::read_to_string(&file).expect("a file"), PAGE);
    // Nor does a link lead out of the tree.
    std::fs::remove_file(&file).expect("it is there");
    let outside = tempfile::NamedTempFile::new().expect("a file");
    std::os::unix::fs::symlink(outside.path(), &file).expect("a link");
    let refused = draft(&world.object, &records, folder.path()).expect_err("it leads out").to_string();
    assert!(refused.contains("outside of the work tree"), "{refused}");
}

fn records_of(config: &str) -> Vec<Result<Record, RecordError>> {
    records(config.as_bytes()).expect("records")
}

fn binary(exposures: u64, rewarded: u64) -> Counted {
    (exposures, rewarded as f64, rewarded as f64, None)
}

const VIEWS: &str = "{name: view, kind: Binary, window: 30m}";

fn winner() -> (World, Plan) {
    winner_of("")
}

fn winner_of(more: &str) -> (World, Plan) {
    let mut world = World::new(VIEWS, more);
    let reached = world.count(&[binary(2000, 100), binary(4000, 420), binary(4000, 190)]);
    (world, reached)
}

#[test]
fn a_verdict_is_reached_again_from_its_evidence() {
    let check = |mut world: World, reached: &Plan, expected: &str| {
        let config = yaml(&world.handed_on(reached));
        let found = read(&config);
        let [record] = &found[..] else { panic!("one placement, {found:?}") };
        assert_eq!(format!("{:?}", record.evidence.verdict.reason), expected);
        let recounted = recount(record);
        assert_eq!((&recounted.differences[..], &recounted.lacks[..]), (&[][..], &[][..]), "{config}");
        assert!(recounted.people > 0 && recounted.rounds > 0);
        // The file of evidence alone, as it may be committed.
        let alone = record.evidence.to_text();
        assert_eq!(recount(&read(&alone)[0]).differences, []);
    };
    let (world, reached) = winner();
    check(world, &reached, "Winner");

    let (world, reached) = winner_of("dryRun: true,");
    check(world, &reached, "Winner");

    let mut rounds = World::new(VIEWS, "");
    rounds.count(&[binary(100, 5), binary(200, 20), binary(200, 11)]);
    let shares =
        &rounds.seen.table.as_ref().expect("a table").spec.placements[0].rounds[1].allocations[0].shares;
    let people: Vec<u64> = shares.iter().map(|&share| u64::from(share) / 50).collect();
    let reached = rounds.count(&[
        binary(people[0], people[0] / 20),
        binary(people[1], people[1] / 9),
        binary(people[2], people[2] / 20),
    ]);
    check(rounds, &reached, "Winner");

    let mut segments = World::new(VIEWS, "segments: [new, returning],");
    let reached = segments.count(&[binary(2000, 100), binary(4000, 420), binary(4000, 190)]);
    check(segments, &reached, "Winner");

    let mut worse = World::new("{name: bounce, kind: Binary, window: 30m, direction: Minimize}", "");
    let reached = worse.count(&[binary(4000, 200), binary(8000, 840), binary(8000, 840)]);
    check(worse, &reached, "ControlWins");

    let mut revenue = World::new("{name: revenue, kind: Value, cap: \"50.5\", window: 30m}", "");
    let counted = |exposures: u64, mean: f64| {
        let sum = exposures as f64 * mean;
        (exposures, sum, sum * 20.5, Some(exposures as f64 * 1.25))
    };
    let reached = revenue.count(&[counted(4000, 2.0), counted(8000, 4.2), counted(8000, 2.1)]);
    check(revenue, &reached, "Winner");

    // What was known before is told from the second round on alone.
    let mut partly = World::new("{name: revenue, kind: Value, window: 30m}", "");
    partly.count(&[(200, 400.0, 2000.0, None), (400, 1000.0, 5000.0, None), (400, 800.0, 4000.0, None)]);
    let row = &partly.seen.table.as_ref().expect("a table").spec.placements[0];
    let shares = &row.rounds[1].allocations[0].shares;
    let people: Vec<u64> = shares.iter().map(|&share| u64::from(share) / 50).collect();
    let reached = partly.count(&[counted(people[0], 2.0), counted(people[1], 4.2), counted(people[2], 2.1)]);
    check(partly, &reached, "Winner");

    let mut late = World::new(VIEWS, "");
    late.now += SignedDuration::from_hours(24 * 400);
    let reached = late.count(&[binary(200, 10), binary(400, 22), binary(400, 19)]);
    check(late, &reached, "Inconclusive");

    let mut edited = World::new(VIEWS, "");
    edited.edit("Trail", "Trails");
    let reached = edited.count(&[binary(2000, 100), binary(0, 0), binary(4000, 190), binary(4000, 420)]);
    let served = &edited.object.status.as_ref().expect("a status").placements[0].variants[3];
    assert_eq!(served.origin, api::Origin::Edited);
    check(edited, &reached, "Winner");

    let mut enough = World::new(VIEWS, "");
    enough.object.spec.placements[0].stopping.maximum_exposures = Some(1000);
    let reached = enough.count(&[binary(200, 10), binary(400, 22), binary(400, 19)]);
    check(enough, &reached, "Inconclusive");

    let mut over = World::new(VIEWS, "");
    let ends_at = Some(Time(over.now + SignedDuration::from_hours(12)));
    over.object.spec.schedule = Some(api::Schedule { starts_at: None, ends_at });
    let reached = over.count(&[binary(200, 10), binary(400, 22), binary(400, 19)]);
    check(over, &reached, "Inconclusive");
}

#[test]
fn what_was_changed_is_found() {
    let (mut world, reached) = winner();
    let config = world.handed_on(&reached);
    let check = |change: &dyn Fn(&mut Record), expected: &dyn Fn(&Difference) -> bool| {
        let mut found = read(&yaml(&config)).remove(0);
        change(&mut found);
        let differences = recount(&found).differences;
        assert!(differences.iter().any(expected), "{differences:?}");
    };
    let figure = |name: &'static str| move |found: &Difference| matches!(found, Difference::Figure { name: of, .. } if *of == name);
    let totals = |record: &mut Record, variant: &str, sum: &str| {
        let name = record.evidence.variants.iter().find(|it| it.slots["headline"] == variant);
        let name = name.expect("a variant").name.clone();
        let totals = &mut record.evidence.totals["rounds"][0]["totals"][&name];
        (totals["sum"], totals["sumSquares"]) = (sum.into(), sum.into());
    };
    check(&|it| totals(it, "Trail", "421"), &figure("the p-value"));
    check(&|it| totals(it, "Trail", "200"), &figure("the verdict"));
    check(&|it| totals(it, "Trail", "999999"), &|found| matches!(found, Difference::Totals(_)));
    check(&|it| it.digest = "0".repeat(64), &|found| *found == Difference::Record);
    check(&|it| it.evidence.verdict.samples += 1, &figure("the people"));
    let control = |it: &mut Record| it.evidence.verdict.served = it.evidence.variants[0].name.clone();
    check(&control, &figure("what is served"));
    let withdrawn = |it: &mut Record| {
        // As if another than the winner had been taken back.
        let control = it.evidence.variants[0].clone();
        let handed_on = it.handed_on.as_mut().expect("a winner's ConfigMap");
        (handed_on.variant, handed_on.slots) = (control.name, control.slots);
        handed_on.withdrawn = Some("other".to_owned());
    };
    check(&withdrawn, &|found| matches!(found, Difference::Texts(_)));
    check(&|it| it.evidence.verdict.p_value = Some("1.0e-9".to_owned()), &figure("the p-value"));
    check(&|it| it.evidence.verdict.sentence = "it is a wonder".to_owned(), &|found| {
        *found == Difference::HandedOn
    });
    check(
        &|it| drop(it.evidence.variants[1].slots.insert("button".to_owned(), "Buy".to_owned())),
        &|found| matches!(found, Difference::Name(_)),
    );
    check(&|it| it.evidence.variants[2].digest = "0".repeat(64), &|found| {
        matches!(found, Difference::Digest(_))
    });
    let other = |it: &mut Record| {
        let handed_on = it.handed_on.as_mut().expect("a winner's ConfigMap");
        handed_on.slots.insert("headline".to_owned(), "Free shoes".to_owned());
    };
    check(&other, &|found| matches!(found, Difference::Texts(_)));
}

/// A metric, and two guardrails with windows of their own.
const GUARDED: &str = "{name: view, kind: Binary, window: 30m}, guardrails: [\
    {metric: {name: bounce, kind: Binary, window: 5m}, maximumIncrease: 50%}, \
    {metric: {name: refund, kind: Value, cap: \"80\", window: 1d}, maximumIncrease: 100%}]";

/// The second challenger drives people away, and the first one wins.
fn guarded() -> (World, Plan) {
    let mut world = World::new(GUARDED, "");
    let refunds = [(1900, 800.0, 9000.0, None), (3800, 1600.0, 18000.0, None), (3800, 1610.0, 18100.0, None)];
    let bounces = [binary(2000, 200), binary(4000, 404), binary(4000, 1200)];
    let views = [binary(2000, 100), binary(4000, 420), binary(4000, 190)];
    let reached = world.count_watched(&views, &[("bounce", &bounces), ("refund", &refunds)]);
    (world, reached)
}

#[test]
fn harm_and_the_strength_of_all_evidence_are_reached_again_and_what_was_changed_is_found() {
    let (mut world, reached) = guarded();
    let config = world.handed_on(&reached);
    let [record] = &read(&yaml(&config))[..] else { panic!("one placement") };
    let recounted = recount(record);
    assert_eq!((&recounted.differences[..], &recounted.lacks[..]), (&[][..], &[][..]), "{config:?}");
    let [control, won, harmful] = &record.evidence.variants[..] else { panic!("three variants") };
    assert!(control.e_values.is_none() && won.e_values.is_some());
    assert_eq!([won, harmful].map(|it| it.guardrails[0].safety), [Safety::Safe, Safety::Harmful]);
    assert_eq!((harmful.harms.len(), harmful.guardrails.len()), (1, 2));

    let check = |change: &dyn Fn(&mut Evidence), expected: &dyn Fn(&Difference) -> bool| {
        let mut changed = record.clone();
        change(&mut changed.evidence);
        changed.handed_on = None;
        let differences = recount(&changed).differences;
        assert!(differences.iter().any(expected), "{differences:?}");
    };
    let of = |expected: &'static str| move |found: &Difference| matches!(found, Difference::Variant { figure, .. } if figure == expected);
    let e_values = |it: &mut Evidence| it.variants[1].e_values.clone().expect("it is not the control");
    let more = |text: &str| format!("{}9", &text[..text.len() - 1]);
    check(
        &|it| it.variants[1].e_values = Some(api::EValues { log_e: more("1.234"), ..e_values(it) }),
        &of("ln e"),
    );
    let reach = |it: &mut Evidence| {
        it.variants[2].e_values = Some(api::EValues { log_threshold: "0.100".to_owned(), ..e_values(it) });
    };
    check(&reach, &of("what ln e has to reach"));
    let worthwhile = |it: &mut Evidence| {
        it.variants[1].e_values = Some(api::EValues { log_e_not_worthwhile: None, ..e_values(it) });
    };
    check(&worthwhile, &of("ln e against the worthwhile lift"));
    check(&|it| it.variants[2].e_values = None, &of("ln e"));
    check(&|it| it.variants[2].guardrails[0].log_e_harm = "1.000".to_owned(), &of("harm by bounce"));
    check(&|it| it.variants[1].guardrails[1].safety = Safety::Harmful, &of("harm by refund"));
    check(&|it| it.variants[1].guardrails.clear(), &of("harm by refund"));
    let harm = |found: Safety| move |it: &Difference| matches!(it, Difference::Harm { metric, found: of, .. } if metric == "bounce" && *of == found);
    check(&|it| it.variants[2].harms.clear(), &harm(Safety::Harmful));
    let slandered = |it: &mut Evidence| it.variants[1].harms = it.variants[2].harms.clone();
    check(&slandered, &harm(Safety::Safe));
    let bounces = |it: &mut Evidence, sum: &str| {
        let name = it.variants[2].name.clone();
        let bounces = &mut it.totals["rounds"][0]["totals"][&name]["guardrails"]["bounce"];
        assert_eq!(bounces["sum"], "1200");
        (bounces["sum"], bounces["sumSquares"]) = (sum.into(), sum.into());
    };
    check(&|it| bounces(it, "1201"), &of("harm by bounce"));
    check(&|it| bounces(it, "400"), &harm(Safety::Safe));
    check(&|it| bounces(it, "5000"), &|found| matches!(found, Difference::Totals(_)));
    let limit = |it: &mut Evidence| it.totals["guardrails"][0]["maximumIncrease"] = "60%".into();
    check(&limit, &of("harm by bounce"));
}

/// Records of operators that wrote down neither e-values nor what guardrails counted.
#[test]
fn a_record_of_before_is_reached_again_and_what_it_lacks_is_told() {
    let (mut world, reached) = guarded();
    let mut record = read(&yaml(&world.handed_on(&reached))).remove(0);
    record.handed_on = None;
    let evidence = &mut record.evidence;
    evidence.totals.as_object_mut().expect("totals").remove("guardrails");
    for round in evidence.totals["rounds"].as_array_mut().expect("rounds") {
        for sums in round["totals"].as_object_mut().expect("totals").values_mut() {
            sums.as_object_mut().expect("sums").remove("guardrails");
        }
    }
    for variant in &mut evidence.variants {
        (variant.e_values, variant.guardrails) = (None, Vec::new());
    }
    let recounted = recount(&record);
    assert_eq!(recounted.differences, []);
    assert_eq!(recounted.lacks, [Lack::EValues, Lack::Guardrail("bounce".to_owned())]);
}

/// What people brought back in spite of its harm may win, and its harm stays in the record.
#[test]
fn a_winner_that_was_brought_back_is_reached_again() {
    let mut world = World::new(GUARDED, "");
    // The first challenger brings views, and drives people away.
    let part = |parts: [u64; 3]| {
        [0, 1, 2].map(|arm| binary([4000, 8000, 8000][arm], [4000, 8000, 8000][arm] / parts[arm]))
    };
    let watched = [("bounce", &part([10, 2, 10])[..]), ("refund", &part([50, 50, 50])[..])];
    let taken_out = world.count_watched(&part([20, 12, 20]), &watched);
    assert!(taken_out.evidence.is_empty(), "who is out can't win");
    let reached = world.approve("Trail");
    let [record] = &read(&yaml(&world.handed_on(&reached)))[..] else { panic!("one placement") };
    let won = record.evidence.variants.iter().find(|it| it.slots["headline"] == "Trail").expect("a variant");
    assert_eq!(record.evidence.verdict.winner.as_ref(), Some(&won.name));
    assert!(won.harms.len() == 1 && won.guardrails[0].safety == Safety::Harmful, "{won:?}");
    assert_eq!(recount(record).differences, []);
}

#[test]
fn a_dry_run_hands_on_the_control_alone_and_is_never_promoted() {
    let (mut world, reached) = winner_of("dryRun: true,");
    let config = world.handed_on(&reached);
    let data = config.data.as_ref().expect("data");
    assert_eq!(data["hero.headline"], "Aero");
    assert!(!data.values().any(|text| text.contains("Trail")), "no text but the control's: {data:?}");
    let check = |change: &dyn Fn(&mut Record), expected: &dyn Fn(&Difference) -> bool| {
        let mut found = read(&yaml(&config)).remove(0);
        change(&mut found);
        let differences = recount(&found).differences;
        assert!(differences.iter().any(expected), "{differences:?}");
    };
    check(&|it| it.evidence.dry_run = false, &|found| *found == Difference::HandedOn);
    check(&|it| it.evidence.dry_run = false, &|found| matches!(found, Difference::Shown(_)));
    check(&|it| it.handed_on.as_mut().expect("it is").dry_run = false, &|found| {
        *found == Difference::HandedOn
    });
    check(&|it| it.evidence.variants[1].stands_for = None, &|found| matches!(found, Difference::Shown(_)));
    let other = |it: &mut Record| {
        let variant = &mut it.evidence.variants[1];
        variant.slots.insert("headline".to_owned(), "Trail".to_owned());
        variant.digest = api::name::copy_digest(&variant.slots);
    };
    check(&other, &|found| matches!(found, Difference::Shown(_)));
    let winner = |it: &mut Record| {
        it.evidence.verdict.served = it.evidence.verdict.winner.clone().expect("a winner");
    };
    check(&winner, &|found| matches!(found, Difference::Figure { name: "what is served", .. }));

    let promotion = api::Promotion { file: "home.yaml".to_owned(), at: "hero".to_owned() };
    world.object.spec.placements[0].promotion = Some(promotion);
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("home.yaml"), "hero: {headline: Old, button: Old}\n").expect("a file");
    let found = records_of(&yaml(&config));
    let refused = draft(&world.object, &found, folder.path()).expect_err("it is a dry run").to_string();
    assert!(refused.contains("trail is a dry run"), "{refused}");
}

#[test]
fn a_file_without_evidence_says_what_to_name() {
    let (mut world, reached) = winner();
    let mut config = world.handed_on(&reached);
    let check = |text: &str, expected: fn(&RecordError) -> bool| {
        let found = records(text.as_bytes()).expect_err(text);
        assert!(expected(&found), "{found:?}");
    };
    check("[", |found| matches!(found, RecordError::Form(_)));
    check("kind: Secret", |found| matches!(found, RecordError::Other));
    let found = records(b"{\"kind\": \"Evidence\"}").expect("a file");
    assert!(matches!(&found[..], [Err(RecordError::Key { .. })]), "{found:?}");
    config.data.as_mut().expect("data").remove("hero.evidence.json");
    let found = records(yaml_of(&config).as_bytes()).expect("a ConfigMap");
    assert!(matches!(&found[..], [Err(RecordError::Missing(placement))] if placement == "hero"), "{found:?}");
}

/// A record that is long, as those of many variants, is compressed.
#[test]
fn a_compressed_record_is_read_like_any_other() {
    let (mut world, reached) = winner();
    let mut config = world.handed_on(&reached);
    let record = config.data.as_mut().expect("data").remove("hero.evidence.json").expect("a record");
    let spaced = record.replacen(',', &format!(",{}", " ".repeat(api::record::MOST_BYTES_AS_TEXT)), 1);
    StoredRecord::new(&spaced).put(&mut config, "hero.evidence.json");
    let found = read(&yaml_of(&config));
    assert_eq!(recount(&found[0]).differences, [], "spaces are no part of a record");

    let mut alone = ConfigMap { data: None, binary_data: None, ..config.clone() };
    StoredRecord::new(&spaced).put(&mut alone, "evidence.json");
    let found = read(&yaml_of(&alone));
    assert_eq!(recount(&found[0]).differences, []);

    let data = Some([("note".to_owned(), "ours".to_owned())].into());
    let found = read(&yaml_of(&ConfigMap { data, ..alone }));
    assert_eq!(recount(&found[0]).differences, []);
    let found = records(yaml_of(&ConfigMap { data: None, ..config.clone() }).as_bytes());
    assert!(matches!(found, Err(RecordError::Other)), "nothing is handed on: {found:?}");

    let bytes = &mut config.binary_data.as_mut().expect("bytes").values_mut().next().expect("a record").0;
    bytes.truncate(100);
    let found = &records_of(&yaml_of(&config))[0];
    let said = found.as_ref().expect_err("half of it is gone").to_string();
    assert!(said.starts_with("hero.evidence.json.gz can't be read: it is not compressed by gzip"), "{said}");
}

/// As the API server prints it.
fn yaml_of(config: &ConfigMap) -> String {
    let mut value = serde_json::to_value(config).expect("plain data");
    value["kind"] = "ConfigMap".into();
    assert!(!config.name_any().is_empty());
    serde_json::to_string(&value).expect("JSON")
}

#[test]
fn the_record_holds_all_that_is_handed_on() {
    let (mut world, reached) = winner();
    let config = world.handed_on(&reached);
    let text = &config.data.as_ref().expect("data")["hero.evidence.json"];
    let evidence: Evidence = serde_json::from_str(text).expect("evidence");
    assert_eq!(&evidence.to_text(), text, "the same record is the same bytes");
    assert_eq!(evidence.variants.len(), 3);
    assert_eq!(evidence.totals["control"], evidence.variants[0].name.as_str());
}
