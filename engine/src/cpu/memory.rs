//! Keys and values of one stretch of text in one layer.

use super::columns::{Block, Columns, LANES};

/// Tokens of a page.
pub(super) const PAGE: usize = LANES;

/// Keys and values, in pages of sixteen tokens.
///
/// Keys lie as a matrix does, sixteen tokens side by side, so that scores are sixteen sums at once; values lie token by
/// token.
///
/// A token's place in its page is its position in the whole text, modulo sixteen. So sums over a text are made in the
/// same order however it is cut into stretches, and give the same bits.
#[derive(Clone, Debug)]
pub struct LayerMemory {
    key_heads: usize,
    width: usize,
    /// Places before the first token that stay empty.
    offset: usize,
    tokens: usize,
    /// Of each page the keys, `[key head][width]`, and then the values, `[key head][token][width / 16]`.
    pages: Vec<Box<[Block]>>,
}

impl LayerMemory {
    /// Nothing yet, for `key_heads` heads of `width`; the first token will stand at position `start`.
    #[must_use]
    pub fn new(key_heads: usize, width: usize, start: usize) -> Self {
        Self { key_heads, width, offset: start % PAGE, tokens: 0, pages: Vec::new() }
    }

    /// How many tokens there are.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Bytes of its keys and values.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.pages.iter().map(|page| size_of_val(&**page)).sum()
    }

    /// Adds a token: row `row` of `x`, whose keys begin at column `first` and whose values follow.
    pub fn push(&mut self, x: &Columns, row: usize, first: usize) {
        let (page, place) = ((self.offset + self.tokens) / PAGE, (self.offset + self.tokens) % PAGE);
        if page == self.pages.len() {
            self.pages.push(vec![Block::default(); 2 * self.key_heads * self.width].into_boxed_slice());
        }
        let parts = self.width / LANES;
        let (keys, values) = self.pages[page].split_at_mut(self.key_heads * self.width);
        let block = |part: usize| &x.blocks()[(first / LANES + part) * x.rows() + row];
        for part in 0..self.key_heads * parts {
            for (lane, value) in block(part).0.iter().enumerate() {
                keys[part * LANES + lane].0[place] = *value;
            }
            let (head, part_of_head) = (part / parts, part % parts);
            values[(head * PAGE + place) * parts + part_of_head] = *block(self.key_heads * parts + part);
        }
        self.tokens += 1;
    }

    /// Where a token lies, counted from the first page.
    pub(super) fn place(&self, token: usize) -> usize {
        self.offset + token
    }

    /// The keys of a page, one block for each of a head's numbers.
    pub(super) fn keys(&self, page: usize, head: usize) -> &[Block] {
        &self.pages[page][head * self.width..][..self.width]
    }

    /// The values of a page, for each token the blocks of a head.
    pub(super) fn values(&self, page: usize, head: usize) -> &[Block] {
        &self.pages[page][(self.key_heads + head) * self.width..][..self.width]
    }
}
