//! Inputs of a step that see alike, and what each of their new tokens sees.

use candle_core::{Device, Result as Candle, Tensor};

use super::Stretch;
use crate::Text;
use crate::decoder::Input;

/// Inputs that stand below each other, behind the same stretch, and go on by as many tokens.
pub(super) struct Group<'a, 'i> {
    pub(super) inputs: &'a [Input<'i>],
    /// The first of their tokens, of all tokens of the step.
    pub(super) first: usize,
}

pub(super) fn groups<'a, 'i>(inputs: &'a [Input<'i>]) -> Vec<Group<'a, 'i>> {
    let alike = |a: &Input<'_>, b: &Input<'_>| {
        let above = |it: &Input<'_>| it.text.above().map(std::ptr::from_ref);
        a.tokens.len() == b.tokens.len() && above(a) == above(b)
    };
    let mut first = 0;
    let group = |inputs: &'a [Input<'i>]| {
        let group = Group { inputs, first };
        first += inputs.iter().map(|input| input.tokens.len()).sum::<usize>();
        group
    };
    inputs.chunk_by(alike).map(group).collect()
}

impl Group<'_, '_> {
    pub(super) fn new_tokens(&self) -> usize {
        self.inputs[0].tokens.len()
    }

    /// The stretches that all rows stand behind.
    pub(super) fn shared(&self) -> Vec<&Stretch> {
        let mut chain = self.inputs[0].text.chain();
        chain.pop();
        chain.into_iter().map(Text::stretch).filter(|stretch| stretch.tokens() > 0).collect()
    }

    /// The rows' own keys and values, `[rows, key heads, tokens, width]`, zeros behind those of shorter ones.
    pub(super) fn own(&self, layer: usize) -> Candle<(Tensor, Tensor)> {
        let own = self.inputs.iter().map(|input| input.text.stretch().keys_values(layer));
        let own: Vec<(&Tensor, &Tensor)> = own.collect();
        let most = own.iter().map(|(keys, _)| keys.dim(1)).collect::<Candle<Vec<_>>>()?.into_iter().max();
        let most = most.expect("a group has an input");
        let padded = |tensor: &Tensor| tensor.pad_with_zeros(1, 0, most - tensor.dim(1)?);
        let keys = own.iter().map(|(keys, _)| padded(keys)).collect::<Candle<Vec<_>>>()?;
        let values = own.iter().map(|(_, values)| padded(values)).collect::<Candle<Vec<_>>>()?;
        Ok((Tensor::stack(&keys, 0)?, Tensor::stack(&values, 0)?))
    }

    /// `[1, rows, 1, new tokens, keys]`, the shared keys before a row's own: nothing where a key is seen, and -∞ where it
    /// is not: behind the token, before its window, or behind the end of its row. Nothing at all where every token sees
    /// every key.
    fn mask(&self, window: Option<usize>, device: &Device) -> Candle<Option<Tensor>> {
        let (new, start) = (self.new_tokens(), self.inputs[0].text.start());
        // Before the step: the new tokens are not counted yet.
        let ends = self.inputs.iter().map(|input| input.text.tokens() + new);
        let keys = ends.clone().max().expect("a group has an input");
        debug_assert!(start <= keys - new, "keys lie at their positions: shared ones, then a row's own");
        let mut mask = Vec::with_capacity(self.inputs.len() * new * keys);
        for position in ends.flat_map(|end| end - new..end) {
            let from = window.map_or(0, |window| (position + 1).saturating_sub(window));
            let seen = |key: usize| if (from..=position).contains(&key) { 0.0 } else { f32::NEG_INFINITY };
            mask.extend((0..keys).map(seen));
        }
        if mask.iter().all(|seen: &f32| *seen == 0.0) {
            return Ok(None);
        }
        Tensor::from_vec(mask, (1, self.inputs.len(), 1, new, keys), device).map(Some)
    }
}

/// The masks of a step, which are the same in all layers of one window.
pub(super) struct Masks {
    by_window: Vec<(Option<usize>, Vec<Option<Tensor>>)>,
}

impl Masks {
    pub(super) fn new(windows: &[Option<usize>], groups: &[Group<'_, '_>], device: &Device) -> Candle<Self> {
        let mut by_window: Vec<(Option<usize>, Vec<Option<Tensor>>)> = Vec::new();
        for window in windows {
            if by_window.iter().all(|(known, _)| known != window) {
                let masks = groups.iter().map(|group| group.mask(*window, device));
                by_window.push((*window, masks.collect::<Candle<_>>()?));
            }
        }
        Ok(Self { by_window })
    }

    /// One for each group.
    pub(super) fn of(&self, window: Option<usize>) -> &[Option<Tensor>] {
        let found = self.by_window.iter().find(|(known, _)| *known == window);
        &found.expect("every layer's window has its masks").1
    }
}
