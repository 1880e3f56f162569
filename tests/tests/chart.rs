//! The charts as Helm reads them, without a cluster.

#[path = "chart/monitoring.rs"]
mod monitoring;
#[path = "chart/probe.rs"]
mod probe;
#[path = "chart/scope.rs"]
mod scope;

use std::process::Output;

use anyhow::Context;
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use stage::programs;
use tokio::process::Command;

type Result = anyhow::Result<()>;

async fn helm(arguments: &[&str]) -> anyhow::Result<Output> {
    helm_of("broadside", arguments).await
}

/// Helm, asked about one of our charts.
async fn helm_of(chart: &str, arguments: &[&str]) -> anyhow::Result<Output> {
    let folder = programs::repository().join("charts").join(chart);
    let (verb, rest) = arguments.split_first().context("a verb")?;
    let mut command = Command::new(cluster::tools::helm().await?);
    // `template` names its release before the chart, `lint` has none.
    command.arg(verb).args((*verb == "template").then_some("broadside")).arg(folder).args(rest);
    command.output().await.context("starting helm")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The document of a kind in what Helm renders.
async fn document(values: &str, kind: &str) -> anyhow::Result<String> {
    let chart = said(&helm(&["template", "--set", values]).await?);
    let found = chart.split("\n---\n").find(|document| document.contains(&format!("\nkind: {kind}\n")));
    Ok(found.with_context(|| format!("no {kind}: {chart}"))?.to_owned())
}

#[tokio::test]
async fn helm_has_nothing_to_say_against_them() -> Result {
    for chart in ["broadside", "broadside-crds"] {
        let output = helm_of(chart, &["lint", "--strict"]).await?;
        assert!(output.status.success(), "{chart}: {}", said(&output));
    }
    Ok(())
}

/// The definitions that a chart renders, each as its name, its specification and whether it is kept.
async fn definitions(chart: &str, arguments: &[&str]) -> anyhow::Result<Vec<(String, String, bool)>> {
    let chart = said(&helm_of(chart, &[&["template"], arguments].concat()).await?);
    let documents = chart.split("\n---\n").filter(|it| it.contains("\nkind: CustomResourceDefinition\n"));
    let each = documents.map(|document| {
        let definition: CustomResourceDefinition = serde_saphyr::from_str(document)?;
        let annotations = definition.metadata.annotations.unwrap_or_default();
        let kept = annotations.get("helm.sh/resource-policy").is_some_and(|policy| policy == "keep");
        let specification = serde_json::to_string(&definition.spec)?;
        anyhow::Ok((definition.metadata.name.context("a name")?, specification, kept))
    });
    each.collect()
}

#[tokio::test]
async fn definitions_are_the_same_from_a_chart_of_their_own() -> Result {
    let own = definitions("broadside-crds", &[]).await?;
    assert_eq!(own.len(), api::definitions().len());
    assert_eq!(own, definitions("broadside", &[]).await?);
    assert!(own.iter().all(|(_, _, kept)| *kept));
    let let_go = definitions("broadside-crds", &["--set", "keep=false"]).await?;
    assert!(let_go.iter().all(|(_, _, kept)| !kept));
    assert!(definitions("broadside", &["--set", "crds.enabled=false"]).await?.is_empty());
    let refused = helm_of("broadside-crds", &["template", "--set", "enabled=false"]).await?;
    assert!(!refused.status.success() && said(&refused).contains("enabled"), "{}", said(&refused));
    Ok(())
}

#[tokio::test]
async fn a_value_that_it_does_not_know_is_refused_by_name() -> Result {
    for (value, named) in [
        ("gateway.replica=3", "replica"),
        ("scope.namespaces={Shop}", "namespaces"),
        ("scope.namespaces={shop,shop}", "namespaces"),
        ("scope.objects=Some", "objects"),
        ("gateway.replicas=none", "replicas"),
        ("ledger.persistence.size=0", "size"),
        ("operator.figuresInterval=often", "figuresInterval"),
        ("worker.imageVolumes=sometimes", "imageVolumes"),
        ("gateway.apiKeySecrets={Shop Keys}", "apiKeySecrets"),
        ("gateway.rateLimit=-1", "rateLimit"),
        ("gateway.rateLimit=50", "gateway.apiKeySecrets"),
        ("gateway.tlsSecret=Shop", "tlsSecret"),
        ("ledger.keepLog=month", "keepLog"),
        ("ledger.keepLogSize=5GB", "keepLogSize"),
        ("ledger.keepLogSize=5Gi", "ledger.keepLog"),
        ("ledger.export.every=1d", "ledger.keepLog"),
        ("ledger.keepLog=30d,ledger.export.every=1d", "ledger.export.existingClaim"),
        ("ledger.export.every=daily", "every"),
        ("ledger.export.format=csv", "format"),
        ("ledger.export.existingClaim=Shop", "existingClaim"),
        ("gateway.allowOrigins={https://shop.example/}", "allowOrigins"),
        ("nats.url=nats:4222", "url"),
        ("networkPolicy.dns.ports=", "ports"),
        ("networkPolicy.nats.ports={nats}", "ports"),
        ("networkPolicy.nats.to={nats}", "to"),
        ("networkPolicy.monitoring.from={prometheus}", "from"),
        ("networkPolicy.applications.to={shop}", "to"),
        ("ledger.parts=0", "parts"),
        ("ledger.parts=65", "parts"),
        ("ledger.parts=2", "nats.url"),
        ("monitoring.podMonitor.interval=often", "interval"),
        ("monitoring.prometheusRule.runbookUrl=runbooks", "runbookUrl"),
        ("monitoring.dashboard.labels.app\\.kubernetes\\.io/part-of=grafana", "labels"),
        ("gateway.ingress.enabled=true", "gateway.ingress.hosts"),
        ("gateway.ingress.hosts[0].host=Shop", "host"),
        ("gateway.ingress.hosts[0].host=shop.example,gateway.ingress.hosts[0].paths={/v1/totals}", "paths"),
        ("gateway.httpRoute.enabled=true", "gateway.httpRoute.parentRefs"),
        ("gateway.httpRoute.parentRefs={public}", "parentRefs"),
        ("gateway.priorityClassName=High", "priorityClassName"),
        ("ledger.podLabels.app\\.kubernetes\\.io/name=other", "podLabels"),
        ("ledger.podAnnotations.kubectl\\.kubernetes\\.io/default-container=mesh", "podAnnotations"),
    ] {
        let output = helm(&["template", "--set", value]).await?;
        assert!(!output.status.success() && said(&output).contains(named), "{value}: {}", said(&output));
    }
    Ok(())
}

#[tokio::test]
async fn what_is_left_out_is_left_out() -> Result {
    let check = async |value: &str, kind: &str| {
        let with = said(&helm(&["template"]).await?);
        let without = said(&helm(&["template", "--set", value]).await?);
        let counts = [with, without].map(|text| text.matches(&format!("kind: {kind}\n")).count());
        assert!(counts[0] > counts[1], "{value}: {counts:?} of {kind}");
        anyhow::Ok(())
    };
    check("crds.enabled=false", "CustomResourceDefinition").await?;
    check("rbac.aggregate=false", "ClusterRole").await?;
    check("ledger.persistence.enabled=false", "PersistentVolumeClaim").await
}

#[tokio::test]
async fn images_of_models_are_volumes_only_where_that_is_asked() -> Result {
    let flag = "--worker-image-volumes";
    assert!(!said(&helm(&["template"]).await?).contains(flag));
    assert!(said(&helm(&["template", "--set", "worker.imageVolumes=true"]).await?).contains(flag));
    Ok(())
}

#[tokio::test]
async fn pages_of_other_origins_are_let_in_by_gateway_and_ledger_alike() -> Result {
    let flag = "--allow-origin=";
    assert!(!said(&helm(&["template"]).await?).contains(flag));
    let value = "gateway.allowOrigins={https://shop.example,http://localhost:3000}";
    let with = said(&helm(&["template", "--set", value]).await?);
    for origin in ["https://shop.example", "http://localhost:3000"] {
        assert_eq!(with.matches(&format!("- \"{flag}{origin}\"\n")).count(), 2, "{with}");
    }
    Ok(())
}

#[tokio::test]
async fn visitors_are_known_by_a_cookie_where_that_is_asked_for() -> Result {
    let rendered = async |values: &[&str]| anyhow::Ok(said(&helm(&[&["template"], values].concat()).await?));
    assert!(!rendered(&[]).await?.contains("--visitor"));
    let named = rendered(&["--set", "gateway.visitorCookie.name=visitor"]).await?;
    assert!(named.contains("- --visitor-cookie=visitor\n") && !named.contains("--visitor-domain"), "{named}");
    let both = "gateway.visitorCookie.name=visitor,gateway.visitorCookie.domain=shop.example";
    assert!(rendered(&["--set", both]).await?.contains("- --visitor-domain=shop.example\n"));
    Ok(())
}

#[tokio::test]
async fn decisions_are_recorded_where_that_is_asked_for_and_there_is_a_stream() -> Result {
    let flag = "- --record-decisions\n";
    let stream = "nats.url=nats://nats:4222";
    assert!(!said(&helm(&["template", "--set", stream]).await?).contains(flag));
    let recorded = format!("{stream},gateway.recordDecisions=true");
    assert_eq!(said(&helm(&["template", "--set", &recorded]).await?).matches(flag).count(), 1);
    let refused = helm(&["template", "--set", "gateway.recordDecisions=true"]).await?;
    let refused = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.contains("gateway.recordDecisions") && refused.contains("set nats.url"), "{refused}");
    Ok(())
}

#[tokio::test]
async fn gateway_and_ledger_know_the_same_stream() -> Result {
    assert!(!said(&helm(&["template"]).await?).contains("--nats"));
    let values = "nats.url=nats://nats:4222,nats.credentialsSecret=broadside-nats";
    let with = said(&helm(&["template", "--set", values]).await?);
    for line in [
        "- \"--nats=nats://nats:4222\"\n",
        "- \"--nats-replicas=3\"\n",
        "- --nats-credentials=/var/run/broadside/nats/credentials\n",
        "secret: {secretName: \"broadside-nats\"}",
        "- {name: nats, mountPath: /var/run/broadside/nats, readOnly: true}\n",
    ] {
        assert_eq!(with.matches(line).count(), 2, "{line}: {with}");
    }
    Ok(())
}

#[tokio::test]
async fn a_drain_takes_one_of_several_at_a_time_and_is_never_held_up() -> Result {
    let kind = "kind: PodDisruptionBudget";
    let several = said(&helm(&["template"]).await?);
    assert_eq!(
        (several.matches(kind).count(), several.matches("maxUnavailable: 1\n").count()),
        (2, 2),
        "{several}"
    );
    let alone = ["template", "--set", "gateway.replicas=1,operator.replicas=1"];
    assert!(!said(&helm(&alone).await?).contains(kind));
    Ok(())
}

#[tokio::test]
async fn one_operator_acts_by_a_lease_that_it_may_write() -> Result {
    let chart = said(&helm(&["template"]).await?);
    for line in [
        "- --lease=broadside-operator\n            - --identity=$(BROADSIDE_POD)\n",
        "resources: [leases]\n    resourceNames: [broadside-operator]\n    verbs: [get, update]\n",
    ] {
        assert_eq!(chart.matches(line).count(), 1, "{line}: {chart}");
    }
    Ok(())
}

#[tokio::test]
async fn each_part_has_a_ledger_that_the_operator_asks_by_name() -> Result {
    let one = said(&helm(&["template"]).await?);
    assert!(!one.contains("--part") && one.contains("\n  replicas: 1\n  # They know nothing"), "{one}");
    assert!(one.contains("- --ledger-url=http://broadside-ledger.default.svc:8081\n"), "{one}");
    let values = "nats.url=nats://nats:4222,ledger.parts=2,ledger.tlsSecret=ledger-tls,ledger.keepLog=30d,\
                  ledger.export.every=1d,ledger.export.existingClaim=shop-exports";
    let two = said(&helm(&["template", "--set", values]).await?);
    for line in [
        "\n  replicas: 2\n  # They know nothing",
        "\n  serviceName: broadside-ledger-parts\n",
        "\n  name: broadside-ledger-parts\n",
        "\n  clusterIP: None\n",
        "- --part=$(BROADSIDE_LEDGER_NUMBER)/2\n",
        "fieldPath: \"metadata.labels['apps.kubernetes.io/pod-index']\"",
        "- --export-dir=/var/lib/broadside-exports/$(BROADSIDE_LEDGER_NUMBER)\n",
        "- --ledger-url=https://broadside-ledger-0.broadside-ledger-parts.default.svc:8081,\
         https://broadside-ledger-1.broadside-ledger-parts.default.svc:8081\n",
    ] {
        assert_eq!(two.matches(line).count(), 1, "{line}: {two}");
    }
    Ok(())
}

/// The policies of a release, each as its part, who may reach that, and what that may reach.
async fn policies(values: &str) -> anyhow::Result<Vec<(String, String, String)>> {
    let chart = said(&helm(&["template", "--set", values]).await?);
    let documents = chart.split("\n---\n").filter(|document| document.contains("kind: NetworkPolicy\n"));
    documents.map(|document| Ok(reach(serde_saphyr::from_str(document)?))).collect()
}

fn reach(policy: NetworkPolicy) -> (String, String, String) {
    let spec = policy.spec.unwrap_or_default();
    assert_eq!(spec.policy_types, Some(vec!["Ingress".to_owned(), "Egress".to_owned()]));
    let labels = spec.pod_selector.and_then(|pods| pods.match_labels).unwrap_or_default();
    let part = labels["app.kubernetes.io/component"].clone();
    let ingress = spec.ingress.into_iter().flatten().map(|it| rule(it.ports, "from", it.from));
    let egress = spec.egress.into_iter().flatten().map(|it| rule(it.ports, "to", it.to));
    (part, ingress.collect::<Vec<_>>().join("; "), egress.collect::<Vec<_>>().join("; "))
}

fn rule(ports: Option<Vec<NetworkPolicyPort>>, way: &str, peers: Option<Vec<NetworkPolicyPeer>>) -> String {
    let port = |port: &_| match port {
        Some(IntOrString::Int(port)) => port.to_string(),
        other => format!("{other:?}"),
    };
    let ports = ports.into_iter().flatten();
    let ports: Vec<String> =
        ports.map(|it| format!("{} {}", it.protocol.as_deref().unwrap_or("any"), port(&it.port))).collect();
    let peers = peers.into_iter().flatten().map(|peer| {
        let pods = peer.pod_selector.and_then(|pods| pods.match_labels).unwrap_or_default();
        let namespaces = peer.namespace_selector.and_then(|it| it.match_labels).unwrap_or_default();
        let labels = pods.into_values().chain(namespaces.into_values());
        labels.chain(peer.ip_block.map(|block| block.cidr)).collect::<Vec<_>>().join(" ")
    });
    let peers: Vec<String> = peers.collect();
    let peers = if peers.is_empty() { "all".to_owned() } else { peers.join(" or ") };
    format!("{} {way} {peers}", ports.join(", "))
}

/// Of each policy its part and what that may reach.
async fn reached(values: &str) -> anyhow::Result<Vec<String>> {
    Ok(policies(values).await?.into_iter().map(|(part, _, egress)| format!("{part}: {egress}")).collect())
}

#[tokio::test]
async fn each_part_reaches_what_it_must_and_nothing_else() -> Result {
    assert_eq!(reached("nats.url=nats://nats:4222").await?, [""; 0], "it is asked for");
    let common = "UDP 53, TCP 53 to all; TCP 443, TCP 6443 to all";
    let operator = format!("operator: {common}; TCP 8081 to ledger broadside broadside");
    let on = "networkPolicy.enabled=true";
    let expected = [format!("gateway: {common}"), format!("ledger: {common}"), operator.clone()];
    assert_eq!(reached(on).await?, expected);
    let nats = "nats.url=nats://a:4222\\,nats://b.example:4333/\\,tls://c";
    for (values, stream) in [
        ("", "TCP 4222, TCP 4333 to all"),
        (",networkPolicy.nats.ports={4223}", "TCP 4223 to all"),
        (
            ",networkPolicy.nats.to[0].namespaceSelector.matchLabels.name=nats,\
             networkPolicy.nats.to[1].ipBlock.cidr=192.0.2.0/24",
            "TCP 4222, TCP 4333 to nats or 192.0.2.0/24",
        ),
    ] {
        let found = reached(&format!("{on},{nats}{values}")).await?;
        let part = |name: &str| format!("{name}: {common}; {stream}");
        assert_eq!(found, [part("gateway"), part("ledger"), operator.clone()], "{values}");
    }
    let narrow = "networkPolicy.apiServer.to[0].ipBlock.cidr=192.0.2.10/32,networkPolicy.apiServer.ports={6443},\
                  networkPolicy.dns.to[0].namespaceSelector.matchLabels.name=kube-system,\
                  networkPolicy.dns.ports={5353}";
    let found = reached(&format!("{on},{narrow}")).await?;
    let gateway = "gateway: UDP 5353, TCP 5353 to kube-system; TCP 6443 to 192.0.2.10/32";
    assert_eq!(found.first().map(String::as_str), Some(gateway));
    Ok(())
}

#[tokio::test]
async fn each_part_is_reached_by_those_who_must_and_by_nobody_else() -> Result {
    let operator = "TCP 8081 from operator broadside broadside";
    let probe = "probe broadside broadside";
    let (shop, prometheus) = (
        ",networkPolicy.applications.from[0].namespaceSelector.matchLabels.name=shop,\
         networkPolicy.applications.from[1].ipBlock.cidr=192.0.2.0/24",
        ",networkPolicy.monitoring.from[0].namespaceSelector.matchLabels.name=monitoring",
    );
    for (values, of_gateway, of_ledger, of_operator) in [
        ("", "TCP 8080 from all", "TCP 8081 from all", ""),
        (
            shop,
            format!("TCP 8080 from shop or 192.0.2.0/24 or {probe}").as_str(),
            format!("TCP 8081 from shop or 192.0.2.0/24 or {probe}").as_str(),
            "",
        ),
        (
            format!("{shop}{prometheus}").as_str(),
            format!("TCP 8080 from shop or 192.0.2.0/24 or {probe}; TCP 8080 from monitoring").as_str(),
            format!("TCP 8081 from shop or 192.0.2.0/24 or {probe}; TCP 8081 from monitoring").as_str(),
            "TCP 8080 from monitoring",
        ),
    ] {
        let found = policies(&format!("networkPolicy.enabled=true{values}")).await?;
        let found: Vec<String> = found.into_iter().map(|(part, from, _)| format!("{part}: {from}")).collect();
        let expected = [
            format!("gateway: {of_gateway}"),
            format!("ledger: {of_ledger}; {operator}"),
            format!("operator: {of_operator}"),
        ];
        assert_eq!(found, expected, "{values}");
    }
    Ok(())
}

/// The hosts of an Ingress, each with its paths and the services behind them.
fn routes(ingress: Ingress) -> Vec<String> {
    let rules = ingress.spec.and_then(|spec| spec.rules).unwrap_or_default();
    let routed = rules.into_iter().flat_map(|rule| {
        let host = rule.host.unwrap_or_default();
        let paths = rule.http.map(|http| http.paths).unwrap_or_default().into_iter();
        paths.map(move |path| {
            let service = path.backend.service.unwrap_or_default();
            let port = service.port.and_then(|port| port.name).unwrap_or_default();
            let at = path.path.unwrap_or_default();
            format!("{host} {} {at} to {} {port}", path.path_type, service.name)
        })
    });
    routed.collect()
}

#[tokio::test]
async fn an_ingress_routes_what_is_meant_for_applications_and_nothing_else() -> Result {
    assert!(!said(&helm(&["template"]).await?).contains("kind: Ingress"));
    let on = "gateway.ingress.enabled=true,gateway.ingress.className=public,\
              gateway.ingress.annotations.example/size=1m,\
              gateway.ingress.tls[0].secretName=copy-tls,gateway.ingress.tls[0].hosts={copy.shop.example}";
    for (values, expected) in [
        (
            "gateway.ingress.hosts[0].host=copy.shop.example",
            vec![
                "copy.shop.example Exact /v1/decide to broadside-gateway http",
                "copy.shop.example Prefix /ofrep/v1/evaluate/flags to broadside-gateway http",
                "copy.shop.example Exact /v1/events to broadside-ledger http",
                "copy.shop.example Prefix /v1/r to broadside-ledger http",
            ],
        ),
        (
            "nats.url=nats://nats:4222,gateway.ingress.hosts[0].host=copy.example,\
             gateway.ingress.hosts[0].paths={/v1/decide},gateway.ingress.hosts[1].host=link.example,\
             gateway.ingress.hosts[1].paths={/v1/r,/v1/events}",
            vec![
                "copy.example Exact /v1/decide to broadside-gateway http",
                "link.example Exact /v1/events to broadside-gateway http",
                "link.example Prefix /v1/r to broadside-gateway http",
            ],
        ),
    ] {
        let chart = said(&helm(&["template", "--set", &format!("{on},{values}")]).await?);
        let found = chart.split("\n---\n").find(|document| document.contains("kind: Ingress\n"));
        let ingress: Ingress = serde_saphyr::from_str(found.context("an Ingress")?)?;
        let spec = ingress.spec.clone().unwrap_or_default();
        assert_eq!(spec.ingress_class_name.as_deref(), Some("public"));
        let tls = spec.tls.and_then(|tls| tls.into_iter().next()).unwrap_or_default();
        assert_eq!(tls.secret_name.as_deref(), Some("copy-tls"));
        assert!(ingress.metadata.annotations.as_ref().is_some_and(|all| all["example/size"] == "1m"));
        assert_eq!(routes(ingress), expected, "{values}");
    }
    Ok(())
}

#[tokio::test]
async fn a_route_of_the_gateway_api_leads_where_an_ingress_does() -> Result {
    assert!(!said(&helm(&["template"]).await?).contains("kind: HTTPRoute"));
    let on = "gateway.httpRoute.enabled=true,gateway.httpRoute.hostnames={copy.shop.example},\
              gateway.httpRoute.parentRefs[0].name=public,gateway.httpRoute.parentRefs[0].namespace=gateways";
    for (values, recorder) in [
        (on.to_owned(), "ledger, port: 8081"),
        (format!("{on},nats.url=nats://nats:4222"), "gateway, port: 8080"),
    ] {
        let chart = said(&helm(&["template", "--set", &values]).await?);
        for rule in [
            "path: {type: Exact, value: /v1/decide}\n      backendRefs:\n        - {name: broadside-gateway, port: 8080}\n",
            "path: {type: PathPrefix, value: /ofrep/v1/evaluate/flags}\n",
            format!("value: /v1/events}}\n      backendRefs:\n        - {{name: broadside-{recorder}}}\n")
                .as_str(),
            format!("value: /v1/r}}\n      backendRefs:\n        - {{name: broadside-{recorder}}}\n")
                .as_str(),
            "  parentRefs:\n    - name: public\n      namespace: gateways\n",
            "  hostnames:\n    - copy.shop.example\n",
        ] {
            assert_eq!(chart.matches(rule).count(), 1, "{rule}: {chart}");
        }
        assert_eq!(chart.matches("- path: {type: ").count(), 4, "{chart}");
    }
    Ok(())
}

#[tokio::test]
async fn a_mesh_and_the_scheduler_find_on_pods_what_they_look_for() -> Result {
    let parts = ["operator", "gateway", "ledger"].map(|part| {
        format!(
            "{part}.priorityClassName=serving,{part}.podLabels.mesh=on,{part}.podAnnotations.mesh/port=8081"
        )
    });
    assert!(!said(&helm(&["template"]).await?).contains("priorityClassName"));
    let with = said(&helm(&["template", "--set-string", &parts.join(",")]).await?);
    for line in
        ["      priorityClassName: serving\n", "        mesh: \"on\"\n", "        mesh/port: \"8081\"\n"]
    {
        assert_eq!(with.matches(line).count(), 3, "{line}: {with}");
    }
    Ok(())
}

#[tokio::test]
async fn exports_go_to_a_claim() -> Result {
    let none = said(&helm(&["template"]).await?);
    assert!(!none.contains("--export") && !none.contains("--keep-log"), "{none}");
    let bounded = said(&helm(&["template", "--set", "ledger.keepLog=30d,ledger.keepLogSize=5Gi"]).await?);
    assert!(bounded.contains("- --keep-log=30d\n            - --keep-log-size=5Gi\n"), "{bounded}");
    let by_day = "ledger.keepLog=30d,ledger.export.every=1d,ledger.export.existingClaim=shop-exports";
    for (values, format) in
        [(by_day.to_owned(), "json-lines"), (format!("{by_day},ledger.export.format=parquet"), "parquet")]
    {
        let chart = said(&helm(&["template", "--set", &values]).await?);
        let arguments = format!(
            "- --keep-log=30d\n            - --export-every=1d\n            - --export-format={format}\n            \
             - --export-dir=/var/lib/broadside-exports\n"
        );
        for line in [
            arguments.as_str(),
            "- {name: exports, mountPath: /var/lib/broadside-exports}\n",
            "- {name: exports, persistentVolumeClaim: {claimName: shop-exports}}\n",
        ] {
            assert_eq!(chart.matches(line).count(), 1, "{line}: {chart}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn keys_of_applications_are_mounted_for_gateway_and_ledger_alike() -> Result {
    let flag = "--api-keys=";
    assert!(!said(&helm(&["template"]).await?).contains(flag));
    let values = "gateway.apiKeySecrets={shop-keys,blog-keys},gateway.rateLimit=50";
    let with = said(&helm(&["template", "--set", values]).await?);
    // By `helm test` too, which shows one.
    for (line, times) in [
        ("- --rate-limit=50\n", 2),
        ("- --api-keys=/var/run/broadside/api-keys\n", 3),
        ("- secret: {name: shop-keys}\n", 3),
        ("- secret: {name: blog-keys}\n", 3),
    ] {
        assert_eq!(with.matches(line).count(), times, "{line}: {with}");
    }
    Ok(())
}

#[tokio::test]
async fn with_a_certificate_all_is_tls_for_probes_and_for_the_operator_too() -> Result {
    for sign in ["--tls-cert", "HTTPS", "https://broadside", "--ledger-ca"] {
        assert!(!said(&helm(&["template"]).await?).contains(sign), "{sign}");
    }
    let values = "gateway.tlsSecret=gateway-tls,ledger.tlsSecret=ledger-tls";
    let with = said(&helm(&["template", "--set", values]).await?);
    for (line, times) in [
        ("- --tls-cert=/var/run/broadside/tls/tls.crt\n", 2),
        ("- --tls-key=/var/run/broadside/tls/tls.key\n", 2),
        ("secret: {secretName: gateway-tls, defaultMode: 0440}\n", 1),
        ("secret: {secretName: ledger-tls, defaultMode: 0440}\n", 1),
        ("scheme: HTTPS}\n", 6),
        ("appProtocol: https}\n", 3),
        ("- --ledger-url=https://broadside-ledger.default.svc:8081\n", 1),
        ("- --ledger-ca=/var/run/broadside/ledger-ca/ca.crt\n", 1),
        ("secret: {secretName: ledger-tls, defaultMode: 0440, items: [{key: ca.crt, path: ca.crt}]}\n", 1),
    ] {
        assert_eq!(with.matches(line).count(), times, "{line}: {with}");
    }
    Ok(())
}

#[tokio::test]
async fn the_ledger_tells_totals_to_the_operator_and_may_ask_whose_a_token_is() -> Result {
    let chart = said(&helm(&["template"]).await?);
    for line in [
        "- --totals-account=system:serviceaccount:default:broadside-operator\n",
        "- --ledger-token=/var/run/broadside/ledger-token/token\n",
        "- {name: ledger-token, mountPath: /var/run/broadside/ledger-token, readOnly: true}\n",
        "- serviceAccountToken: {audience: broadside-ledger, expirationSeconds: 3600, path: token}\n",
        "resources: [tokenreviews]\n    verbs: [create]\n",
    ] {
        assert_eq!(chart.matches(line).count(), 1, "{line}: {chart}");
    }
    Ok(())
}
