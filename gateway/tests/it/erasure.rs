//! Erasure: a person is a stranger at once, and soon in no file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use api::MetricKind;
use api::wire::event::Outcome::{Accepted, Duplicate};
use api::wire::totals::PlacementTotals;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use gateway::ledger::amount::Amount;
use gateway::ledger::check::{Arrival, Click, Decision, Erasure, Experiment, Exposure, Guardrail, What};
use gateway::ledger::export::export;
use gateway::ledger::store::{Bounds, Group, Store};
use gateway::ledger::unit::Reward;
use gateway::ledger::{Millis, millis};
use serde_json::{Value, json};

use crate::auth::{BLOG, SHOP, guarded};
use crate::disk::every_file;
use crate::model::SMALL;
use crate::operations::arrival;
use crate::samples::{SAMPLE, START, Sample};
use crate::world::{World, bounce, call, exposure, post, reward};

const HOUR: Millis = 3_600_000;

async fn erase(world: &World, key: Option<&str>, subject: &str) -> (StatusCode, Value) {
    let request = Request::delete(format!("/v1/subjects/{subject}"));
    let request = match key {
        Some(key) => request.header("Authorization", format!("Bearer {key}")),
        None => request,
    };
    call(&guarded(world), request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_person_who_is_erased_is_a_stranger_and_the_sums_tell_of_nobody() {
    let world = World::new(SAMPLE);
    let (alice, bob) = (world.token("alice").await, world.token("bob/7").await);
    let (shown, acted) = ([exposure("1", &alice), exposure("2", &bob)], reward("3", &alice));
    world.send(&shown).await;
    world.send(std::slice::from_ref(&acted)).await;
    assert_eq!(erase(&world, Some(SHOP), "alice").await, (StatusCode::ACCEPTED, json!({"campaigns": 1})));
    assert_eq!(world.sums(SAMPLE.uid).await, (0, 0.0, 1), "what was not counted yet never is");
    assert_eq!(world.send(&[acted]).await, [Accepted], "a reward of hers waits, as a stranger's");
    assert_eq!(world.send(&shown).await, [Accepted, Duplicate]);
    world.clock.advance(HOUR);
    assert_eq!(world.sums(SAMPLE.uid).await, (2, 1.0, 0));
    erase(&world, Some(SHOP), "bob%2F7").await;
    assert_eq!(world.sums(SAMPLE.uid).await, (2, 1.0, 0), "what was counted stays");
    assert_eq!(world.send(&shown).await, [Duplicate, Accepted], "he comes back as a stranger");
}

#[tokio::test]
async fn guardrails_forget_a_person_too() {
    let guardrails = &[("bounce", MetricKind::Binary, 600)];
    let world = World::new(Sample { guardrails, ..SAMPLE });
    let alice = world.token("alice").await;
    let sent = [exposure("1", &alice), bounce("2", &alice)];
    assert_eq!(world.send(&sent).await, [Accepted; 2]);
    erase(&world, Some(SHOP), "alice").await;
    assert_eq!(world.totals(SAMPLE.uid).await.placements, []);
    assert_eq!(world.send(&sent).await, [Accepted; 2], "she is a stranger");
    world.clock.advance(HOUR / 4);
    let of = async || world.totals(SAMPLE.uid).await.placements.remove(0).guardrails.remove(0);
    let counted = of().await;
    assert_eq!((counted.cells[0].exposures, counted.cells[0].rewards), (1, 1.0));
    erase(&world, Some(SHOP), "alice").await;
    assert_eq!(of().await, counted, "what was counted stays, though her own exposure never counts");
    assert_eq!(world.sums(SAMPLE.uid).await, (0, 0.0, 0));
}

#[tokio::test]
async fn only_a_key_of_the_namespace_erases() {
    let mut world = World::new(SAMPLE);
    let token = world.token("alice").await;
    world.send(&[exposure("1", &token)]).await;
    assert_eq!(erase(&world, None, "alice").await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(erase(&world, Some(BLOG), "alice").await, (StatusCode::ACCEPTED, json!({"campaigns": 0})));
    let open = Request::delete("/v1/subjects/alice").body(Body::empty()).unwrap();
    let (status, answer) = call(&world.ledger, open).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(answer["message"].as_str().unwrap().contains("--api-keys"), "{answer}");
    assert_eq!(world.sums(SAMPLE.uid).await.2, 1);
    world.remove(SAMPLE.uid);
    let mut wrong = SAMPLE.object();
    wrong.spec.placements[0].variants[0].digest = "0".repeat(64);
    world.offer(&wrong).unwrap_err();
    assert_eq!(
        erase(&world, Some(BLOG), "alice").await,
        (StatusCode::ACCEPTED, json!({"campaigns": 0})),
        "a campaign whose table is refused is somebody's, and nobody knows whose"
    );
    world.remove(SAMPLE.uid);
    assert_eq!(
        erase(&world, Some(BLOG), "alice").await,
        (StatusCode::ACCEPTED, json!({"campaigns": 1})),
        "a campaign that is gone has no namespace any more"
    );
    assert_eq!(world.sums(SAMPLE.uid).await.2, 0);
}

#[tokio::test]
async fn a_subject_that_is_none_is_told_why() {
    let world = World::new(SAMPLE);
    for subject in ["%FF", &"s".repeat(513)] {
        let (status, answer) = erase(&world, Some(SHOP), subject).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
        assert!(answer["message"].as_str().unwrap().starts_with("subject: "), "{answer}");
    }
    let (status, _) = post(&guarded(&world), "/v1/subjects/alice", "").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let starting = World::starting(Sample { number: 2, ..SAMPLE });
    assert_eq!(erase(&starting, Some(SHOP), "alice").await.0, StatusCode::SERVICE_UNAVAILABLE);
}

/// A subject's pseudonym, which stands in no file by chance.
const fn who(number: u128) -> u128 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
}

const ALICE: u128 = who(7);
const BOB: u128 = who(8);

fn tells_of(path: &Path, subject: u128) -> bool {
    let bytes = std::fs::read(path).unwrap_or_default();
    memchr::memmem::find(&bytes, &subject.to_be_bytes()).is_some()
}

fn that_tell_of(folder: &Path, subject: u128) -> Vec<PathBuf> {
    every_file(folder).into_iter().filter(|path| tells_of(path, subject)).collect()
}

/// All that can be known about a subject: a decision, an exposure, rewards in time, late and too early, those of a guardrail, and
/// clicks.
fn life(subject: u128) -> Vec<(Arrival, Millis)> {
    let shown = watched(arrival(subject));
    let act = |id, at| Reward { id, at, window: 1_800_000, value: Amount::ONE };
    let what = |what| Arrival { what, ..shown.clone() };
    let begin = millis(START);
    let What::Exposure(exposure) = &shown.what else { panic!("{shown:?}") };
    let click = Click { at: begin, draw: exposure.draw.clone() };
    let decision = Decision { at: begin, draw: exposure.draw.clone() };
    vec![
        (what(What::Decision(decision)), begin),
        (what(What::Click(click)), begin),
        (shown.clone(), begin),
        (what(What::Reward(act(1, begin + HOUR / 4))), begin + HOUR),
        (of_guardrail(what(What::Reward(act(2, begin + HOUR / 4)))), begin + HOUR),
    ]
}

/// An exposure that counts for a guardrail too.
fn watched(shown: Arrival) -> Arrival {
    let What::Exposure(exposure) = shown.what else { panic!("{shown:?}") };
    let guardrail = Guardrail { metric: "bounce".to_owned(), window: exposure.window, cap: exposure.cap };
    let what = What::Exposure(Exposure { guardrails: vec![guardrail], ..exposure });
    Arrival { what, ..shown }
}

fn of_guardrail(acted: Arrival) -> Arrival {
    let experiment = Experiment { guardrail: Some("bounce".to_owned()), ..acted.experiment };
    Arrival { experiment, ..acted }
}

fn take(store: &mut Store, arrival: Arrival, now: Millis) {
    let room = Group::room(std::slice::from_ref(&arrival));
    let taken = store.group(room, |group| {
        group.sweep(now);
        group.receive(arrival, now)
    });
    taken.unwrap();
}

/// Lives of some subjects, one after the other at each moment.
fn lived(folder: &Path, bounds: Bounds, subjects: u128) -> Store {
    let mut store = Store::open(folder, bounds).unwrap();
    let lives: Vec<_> = (1..=subjects).map(|number| life(who(number))).collect();
    for step in 0..lives[0].len() {
        lives.iter().for_each(|life| take(&mut store, life[step].0.clone(), life[step].1));
    }
    store
}

fn forget(store: &mut Store, subject: u128, now: Millis) {
    let erasure = Erasure { campaign: SAMPLE.uid.into(), subject: subject.to_be_bytes() };
    let room = Group::room_to_erase(std::slice::from_ref(&erasure));
    let erased = store.group(room, |group| {
        group.sweep(now);
        group.erase(erasure, now);
        Ok(())
    });
    erased.unwrap();
}

/// Lets a second pass, and whatever goes on beside.
fn pass(store: &mut Store, now: &mut Millis) {
    *now += 1000;
    store.group(Group::room(&[]), |group| Ok(group.sweep(*now))).unwrap();
    std::thread::sleep(Duration::from_millis(5));
}

fn totals(store: &mut Store, now: Millis) -> Vec<PlacementTotals> {
    let totals = store.group(Group::room(&[]), |group| {
        group.sweep(now);
        Ok(group.totals(SAMPLE.uid, now))
    });
    totals.unwrap()
}

/// Each group is due for a checkpoint, whoever is to be forgotten.
const RESTLESS: Bounds = Bounds { checkpoint_every: 1, forget_every: Duration::from_secs(3600), ..KEPT };

fn until_gone(store: &mut Store, folder: &Path, now: &mut Millis) {
    let end = *now + HOUR / 6;
    while !that_tell_of(folder, ALICE).is_empty() {
        assert!(*now < end, "{:?}", that_tell_of(folder, ALICE));
        pass(store, now);
    }
}

const KEPT: Bounds = Bounds { keep_log: Duration::from_secs(3600), ..SMALL };

#[test]
fn no_file_tells_of_who_was_erased_and_all_others_are_as_they_were() {
    // Of a log that is not kept, what was accepted first is gone already.
    let all = &["log", "checkpoints", "counted"][..];
    for (bounds, parts) in [(SMALL, &all[1..]), (KEPT, all), (RESTLESS, all)] {
        let folder = tempfile::tempdir().unwrap();
        let mut store = lived(folder.path(), bounds, 200);
        let mut now = millis(START) + HOUR;
        // What is late for her is in memory, and with a checkpoint, which the clicks of others bring, on disk.
        for number in 1000..2000 {
            take(&mut store, life(who(number))[0].0.clone(), now);
        }
        let before = totals(&mut store, now);
        for part in parts {
            assert!(
                !that_tell_of(&folder.path().join(part), ALICE).is_empty(),
                "else nothing is shown: {part}"
            );
        }
        forget(&mut store, ALICE, now);
        until_gone(&mut store, folder.path(), &mut now);
        drop(store);
        assert_eq!(that_tell_of(folder.path(), ALICE), Vec::<PathBuf>::new());
        let mut store = Store::open(folder.path(), bounds).unwrap();
        assert_eq!(totals(&mut store, now), before);
        for (arrival, _) in life(BOB) {
            take(&mut store, arrival, now);
        }
        assert_eq!(totals(&mut store, now), before, "others are known as before");
    }
}

#[test]
fn who_comes_back_and_is_erased_again_is_in_no_file_either() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = lived(folder.path(), KEPT, 50);
    let mut now = millis(START) + HOUR;
    for passes in 0..12 {
        forget(&mut store, ALICE, now);
        for _ in 0..passes {
            pass(&mut store, &mut now);
        }
        take(&mut store, life(ALICE)[0].0.clone(), now);
    }
    forget(&mut store, ALICE, now);
    until_gone(&mut store, folder.path(), &mut now);
}

#[test]
fn an_erasure_that_is_cut_off_goes_on_when_the_ledger_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = lived(folder.path(), KEPT, 50);
    let mut now = millis(START) + HOUR;
    forget(&mut store, ALICE, now);
    for passes in 0.. {
        drop(store);
        if that_tell_of(folder.path(), ALICE).is_empty() {
            break;
        }
        assert!(passes < 200, "{:?}", that_tell_of(folder.path(), ALICE));
        store = Store::open(folder.path(), KEPT).unwrap();
        for _ in 0..passes {
            pass(&mut store, &mut now);
        }
    }
}

#[test]
fn a_log_that_is_kept_is_exported_without_who_was_erased() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = lived(folder.path(), KEPT, 20);
    let mut now = millis(START) + HOUR;
    let subjects = || {
        let mut lines = Vec::new();
        export(folder.path(), None, &mut lines).unwrap();
        let lines = String::from_utf8(lines).unwrap();
        lines.lines().map(|line| line.contains(&format!("{ALICE:032x}"))).collect::<Vec<_>>()
    };
    assert_eq!((subjects().len(), subjects().contains(&true)), (20, true));
    forget(&mut store, ALICE, now);
    until_gone(&mut store, folder.path(), &mut now);
    assert_eq!((subjects().len(), subjects().contains(&true)), (19, false));
}
