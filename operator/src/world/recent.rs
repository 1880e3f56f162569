//! Answers that may be a little old.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What was asked for lately, by key.
#[derive(Debug)]
pub(super) struct Recent<K, V> {
    keeps: Duration,
    answers: Mutex<HashMap<K, (Instant, V)>>,
}

impl<K: Eq + Hash, V: Clone> Recent<K, V> {
    pub(super) fn new(keeps: Duration) -> Self {
        Self { keeps, answers: Mutex::default() }
    }

    /// The answer, if it is not too old.
    pub(super) fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let answers = self.answers();
        answers.get(key).filter(|(at, _)| at.elapsed() < self.keeps).map(|(_, answer)| answer.clone())
    }

    /// Keeps an answer of now, and forgets those that are too old.
    pub(super) fn put(&self, key: K, answer: V) {
        let mut answers = self.answers();
        answers.retain(|_, (at, _)| at.elapsed() < self.keeps);
        answers.insert(key, (Instant::now(), answer));
    }

    /// The answer is not what it was.
    pub(super) fn forget(&self, key: &K) {
        self.answers().remove(key);
    }

    fn answers(&self) -> MutexGuard<'_, HashMap<K, (Instant, V)>> {
        // Whoever panicked left whole answers.
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_kept_for_its_time_and_no_longer() {
        let long = Recent::new(Duration::from_secs(3600));
        assert_eq!(long.get("a"), None::<i32>);
        long.put("a".to_owned(), 1);
        long.put("b".to_owned(), 2);
        assert_eq!((long.get("a"), long.get("b")), (Some(1), Some(2)));
        long.forget(&"a".to_owned());
        assert_eq!((long.get("a"), long.get("b")), (None, Some(2)));
        let short = Recent::new(Duration::ZERO);
        short.put("a".to_owned(), 1);
        short.put("b".to_owned(), 2);
        assert_eq!(short.get("a"), None);
        assert_eq!(short.answers().len(), 1, "what is too old takes no room");
    }
}
