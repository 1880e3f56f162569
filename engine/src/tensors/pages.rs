//! Where keys and values lie on a device: in pages that texts take and give back.
//!
//! All texts of a decoder share one matrix of keys and one of values for each layer, so that a step writes those of all
//! its tokens at once, and reads those of all its rows at once, however many texts there are: on a device the number of
//! operations is what a step of few rows costs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::{Result as Candle, Tensor};

use crate::device::Target;
use crate::text::Memory;

/// Tokens of a page: a text wastes less than one page.
const PAGE: usize = 32;
/// Pages at the beginning.
const LEAST: usize = 64;

/// The pages of a decoder.
#[derive(Clone, Debug)]
pub(super) struct Pages(Arc<Mutex<Store>>);

/// All pages, while nobody else has them.
#[derive(Debug)]
pub(super) struct Store {
    target: Target,
    /// Width of a token's keys.
    width: usize,
    /// Of each layer the keys and the values, `[pages · PAGE, width]`.
    layers: Vec<(Tensor, Tensor)>,
    pages: usize,
    free: Vec<u32>,
}

/// Keys and values of one stretch of text, which gives its pages back when it goes.
#[derive(Debug)]
pub(super) struct Stretch {
    tokens: usize,
    taken: Vec<u32>,
    pages: Pages,
}

impl Pages {
    pub(super) fn new(layers: usize, width: usize, target: &Target) -> Candle<Self> {
        let zeros = || Tensor::zeros((LEAST * PAGE, width), target.dtype, &target.device);
        let layers = (0..layers).map(|_| Ok((zeros()?, zeros()?))).collect::<Candle<_>>()?;
        let free = (0..).take(LEAST).collect();
        let store = Store { target: target.clone(), width, layers, pages: LEAST, free };
        Ok(Self(Arc::new(Mutex::new(store))))
    }

    /// A stretch without tokens.
    pub(super) fn stretch(&self) -> Stretch {
        Stretch { tokens: 0, taken: Vec::new(), pages: self.clone() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Store> {
        // What a step left half done is behind the tokens that count.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// Keys and values of a layer.
    pub(super) fn layer(&self, layer: usize) -> (&Tensor, &Tensor) {
        let (keys, values) = &self.layers[layer];
        (keys, values)
    }

    fn take(&mut self) -> Candle<u32> {
        if self.free.is_empty() {
            self.grow()?;
        }
        Ok(self.free.pop().expect("it has grown"))
    }

    /// Doubles the memory, so that what it costs to move it stays a share of what is written.
    fn grow(&mut self) -> Candle<()> {
        let room = (self.pages * PAGE, self.width);
        for (keys, values) in &mut self.layers {
            for matrix in [keys, values] {
                let zeros = Tensor::zeros(room, self.target.dtype, &self.target.device)?;
                *matrix = Tensor::cat(&[&*matrix, &zeros], 0)?;
            }
        }
        let pages = u32::try_from(self.pages).expect("memory holds fewer pages");
        self.free.extend(pages..2 * pages);
        self.pages *= 2;
        Ok(())
    }
}

impl Stretch {
    pub(super) fn tokens(&self) -> usize {
        self.tokens
    }

    /// Makes room for more tokens, which do not count yet.
    pub(super) fn reserve(&mut self, store: &mut Store, more: usize) -> Candle<()> {
        while self.taken.len() * PAGE < self.tokens + more {
            self.taken.push(store.take()?);
        }
        Ok(())
    }

    /// Counts tokens whose keys and values were written.
    pub(super) fn grow(&mut self, more: usize) {
        self.tokens += more;
    }

    /// Where tokens lie, of those that were written or have room.
    pub(super) fn places(&self, tokens: std::ops::Range<usize>) -> impl Iterator<Item = u32> {
        tokens.map(|token| {
            let place = u32::try_from(token % PAGE).expect("a page is short");
            self.taken[token / PAGE] * PAGE as u32 + place
        })
    }
}

impl Memory for Stretch {
    fn tokens(&self, start: usize) -> usize {
        start + self.tokens
    }
}

impl Drop for Stretch {
    fn drop(&mut self) {
        self.pages.lock().free.append(&mut self.taken);
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;

    #[test]
    fn pages_of_texts_that_are_gone_are_taken_again() {
        let target = Target { device: Device::Cpu, dtype: DType::F32 };
        let pages = Pages::new(1, 4, &target).expect("empty matrices");
        let text = |tokens: usize| {
            let mut stretch = pages.stretch();
            stretch.reserve(&mut pages.lock(), tokens).expect("there is memory");
            stretch.grow(tokens);
            stretch
        };
        let kept = text(PAGE + 1);
        let mut seen: Vec<u32> = kept.places(0..PAGE + 1).collect();
        for _ in 0..3 * LEAST {
            let other = text(PAGE * LEAST / 2);
            assert!(other.places(0..other.tokens()).all(|place| !seen.contains(&place)));
        }
        seen.sort_unstable();
        seen.dedup();
        assert_eq!((seen.len(), pages.lock().pages), (PAGE + 1, LEAST));
        let large = text(PAGE * LEAST);
        drop((kept, large));
        let store = pages.lock();
        assert_eq!((store.pages, store.free.len()), (2 * LEAST, 2 * LEAST));
    }
}
