//! A release with all that guards it, on a real cluster: certificates, keys of applications, a stream of a real nats-server,
//! two ledgers, exports, NetworkPolicies, recorded decisions, and rights in one namespace alone. Needs root, and a nats-server.

mod nats;
mod visitors;

use std::time::Duration;

use anyhow::ensure;
use api::wire::part::Part;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use stage::installation::Release;
use stage::{Installation, Options};

use visitors::Visitors;

/// A machine that compiles at the same time takes its time.
const MINUTES: Duration = Duration::from_secs(60);

const KEY: &str = "a-key-of-32-bytes-and-a-few-more";

/// The names under which gateway and ledgers are asked.
const NAMES: [&str; 3] =
    [visitors::GATEWAY, visitors::LEDGER, "*.broadside-ledger-parts.broadside-system.svc"];

#[tokio::test]
async fn a_release_with_all_that_guards_it_counts_to_the_end() -> anyhow::Result<()> {
    let Some(nats) = nats::image() else { return Ok(()) };
    let authority = Authority::new()?;
    let values = [
        "gateway.tlsSecret=shop-tls",
        "ledger.tlsSecret=shop-tls",
        "gateway.apiKeySecrets={shop-keys}",
        "gateway.recordDecisions=true",
        "nats.url=nats://nats:4222",
        "nats.replicas=1",
        "networkPolicy.enabled=true",
        "ledger.parts=2",
        "ledger.keepLog=1d",
        "ledger.export.every=1m",
        "ledger.export.existingClaim=exports",
        "scope.namespaces={shop}",
    ];
    let release = Release {
        images: vec![nats],
        objects: [nats::OBJECTS, &secrets(&authority)?, EXPORTS, SHOP].join("---\n"),
        values: values.map(str::to_owned).to_vec(),
    };
    let stage = Installation::start(Options::of_test(release)).await?;
    let visitors = Visitors::new(&stage, &authority.pem, KEY)?;
    let said = stage.test().await?;
    ensure!(said.matches("ok      the ledger runs at https://").count() == 2, "{said}");

    let campaigns = one_of_each_part(&stage).await?;
    for (name, _) in &campaigns {
        visitors.come(name).await?;
    }
    let token = "-n broadside-system create token broadside-operator --audience=broadside-ledger";
    let token = stage.kubectl.run(token).await?.trim().to_owned();
    for (name, uid) in &campaigns {
        // The operator asked the ledger that has the campaign, over TLS, and trusts it by its authority.
        let samples = format!("-n shop get adcampaign {name} -o jsonpath={{.status.placements[0].samples}}");
        let counted = |samples: &str| samples == visitors::SEEN.to_string();
        stage.kubectl.until(&samples, 2 * MINUTES, counted).await?;
        // Those who have not seen copy are told after an hour.
        let decisions = visitors.decisions(uid, &token).await?;
        ensure!(decisions == Some(visitors::SEEN), "{name}: {decisions:?} decisions");
    }
    let told = (campaigns.len() as u64) * visitors::PEOPLE;
    ensure!(recorded(&stage).await? == told, "{told} were told");
    visitors.are_turned_away_without_a_key().await?;
    exported(&stage).await
}

/// Campaigns, by name and UID, until each ledger has one.
async fn one_of_each_part(stage: &Installation) -> anyhow::Result<Vec<(String, String)>> {
    let mut campaigns: Vec<(String, String)> = Vec::new();
    while campaigns.len() < 2 || parts(&campaigns) < 2 {
        let name = format!("trail-{}", campaigns.len());
        stage.kubectl.feed("-n shop apply -f -", &CAMPAIGN.replace("NAME", &name)).await?;
        let ready = format!("-n shop wait --for=condition=Ready adcampaign/{name} --timeout=60s");
        stage.kubectl.run(&ready).await?;
        let uid = format!("-n shop get adcampaign {name} -o jsonpath={{.metadata.uid}}");
        campaigns.push((name, stage.kubectl.run(&uid).await?));
    }
    Ok(campaigns)
}

fn parts(campaigns: &[(String, String)]) -> usize {
    let of = |uid: &str| Part::with(uid, 2);
    let (_, first) = &campaigns[0];
    1 + usize::from(campaigns.iter().any(|(_, uid)| of(uid) != of(first)))
}

/// How many decisions gateways have recorded.
async fn recorded(stage: &Installation) -> anyhow::Result<u64> {
    let names = "-n broadside-system get pods -l app.kubernetes.io/component=gateway -o jsonpath={.items[*].metadata.name}";
    let mut recorded = 0;
    for name in stage.kubectl.run(names).await?.split_whitespace() {
        let metrics = metrics(name, 8080);
        let metrics = stage.kubectl.run(&metrics).await?;
        let of = "broadside_decisions_told_total{outcome=\"Recorded\"} ";
        recorded += metrics.lines().find_map(|line| line.strip_prefix(of)).map_or(Ok(0), str::parse)?;
    }
    Ok(recorded)
}

fn metrics(pod: &str, port: u16) -> String {
    format!("get --raw /api/v1/namespaces/broadside-system/pods/https:{pod}:{port}/proxy/metrics")
}

/// Each ledger has written its files to the claim.
async fn exported(stage: &Installation) -> anyhow::Result<()> {
    for part in 0..2 {
        let metrics = metrics(&format!("broadside-ledger-{part}"), 8081);
        let has_lines = |metrics: &str| {
            let lines = metrics.lines().find_map(|line| line.strip_prefix("broadside_export_lines_total "));
            lines.is_some_and(|lines| lines != "0")
        };
        stage.kubectl.until(&metrics, 3 * MINUTES, has_lines).await?;
    }
    Ok(())
}

/// Who signs the certificates.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> anyhow::Result<Self> {
        let (mut params, key) = (CertificateParams::new(Vec::new())?, KeyPair::generate()?);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), pem })
    }

    /// A certificate for names, and its key, both PEM.
    fn sign(&self, names: &[&str]) -> anyhow::Result<(String, String)> {
        let names = names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let key = KeyPair::generate()?;
        Ok((CertificateParams::new(names)?.signed_by(&key, &self.issuer)?.pem(), key.serialize_pem()))
    }
}

/// As cert-manager makes the one and a person the other.
fn secrets(authority: &Authority) -> anyhow::Result<String> {
    let (certificate, key) = authority.sign(&NAMES)?;
    let tls = serde_json::json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "shop-tls"}, "type": "kubernetes.io/tls",
        "stringData": {"tls.crt": certificate, "tls.key": key, "ca.crt": authority.pem},
    });
    let keys = serde_json::json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "shop-keys"}, "stringData": {"shop.web": KEY},
    });
    Ok(format!("{tls}\n---\n{keys}\n"))
}

/// Where its rights are.
const SHOP: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: shop}
";

const EXPORTS: &str = "
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: exports}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Gi}}
";

const CAMPAIGN: &str = "
apiVersion: broadside.dev/v1alpha1
kind: AdCampaign
metadata: {name: NAME}
spec:
  brief: {product: Aero Trail 3}
  placements:
    - name: hero
      format: WebBanner
      delivery: {gateway: {}}
      control: {headline: Meet the Aero Trail 3, button: Shop now}
      challengers:
        - {headline: Your trail is waiting, button: Shop now}
      metric: {name: product-view, kind: Binary, window: 5s}
      stopping: {maximumDuration: 1h}
";
