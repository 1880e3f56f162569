//! One file: resumed where it was cut off, checked, and under its name only when it is whole.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;

use reqwest::header::CONTENT_RANGE;
use reqwest::{Response, StatusCode, Url};
use tracing::{info, warn};

use super::FetchError;
use super::check::Checksum;
use super::hub::{Hub, cut};
use super::listing::Remote;
use super::patience::{Effect, Trouble};
use super::progress::Progress;

/// One file that is to be here.
pub(super) struct Download<'a> {
    pub(super) hub: &'a Hub,
    pub(super) url: Url,
    pub(super) remote: &'a Remote,
    pub(super) target: PathBuf,
    /// Where it lies until it is whole.
    pub(super) part: PathBuf,
}

impl Download<'_> {
    /// Brings the file. One that is not what its repository says is thrown away and fetched anew, once: a cut line may
    /// have been mended badly, but twice is no accident.
    pub(super) async fn run(&self, progress: &mut Progress) -> Result<(), FetchError> {
        if self.is_here()? {
            progress.gain(self.remote.size);
            return Ok(());
        }
        info!(file = self.remote.path, bytes = self.remote.size, "fetching a file");
        // A folder below the model's, which few have.
        self.target
            .parent()
            .map_or(Ok(()), fs::create_dir_all)
            .map_err(|source| self.disk("write", source))?;
        if let Err(found) = self.once(progress).await? {
            warn!(file = self.remote.path, %found, expected = %self.remote.checksum, "fetching it anew");
            self.once(progress).await?.map_err(|found| FetchError::Checksum {
                file: self.remote.path.clone(),
                expected: self.remote.checksum.to_string(),
                found: found.to_string(),
            })?;
        }
        fs::rename(&self.part, &self.target).map_err(|source| self.disk("rename", source))
    }

    /// Whether a run that ended before its marker has left the file whole.
    fn is_here(&self) -> Result<bool, FetchError> {
        if fs::metadata(&self.target).map_or(0, |metadata| metadata.len()) != self.remote.size {
            return Ok(false);
        }
        match self.remote.checksum.of(&self.target, self.remote.size) {
            Ok(found) => Ok(found == self.remote.checksum),
            // Of an empty file that is not there, too.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(self.disk("read", source)),
        }
    }

    /// Fetches all bytes and checks them; what they come to, where it is something else. Then nothing of them is kept.
    async fn once(&self, progress: &mut Progress) -> Result<Result<(), Checksum>, FetchError> {
        let mut reached = self.length();
        progress.gain(reached);
        let attempt = async || {
            let tried = self.go_on(progress).await;
            let effect = self.effect(&mut reached);
            tried.map_err(|trouble| trouble.with(effect))
        };
        self.hub.patience.during(attempt).await?;
        let found = self.remote.checksum.of(&self.part, self.remote.size);
        let found = found.map_err(|source| self.disk("read", source))?;
        if found == self.remote.checksum {
            return Ok(Ok(()));
        }
        progress.lose(self.remote.size);
        fs::remove_file(&self.part).map_err(|source| self.disk("remove", source))?;
        Ok(Err(found))
    }

    /// What a try brought, where earlier ones had `reached` so many bytes. A server that knows no ranges sends the same
    /// ones again and again, which is nothing.
    fn effect(&self, reached: &mut u64) -> Effect {
        let before = std::mem::replace(reached, self.length().max(*reached));
        if *reached > before { Effect::Progress } else { Effect::Nothing }
    }

    /// One try at the bytes that are missing.
    async fn go_on(&self, progress: &mut Progress) -> Result<(), Trouble> {
        let from = self.length();
        if from >= self.remote.size {
            return self.cut_to_size();
        }
        let answer = self.hub.get(&self.url, from).await?;
        let start = if continues(&answer, from) { from } else { 0 };
        progress.lose(from - start);
        let mut file = self.open(start)?;
        let taken = self.take(answer, start, &mut file, progress).await;
        file.sync_data().map_err(|source| self.disk("write", source))?;
        taken
    }

    async fn take(
        &self,
        mut answer: Response,
        start: u64,
        file: &mut File,
        progress: &mut Progress,
    ) -> Result<(), Trouble> {
        let mut length = start;
        while length < self.remote.size {
            match answer.chunk().await {
                Ok(Some(bytes)) => {
                    file.write_all(&bytes).map_err(|source| self.disk("write", source))?;
                    length += bytes.len() as u64;
                    progress.gain(bytes.len() as u64);
                }
                // The answer ended well and early: its server knows a shorter file, as a checksum will tell.
                Ok(None) => {
                    let error = FetchError::Unreachable { url: self.url.to_string(), source: None };
                    return Err(Trouble::again(error, None));
                }
                Err(source) => return Err(cut(&self.url, source)),
            }
        }
        self.cut_to_size()
    }

    /// Bytes beyond the size that is listed are none of the file's; what is left is checked as ever.
    fn cut_to_size(&self) -> Result<(), Trouble> {
        let file = File::options().create(true).truncate(false).write(true).open(&self.part);
        Ok(file
            .and_then(|file| file.set_len(self.remote.size))
            .map_err(|source| self.disk("write", source))?)
    }

    fn open(&self, length: u64) -> Result<File, FetchError> {
        let opened = File::options().create(true).append(true).open(&self.part);
        let cut = opened.and_then(|file| file.set_len(length).map(|()| file));
        cut.map_err(|source| self.disk("write", source))
    }

    /// Bytes that lie here already.
    fn length(&self) -> u64 {
        fs::metadata(&self.part).map_or(0, |metadata| metadata.len())
    }

    fn disk(&self, act: &'static str, source: io::Error) -> FetchError {
        FetchError::disk(act, &self.part, source)
    }
}

/// Whether an answer goes on from a byte; a server may also send all of the file, or another part of it.
fn continues(answer: &Response, from: u64) -> bool {
    let range = answer.headers().get(CONTENT_RANGE).and_then(|range| range.to_str().ok());
    let start = range.and_then(|range| range.strip_prefix("bytes ")?.split('-').next()?.parse().ok());
    answer.status() == StatusCode::PARTIAL_CONTENT && start == Some(from)
}
