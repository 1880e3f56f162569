//! Keeps a node offering GPUs that it does not have.
//!
//! The kubelet may forget an extended resource that no device plugin of its own stands behind, for one when it is
//! started again. So somebody has to look.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::api::Api;
use crate::certificates::Identity;

/// The resource as NVIDIA's device plugin names it.
const RESOURCE: &str = "nvidia.com/gpu";

/// How long a node may be without them: less than a person takes to notice.
const BEAT: Duration = Duration::from_secs(2);

/// How soon to look again while there is no node yet.
const SOON: Duration = Duration::from_millis(200);

/// Makes the node `name` of the API server at the URL `server` offer `count` GPUs, and goes on seeing to it for ever.
///
/// Acts as the node itself, whose keys it finds in the folder `keys`. Errs only if they are not there.
pub async fn offer_gpus(server: &str, name: &str, count: u32, keys: &Path) -> Result<(), crate::Error> {
    let read = |file: &str| fs::read_to_string(keys.join(file));
    let identity = Identity { certificate: read("node.crt")?, key: read("node.key")? };
    let api = Api::new(server, &read("ca.crt")?, &identity)?;
    loop {
        // A server that does not answer now is asked again; the log tells.
        let pause = match see_to_it(&api, name, count).await {
            Ok(pause) => pause,
            Err(error) => log(&error)?,
        };
        tokio::time::sleep(pause).await;
    }
}

async fn see_to_it(api: &Api, name: &str, count: u32) -> Result<Duration, crate::api::Error> {
    let path = format!("/api/v1/nodes/{name}");
    let Some(node) = api.get(&path).await? else {
        return Ok(SOON);
    };
    if offered(&node) != Some(count) {
        let count = count.to_string();
        let status = json!({"capacity": {RESOURCE: count}, "allocatable": {RESOURCE: count}});
        api.merge(&format!("{path}/status"), &json!({"status": status})).await?;
    }
    Ok(BEAT)
}

/// How many GPUs the scheduler may give out; `None` before the node has offered any.
pub(crate) fn offered(node: &Value) -> Option<u32> {
    node["status"]["allocatable"][RESOURCE].as_str()?.parse().ok()
}

fn log(error: &dyn std::error::Error) -> io::Result<Duration> {
    use std::io::Write;
    let cause = error.source().map(ToString::to_string).unwrap_or_default();
    writeln!(io::stderr(), "{error}: {cause}")?;
    Ok(SOON)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_offers_what_is_allocatable_and_not_what_it_has() {
        let node = json!({"status": {"capacity": {RESOURCE: "2"}, "allocatable": {RESOURCE: "1"}}});
        assert_eq!(offered(&node), Some(1));
        assert_eq!(offered(&json!({"status": {}})), None);
    }
}
