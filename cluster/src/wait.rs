//! Waits for a part of a cluster, as long as the cluster lives.

use std::time::{Duration, Instant};

use crate::Error;
use crate::api::{self, Api};
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

    /// Returns when `work` has succeeded; until then tries again. Errs like [`Self::until`], but when time is over with
    /// what `work` said last.
    pub(crate) async fn until_done(
        &mut self,
        part: &str,
        work: impl AsyncFn() -> Result<(), api::Error>,
    ) -> Result<(), Error> {
        while let Err(last) = work().await {
            self.check(part).map_err(|error| match error {
                Error::NotReady { .. } => last.into(),
                other => other,
            })?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::Traces;
    use std::cell::Cell;

    /// Tries work that fails `failures` times, within `patience`.
    async fn attempt(failures: u32, patience: Duration) -> Result<(), Error> {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path().join("state"));
        layout.create().unwrap();
        let traces = Traces { state: layout.root().to_owned(), cgroups: Vec::new() };
        let command = ["sleep", "300"].map(String::from);
        let mut guard = Guard::spawn(traces, &layout.path("log/guard.log"), &command).unwrap();
        let left = Cell::new(failures);
        let work = async || match left.get() {
            0 => Ok(()),
            number => {
                left.set(number - 1);
                Err(refused(number))
            }
        };
        Wait::new(&layout, &mut guard, patience).until_done("kube-apiserver", work).await
    }

    fn refused(number: u32) -> api::Error {
        let message = format!("namespaces \"kube-system\" not found, {number} to go");
        api::Error::Refused { path: "/api".into(), status: reqwest::StatusCode::NOT_FOUND, message }
    }

    #[tokio::test]
    async fn what_is_refused_at_first_is_tried_again() {
        attempt(2, Duration::from_secs(60)).await.unwrap();
    }

    #[tokio::test]
    async fn when_time_is_over_the_last_refusal_is_told() {
        let error = attempt(u32::MAX, Duration::ZERO).await.unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("kube-system"), "{error}: {cause}");
    }
}
