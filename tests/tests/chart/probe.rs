//! The pod of `helm test`.

use k8s_openapi::api::core::v1::Pod;

use super::{Result, document};

/// What its process is told, and what is mounted for it.
async fn probe(values: &str) -> anyhow::Result<(Vec<String>, Vec<String>)> {
    // As Helm reads it, where 0440 is octal.
    let octal = serde_saphyr::options! { legacy_octal_numbers: true };
    let pod: Pod = serde_saphyr::from_str_with_options(&document(values, "Pod").await?, octal)?;
    let annotations = pod.metadata.annotations.unwrap_or_default();
    assert_eq!(annotations["helm.sh/hook"], "test");
    let mut spec = pod.spec.unwrap_or_default();
    assert_eq!((spec.automount_service_account_token, spec.containers.len()), (Some(false), 1));
    let container = spec.containers.remove(0);
    assert!(container.command.is_none(), "an image of ours has no shell");
    let mounts = container.volume_mounts.into_iter().flatten().map(|mount| mount.mount_path);
    Ok((container.args.unwrap_or_default(), mounts.collect()))
}

#[tokio::test]
async fn it_asks_as_an_application_of_the_release_would() -> Result {
    let plain = ["probe", "--gateway=http://broadside-gateway.default.svc:8080"];
    let (arguments, mounts) = probe("gateway.replicas=2").await?;
    assert_eq!(
        arguments,
        [plain.as_slice(), &["--ledger=http://broadside-ledger.default.svc:8081"]].concat()
    );
    assert!(mounts.is_empty(), "{mounts:?}");
    let guarded = "nats.url=nats://nats:4222,ledger.parts=2,gateway.tlsSecret=gateway-tls,\
                   ledger.tlsSecret=ledger-tls,gateway.apiKeySecrets={shop-keys}";
    let (arguments, mounts) = probe(guarded).await?;
    let part = |number| format!("https://broadside-ledger-{number}.broadside-ledger-parts.default.svc:8081");
    let expected = [
        "probe",
        "--gateway=https://broadside-gateway.default.svc:8080",
        &format!("--ledger={},{}", part(0), part(1)),
        "--ca=/var/run/broadside/gateway-ca/ca.crt",
        "--ca=/var/run/broadside/ledger-ca/ca.crt",
        "--api-keys=/var/run/broadside/api-keys",
    ];
    assert_eq!(arguments, expected);
    let folders = ["gateway-ca", "ledger-ca", "api-keys"].map(|name| format!("/var/run/broadside/{name}"));
    assert_eq!(mounts, folders);
    Ok(())
}
