//! Attention of tokens over stretches of earlier ones, some of which many rows share.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::columns::{Block, Columns, LANES};
use super::elementwise::exp;
use super::memory::{LayerMemory, PAGE};

/// What one token sees of a stretch of text.
#[derive(Clone, Copy, Debug)]
pub struct Span<'a> {
    memory: &'a LayerMemory,
    /// The first place that is seen, and the one behind the last.
    from: usize,
    to: usize,
}

impl<'a> Span<'a> {
    /// The tokens `from..to` of a stretch, whose keys and values `memory` holds.
    #[must_use]
    pub fn new(memory: &'a LayerMemory, from: usize, to: usize) -> Self {
        Self { memory, from: memory.place(from), to: memory.place(to) }
    }
}

/// How wide heads are, and how many share keys.
#[derive(Clone, Copy, Debug)]
struct Heads {
    width: usize,
    /// Heads of queries for each head of keys.
    group: usize,
}

/// Softmax attention (Vaswani et al. 2017, equation 1), one result for each row of `queries`.
///
/// `queries` holds at least `heads` heads of `width` columns; row r sees `spans[r]`, in any order. Rows that stand one
/// below the other and begin with the same stretches read these once together, which does not change a bit of any result.
///
/// # Panics
/// When `spans` has not one list for each row, or heads cannot be shared out evenly.
#[must_use]
pub fn attend(
    queries: &Columns,
    spans: &[Vec<Span<'_>>],
    heads: usize,
    key_heads: usize,
    width: usize,
) -> Columns {
    let rows = queries.rows();
    assert_eq!(spans.len(), rows, "each row sees something");
    assert_eq!(heads % key_heads, 0, "heads of queries share heads of keys evenly");
    let mut out = Columns::zeros(rows, heads * width);
    if rows == 0 {
        return out;
    }
    let heads = Heads { width, group: heads / key_heads };
    let tiles = tiles(spans, width);
    let blocks = heads.group * width / LANES * rows;
    let queries = queries.blocks().par_chunks(blocks).take(key_heads);
    out.blocks_mut().par_chunks_mut(blocks).zip(queries).enumerate().for_each(
        |(key_head, (out, queries))| {
            let work = Work {
                heads,
                rows,
                key_head,
                queries,
                out,
                query: Vec::new(),
                weights: Vec::new(),
                values: Vec::new(),
            };
            Arch::new().dispatch(All { work, tiles: &tiles, spans });
        },
    );
    out
}

/// Rows `first..first + count`, whose first `shared` spans are of the same memories.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Tile {
    first: usize,
    count: usize,
    shared: usize,
}

/// The most rows of a tile: their sums have to fit into registers.
const ROWS: usize = 4;

fn tiles(spans: &[Vec<Span<'_>>], width: usize) -> Vec<Tile> {
    let most = if width <= 64 { ROWS } else { ROWS / 2 };
    let mut tiles: Vec<Tile> = Vec::new();
    for (row, seen) in spans.iter().enumerate() {
        let joined = tiles.last().filter(|tile| tile.count < most).map(|tile| {
            let shared = shared(&spans[tile.first][..tile.shared], seen);
            Tile { count: tile.count + 1, shared, ..*tile }
        });
        match joined.filter(|tile| tile.shared > 0) {
            Some(tile) => *tiles.last_mut().expect("there is one to join") = tile,
            None => tiles.push(Tile { first: row, count: 1, shared: seen.len() }),
        }
    }
    tiles
}

fn shared(a: &[Span<'_>], b: &[Span<'_>]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| std::ptr::eq(a.memory, b.memory)).count()
}

/// The work for one head of keys.
struct Work<'a> {
    heads: Heads,
    rows: usize,
    key_head: usize,
    queries: &'a [Block],
    out: &'a mut [Block],
    /// Queries of a tile, `[count][width]`.
    query: Vec<f32>,
    /// Weights of the keys of a tile, `[count][keys]`, each row by pages of all its spans.
    weights: Vec<f32>,
    /// Weighted sums of a tile's values, `[count][width]`.
    values: Vec<f32>,
}

/// All tiles of one head of keys. No closure: one that is not inlined loses the processor's better instructions.
struct All<'a> {
    work: Work<'a>,
    tiles: &'a [Tile],
    spans: &'a [Vec<Span<'a>>],
}

impl WithSimd for All<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        for tile in self.tiles {
            for head in 0..self.work.heads.group {
                self.work.tile(simd, head, tile, self.spans);
            }
        }
    }
}

impl Work<'_> {
    #[inline(always)]
    fn tile<S: Simd>(&mut self, simd: S, head: usize, tile: &Tile, spans: &[Vec<Span<'_>>]) {
        let spans = &spans[tile.first..tile.first + tile.count];
        let keys = PAGE * pages_of_tile(spans, tile.shared);
        self.read_queries(head, tile);
        self.weights.clear();
        self.weights.resize(tile.count * keys, f32::NEG_INFINITY);
        self.score(simd, tile, spans, keys);
        let mut sums = [0.0; ROWS];
        for row in 0..tile.count {
            sums[row] = softmax(&mut self.weights[row * keys..(row + 1) * keys]);
        }
        self.values.clear();
        self.values.resize(tile.count * self.heads.width, 0.0);
        self.sum(simd, tile, spans, keys);
        self.write(head, tile, &sums);
    }

    #[inline(always)]
    fn read_queries(&mut self, head: usize, tile: &Tile) {
        let (scale, parts) = (1.0 / (self.heads.width as f32).sqrt(), self.heads.width / LANES);
        self.query.clear();
        for row in tile.first..tile.first + tile.count {
            for part in 0..parts {
                let mut block = self.queries[(head * parts + part) * self.rows + row].0;
                for lane in 0..LANES {
                    block[lane] *= scale;
                }
                self.query.extend_from_slice(&block);
            }
        }
    }

    /// First what all rows see, then what each sees beside.
    #[inline(always)]
    fn score<S: Simd>(&mut self, simd: S, tile: &Tile, spans: &[Vec<Span<'_>>], keys: usize) {
        let mut at = 0;
        for index in 0..tile.shared {
            let (first, last) = extent(spans, index);
            for page in first..last {
                let of_page = spans[0][index].memory.keys(page, self.key_head);
                match tile.count {
                    4 => self.score_page::<S, 4>(simd, of_page, 0, keys, at),
                    3 => self.score_page::<S, 3>(simd, of_page, 0, keys, at),
                    2 => self.score_page::<S, 2>(simd, of_page, 0, keys, at),
                    _ => self.score_page::<S, 1>(simd, of_page, 0, keys, at),
                }
                for (row, spans) in spans.iter().enumerate() {
                    hide(&mut self.weights[row * keys + at..][..PAGE], page, &spans[index]);
                }
                at += PAGE;
            }
        }
        for (row, spans) in spans.iter().enumerate() {
            let mut at = at;
            for span in &spans[tile.shared..] {
                for page in span.from / PAGE..span.to.div_ceil(PAGE) {
                    self.score_page::<S, 1>(simd, span.memory.keys(page, self.key_head), row, keys, at);
                    hide(&mut self.weights[row * keys + at..][..PAGE], page, span);
                    at += PAGE;
                }
            }
        }
    }

    /// `R` rows from `row` on against the sixteen keys of a page.
    #[inline(always)]
    fn score_page<S: Simd, const R: usize>(
        &mut self,
        simd: S,
        page: &[Block],
        row: usize,
        keys: usize,
        at: usize,
    ) {
        let (width, vectors) = (self.heads.width, LANES / S::F32_LANES);
        // Two sums that do not wait for each other, however many rows there are.
        const U: usize = 2;
        let mut sums = [[[simd.splat_f32s(0.0); LANES]; U]; R];
        for first in (0..width).step_by(U) {
            for u in 0..U {
                let block = S::as_simd_f32s(&page[first + u].0).0;
                for r in 0..R {
                    let query = simd.splat_f32s(self.query[(row + r) * width + first + u]);
                    for v in 0..vectors {
                        sums[r][u][v] = simd.mul_add_e_f32s(query, block[v], sums[r][u][v]);
                    }
                }
            }
        }
        for r in 0..R {
            let out = S::as_mut_simd_f32s(&mut self.weights[(row + r) * keys + at..][..PAGE]).0;
            for v in 0..vectors {
                for u in 1..U {
                    sums[r][0][v] = simd.add_f32s(sums[r][0][v], sums[r][u][v]);
                }
                out[v] = sums[r][0][v];
            }
        }
    }

    #[inline(always)]
    fn sum<S: Simd>(&mut self, simd: S, tile: &Tile, spans: &[Vec<Span<'_>>], keys: usize) {
        let mut at = 0;
        for index in 0..tile.shared {
            let pages = extent(spans, index);
            let memory = spans[0][index].memory;
            match tile.count {
                4 => self.add_values::<S, 4>(simd, memory, pages, 0, keys, at),
                3 => self.add_values::<S, 3>(simd, memory, pages, 0, keys, at),
                2 => self.add_values::<S, 2>(simd, memory, pages, 0, keys, at),
                _ => self.add_values::<S, 1>(simd, memory, pages, 0, keys, at),
            }
            at += PAGE * (pages.1 - pages.0);
        }
        for (row, spans) in spans.iter().enumerate() {
            let mut at = at;
            for span in &spans[tile.shared..] {
                let pages = (span.from / PAGE, span.to.div_ceil(PAGE));
                self.add_values::<S, 1>(simd, span.memory, pages, row, keys, at);
                at += PAGE * (pages.1 - pages.0);
            }
        }
    }

    /// Adds the values of some pages to `R` rows from `row` on, each token with its weight, four blocks at a time.
    #[inline(always)]
    fn add_values<S: Simd, const R: usize>(
        &mut self,
        simd: S,
        memory: &LayerMemory,
        pages: (usize, usize),
        row: usize,
        keys: usize,
        at: usize,
    ) {
        let parts = self.heads.width / LANES;
        let mut part = 0;
        while part < parts {
            part += match parts - part {
                1..4 => self.add_parts::<S, R, 1>(simd, memory, pages, part, [row, keys, at]),
                _ => self.add_parts::<S, R, 4>(simd, memory, pages, part, [row, keys, at]),
            };
        }
    }

    #[inline(always)]
    fn add_parts<S: Simd, const R: usize, const P: usize>(
        &mut self,
        simd: S,
        memory: &LayerMemory,
        (first, last): (usize, usize),
        part: usize,
        [row, keys, at]: [usize; 3],
    ) -> usize {
        let (width, parts, vectors) = (self.heads.width, self.heads.width / LANES, LANES / S::F32_LANES);
        let mut sums = [[[simd.splat_f32s(0.0); LANES]; P]; R];
        for r in 0..R {
            for p in 0..P {
                let before =
                    S::as_simd_f32s(&self.values[(row + r) * width + (part + p) * LANES..][..LANES]).0;
                sums[r][p][..vectors].copy_from_slice(before);
            }
        }
        for page in first..last {
            let values = memory.values(page, self.key_head);
            let at = at + (page - first) * PAGE;
            for token in 0..PAGE {
                for r in 0..R {
                    let weight = simd.splat_f32s(self.weights[(row + r) * keys + at + token]);
                    for p in 0..P {
                        let block = S::as_simd_f32s(&values[token * parts + part + p].0).0;
                        for v in 0..vectors {
                            sums[r][p][v] = simd.mul_add_e_f32s(weight, block[v], sums[r][p][v]);
                        }
                    }
                }
            }
        }
        for r in 0..R {
            for p in 0..P {
                let out = &mut self.values[(row + r) * width + (part + p) * LANES..][..LANES];
                S::as_mut_simd_f32s(out).0.copy_from_slice(&sums[r][p][..vectors]);
            }
        }
        P
    }

    #[inline(always)]
    fn write(&mut self, head: usize, tile: &Tile, sums: &[f32; ROWS]) {
        let (width, parts) = (self.heads.width, self.heads.width / LANES);
        for row in 0..tile.count {
            let inverse = 1.0 / sums[row];
            for part in 0..parts {
                let block = &mut self.out[(head * parts + part) * self.rows + tile.first + row];
                let values = &self.values[row * width + part * LANES..][..LANES];
                for lane in 0..LANES {
                    block.0[lane] = values[lane] * inverse;
                }
            }
        }
    }
}

/// The pages for which a tile's rows have weights: those that any row sees of what they share, and the most that one
/// sees beside.
fn pages_of_tile(spans: &[Vec<Span<'_>>], shared: usize) -> usize {
    let pages = |span: &Span<'_>| span.to.div_ceil(PAGE) - span.from / PAGE;
    let own = spans.iter().map(|spans| spans[shared..].iter().map(pages).sum::<usize>()).max();
    let common = (0..shared).map(|index| extent(spans, index)).map(|(first, last)| last - first);
    common.sum::<usize>() + own.unwrap_or(0)
}

/// The pages that any row sees of a span that all share.
fn extent(spans: &[Vec<Span<'_>>], index: usize) -> (usize, usize) {
    let first = spans.iter().map(|spans| spans[index].from / PAGE).min().unwrap_or(0);
    let last = spans.iter().map(|spans| spans[index].to.div_ceil(PAGE)).max().unwrap_or(0);
    (first, last)
}

/// Takes back the scores of tokens that the span does not show.
#[inline(always)]
fn hide(scores: &mut [f32], page: usize, span: &Span<'_>) {
    for lane in 0..PAGE {
        let token = page * PAGE + lane;
        if token < span.from || token >= span.to {
            scores[lane] = f32::NEG_INFINITY;
        }
    }
}

/// Exponentials of the scores relative to the highest one, and their sum.
#[inline(always)]
fn softmax(scores: &mut [f32]) -> f32 {
    let mut highest = [f32::NEG_INFINITY; LANES];
    for scores in scores.chunks_exact(LANES) {
        for lane in 0..LANES {
            highest[lane] = if scores[lane] > highest[lane] { scores[lane] } else { highest[lane] };
        }
    }
    for lane in 1..LANES {
        highest[0] = if highest[lane] > highest[0] { highest[lane] } else { highest[0] };
    }
    let highest = highest[0];
    let mut sums = [0.0f32; LANES];
    for scores in scores.chunks_exact_mut(LANES) {
        for lane in 0..LANES {
            // What is hidden is -∞ and must be exactly nothing.
            let weight = exp(scores[lane] - highest);
            scores[lane] = if scores[lane] == f32::NEG_INFINITY { 0.0 } else { weight };
            sums[lane] += scores[lane];
        }
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADS: usize = 4;
    const KEY_HEADS: usize = 2;
    const WIDTH: usize = 32;

    fn number(seed: usize) -> f32 {
        ((seed * 2_654_435_761) % 1_000) as f32 / 250.0 - 2.0
    }

    /// `tokens` tokens whose keys and values are made from `seed`.
    fn memory(tokens: usize, seed: usize) -> LayerMemory {
        let mut memory = LayerMemory::new(KEY_HEADS, WIDTH, seed);
        let mut x = Columns::zeros(1, 2 * KEY_HEADS * WIDTH);
        for token in 0..tokens {
            let row: Vec<f32> =
                (0..x.width()).map(|column| number(seed + token * 977 + column * 31)).collect();
            x.set_row(0, &row);
            memory.push(&x, 0, 0);
        }
        memory
    }

    /// Attention as it is defined, in 64 bits.
    fn plain(query: &[f32], spans: &[Span<'_>], head: usize) -> Vec<f64> {
        let key_head = head / (HEADS / KEY_HEADS);
        let seen = spans.iter().flat_map(|span| (span.from..span.to).map(|place| (span.memory, place)));
        let weigh = |(memory, token): (&LayerMemory, usize)| {
            let keys = memory.keys(token / PAGE, key_head);
            let score: f64 = query
                .iter()
                .zip(keys)
                .map(|(query, key)| f64::from(*query) * f64::from(key.0[token % PAGE]))
                .sum();
            (score / (WIDTH as f64).sqrt()).exp()
        };
        let seen: Vec<(&LayerMemory, usize)> = seen.collect();
        let total: f64 = seen.iter().map(|it| weigh(*it)).sum();
        let value = |memory: &LayerMemory, token: usize, column: usize| {
            let parts = WIDTH / LANES;
            let values = memory.values(token / PAGE, key_head);
            f64::from(values[token % PAGE * parts + column / LANES].0[column % LANES])
        };
        let column = |column| {
            seen.iter()
                .map(|(memory, token)| weigh((memory, *token)) * value(memory, *token, column))
                .sum::<f64>()
                / total
        };
        (0..WIDTH).map(column).collect()
    }

    fn check(spans: &[Vec<Span<'_>>]) {
        let mut queries = Columns::zeros(spans.len(), HEADS * WIDTH);
        let row =
            |row: usize| (0..HEADS * WIDTH).map(|column| number(row * 131 + column)).collect::<Vec<_>>();
        (0..spans.len()).for_each(|index| queries.set_row(index, &row(index)));
        let out = attend(&queries, spans, HEADS, KEY_HEADS, WIDTH);
        for (index, spans) in spans.iter().enumerate() {
            for head in 0..HEADS {
                let expected = plain(&row(index)[head * WIDTH..][..WIDTH], spans, head);
                for (column, expected) in expected.iter().enumerate() {
                    let found = f64::from(out.get(index, head * WIDTH + column));
                    assert!((found - expected).abs() < 1e-5, "row {index}, head {head}: {found} {expected}");
                }
            }
        }
    }

    #[test]
    fn rows_that_share_a_stretch_see_what_each_would_see_alone() {
        let (shared, own): (_, Vec<LayerMemory>) =
            (memory(37, 1), (0..9).map(|row| memory(row + 1, row)).collect());
        let rows = own
            .iter()
            .enumerate()
            .map(|(row, own)| vec![Span::new(&shared, 0, 37), Span::new(own, 0, row + 1)]);
        check(&rows.collect::<Vec<_>>());
    }

    #[test]
    fn a_token_sees_nothing_behind_itself_and_nothing_before_its_window() {
        let text = memory(41, 5);
        let rows = (0..41usize).map(|token| vec![Span::new(&text, token.saturating_sub(12), token + 1)]);
        check(&rows.collect::<Vec<_>>());
    }

    #[test]
    fn rows_of_different_texts_do_not_mix() {
        let (a, b) = (memory(20, 1), memory(33, 2));
        check(&[
            vec![Span::new(&a, 0, 20)],
            vec![Span::new(&b, 0, 33)],
            vec![Span::new(&a, 3, 9), Span::new(&b, 0, 17)],
            vec![Span::new(&a, 0, 20), Span::new(&b, 20, 33)],
        ]);
    }
}
