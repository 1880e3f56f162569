//! Tokens: ours, ours that say odd things, and what is none; and the files that keys are read from.

use std::path::Path;

use api::wire::token::{Claims, Keys, SubjectHash};
use gateway::key::KeyFiles;

use super::mutate::Mutator;
use crate::samples::{SAMPLE, START, keys};
use crate::signed;

/// Tokens that are right, and how to make others.
pub(super) struct Tokens {
    keys: Keys,
    right: Vec<(String, Claims)>,
}

/// So many that the ledger's memory has a bound.
const SUBJECTS: usize = 64;

impl Tokens {
    pub(super) fn new() -> Self {
        let keys = keys();
        let right = (0..SUBJECTS).map(|number| {
            let claims = claims(&keys, &format!("subject {number}"));
            (keys.sign(&claims), claims)
        });
        Self { right: right.collect(), keys }
    }

    /// A token, right as often as not.
    pub(super) fn any(&self, mutator: &mut Mutator) -> String {
        match mutator.below(4) {
            0 => self.odd(mutator),
            1 => self.garbled(mutator),
            _ => self.right(mutator).0.clone(),
        }
    }

    fn right(&self, mutator: &mut Mutator) -> &(String, Claims) {
        &self.right[mutator.below(self.right.len())]
    }

    /// A token with our signature that we would not give. It says one of few things, so that what is kept stays little.
    fn odd(&self, mutator: &mut Mutator) -> String {
        let (_, right) = self.right(mutator);
        let mut claims = right.clone();
        let text = |mutator: &mut Mutator| {
            mutator.pick(&["", "hero", "all", "\u{0}", "+2f1c9a523b1e4a3c9a415d0b6f3f7c1"])
        };
        match mutator.below(8) {
            0 => claims.campaign = text(mutator).to_owned(),
            1 => claims.placement = text(mutator).to_owned(),
            2 => claims.seed = mutator.pick(&[0, i64::MIN, i64::MAX]),
            3 => claims.segment = text(mutator).repeat(mutator.pick(&[1, 40])),
            4 => claims.round = mutator.pick(&[0, u32::MAX]),
            5 => claims.probability = mutator.pick(&[0, u32::MAX]),
            6 => claims.decided_at = mutator.pick(&[i64::MIN, i64::MAX, 0, START.as_second() + 90_000]),
            _ => claims.subject = SubjectHash(text(mutator).to_owned()),
        }
        self.keys.sign(&claims)
    }

    fn garbled(&self, mutator: &mut Mutator) -> String {
        let (token, _) = self.right(mutator);
        mutator.text(token)
    }

    /// Nothing but a token of ours is taken for one.
    pub(super) fn verify(&self, mutator: &mut Mutator) -> Result<(), String> {
        let token = if mutator.one_in(8) {
            String::from_utf8_lossy(&mutator.noise(600)).into_owned()
        } else {
            self.garbled(mutator)
        };
        match self.keys.verify(&token) {
            Ok(_) if !self.right.iter().any(|(right, _)| *right == token) => {
                Err(format!("{token} was taken"))
            }
            _ => Ok(()),
        }
    }
}

fn claims(keys: &Keys, subject: &str) -> Claims {
    signed::claims(START.as_second(), keys.subject(SAMPLE.uid, subject))
}

/// A folder of keys is read or refused, whatever its files are called and hold; keys that were read sign.
pub(super) fn key_files(mutator: &mut Mutator, folder: &Path) -> Result<(), String> {
    let dated = folder.join(name(mutator));
    let bytes = mutator.noise(64);
    // What is no file's name is none here either.
    let written = std::fs::write(&dated, bytes).is_ok();
    std::fs::write(folder.join("key"), mutator.noise(128)).unwrap();
    let read = KeyFiles::open(&folder.join("key")).and_then(|files| files.read());
    if written {
        std::fs::remove_file(dated).unwrap();
    }
    let Ok(keys) = read else { return Ok(()) };
    let claims = claims(&keys, "alice");
    match keys.verify(&keys.sign(&claims)) {
        Ok(found) if found == claims => Ok(()),
        other => Err(format!("{other:?} of a token of its own")),
    }
}

/// The name of a dated key, or nearly so; never one that leads out of the folder.
fn name(mutator: &mut Mutator) -> String {
    let days =
        ["token-2026-12-01", "token--009999-01-01", "token-9999-12-31", "token-2026-12-01T00:00[+99:59]"];
    let name = mutator.pick(&days);
    let name = if mutator.one_in(4) { name.to_owned() } else { mutator.text(name) };
    format!("token-{}", name.trim_start_matches("token-").replace('/', "-"))
}
