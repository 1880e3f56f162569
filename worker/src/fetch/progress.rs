//! How far a fetch is: an event for each tenth.

use tracing::info;

/// How far a fetch is.
#[derive(Debug)]
pub(super) struct Progress {
    total: u64,
    done: u64,
    /// Tenths that were told.
    told: u64,
}

impl Progress {
    /// Of so many bytes.
    pub(super) fn of(total: u64) -> Self {
        Self { total, done: 0, told: 0 }
    }

    /// Of what is too little to speak of.
    pub(super) fn silent() -> Self {
        Self::of(0)
    }

    /// More bytes lie on the disk.
    pub(super) fn gain(&mut self, bytes: u64) {
        self.done += bytes;
        if let Some(percent) = self.news() {
            info!(percent, bytes = self.done, of_bytes = self.total, "fetching the model");
        }
    }

    /// Bytes were thrown away. What was told is not told again.
    pub(super) fn lose(&mut self, bytes: u64) {
        self.done = self.done.saturating_sub(bytes);
    }

    fn news(&mut self) -> Option<u64> {
        let tenths = (self.done.saturating_mul(10)).checked_div(self.total)?;
        let is_news = tenths > self.told;
        self.told = self.told.max(tenths);
        is_news.then_some(tenths * 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tenth_is_told_once() {
        let mut progress = Progress::of(95);
        let mut told = Vec::new();
        for _ in 0..95 {
            progress.done += 1;
            told.extend(progress.news());
        }
        assert_eq!(told, [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
        progress.lose(50);
        progress.gain(50);
        assert_eq!(progress.news(), None);
        assert_eq!(Progress::silent().news(), None);
    }
}
