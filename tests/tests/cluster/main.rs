//! Broadside on a real cluster: real API server, scheduler, kubelet and containers. Needs root.
//!
//! The tests share one cluster, each in a namespace of its own; it ends with this process.

mod causes;
mod engine;
mod losses;
mod models;
mod rights;
#[path = "../support/mod.rs"]
mod support;

use std::time::Duration;

use anyhow::Context;
use support::{Campaign, World, in_namespace, installation, refused};

/// A machine that compiles at the same time takes its time.
const MINUTES: Duration = Duration::from_secs(60);

type Result = anyhow::Result<()>;

fn numbers(text: &str) -> anyhow::Result<Vec<u32>> {
    text.split_whitespace().map(|word| word.parse().context("a number")).collect()
}

#[tokio::test]
async fn the_example_goes_from_manifest_to_the_best_variant() -> Result {
    let stage = installation().await?;
    let campaign = Campaign { namespace: "shop", name: "cart-and-hero", placement: "hero" };
    let overlay = stage::programs::repository().join("examples/overlays/seconds").display().to_string();
    let manifest =
        stage.kubectl.run_all(["kustomize", "--load-restrictor=LoadRestrictionsNone", &overlay]).await?;
    stage.kubectl.feed("apply -f -", &manifest).await?;

    // The real scheduler places the worker on the node that offers the GPU, and a container writes.
    let pods = "-n shop get pods -l broadside.dev/campaign=cart-and-hero -o";
    let pod = stage.kubectl.until(&format!("{pods} name"), MINUTES, |pod| !pod.is_empty()).await?;
    let limits = "jsonpath={.items[0].spec.containers[0].resources.limits}";
    assert!(stage.kubectl.run(&format!("{pods} {limits}")).await?.contains("nvidia.com/gpu"), "{pod}");
    let written = campaign
        .get(stage, ".status.generation.outcome", 4 * MINUTES, |outcome| outcome == "Complete")
        .await?;
    assert_eq!(written, "Complete");
    let generated =
        "-n shop get advariants -o jsonpath={.items[?(@.spec.origin==\"Generated\")].metadata.name}";
    assert_eq!(stage.kubectl.run(generated).await?.split_whitespace().count(), 4);

    let truth = campaign.simulate(stage, World::Seeded(7), "--until-decided --duration 5m").await?;
    campaign.wait(stage, "Decided", MINUTES).await?;
    let winner =
        campaign.get(stage, ".status.placements[0].verdict.winner", MINUTES, |name| !name.is_empty()).await?;
    assert_eq!(Some(&winner), truth.best.as_ref(), "the winner is the variant that was made best");
    let slot = "-n shop get configmap adc-cart-and-hero-winner -o jsonpath={.data.hero\\.headline}";
    let headline = stage.kubectl.run(slot).await?;
    let served = format!("-n shop get advariant {winner} -o jsonpath={{.spec.slots.headline}}");
    assert_eq!(headline, stage.kubectl.run(&served).await?, "GitOps reads the winner's text");
    is_promoted(stage, &headline).await
}

/// The verdict is reached again from its evidence, and the winner written into a work tree, once.
async fn is_promoted(stage: &stage::Installation, headline: &str) -> Result {
    let tree = tempfile::tempdir()?;
    let winner = stage.kubectl.run("-n shop get configmap adc-cart-and-hero-winner -o yaml").await?;
    let file = tree.path().join("winner.yaml");
    std::fs::write(&file, &winner)?;
    let verified = stage.broadside.run(&format!("verify {}", file.display())).await?;
    assert!(verified.contains("the same verdict from"), "{verified}");

    let page = tree.path().join("site/home.yaml");
    std::fs::create_dir(tree.path().join("site"))?;
    std::fs::write(
        &page,
        "banner:\n  hero: # tested\n    headline: ''\n    body: ''\n    button: Go\n  other: 1\n",
    )?;
    let promote = format!("promote -n shop cart-and-hero --if-decided --into {}", tree.path().display());
    let message = stage.broadside.run(&promote).await?;
    assert!(message.starts_with("Promote hero of campaign shop/cart-and-hero\n"), "{message}");
    let text = std::fs::read_to_string(&page)?;
    let headline = serde_json::to_string(headline)?;
    assert!(text.contains(&format!("  hero: # tested\n    headline: {headline}\n")), "{text}");
    assert_eq!(stage.broadside.run(&promote).await?, "", "a second time there is nothing to commit");
    Ok(())
}

#[tokio::test]
async fn every_part_says_that_it_is_well_and_what_it_counts() -> Result {
    let stage = installation().await?;
    for (part, port, metric) in [
        ("operator", 8080, "broadside_operator_leading"),
        ("gateway", 8080, "broadside_decisions"),
        ("ledger", 8081, "broadside_events"),
    ] {
        let pod = format!(
            "-n broadside-system get pods -l app.kubernetes.io/component={part} -o jsonpath={{.items[0].metadata.name}}"
        );
        let pod = stage.kubectl.run(&pod).await?;
        let get = async |path: &str| {
            let path = format!("/api/v1/namespaces/broadside-system/pods/{pod}:{port}/proxy{path}");
            stage.kubectl.run(&format!("get --raw {path}")).await
        };
        get("/healthz").await?;
        get("/readyz").await?;
        let metrics = get("/metrics").await?;
        assert!(metrics.contains(metric) && metrics.trim_end().ends_with("# EOF"), "{part}: {metrics}");
    }
    Ok(())
}

#[tokio::test]
async fn helm_test_finds_the_release_well_from_inside_of_the_cluster() -> Result {
    let stage = installation().await?;
    let said = stage.test().await?;
    for line in [
        "ok      the gateway has read the tables at http://broadside-gateway.broadside-system.svc:8080",
        "ok      the ledger has read the tables, and records at http://broadside-ledger.broadside-system.svc:8081",
    ] {
        assert!(said.contains(line), "{said}");
    }
    assert!(!said.contains("failed  "), "{said}");
    Ok(())
}

#[tokio::test]
async fn totals_are_told_to_the_operators_account_alone() -> Result {
    let stage = installation().await?;
    let token = async |account: &str, audience: &str| {
        let line = format!("-n broadside-system create token {account} {audience}");
        stage.kubectl.run(&line).await.map(|token| token.trim().to_owned())
    };
    let status = async |token: &str| {
        let request = reqwest::Client::new().get(format!("{}/v1/totals?campaign=none", stage.ledger));
        let request = if token.is_empty() { request } else { request.bearer_auth(token) };
        anyhow::Ok(request.send().await?.status().as_u16())
    };
    let ours = "--audience=broadside-ledger";
    assert_eq!(status("").await?, 401);
    assert_eq!(status("no token").await?, 401);
    assert_eq!(status(&token("broadside-operator", "").await?).await?, 401, "one for the API server");
    assert_eq!(status(&token("broadside-gateway", ours).await?).await?, 403);
    assert_eq!(status(&token("broadside-operator", ours).await?).await?, 200);
    Ok(())
}

#[tokio::test]
async fn a_world_without_differences_names_no_winner() -> Result {
    let stage = installation().await?;
    in_namespace(stage, "even").await?;
    let campaign = Campaign { namespace: "even", name: "even", placement: "hero" };
    // By chance a winner is named where there is none in at most one of a hundred runs, and by this test in far fewer.
    let strict = support::people_only("even", "45s").replace("stopping: {", "stopping: {confidence: 99%, ");
    campaign.apply(stage, &strict).await?;
    campaign.wait(stage, "Ready", MINUTES).await?;
    let truth = campaign.simulate(stage, World::Null(3), "--until-decided --duration 3m").await?;
    assert_eq!(truth.best, None);
    campaign.wait(stage, "Decided", MINUTES).await?;
    let reason =
        campaign.get(stage, ".status.conditions[?(@.type==\"Decided\")].reason", MINUTES, |_| true).await?;
    assert_eq!(reason, "Inconclusive");
    let samples = campaign.get(stage, ".status.placements[0].samples", MINUTES, |_| true).await?;
    assert!(samples.parse::<u64>()? > 1_000, "only {samples} people were counted");
    Ok(())
}

#[tokio::test]
async fn every_bad_manifest_is_refused_with_field_and_remedy() -> Result {
    let stage = installation().await?;
    in_namespace(stage, "refused").await?;
    let mut faults = Vec::new();
    let cases = refused::cases()?;
    assert!(cases.len() >= 12, "manifests are missing");
    for case in &cases {
        if let Err(fault) = case.check(stage, "refused").await {
            faults.push(format!("{}: {fault:#}", case.name));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}

/// Of each placement: enough that a slow worker is busy with the second while the first one's variants appear.
const ASKED: u32 = 16;
const PLACEMENTS: [&str; 2] = ["hero", "side"];

#[tokio::test]
async fn a_worker_that_is_killed_halfway_is_replaced_and_writes_nothing_twice() -> Result {
    let stage = installation().await?;
    in_namespace(stage, "killed").await?;
    support::slow_down(stage, "killed").await?;
    let campaign = Campaign { namespace: "killed", name: "killed", placement: "hero" };
    campaign.apply(stage, &support::placed(&support::generated("killed", ASKED), &PLACEMENTS)?).await?;
    let pods = "-n killed get pods -l broadside.dev/campaign=killed -o name";
    let first = stage.kubectl.until(pods, MINUTES, |pods| !pods.is_empty()).await?;
    let variants =
        "-n killed get advariants -o jsonpath={.items[?(@.spec.origin==\"Generated\")].metadata.name}";
    let halfway = stage.kubectl.until(variants, 4 * MINUTES, |names| !names.is_empty()).await?;
    stage.kubectl.run(&format!("-n killed delete {first} --grace-period=0 --force")).await?;

    campaign.get(stage, ".status.generation.outcome", 4 * MINUTES, |outcome| outcome == "Complete").await?;
    // The Job asks for another pod only where the first had not finished.
    let second = stage.kubectl.run(pods).await?;
    assert!(!second.trim().is_empty() && !second.contains(&first), "no second pod: {second}");
    let written = stage.kubectl.run(variants).await?;
    let kept = halfway.split_whitespace().all(|name| written.contains(name));
    assert!(kept, "what was there before is still there: {halfway} and {written}");
    // Each that was asked for is there once: a second worker that began anew would write some twice.
    for placement in PLACEMENTS {
        let of_placement = format!("-l broadside.dev/placement={placement}");
        let indices = variants.replace(".metadata.name", ".spec.provenance.index");
        let indices = indices.replace("get advariants", &format!("get advariants {of_placement}"));
        let mut indices = numbers(&stage.kubectl.run(&indices).await?)?;
        let count = indices.len();
        indices.sort_unstable();
        indices.dedup();
        assert_eq!((indices.len(), count), (ASKED as usize, ASKED as usize), "{placement}");
    }
    Ok(())
}

#[tokio::test]
async fn suspending_stops_the_worker_which_tells_what_it_took_and_resuming_lets_it_finish() -> Result {
    let stage = installation().await?;
    in_namespace(stage, "paused").await?;
    support::slow_down(stage, "paused").await?;
    let campaign = Campaign { namespace: "paused", name: "paused", placement: "hero" };
    campaign.apply(stage, &support::generated("paused", 16)).await?;
    campaign.get(stage, ".status.generation.outcome", MINUTES, |outcome| outcome == "Running").await?;
    let log = "-n paused logs -l broadside.dev/campaign=paused --ignore-errors";
    stage.kubectl.until(log, MINUTES, |log| log.contains("writing begins")).await?;
    // So that there is something to count.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let suspend = async |value: bool| {
        let patch = format!("{{\"spec\":{{\"suspend\":{value}}}}}");
        let line = ["-n", "paused", "patch", "adcampaign", "paused", "--type=merge", "--patch", &patch];
        stage.kubectl.run_all(line).await.map(drop)
    };
    suspend(true).await?;
    let suspended = "-n paused get jobs -o jsonpath={.items[0].spec.suspend}";
    stage.kubectl.until(suspended, MINUTES, |suspended| suspended == "true").await?;
    let pods = "-n paused get pods -l broadside.dev/campaign=paused -o name";
    stage.kubectl.until(pods, MINUTES, str::is_empty).await?;
    assert_eq!(campaign.get(stage, ".status.phase", MINUTES, |_| true).await?, "Suspended");
    let taken = ".status.generation.spending";
    campaign.get(stage, taken, MINUTES, |taken| taken.contains("\"tokens\":")).await?;

    suspend(false).await?;
    campaign.get(stage, ".status.generation.outcome", 4 * MINUTES, |outcome| outcome == "Complete").await?;
    let written =
        "-n paused get advariants -o jsonpath={.items[?(@.spec.origin==\"Generated\")].metadata.name}";
    assert_eq!(stage.kubectl.run(written).await?.split_whitespace().count(), 16);
    Ok(())
}

/// As a queue does, by hand.
#[tokio::test]
async fn a_budget_outlasts_a_turn_that_was_taken_away_and_is_final_once_it_is_spent() -> Result {
    let stage = installation().await?;
    in_namespace(stage, "spent").await?;
    support::keep_waiting(stage, "spent").await?;
    let campaign = Campaign { namespace: "spent", name: "spent", placement: "hero" };
    let budget = "seed: 7, budget: {duration: 60s}}";
    campaign.apply(stage, &support::generated("spent", 2).replace("seed: 7}", budget)).await?;
    campaign.get(stage, ".status.generation.spending.startedAt", MINUTES, |start| !start.is_empty()).await?;
    let job = stage.kubectl.run("-n spent get jobs -o name").await?;
    let hold = async |held: bool| {
        let patch = format!("{{\"spec\":{{\"suspend\":{held}}}}}");
        stage.kubectl.run(&format!("-n spent patch {} --type=merge --patch {patch}", job.trim())).await
    };

    // So that there is something to remember.
    tokio::time::sleep(Duration::from_secs(5)).await;
    hold(true).await?;
    let earlier = ".status.generation.spending.earlierSeconds";
    let is_known = |seconds: &str| seconds.parse::<u32>().is_ok_and(|seconds| seconds >= 5);
    let ran = campaign.get(stage, earlier, MINUTES, is_known).await?;
    hold(false).await?;
    campaign.get(stage, ".status.generation.spending.startedAt", MINUTES, |start| !start.is_empty()).await?;
    assert_eq!(
        campaign.get(stage, earlier, MINUTES, |_| true).await?,
        ran,
        "it goes on from what it took before"
    );

    let ready = ".status.conditions[?(@.type==\"VariantsReady\")].reason";
    campaign.get(stage, ready, 2 * MINUTES, |reason| reason == "BudgetSpent").await?;
    let why = "-n spent get jobs -o jsonpath={.items[0].status.conditions[?(@.type==\"Failed\")].reason}";
    stage.kubectl.until(why, MINUTES, |why| why == "DeadlineExceeded").await?;
    let pods =
        "-n spent get pods -l broadside.dev/campaign=spent --field-selector=status.phase!=Failed -o name";
    stage.kubectl.until(pods, MINUTES, str::is_empty).await?;
    Ok(())
}

/// A queue that has a Job suspended lets it go on without knowing that it is to end.
#[tokio::test]
async fn who_resumes_a_job_that_is_not_to_go_on_ends_it() -> Result {
    let stage = installation().await?;
    in_namespace(stage, "settled").await?;
    support::keep_waiting(stage, "settled").await?;
    let campaign = Campaign { namespace: "settled", name: "settled", placement: "hero" };
    campaign.apply(stage, &support::generated("settled", 2)).await?;
    let job = stage.kubectl.until("-n settled get jobs -o name", MINUTES, |job| !job.is_empty()).await?;
    let patch = async |object: &str, patch: &str| {
        stage.kubectl.run(&format!("-n settled patch {object} --type=merge --patch {patch}")).await
    };
    patch(job.trim(), r#"{"spec":{"suspend":true}}"#).await?;
    let ends = jiff::Timestamp::now() + Duration::from_secs(1);
    patch("adcampaign settled", &format!(r#"{{"spec":{{"schedule":{{"endsAt":"{ends:.0}"}}}}}}"#)).await?;
    let deadline = "-n settled get jobs -o jsonpath={.items[0].spec.activeDeadlineSeconds}";
    stage.kubectl.until(deadline, MINUTES, |seconds| seconds == "1").await?;
    let ended = "-n settled get jobs -o jsonpath={.items[0].status.conditions[?(@.type==\"Failed\")].reason}";
    patch(job.trim(), r#"{"spec":{"suspend":false}}"#).await?;
    stage.kubectl.until(ended, MINUTES, |why| why == "DeadlineExceeded").await?;
    let ready = ".status.conditions[?(@.type==\"VariantsReady\")].reason";
    assert_eq!(campaign.get(stage, ready, MINUTES, |_| true).await?, "Shortfall");
    Ok(())
}

#[tokio::test]
async fn nothing_goes_back_when_the_operator_is_killed() -> Result {
    let stage = installation().await?;
    in_namespace(stage, "steady").await?;
    let campaign = Campaign { namespace: "steady", name: "steady", placement: "hero" };
    campaign.apply(stage, &support::people_only("steady", "1h")).await?;
    campaign.wait(stage, "Ready", MINUTES).await?;
    let simulation = campaign.simulate(stage, World::Null(5), "--duration 60s");
    let watched = async {
        let mut last = support::Progress::default();
        for round in 0..20 {
            if round == 6 || round == 12 {
                let kill = "-n broadside-system delete pod -l app.kubernetes.io/component=operator --grace-period=0 --force";
                stage.kubectl.run(kill).await?;
            }
            let now = support::Progress::read(stage, &campaign).await?;
            anyhow::ensure!(now.is_not_before(&last), "{now:?} after {last:?}");
            last = now;
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
        anyhow::Ok(last)
    };
    let (simulated, last) = tokio::join!(simulation, watched);
    simulated?;
    let last = last?;
    assert!(last.round >= 2 && last.samples > 0, "the experiment went on: {last:?}");
    Ok(())
}

#[tokio::test]
async fn another_operator_takes_the_place_of_the_one_that_acts() -> Result {
    let stage = installation().await?;
    let holder = "-n broadside-system get lease broadside-operator -o jsonpath={.spec.holderIdentity}";
    for how in ["--wait=false", "--grace-period=0 --force"] {
        let leads = stage.kubectl.until(holder, MINUTES, |leads| !leads.is_empty()).await?;
        stage.kubectl.run(&format!("-n broadside-system delete pod {leads} {how}")).await?;
        stage.kubectl.until(holder, MINUTES, |now| !now.is_empty() && now != leads).await?;
    }
    in_namespace(stage, "followed").await?;
    let campaign = Campaign { namespace: "followed", name: "followed", placement: "hero" };
    campaign.apply(stage, &support::people_only("followed", "1h")).await?;
    campaign.wait(stage, "Ready", MINUTES).await
}

#[tokio::test]
async fn a_campaign_made_again_inherits_nothing_and_deleting_it_removes_everything() -> Result {
    let stage = installation().await?;
    in_namespace(stage, "again").await?;
    let campaign = Campaign { namespace: "again", name: "again", placement: "hero" };
    let manifest = support::people_only("again", "1h");
    campaign.apply(stage, &manifest).await?;
    campaign.wait(stage, "Ready", MINUTES).await?;
    campaign.simulate(stage, World::Null(9), "--duration 12s").await?;
    campaign
        .get(stage, ".status.placements[0].samples", MINUTES, |samples| {
            samples.parse().is_ok_and(|n: u64| n > 0)
        })
        .await?;

    stage.kubectl.run("-n again delete adcampaign again").await?;
    let children = "-n again get advariants,adtables,jobs,configmaps,serviceaccounts,rolebindings -l app.kubernetes.io/managed-by=broadside -o name";
    stage.kubectl.until(children, MINUTES, str::is_empty).await?;

    campaign.apply(stage, &manifest).await?;
    campaign.wait(stage, "Ready", MINUTES).await?;
    // Fewer people than the first time: whoever inherited those would have more.
    campaign.simulate(stage, World::Null(10), "--duration 5s").await?;
    let samples = campaign
        .get(stage, ".status.placements[0].samples", MINUTES, |samples| {
            samples.parse().is_ok_and(|n: u64| n > 1_000)
        })
        .await?;
    assert!(samples.parse::<u64>()? <= 2_000, "{samples} of at most 2000 people");
    let table = stage.kubectl.run("-n again get adtables -o jsonpath={.items[*].spec.number}").await?;
    assert_eq!(table.split_whitespace().count(), 1, "one table, of the new campaign: {table}");
    Ok(())
}

#[tokio::test]
async fn a_workers_account_creates_variants_for_its_own_campaign_alone() -> Result {
    let stage = installation().await?;
    in_namespace(stage, "rights").await?;
    let own = Campaign { namespace: "rights", name: "own", placement: "hero" };
    own.apply(stage, &support::generated("own", 1)).await?;
    own.get(stage, ".status.generation.outcome", 4 * MINUTES, |outcome| outcome == "Complete").await?;
    let other = Campaign { namespace: "rights", name: "other", placement: "hero" };
    other.apply(stage, &support::people_only("other", "1h")).await?;
    let attempt = support::variant("other", "Stolen words");
    let as_worker = "--as=system:serviceaccount:rights:adc-own-worker --as-group=system:serviceaccounts --as-user-extra=authentication.kubernetes.io/pod-name=x";
    let refusal = stage.kubectl.feed(&format!("-n rights create -f - {as_worker}"), &attempt).await;
    let refusal = refusal.err().context("a variant of another campaign was created")?.to_string();
    assert!(refusal.contains("denied") || refusal.contains("forbidden"), "{refusal}");
    // The same account may write for its own campaign, so it was the policy that said no.
    let allowed = support::variant("own", "Honest words");
    stage.kubectl.feed(&format!("-n rights create -f - {as_worker}"), &allowed).await?;
    let table = "-n rights auth can-i update adtables --as=system:serviceaccount:rights:adc-own-worker";
    assert!(stage.kubectl.run(table).await.is_err(), "a worker may not write tables");
    Ok(())
}
