//! What a decoder remembers of a text, and how a text goes on.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// A stretch of text that a decoder has read, behind the one above it.
///
/// Texts form a tree: a stretch that others stand behind is behind an [`Arc`] and does not change any more, so however
/// many texts begin with it, it is read once and kept once.
#[derive(Debug)]
pub struct Text {
    above: Option<Arc<Text>>,
    start: usize,
    memory: Box<dyn Memory>,
}

/// A text and the tokens that come next in it, at least one.
#[derive(Debug)]
pub struct Input<'a> {
    /// The text, which grows by the tokens.
    pub text: &'a mut Text,
    /// The tokens.
    pub tokens: &'a [u32],
}

/// What a text has to keep to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Shape {
    /// Tokens of the vocabulary.
    pub vocabulary: usize,
    /// The most tokens of a text.
    pub positions: usize,
}

/// What is kept of a stretch, as its decoder wants it.
pub(crate) trait Memory: Any + fmt::Debug + Send + Sync {
    /// Tokens of the text up to the end of the stretch, which begins at a position.
    fn tokens(&self, start: usize) -> usize;

    /// Bytes of the stretch, without those above it; nothing where others keep them.
    fn bytes(&self) -> Option<usize> {
        None
    }
}

/// Texts go back to the decoder that made them.
const FOREIGN: &str = "a text is read by the decoder that made it";

impl Text {
    /// Nothing yet, at position `start` behind `above`.
    pub(crate) fn new(above: Option<Arc<Text>>, start: usize, memory: Box<dyn Memory>) -> Self {
        Self { above, start, memory }
    }

    /// How many tokens there are, those above included.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.memory.tokens(self.start)
    }

    /// Bytes of the keys and values of this stretch, without those above it; nothing where others keep them.
    #[must_use]
    pub fn bytes(&self) -> Option<usize> {
        self.memory.bytes()
    }

    /// The position of this stretch's first token.
    pub(crate) fn start(&self) -> usize {
        self.start
    }

    /// What the decoder keeps of this stretch.
    pub(crate) fn memory<M: Memory>(&self) -> &M {
        let memory: &dyn Any = self.memory.as_ref();
        memory.downcast_ref().expect(FOREIGN)
    }

    pub(crate) fn memory_mut<M: Memory>(&mut self) -> &mut M {
        let memory: &mut dyn Any = self.memory.as_mut();
        memory.downcast_mut().expect(FOREIGN)
    }

    /// The stretch before this one.
    pub(crate) fn above(&self) -> Option<&Self> {
        self.above.as_deref()
    }

    /// The stretches from the first one down to this.
    pub(crate) fn chain(&self) -> Vec<&Self> {
        let mut chain = vec![self];
        while let Some(above) = chain[chain.len() - 1].above.as_deref() {
            chain.push(above);
        }
        chain.reverse();
        chain
    }
}
