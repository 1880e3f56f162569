//! What a decoder remembers of a text.

use std::sync::Arc;

use crate::cpu::LayerMemory;

/// A stretch of text that a decoder has read, behind the one above it.
///
/// Texts form a tree: a stretch that others stand behind is behind an [`Arc`] and does not change any more, so however
/// many texts begin with it, it is read once and kept once.
#[derive(Clone, Debug)]
pub struct Text {
    above: Option<Arc<Text>>,
    start: usize,
    layers: Vec<LayerMemory>,
}

impl Text {
    /// Nothing yet, behind `above`; `layers` makes each layer's memory for a stretch that begins at a position.
    pub(crate) fn new(above: Option<Arc<Text>>, layers: impl Fn(usize) -> Vec<LayerMemory>) -> Self {
        let start = above.as_ref().map_or(0, |above| above.tokens());
        Self { above, start, layers: layers(start) }
    }

    /// How many tokens there are, those above included.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.start + self.layers.first().map_or(0, LayerMemory::tokens)
    }

    /// Bytes of the keys and values of this stretch, without those above it.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.layers.iter().map(LayerMemory::bytes).sum()
    }

    /// The position of this stretch's first token.
    pub(crate) fn start(&self) -> usize {
        self.start
    }

    pub(crate) fn layer(&self, layer: usize) -> &LayerMemory {
        &self.layers[layer]
    }

    pub(crate) fn layer_mut(&mut self, layer: usize) -> &mut LayerMemory {
        &mut self.layers[layer]
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
