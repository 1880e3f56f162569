//! What a decoder remembers of a text.

use std::sync::Arc;

use crate::cpu::LayerMemory;
use crate::stock;
use crate::tensors::Stretch;

/// A stretch of text that a decoder has read, behind the one above it.
///
/// Texts form a tree: a stretch that others stand behind is behind an [`Arc`] and does not change any more, so however
/// many texts begin with it, it is read once and kept once.
#[derive(Debug)]
pub struct Text {
    above: Option<Arc<Text>>,
    start: usize,
    memory: Memory,
}

/// What is kept of a stretch, as its decoder wants it.
#[derive(Debug)]
pub(crate) enum Memory {
    /// Keys and values of each layer.
    Own(Vec<LayerMemory>),
    /// The same on a device.
    Tensors(Stretch),
    /// A model of its own, which has read all that stands above too.
    Stock(stock::Memory),
}

/// Texts go back to the decoder that made them.
const FOREIGN: &str = "a text is read by the decoder that made it";

impl Text {
    /// Nothing yet, at position `start` behind `above`.
    pub(crate) fn new(above: Option<Arc<Text>>, start: usize, memory: Memory) -> Self {
        Self { above, start, memory }
    }

    /// How many tokens there are, those above included.
    #[must_use]
    pub fn tokens(&self) -> usize {
        match &self.memory {
            Memory::Own(layers) => self.start + layers.first().map_or(0, LayerMemory::tokens),
            Memory::Tensors(stretch) => self.start + stretch.tokens(),
            Memory::Stock(memory) => memory.tokens().len(),
        }
    }

    /// Bytes of the keys and values of this stretch, without those above it; nothing where others keep them.
    #[must_use]
    pub fn bytes(&self) -> Option<usize> {
        match &self.memory {
            Memory::Own(layers) => Some(layers.iter().map(LayerMemory::bytes).sum()),
            Memory::Tensors(_) | Memory::Stock(_) => None,
        }
    }

    /// The position of this stretch's first token.
    pub(crate) fn start(&self) -> usize {
        self.start
    }

    pub(crate) fn layer(&self, layer: usize) -> &LayerMemory {
        let Memory::Own(layers) = &self.memory else { panic!("{FOREIGN}") };
        &layers[layer]
    }

    pub(crate) fn layer_mut(&mut self, layer: usize) -> &mut LayerMemory {
        let Memory::Own(layers) = &mut self.memory else { panic!("{FOREIGN}") };
        &mut layers[layer]
    }

    pub(crate) fn stretch(&self) -> &Stretch {
        let Memory::Tensors(stretch) = &self.memory else { panic!("{FOREIGN}") };
        stretch
    }

    pub(crate) fn stretch_mut(&mut self) -> &mut Stretch {
        let Memory::Tensors(stretch) = &mut self.memory else { panic!("{FOREIGN}") };
        stretch
    }

    pub(crate) fn stock(&self) -> &stock::Memory {
        let Memory::Stock(memory) = &self.memory else { panic!("{FOREIGN}") };
        memory
    }

    pub(crate) fn stock_mut(&mut self) -> &mut stock::Memory {
        let Memory::Stock(memory) = &mut self.memory else { panic!("{FOREIGN}") };
        memory
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
