//! Says what takes long, and nothing about what does not.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

/// What is done within this time is not worth a line.
const QUIET: Duration = Duration::from_secs(2);

/// Between two lines about the same work: often enough to show life, seldom enough for a log file.
const BEAT: Duration = Duration::from_secs(15);

/// Where lines about long work go.
///
/// Cloning is cheap and gives a handle to the same place.
#[derive(Clone)]
pub struct Progress(Arc<dyn Fn(&str) + Send + Sync>);

impl Progress {
    /// Sends every line, without a line break, to `sink`.
    pub fn new(sink: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(sink))
    }

    /// Says nothing.
    pub fn silent() -> Self {
        Self::new(|_| {})
    }

    /// Says one line at once.
    pub fn say(&self, line: &str) {
        (self.0)(line);
    }

    /// Runs `work`; from its third second on, says every fifteen seconds how long it has taken, and once when it ends.
    pub async fn during<T>(&self, what: &str, work: impl Future<Output = T>) -> T {
        let start = Instant::now();
        let mut work = std::pin::pin!(work);
        let mut pause = QUIET;
        loop {
            if let Ok(done) = tokio::time::timeout(pause, &mut work).await {
                self.end(what, start.elapsed());
                return done;
            }
            self.say(&format!("{what}: {} s", start.elapsed().as_secs()));
            pause = BEAT;
        }
    }

    fn end(&self, what: &str, elapsed: Duration) {
        if elapsed >= QUIET {
            self.say(&format!("{what}: done in {:.1} s", elapsed.as_secs_f64()));
        }
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::silent()
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Progress")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    fn recorder() -> (Progress, Arc<Mutex<Vec<String>>>) {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = lines.clone();
        (Progress::new(move |line| sink.lock().unwrap().push(line.to_owned())), lines)
    }

    #[tokio::test(start_paused = true)]
    async fn quick_work_is_silent() {
        let (progress, lines) = recorder();
        progress.during("quick", tokio::time::sleep(Duration::from_secs(1))).await;
        assert!(lines.lock().unwrap().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn long_work_says_that_it_lives() {
        let (progress, lines) = recorder();
        progress.during("long", tokio::time::sleep(Duration::from_secs(20))).await;
        assert_eq!(lines.lock().unwrap().len(), 3, "after two seconds, after seventeen, and at the end");
    }
}
