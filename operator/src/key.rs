//! The release's secret: made once, if it is not there. Gateway and ledger mount it; nobody else reads it.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};

/// The entry of the Secret.
pub const ENTRY: &str = "key";

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The system gives no randomness.
    #[error("the system gives no randomness for a key")]
    Randomness(#[source] getrandom::Error),
    /// The API server refused.
    #[error(
        "the Secret {namespace}/{name} can't be read or created: the chart's Role <release>-operator allows both"
    )]
    Api {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Why.
        #[source]
        source: Box<kube::Error>,
    },
}

/// Makes the Secret if it is absent. A key that is there is left alone: tokens were signed with it.
///
/// # Errors
/// When the API server refuses, or the system gives no randomness.
pub async fn ensure(client: Client, namespace: &str, name: &str) -> Result<(), KeyError> {
    let secrets: Api<Secret> = Api::namespaced(client, namespace);
    let failed = |source| KeyError::Api {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        source: Box::new(source),
    };
    if secrets.get_opt(name).await.map_err(failed)?.is_some() {
        return Ok(());
    }
    match secrets.create(&PostParams::default(), &secret(name)?).await {
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
        other => other.map(drop).map_err(failed),
    }
}

fn secret(name: &str) -> Result<Secret, KeyError> {
    let mut key = vec![0; 32];
    getrandom::fill(&mut key).map_err(KeyError::Randomness)?;
    Ok(Secret {
        metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
        data: Some(BTreeMap::from([(ENTRY.to_owned(), ByteString(key))])),
        ..Secret::default()
    })
}
