//! A nats-server in the cluster, as a team would have one.

use std::path::PathBuf;

use cluster::Image;
use stage::{images, terminal};

/// The image of the nats-server that `make nats-server` builds; without one a test says on the terminal that it did not run.
pub(crate) fn image() -> Option<Image> {
    let cache = std::env::var_os("XDG_CACHE_HOME").filter(|it| !it.is_empty()).map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
    let program = cache.join("broadside/nats/static/nats-server");
    if program.exists() {
        let inside = "/nats-server".to_owned();
        let entrypoint = [&inside, "--jetstream", "--store_dir=/data"].map(str::to_owned).to_vec();
        return Some(images::image("nats-server", entrypoint, vec![(program, inside)]));
    }
    terminal::say("NOT RUN: a release with a real nats-server: make nats-server builds it");
    None
}

/// One server in the release's namespace, which takes restricted pods alone.
pub(crate) const OBJECTS: &str = "
apiVersion: v1
kind: Service
metadata: {name: nats}
spec:
  selector: {app: nats}
  ports: [{port: 4222}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: nats}
spec:
  selector: {matchLabels: {app: nats}}
  template:
    metadata: {labels: {app: nats}}
    spec:
      securityContext: {runAsNonRoot: true, runAsUser: 65532, fsGroup: 65532, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: nats
          image: broadside.local/nats-server:dev
          imagePullPolicy: Never
          ports: [{containerPort: 4222}]
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
          volumeMounts: [{name: data, mountPath: /data}]
      volumes: [{name: data, emptyDir: {}}]
";
