//! Activations: one row for each token, sixteen columns side by side.

/// Columns that lie side by side: what one 512-bit register holds.
pub const LANES: usize = 16;

/// Sixteen numbers that share a cache line.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(align(64))]
pub(super) struct Block(pub(super) [f32; LANES]);

/// The activations of several tokens.
///
/// Column `c` of row `r` lies in block `c / 16 · rows + r`, at place `c % 16`.
/// So whatever computes sixteen columns writes one stretch of memory that nobody else writes, and parts of a wider
/// result, such as queries, keys and values, are stretches too.
#[derive(Clone, Debug, PartialEq)]
pub struct Columns {
    rows: usize,
    blocks: Vec<Block>,
}

impl Columns {
    /// Zeros. `width` is rounded up to a multiple of [`LANES`].
    #[must_use]
    pub fn zeros(rows: usize, width: usize) -> Self {
        Self { rows, blocks: vec![Block::default(); rows * width.div_ceil(LANES)] }
    }

    /// How many rows there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How many columns there are, a multiple of [`LANES`].
    #[must_use]
    pub fn width(&self) -> usize {
        self.blocks.len().checked_div(self.rows).map_or(0, |panels| panels * LANES)
    }

    /// One number.
    ///
    /// # Panics
    /// When there is no such row or column.
    #[must_use]
    pub fn get(&self, row: usize, column: usize) -> f32 {
        self.blocks[column / LANES * self.rows + row].0[column % LANES]
    }

    /// Writes one row.
    ///
    /// # Panics
    /// When there is no such row, or `values` is wider.
    pub fn set_row(&mut self, row: usize, values: &[f32]) {
        for (block, values) in values.chunks(LANES).enumerate() {
            self.blocks[block * self.rows + row].0[..values.len()].copy_from_slice(values);
        }
    }

    /// Reads the first `width` columns of one row.
    #[must_use]
    pub fn row(&self, row: usize, width: usize) -> Vec<f32> {
        let blocks = self.blocks.iter().skip(row).step_by(self.rows.max(1));
        blocks.flat_map(|block| block.0).take(width).collect()
    }

    /// Reads one row into a buffer that is used again.
    pub fn read_row(&self, row: usize, values: &mut Vec<f32>) {
        values.clear();
        for panel in self.blocks.chunks_exact(self.rows.max(1)) {
            values.extend_from_slice(&panel[row].0);
        }
    }

    /// Some of the rows, in the order given.
    ///
    /// # Panics
    /// When there is no such row.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        let panels = self.blocks.chunks_exact(self.rows.max(1));
        let blocks = panels.flat_map(|panel| rows.iter().map(|row| panel[*row])).collect();
        Self { rows: rows.len(), blocks }
    }

    pub(super) fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    pub(super) fn blocks_mut(&mut self) -> &mut [Block] {
        &mut self.blocks
    }
}
