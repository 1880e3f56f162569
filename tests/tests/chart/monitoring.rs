//! What Prometheus and Grafana are told, held against what our processes tell and what the pages say.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context;
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::{Value, json};
use stage::{programs, terminal};
use tokio::process::Command;

use super::{Result, document, helm, said};

async fn alerts() -> anyhow::Result<Vec<Value>> {
    let values = "monitoring.prometheusRule.enabled=true,monitoring.prometheusRule.labels.release=prometheus";
    let rule: Value = serde_saphyr::from_str(&document(values, "PrometheusRule").await?)?;
    assert_eq!(rule["metadata"]["labels"]["release"], "prometheus");
    Ok(rule["spec"]["groups"][0]["rules"].as_array().context("rules")?.clone())
}

async fn dashboard() -> anyhow::Result<Value> {
    let values = "monitoring.dashboard.enabled=true,crds.enabled=false";
    let chart = said(&helm(&["template", "--set", values]).await?);
    let found = chart.split("\n---\n").find(|document| document.contains("grafana_dashboard: \"1\""));
    let object: ConfigMap = serde_saphyr::from_str(found.context("a ConfigMap")?)?;
    Ok(serde_json::from_str(&object.data.unwrap_or_default()["broadside.json"])?)
}

#[tokio::test]
async fn nothing_is_made_that_was_not_asked_for() -> Result {
    let chart = said(&helm(&["template"]).await?);
    for sign in ["PodMonitor", "PrometheusRule", "grafana_dashboard"] {
        assert!(!chart.contains(sign), "{sign}");
    }
    Ok(())
}

#[tokio::test]
async fn each_alert_has_a_section_that_says_what_to_do() -> Result {
    let page = std::fs::read_to_string(programs::repository().join("docs/runbooks.md"))?;
    let titles: BTreeSet<&str> = page.lines().filter_map(|line| line.strip_prefix("## Broadside")).collect();
    let alerts = alerts().await?;
    for alert in &alerts {
        let name = alert["alert"].as_str().context("a name")?;
        assert!(titles.contains(name.strip_prefix("Broadside").unwrap_or_default()), "{name} has no section");
        let link = alert["annotations"]["runbook_url"].as_str().context("a link")?;
        assert!(link.ends_with(&format!("/docs/runbooks.md#{}", name.to_lowercase())), "{link}");
        assert!(alert["annotations"]["summary"].as_str().is_some_and(|summary| summary.ends_with('.')));
        assert!(["critical", "warning"].map(Value::from).contains(&alert["labels"]["severity"]), "{name}");
    }
    assert_eq!(titles.len(), alerts.len(), "a section without its alert");
    Ok(())
}

/// Prometheus' own tool is compiled from source, too long for each `make test`: `make test-alerts` builds it and demands this test.
#[tokio::test]
async fn each_alert_fires_when_it_should_and_is_silent_when_it_should_be() -> Result {
    let cases = programs::repository().join("tests/tests/chart/alerts.yaml");
    let text = std::fs::read_to_string(&cases)?;
    let alerts = alerts().await?;
    for alert in &alerts {
        let name = alert["alert"].as_str().context("a name")?;
        let counts = text.split("  - name: ").filter(|case| case.starts_with(&format!("\"{name}: ")));
        let fires: BTreeSet<bool> = counts.map(|case| !case.contains("value: 0}")).collect();
        assert_eq!(fires.len(), 2, "{name} has no case in which it fires, or none in which it does not");
    }
    let Some(promtool) = std::env::var_os("BROADSIDE_TEST_PROMTOOL") else {
        terminal::say("NOT RUN: the alerts by Prometheus' promtool: make test-alerts builds and runs it");
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let rules = json!({ "groups": [{ "name": "broadside", "rules": alerts }] });
    std::fs::write(folder.path().join("rules.yaml"), rules.to_string())?;
    std::fs::copy(&cases, folder.path().join("alerts.yaml"))?;
    for arguments in
        [["check", "rules", "--lint-fatal", "rules.yaml"].as_slice(), &["test", "rules", "alerts.yaml"]]
    {
        let output = Command::new(&promtool).args(arguments).current_dir(folder.path()).output().await?;
        assert!(output.status.success(), "promtool {}: {}", arguments.join(" "), said(&output));
    }
    Ok(())
}

#[tokio::test]
async fn so_many_gateways_and_ledgers_are_waited_for_as_there_are_to_be() -> Result {
    let values =
        "monitoring.prometheusRule.enabled=true,gateway.replicas=5,ledger.parts=3,nats.url=nats://nats:4222";
    let rule = document(values, "PrometheusRule").await?;
    for expression in
        ["count(broadside_decide_refused_total) < 5", "(count(broadside_ledger_full) or vector(0)) < 3"]
    {
        assert!(rule.contains(&format!("expr: '{expression}'\n")), "{rule}");
    }
    Ok(())
}

#[tokio::test]
async fn metrics_are_read_from_each_part_and_over_tls_where_it_speaks_that() -> Result {
    let on = "monitoring.podMonitor.enabled=true,monitoring.podMonitor.interval=15s,\
              monitoring.podMonitor.labels.release=prometheus";
    let plain = said(&helm(&["template", "--set", on]).await?);
    for line in [
        "kind: PodMonitor\n",
        "      path: /metrics\n      scheme: http\n      interval: 15s\n",
        "    release: prometheus\n",
    ] {
        assert_eq!(plain.matches(line).count(), 3, "{line}: {plain}");
    }
    let tls = format!("{on},gateway.tlsSecret=gateway-tls,ledger.tlsSecret=ledger-tls");
    let verified = said(&helm(&["template", "--set", &tls]).await?);
    assert_eq!(verified.matches("      scheme: https\n").count(), 2, "{verified}");
    for part in ["gateway", "ledger"] {
        let verifies = format!(
            "        serverName: broadside-{part}.default.svc\n        ca: {{secret: {{name: {part}-tls, key: ca.crt}}}}\n"
        );
        assert_eq!(verified.matches(&verifies).count(), 1, "{verified}");
    }
    let other = format!("{tls},monitoring.podMonitor.gatewayTlsConfig.serverName=copy.shop.example");
    let other = said(&helm(&["template", "--set", &other]).await?);
    assert!(other.contains("      tlsConfig:\n        serverName: copy.shop.example\n"), "{other}");
    assert!(!other.contains("{name: gateway-tls, key: ca.crt}"), "{other}");
    Ok(())
}

#[tokio::test]
async fn alerts_and_panels_ask_for_metrics_that_there_are() -> Result {
    let asked = format!("{}{}", Value::from(alerts().await?), dashboard().await?);
    let repository = programs::repository();
    let pages =
        ["docs/gateway.md", "docs/runbooks.md"].map(|page| std::fs::read_to_string(repository.join(page)));
    let pages = pages.into_iter().collect::<std::io::Result<String>>()?;
    let mut sources = std::fs::read_to_string(repository.join("operator/src/metrics.rs"))?;
    read_all(&repository.join("operator/src/metrics"), &mut sources)?;
    read_all(&repository.join("gateway/src"), &mut sources)?;
    let names = metrics(&asked);
    assert!(names.len() > 15, "{names:?}");
    for name in names {
        let described = |mark: &str| pages.contains(&format!("`{}{mark}", family(name)));
        assert!(described("`") || described("{"), "{name} is described in neither page");
        assert!(is_registered(name, &sources), "{name} is registered nowhere");
    }
    Ok(())
}

/// The names of ours in expressions.
fn metrics(text: &str) -> BTreeSet<&str> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with("broadside_")).collect()
}

/// A histogram's name, of the name of one of its series.
fn family(name: &str) -> &str {
    ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name)
}

/// Whether the sources register it: under its name without the prefix of all the operator's, and without the ends that come by
/// its kind and its unit.
fn is_registered(name: &str, sources: &str) -> bool {
    let name = family(name.strip_prefix("broadside_operator_").unwrap_or(name));
    let mut stems = std::iter::successors(Some(name), shorter);
    stems.any(|stem| sources.contains(&format!("\"{stem}\"")))
}

fn shorter<'a>(name: &&'a str) -> Option<&'a str> {
    ["_total", "_seconds", "_bytes"].iter().find_map(|end| name.strip_suffix(end))
}

#[test]
fn a_metric_is_told_from_one_that_nobody_registers() {
    let sources =
        r#"register("broadside_events", ..); with_unit("broadside_ledger_log", ..); register("passes", ..)"#;
    for (name, is) in [
        ("broadside_events_total", true),
        ("broadside_ledger_log_bytes_total", true),
        ("broadside_operator_passes_total", true),
        ("broadside_event_total", false),
        ("broadside_passes_total", false),
    ] {
        assert_eq!(is_registered(name, sources), is, "{name}");
    }
}

fn read_all(folder: &Path, text: &mut String) -> Result {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            read_all(&path, text)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&std::fs::read_to_string(&path)?);
        }
    }
    Ok(())
}
