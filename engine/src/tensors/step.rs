//! What all layers of a step need: where its tokens lie, what they see, and how far they turn.

use std::sync::MutexGuard;

use candle_core::{DType, Result as Candle, Tensor};

use super::pages::{Pages, Store, Stretch};
use crate::architecture::Architecture;
use crate::device::Target;
use crate::text::Input;

pub(super) struct Step<'a> {
    pub(super) store: MutexGuard<'a, Store>,
    /// Cosines and sines of each new token, `[tokens, half of a head]`.
    pub(super) turns: (Tensor, Tensor),
    pub(super) groups: Vec<Group>,
    /// Where keys and values of the new tokens go, `[tokens, width of a token's keys]`.
    slots: Tensor,
}

/// Inputs that stand below each other, behind the same stretch, and go on by as many tokens.
pub(super) struct Group {
    /// The first of their tokens, of all tokens of the step.
    pub(super) first: usize,
    pub(super) rows: usize,
    /// New tokens of each row.
    pub(super) new: usize,
    /// Places of what all rows stand behind, if there is anything.
    pub(super) shared: Option<Tensor>,
    /// Places of each row's own tokens, row by row, each as long as the longest.
    pub(super) own: Tensor,
    /// By window, what is hidden from whom.
    masks: Vec<(Option<usize>, Option<Tensor>)>,
}

impl<'a> Step<'a> {
    /// Takes the pages that the inputs' new tokens need.
    pub(super) fn new(
        pages: &'a Pages,
        architecture: &Architecture,
        target: &Target,
        inputs: &mut [Input<'_>],
    ) -> Candle<Self> {
        let mut store = pages.lock();
        for input in &mut *inputs {
            input.text.memory_mut::<Stretch>().reserve(&mut store, input.tokens.len())?;
        }
        let mut slots = Vec::new();
        for input in &*inputs {
            let stretch: &Stretch = input.text.memory();
            slots.extend(stretch.places(stretch.tokens()..stretch.tokens() + input.tokens.len()));
        }
        let width = architecture.key_heads * architecture.head_width;
        let slots = Tensor::new(slots, &target.device)?.unsqueeze(1)?;
        let slots = slots.broadcast_as((slots.dim(0)?, width))?.contiguous()?;
        let turns = turns(architecture, target, inputs)?;
        Ok(Self { store, turns, groups: groups(architecture, target, inputs)?, slots })
    }

    /// Writes keys and values of the new tokens, `[tokens, width of a token's keys]`.
    pub(super) fn remember(&self, layer: usize, keys: &Tensor, values: &Tensor) -> Candle<()> {
        let (all_keys, all_values) = self.store.layer(layer);
        all_keys.scatter_set(&self.slots, keys, 0)?;
        all_values.scatter_set(&self.slots, values, 0)
    }
}

fn turns(architecture: &Architecture, target: &Target, inputs: &[Input<'_>]) -> Candle<(Tensor, Tensor)> {
    let rotary = &architecture.rotary;
    let positions = inputs.iter().flat_map(|input| {
        let first = input.text.tokens();
        first..first + input.tokens.len()
    });
    let (cosines, sines): (Vec<f32>, Vec<f32>) =
        positions.flat_map(|position| rotary.turns(position)).unzip();
    let pairs = rotary.frequencies.len();
    let tensor = |values: Vec<f32>| {
        let rows = values.len() / pairs;
        Tensor::from_vec(values, (rows, pairs), &target.device)?.to_dtype(target.dtype)
    };
    Ok((tensor(cosines)?, tensor(sines)?))
}

fn groups(architecture: &Architecture, target: &Target, inputs: &[Input<'_>]) -> Candle<Vec<Group>> {
    let alike = |a: &Input<'_>, b: &Input<'_>| {
        let above = |it: &Input<'_>| it.text.above().map(std::ptr::from_ref);
        a.tokens.len() == b.tokens.len() && above(a) == above(b)
    };
    let mut first = 0;
    let group = |inputs: &[Input<'_>]| {
        let group = Group::new(architecture, target, inputs, first);
        first += inputs.iter().map(|input| input.tokens.len()).sum::<usize>();
        group
    };
    inputs.chunk_by(alike).map(group).collect()
}

impl Group {
    fn new(architecture: &Architecture, target: &Target, inputs: &[Input<'_>], first: usize) -> Candle<Self> {
        let text = &inputs[0].text;
        let (new, start) = (inputs[0].tokens.len(), text.start());
        let chain = text.chain();
        let above = chain[..chain.len() - 1].iter().map(|text| text.memory::<Stretch>());
        let shared: Vec<u32> = above.flat_map(|stretch| stretch.places(0..stretch.tokens())).collect();
        let lengths: Vec<usize> = inputs.iter().map(|it| it.text.tokens() + new - start).collect();
        let most = lengths.iter().copied().max().expect("a group has an input");
        let mut own = Vec::with_capacity(inputs.len() * most);
        for (row, length) in lengths.iter().enumerate() {
            own.extend(inputs[row].text.memory::<Stretch>().places(0..*length));
            // Any place does behind a row's end: it is hidden.
            own.resize((row + 1) * most, own[row * most]);
        }
        let mut masks: Vec<(Option<usize>, Option<Tensor>)> = Vec::new();
        for window in &architecture.windows {
            if masks.iter().all(|(known, _)| known != window) {
                let ends: Vec<usize> = lengths.iter().map(|length| start + length).collect();
                masks.push((*window, mask(*window, &ends, new, target)?));
            }
        }
        let shared = if shared.is_empty() { None } else { Some(Tensor::new(shared, &target.device)?) };
        let own = Tensor::new(own, &target.device)?;
        Ok(Self { first, rows: inputs.len(), new, shared, own, masks })
    }

    /// `[1, rows, 1, new tokens, keys]`, the shared keys before a row's own: nothing where a key is seen, and -∞ where it
    /// is hidden. Nothing at all where every token sees every key.
    pub(super) fn mask(&self, window: Option<usize>) -> Option<&Tensor> {
        let found = self.masks.iter().find(|(known, _)| *known == window);
        found.expect("every window has a mask").1.as_ref()
    }
}

/// Hides keys behind a token, before its window, and behind the end of its row. Keys lie at their positions.
fn mask(window: Option<usize>, ends: &[usize], new: usize, target: &Target) -> Candle<Option<Tensor>> {
    let keys = ends.iter().copied().max().expect("a group has an input");
    let mut mask = Vec::with_capacity(ends.len() * new * keys);
    for position in ends.iter().flat_map(|end| end - new..*end) {
        let from = window.map_or(0, |window| (position + 1).saturating_sub(window));
        let seen = |key: usize| if (from..=position).contains(&key) { 0.0 } else { f32::NEG_INFINITY };
        mask.extend((0..keys).map(seen));
    }
    if mask.iter().all(|seen: &f32| *seen == 0.0) {
        return Ok(None);
    }
    let mask = Tensor::from_vec(mask, (1, ends.len(), 1, new, keys), &target.device)?;
    mask.to_dtype(DType::F32).map(Some)
}
