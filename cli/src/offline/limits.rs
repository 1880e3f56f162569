//! How much a document, or a world, may hold: no input takes for ever, or all memory.

/// 2⁵³, the largest count that a double holds exactly.
pub(super) const LARGEST_COUNT: u64 = 1 << 53;

/// As many bytes as a document may have: some thousand rounds of a hundred variants.
pub(super) const MOST_BYTES: usize = 16 << 20;
/// As many variants as may be compared; so many take a few seconds.
pub(super) const MOST_VARIANTS: usize = 1_000;
/// As many segments as may be told apart; each is estimated by itself, so of most variants they take a minute.
pub(super) const MOST_SEGMENTS: usize = 256;
/// As many rounds × segments as may be given.
pub(super) const MOST_CELLS: usize = 100_000;
/// As many rounds × segments × variants as may be given: each takes memory, though a document need not name it.
pub(super) const MOST_FIGURES: usize = 1_000_000;
/// As many guardrails as may be watched.
pub(super) const MOST_GUARDRAILS: usize = 10;
/// The longest name, in characters.
pub(super) const NAME_LIMIT: usize = 100;

/// As much as rounds × (rounds + delay) × segments × variants of a world may be: every round looks at all before it, and
/// some minutes are enough.
pub(super) const MOST_STEPS: u64 = 250_000_000;
/// As many exposures as may be drawn.
pub(super) const MOST_EXPOSURES: u64 = 1_000_000_000;
/// As many segments × variants as may be told apart.
pub(super) const MOST_PARTS: usize = 10_000;
/// As many rounds as may pass until rewards are known.
pub(super) const MOST_DELAY: u64 = 10_000;
/// As many trends as may be multiplied.
pub(super) const MOST_TRENDS: usize = 10;
/// As many visits as may be drawn, each by itself.
pub(super) const MOST_VISITS: u64 = 50_000_000;
