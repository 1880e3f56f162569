//! The health check for Argo CD, run on what the operator says in the scenarios of its own tests.

use anyhow::{Context as _, ensure};
use api::AdCampaign;
use jiff::Timestamp;
use mlua::{Lua, LuaOptions, LuaSerdeExt as _, StdLib};
use operator::error::Error;
use operator::status::{Pass, report};
use serde::Deserialize;
use serde_json::Value;
use stage::programs;

/// Why a campaign has no status at a step: there is none, or it is that of the step before.
const NO_STEP: &str = "no such step";
const NO_STATUS: &str = "the step has no status";

const KEY: &str = "resource.customizations.health.broadside.dev_AdCampaign";

const NOT_YET: &str = "the operator has not carried out this generation yet";

/// What Argo CD shows.
#[derive(Debug, PartialEq, Deserialize)]
struct Health {
    status: String,
    message: String,
}

/// The check, as Argo CD runs it: Lua 5.1 with few libraries, the object in a global, and what the script returns.
fn health(object: &Value) -> anyhow::Result<Health> {
    let file = programs::repository().join("examples/gitops/argo-cd/health.yaml");
    let patch: Value = serde_saphyr::from_str(&std::fs::read_to_string(file)?)?;
    let script = patch["data"][KEY].as_str().context(KEY)?;
    let lua = Lua::new_with(StdLib::PACKAGE | StdLib::TABLE, LuaOptions::default())?;
    // Argo CD knows no null: such a field is not there.
    let options =
        mlua::serde::ser::Options::new().serialize_none_to_null(false).serialize_unit_to_null(false);
    lua.globals().set("obj", lua.to_value_with(object, options)?)?;
    Ok(lua.from_value(lua.load(script).eval()?)?)
}

/// A campaign at a step of one of the operator's scenarios, in the words that the operator has for it there.
fn campaign(case: &str, step: usize) -> anyhow::Result<Value> {
    let folder = programs::repository().join("operator/tests/cases").join(case);
    let mut object: Value = serde_saphyr::from_str(&std::fs::read_to_string(folder.join("campaign.yaml"))?)?;
    let told = std::fs::read_to_string(folder.join("expected.txt"))?;
    let told = told.split("--- ").skip(1).nth(step).context(NO_STEP)?;
    let status = told.find("\nobservedGeneration: ").context(NO_STATUS)?;
    object["status"] = serde_saphyr::from_str(&told[status..])?;
    object["metadata"]["generation"] = object["status"]["observedGeneration"].clone();
    object["spec"]["suspend"] = (object["status"]["phase"] == "Suspended").into();
    Ok(object)
}

fn check(object: &Value, status: &str, message: &str) -> anyhow::Result<()> {
    let shown = health(object)?;
    ensure!(shown.status == status && shown.message.starts_with(message), "{status}, {message}: {shown:?}");
    Ok(())
}

#[test]
fn each_state_of_a_campaign_has_its_health() -> anyhow::Result<()> {
    for (case, step, status, message) in [
        ("a-spec-that-cannot-be-carried-out-names-every-fault", 0, "Degraded", "InvalidSpec: spec"),
        (
            "a-missing-model-stalls-and-the-control-is-served",
            0,
            "Degraded",
            "ModelNotFound: spec.generation.model: there is no AdModel handbill in namespace shop: ask",
        ),
        ("a-campaign-that-could-not-be-written-is-stalled", 2, "Degraded", "NothingToTest: "),
        ("a-missing-model-stalls-and-the-control-is-served", 1, "Healthy", "Generating: "),
        (
            "nothing-is-shown-before-somebody-approved-it",
            2,
            "Healthy",
            "Generating: 1 of 2 variants are written",
        ),
        ("nothing-is-shown-before-somebody-approved-it", 3, "Healthy", "Collecting: "),
        ("a-dry-run-shows-the-control-and-whoever-wins-is-a-false-alarm", 0, "Healthy", "Collecting: "),
        (
            "a-scheduled-campaign-shows-the-control-until-its-day-and-ends-on-its-last",
            0,
            "Healthy",
            "Scheduled: until ",
        ),
        ("a-variant-that-is-better-wins-and-stays", 0, "Healthy", "Collecting: the numbers don't allow"),
        (
            "a-ledger-that-lost-its-record-moves-nothing",
            3,
            "Suspended",
            "Suspended: the campaign is suspended",
        ),
        ("a-variant-that-is-better-wins-and-stays", 3, "Healthy", "Winner: trail-hero-48877df4 has a higher"),
        ("the-control-wins-when-every-variant-is-worse", 2, "Healthy", "ControlWins: "),
        ("time-is-up-without-a-winner", 3, "Healthy", "Inconclusive: "),
        ("two-placements-end-each-in-its-own-way", 4, "Healthy", "Mixed: "),
    ] {
        check(&campaign(case, step)?, status, message).with_context(|| format!("{case}, step {step}"))?;
    }
    let mut suspended = campaign("a-variant-that-is-better-wins-and-stays", 3)?;
    suspended["spec"]["suspend"] = true.into();
    check(&suspended, "Suspended", "Winner: ")
}

#[test]
fn what_was_not_carried_out_is_progressing() -> anyhow::Result<()> {
    let mut object = campaign("a-spec-that-cannot-be-carried-out-names-every-fault", 0)?;
    object["metadata"]["generation"] = 2.into();
    check(&object, "Progressing", NOT_YET).context("a spec that was mended since")?;
    let mut served = campaign("a-variant-that-is-better-wins-and-stays", 3)?;
    served["metadata"]["generation"] = 2.into();
    check(&served, "Progressing", NOT_YET).context("a verdict on the spec before")?;
    let status = object.as_object_mut().and_then(|object| object.remove("status"));
    ensure!(status.is_some());
    check(&object, "Progressing", NOT_YET).context("nobody looked at it")?;
    let first: AdCampaign = serde_json::from_value(object.clone())?;
    let status = report(&first, &Pass::default(), Some(&Error::TimedOut(60)), Timestamp::UNIX_EPOCH);
    object["status"] = serde_json::to_value(status)?;
    check(&object, "Progressing", "ApiError: the pass took longer than 60 seconds")
}

/// Whatever the operator says, the check has an answer, and a person is called where a person is needed.
#[test]
fn no_status_of_the_operators_is_without_health() -> anyhow::Result<()> {
    let cases = std::fs::read_dir(programs::repository().join("operator/tests/cases"))?;
    let mut statuses = 0;
    for case in cases {
        let case = case?.file_name().into_string().ok().context("a name in UTF-8")?;
        for step in 0.. {
            let object = match campaign(&case, step) {
                Err(error) if error.to_string() == NO_STEP => break,
                Err(error) if error.to_string() == NO_STATUS => continue,
                object => object.with_context(|| format!("{case}, step {step}"))?,
            };
            let shown = health(&object).with_context(|| format!("{case}, step {step}"))?;
            let stalled = object["status"]["conditions"][2]["status"] == "True";
            ensure!((shown.status == "Degraded") == stalled, "{case}, step {step}: {shown:?}");
            statuses += 1;
        }
    }
    ensure!(statuses > 200, "only {statuses} statuses were found");
    Ok(())
}
