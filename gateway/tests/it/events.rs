//! The HTTP edge of the ledger: outcomes, windows, totals.

use api::MetricKind;
use api::wire::event::Outcome::{Accepted, Duplicate, Invalid, Late, Unknown};
use api::wire::token::Keys;
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::samples::{SAMPLE, START, Sample, keys};
use crate::signed::claims;
use crate::world::{World, bounce, call, exposure, get, post, reward};

const SECOND: i64 = 1000;
const HOUR: i64 = 3600 * SECOND;

#[tokio::test]
async fn an_exposure_counts_once_its_window_has_passed() {
    let world = World::new(Sample { window_seconds: 100, ..SAMPLE });
    let (shown, acted) = (world.token("alice").await, world.token("bob").await);
    let sent = [exposure("1", &shown), exposure("2", &acted), reward("3", &acted)];
    assert_eq!(world.send(&sent).await, [Accepted; 3]);
    assert_eq!(world.send(&sent).await, [Duplicate; 3]);
    assert_eq!(world.sums(SAMPLE.uid).await, (0, 0.0, 2));
    world.clock.advance(110 * SECOND - 1);
    assert_eq!(world.sums(SAMPLE.uid).await, (0, 0.0, 2));
    world.clock.advance(1);
    assert_eq!(world.sums(SAMPLE.uid).await, (2, 1.0, 0));
    assert_eq!(world.send(&sent).await, [Duplicate, Duplicate, Late]);
    assert_eq!(world.sums(SAMPLE.uid).await, (2, 1.0, 0));
}

/// Bounces within a quarter of an hour, and what is given back within a minute.
const WATCHED: Sample<'_> = Sample {
    window_seconds: 100,
    guardrails: &[("refund", MetricKind::Value, 60), ("bounce", MetricKind::Binary, 900)],
    allocations: &[(&["all"], &[0, 1_000_000])],
    ..SAMPLE
};

#[tokio::test]
async fn an_exposure_counts_for_guardrails_too_each_in_its_own_window() {
    let world = World::new(WATCHED);
    let (alice, bob) = (world.token("alice").await, world.token("bob").await);
    let refund = with(with(reward("4", &bob), "metric", json!("refund")), "value", json!(2.5));
    let sent = [exposure("1", &alice), exposure("2", &bob), reward("3", &alice), bounce("3", &alice), refund];
    assert_eq!(world.send(&sent).await, [Accepted; 5], "ids are compared among those of one metric");
    assert_eq!(world.send(&sent).await, [Duplicate; 5]);
    let placement = async |advance: i64| {
        world.clock.advance(advance * SECOND);
        serde_json::to_value(&world.totals(SAMPLE.uid).await.placements).unwrap()[0].clone()
    };
    let cell = |rewards: f64, squared: f64| {
        json!([{"round": 1, "segment": "all", "variant": "warm",
            "exposures": 2, "rewards": rewards, "squaredRewards": squared}])
    };
    let early = placement(66).await;
    assert_eq!((&early["pendingExposures"], &early["cells"]), (&json!(2), &json!([])));
    let first = json!({"metric": "bounce", "pendingExposures": 2, "cells": []});
    let second = json!({"metric": "refund", "pendingExposures": 0, "cells": cell(2.5, 6.25)});
    assert_eq!(early["guardrails"], json!([first, second]));
    let late = placement(900).await;
    assert_eq!((&late["pendingExposures"], &late["cells"]), (&json!(0), &cell(1.0, 1.0)));
    let first = json!({"metric": "bounce", "pendingExposures": 0, "cells": cell(1.0, 1.0)});
    assert_eq!(late["guardrails"], json!([first, second]));
    assert!(world.metrics().contains("broadside_exposures_matured_total 2\n"), "{}", world.metrics());
}

#[tokio::test]
async fn a_reward_of_an_unknown_name_is_told_the_names_that_there_are() {
    let check = async |sample, expected: &str| {
        let world = World::new(sample);
        let event = with(reward("1", &world.token("alice").await), "metric", json!("purchase"));
        let (_, answer) = post(&world.ledger, "/v1/events", json!({"events": [event]}).to_string()).await;
        let outcome = &answer["outcomes"][0];
        assert_eq!((&outcome["outcome"], &outcome["message"]), (&json!("unknown"), &json!(expected)));
    };
    check(SAMPLE, "metric: the placement has none of that name: send product-view").await;
    let names = "metric: the placement has none of that name: send product-view or refund or bounce";
    check(WATCHED, names).await;
}

#[tokio::test]
async fn a_guardrail_that_is_named_later_counts_who_is_shown_copy_for_the_first_time_then() {
    let mut world = World::new(Sample { guardrails: &[], ..WATCHED });
    let (alice, bob) = (world.token("alice").await, world.token("bob").await);
    assert_eq!(world.send(&[exposure("1", &alice), bounce("2", &alice)]).await, [Accepted, Unknown]);
    world.offer(&Sample { number: 2, ..WATCHED }.object()).unwrap();
    let again = [exposure("1", &alice), bounce("2", &alice), exposure("3", &bob), bounce("4", &bob)];
    assert_eq!(world.send(&again).await, [Duplicate, Accepted, Accepted, Accepted]);
    world.clock.advance(HOUR);
    let totals = world.totals(SAMPLE.uid).await;
    let placement = &totals.placements[0];
    assert_eq!(placement.cells[0].exposures, 2);
    let bounces = &placement.guardrails[0].cells[0];
    assert_eq!((bounces.exposures, bounces.rewards), (1, 1.0));
    // Once it is named no more, what it counted stays.
    world.offer(&Sample { number: 3, guardrails: &[], ..WATCHED }.object()).unwrap();
    assert_eq!(world.send(&[bounce("5", &bob)]).await, [Unknown]);
    assert_eq!(world.totals(SAMPLE.uid).await.placements[0].guardrails, placement.guardrails);
}

#[tokio::test]
async fn totals_tell_cell_and_variant() {
    let world =
        World::new(Sample { round: 4, seed: 9, allocations: &[(&["all"], &[0, 1_000_000])], ..SAMPLE });
    let token = world.token("alice").await;
    world.send(&[exposure("1", &token), reward("2", &token)]).await;
    world.clock.advance(HOUR);
    let totals = serde_json::to_value(world.totals(SAMPLE.uid).await).unwrap();
    assert_eq!(
        totals,
        json!({"campaign": SAMPLE.uid, "asOf": "2027-01-15T09:00:00Z", "placements": [{
            "name": "hero", "seed": 9, "pendingExposures": 0, "cells": [{
                "round": 4, "segment": "all", "variant": "warm",
                "exposures": 1, "rewards": 1.0, "squaredRewards": 1.0,
            }],
        }]})
    );
    let nobody = world.totals("no-such").await;
    assert_eq!((nobody.campaign.as_str(), nobody.placements.len()), ("no-such", 0));
}

#[tokio::test]
async fn every_event_has_its_own_outcome() {
    let mut world = World::new(SAMPLE);
    let token = world.token("alice").await;
    let at = |offset: i64| json!(START + jiff::SignedDuration::from_millis(offset));
    let check = async |sentence: &str, event: Value, expected| {
        assert_eq!(world.send(&[event]).await, [expected], "{sentence}");
    };
    check("no id", exposure("", &token), Invalid).await;
    check("a long id", exposure(&"i".repeat(129), &token), Invalid).await;
    check("no token of ours", exposure("1", "v1.a.b.c"), Invalid).await;
    check("a token that is no token", exposure("1", &"t".repeat(5000)), Invalid).await;
    check("the future", with(exposure("1", &token), "at", at(11 * SECOND)), Invalid).await;
    check("before the decision", with(exposure("1", &token), "at", at(-11 * SECOND)), Invalid).await;
    check("another metric", with(reward("1", &token), "metric", json!("purchase")), Unknown).await;
    check("a clock that is a little ahead", with(exposure("1", &token), "at", at(9 * SECOND)), Accepted)
        .await;
    check("a second exposure", exposure("2", &token), Duplicate).await;
    check("a reward before the exposure", with(reward("3", &token), "at", at(-SECOND)), Invalid).await;
    check("a reward", reward("4", &token), Accepted).await;
    world.remove(SAMPLE.uid);
    assert_eq!(world.send(&[reward("5", &token)]).await, [Unknown], "a campaign that was deleted");
}

#[tokio::test]
async fn values_are_summed_capped_and_what_comes_late_is_told_apart() {
    let capped = Sample { kind: MetricKind::Value, cap_millionths: Some(100_000_000), ..SAMPLE };
    let world =
        World::new(Sample { window_seconds: 100, allocations: &[(&["all"], &[0, 1_000_000])], ..capped });
    let tokens = [world.token("alice").await, world.token("bob").await];
    let spent = |id: &str, token: &str, value: f64| with(reward(id, token), "value", json!(value));
    let at = json!(START);
    let first = [
        with(exposure("1", &tokens[0]), "covariate", json!(2.5)),
        with(exposure("2", &tokens[1]), "covariate", json!(-1)),
        spent("3", &tokens[0], 59.9),
        spent("4", &tokens[0], 0.05),
        spent("5", &tokens[1], 250.0),
    ];
    assert_eq!(world.send(&first).await, [Accepted; 5]);
    world.clock.advance(HOUR);
    let late = with(spent("6", &tokens[0], 10.0), "at", at.clone());
    let more = with(spent("7", &tokens[1], 10.0), "at", at);
    assert_eq!(world.send(&[late.clone(), late, more]).await, [Late, Duplicate, Late]);
    let totals = serde_json::to_value(world.totals(SAMPLE.uid).await).unwrap();
    let (alice, bob, later): (f64, f64, f64) = (59.95, 100.0, 69.95);
    assert_eq!(
        totals["placements"][0]["cells"][0],
        json!({
            "round": 1, "segment": "all", "variant": "warm",
            "exposures": 2, "rewards": alice + bob, "squaredRewards": 13_594.002_5,
            "covariate": {"exposures": 2, "sum": 1.5, "squares": 7.25, "products": 2.5 * alice - bob},
            "late": {"exposures": 1, "rewards": 10.0, "squaredRewards": 1_299.0},
        })
    );
    assert!((later * later - alice * alice - 1_299.0).abs() < 1e-9);
}

#[tokio::test]
async fn what_a_reward_is_worth_is_of_its_metric_and_a_number_that_can_be_counted() {
    let check = async |kind, event: fn(&str) -> Value, field: &str, value: Value, expected| {
        let world = World::new(Sample { kind, ..SAMPLE });
        let event = with(event(&world.token("alice").await), field, value.clone());
        assert_eq!(world.send(&[event]).await, [expected], "{kind:?}, {field} {value}");
    };
    let acted = |token: &str| reward("1", token);
    let shown = |token: &str| exposure("1", token);
    let (binary, values) = (MetricKind::Binary, MetricKind::Value);
    check(binary, acted, "value", json!(null), Accepted).await;
    check(binary, acted, "value", json!(1), Accepted).await;
    check(binary, acted, "value", json!(2), Invalid).await;
    check(binary, acted, "value", json!(0), Invalid).await;
    check(values, acted, "value", json!(null), Invalid).await;
    check(values, acted, "value", json!(0), Accepted).await;
    check(values, acted, "value", json!(1e9), Accepted).await;
    check(values, acted, "value", json!(1.1e9), Invalid).await;
    check(values, acted, "value", json!(-0.01), Invalid).await;
    check(values, shown, "covariate", json!(-1e9), Accepted).await;
    check(values, shown, "covariate", json!(-1.1e9), Invalid).await;
    check(binary, shown, "covariate", json!(3), Accepted).await;
}

fn with(mut event: Value, field: &str, value: Value) -> Value {
    event[field] = value;
    event
}

#[tokio::test]
async fn an_exposure_of_yesterdays_decision_is_late() {
    let world = World::new(Sample { window_seconds: 1_000_000, ..SAMPLE });
    let tokens = [world.token("alice").await, world.token("bob").await];
    world.clock.advance(24 * HOUR);
    assert_eq!(world.send(&[exposure("1", &tokens[0])]).await, [Accepted]);
    world.clock.advance(1);
    assert_eq!(world.send(&[exposure("2", &tokens[1])]).await, [Late]);
}

#[tokio::test]
async fn a_token_of_an_earlier_round_counts_there() {
    let world = World::new(Sample { round: 2, ..SAMPLE });
    let mut claims = claims(START.as_second(), keys().subject(SAMPLE.uid, "alice"));
    let earlier = keys().sign(&claims);
    claims.round = 2;
    assert_eq!(world.send(&[exposure("1", &earlier)]).await, [Accepted]);
    assert_eq!(
        world.send(&[exposure("2", &keys().sign(&claims))]).await,
        [Duplicate],
        "the first exposure fixes it"
    );
    world.clock.advance(HOUR);
    let placements = world.totals(SAMPLE.uid).await.placements;
    assert_eq!((placements[0].cells.len(), placements[0].cells[0].round), (1, 1));
    let stranger = Keys::new(&[8; 32]).unwrap().sign(&claims);
    assert_eq!(world.send(&[exposure("3", &stranger)]).await, [Invalid], "another release's token");
}

#[tokio::test]
async fn what_is_no_list_of_events_is_told_why() {
    let world = World::new(SAMPLE);
    let token = world.token("alice").await;
    let check = async |body: Value, status, part: &str| {
        let (found, answer) = post(&world.ledger, "/v1/events", body.to_string()).await;
        assert_eq!(found, status, "{answer}");
        assert!(answer["message"].as_str().unwrap().contains(part), "{answer}");
    };
    let (bad, large) = (StatusCode::BAD_REQUEST, StatusCode::PAYLOAD_TOO_LARGE);
    check(json!({}), bad, "missing field `events`").await;
    check(json!({"events": [exposure("1", &token), {"id": "2"}]}), bad, "events[1]: missing field").await;
    check(json!({"events": [{"id": "1", "token": "t", "type": "sneeze"}]}), bad, "unknown variant `sneeze`")
        .await;
    check(json!({"events": vec![exposure("1", "t"); 1001]}), large, "at most 1000").await;
    check(json!({"events": [exposure(&"i".repeat(1 << 20), "t")]}), large, "too large").await;
    let (status, answer) = get(&world.ledger, "/v1/totals").await;
    assert_eq!(status, bad);
    assert!(answer["message"].as_str().unwrap().contains("campaign"), "{answer}");
    assert_eq!(world.send(&[]).await, []);
    assert_eq!(world.sums(SAMPLE.uid).await, (0, 0.0, 0), "nothing of a refused request is recorded");
}

#[tokio::test]
async fn cloudevents_are_told_apart_by_source_and_id_and_what_is_none_is_told_why() {
    let world = World::new(SAMPLE);
    let token = world.token("alice").await;
    let whole = json!({
        "specversion": "1.0", "id": "1", "source": "shop", "type": "dev.broadside.exposure",
        "data": {"token": token},
    });
    let send = async |kind: &str, body: String| {
        let request = axum::http::Request::post("/v1/events").header("content-type", kind);
        call(&world.ledger, request.body(body.into()).unwrap()).await
    };
    let check = async |change: &dyn Fn(&mut Value), message: &str| {
        let mut event = whole.clone();
        change(&mut event);
        let (status, answer) = send("application/cloudevents+json", event.to_string()).await;
        assert_eq!((status, &answer["code"]), (StatusCode::BAD_REQUEST, &json!("Malformed")), "{answer}");
        assert!(answer["message"].as_str().unwrap().contains(message), "{answer}");
    };
    check(&|event| event["specversion"] = json!("0.3"), "specversion: send CloudEvents of 1.0").await;
    check(&|event| event["id"] = json!(""), "id, source: neither may be empty").await;
    check(&|event| event["data"]["token"] = json!(7), "data.token: invalid type").await;
    check(&|event| event["time"] = json!("yesterday"), "time: ").await;
    check(&|event| drop(event.as_object_mut().unwrap().remove("data")), "missing field `data`").await;
    let (_, answer) = send("application/cloudevents-batch+json", json!([whole]).to_string()).await;
    assert_eq!(answer["outcomes"], json!([{"id": "1", "outcome": "accepted"}]));
    let mut elsewhere = whole.clone();
    elsewhere["type"] = json!("dev.broadside.reward");
    let (_, answer) = send("application/cloudevents+json; charset=utf-8", elsewhere.to_string()).await;
    assert!(answer["outcomes"][0]["message"].as_str().unwrap().starts_with("data.metric"), "{answer}");
    let reward = |source: &str| {
        let mut event = elsewhere.clone();
        (event["source"], event["data"]["metric"]) = (json!(source), json!("product-view"));
        event
    };
    let batch = json!([reward("shop"), reward("app"), reward("app")]).to_string();
    let (_, answer) = send("application/cloudevents-batch+json", batch).await;
    let outcomes: Vec<_> = (0..3).map(|place| answer["outcomes"][place]["outcome"].clone()).collect();
    assert_eq!(outcomes, ["accepted", "accepted", "duplicate"], "an id is one of its source");
    let many = json!(vec![whole; 1001]).to_string();
    let (status, _) = send("application/cloudevents-batch+json", many).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
}
