//! Waits for a part of a cluster, as long as the cluster lives.

use std::time::{Duration, Instant};

use crate::Error;
use crate::api::Api;
use crate::guard::Guard;
use crate::layout::Layout;

/// Short enough to add nothing to a start of five seconds.
const PAUSE: Duration = Duration::from_millis(50);

/// One deadline for all that a start waits for.
pub(crate) struct Wait<'a> {
    layout: &'a Layout,
    guard: &'a mut Guard,
    start: Instant,
    patience: Duration,
}

impl<'a> Wait<'a> {
    pub(crate) fn new(layout: &'a Layout, guard: &'a mut Guard, patience: Duration) -> Self {
        Self { layout, guard, start: Instant::now(), patience }
    }

    /// Returns when `holds`. Errs with the log of `part` when time is over, or with the log of whatever has ended.
    pub(crate) async fn until(&mut self, part: &str, holds: impl AsyncFn() -> bool) -> Result<(), Error> {
        while !holds().await {
            self.check(part)?;
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    fn check(&mut self, part: &str) -> Result<(), Error> {
        if let Some(name) = self.ended() {
            let log = self.layout.log_tail(&name);
            return Err(Error::Ended { name, log });
        }
        if self.start.elapsed() > self.patience {
            let log = self.layout.log_tail(part);
            return Err(Error::NotReady { what: part.into(), seconds: self.patience.as_secs(), log });
        }
        Ok(())
    }

    /// The first part that has ended, if any has.
    fn ended(&mut self) -> Option<String> {
        let files = std::fs::read_dir(self.layout.path("run")).into_iter().flatten().flatten();
        let names = files.filter_map(|file| file.file_name().into_string().ok());
        let part = names.filter_map(|name| name.strip_suffix(".exit").map(Into::into)).next();
        part.or_else(|| (!self.guard.is_running()).then(|| "guard".into()))
    }
}

/// Whether pods can be created in the namespace `default`: each needs a service account, which a controller makes.
pub(crate) async fn has_default_account(api: &Api) -> bool {
    let path = "/api/v1/namespaces/default/serviceaccounts/default";
    matches!(api.get(path).await, Ok(Some(_)))
}
