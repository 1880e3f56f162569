//! How quickly a device can write at best, and what holds it up.

use serde::Serialize;

use super::device::{Device, Form};
use super::model::{Matrices, Model};
use super::size::{self, Workload};

/// The most that a device can do: no program is quicker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Speed {
    /// Tokens per second, all rows together.
    pub tokens_per_second: u64,
    /// What holds it up.
    pub bound: Bound,
    /// The share of a step's reading that the weights are, in percent.
    pub weights_percent: u64,
    /// The most rows with which a step takes at most twice as long as the reading of the weights and the prompt alone.
    pub cheap_rows: u64,
}

/// What holds a device up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Bound {
    /// Reading the weights, once for all rows.
    Weights,
    /// Reading keys and values, of the prompt once, of each row by itself.
    KeysAndValues,
    /// Multiplying.
    Arithmetic,
}

/// The roofline (Williams, Waterman and Patterson 2009): a step takes as long as reading what it reads, or as its
/// arithmetic, whichever is longer. On average a row is half written.
#[must_use]
pub fn at_best(model: &Model, device: &Device, form: Form, workload: Workload) -> Speed {
    let Workload { rows, prompt, .. } = workload;
    let weights = size::read_each_step(model, device, form) as f64;
    let prompt = size::keys_and_values(model, device, 0, prompt) as f64;
    let row = size::of_row(model, device, workload) as f64 / 2.0;
    let all = weights + prompt + rows as f64 * row;
    let reading = all / device.bandwidth();
    let products = model.products().into_iter().map(Matrices::numbers).sum::<u64>();
    let of_row = 2.0 * products as f64 / device.operations(device.kept(form));
    let arithmetic = of_row * rows as f64;
    let shared = weights + prompt;
    let cheap_rows = (shared / row).min(2.0 * shared / device.bandwidth() / of_row);
    let bound = match () {
        () if arithmetic > reading => Bound::Arithmetic,
        () if weights >= all / 2.0 => Bound::Weights,
        () => Bound::KeysAndValues,
    };
    Speed {
        tokens_per_second: (rows as f64 / reading.max(arithmetic)) as u64,
        bound,
        weights_percent: (100.0 * weights / all).round() as u64,
        cheap_rows: cheap_rows as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speed(gpu: &str, form: Form, workload: Workload) -> Speed {
        let classes = Model::classes();
        let model = classes.iter().find(|model| model.name == "Qwen3-8B").expect("a class");
        at_best(model, &Device::Gpu(Device::gpu(gpu).expect("a GPU of the table")), form, workload)
    }

    #[test]
    fn each_bound_holds_where_it_should() {
        let short = Workload { rows: 32, prompt: 256, tokens: 64 };
        let weights = speed("L4", Form::Bf16, short);
        assert_eq!(weights.bound, Bound::Weights);
        // Worked by hand: 8,190,735,360 - 622,329,856 numbers of two bytes, 308,224 of four instead; 256 and 32 times 32
        // tokens of 147,456 bytes.
        let read = 2.0 * 7_568_405_504.0 + 2.0 * 308_224.0 + 147_456.0 * (256.0 + 1024.0);
        let by_hand = 32.0 / (read / 300e9);
        assert!((weights.tokens_per_second as f64 - by_hand).abs() < 1.0, "{weights:?}, by hand {by_hand}");
        // As many rows as add as much reading as there was: 7,600; as many as add twice that in products: 810.
        assert!((800..820).contains(&weights.cheap_rows), "{weights:?}");
        let long = Workload { rows: 256, prompt: 256, tokens: 4096 };
        assert_eq!(speed("L4", Form::Bf16, long).bound, Bound::KeysAndValues);
        let many = Workload { rows: 1024, prompt: 16, tokens: 16 };
        assert_eq!(speed("H100", Form::Bf16, many).bound, Bound::Arithmetic);
    }

    #[test]
    fn smaller_weights_are_quicker_where_weights_hold_up() {
        let workload = Workload { rows: 8, prompt: 256, tokens: 64 };
        let forms = [Form::F32, Form::Bf16, Form::Q8, Form::Q4];
        let speeds = forms.map(|form| speed("A10", form, workload).tokens_per_second);
        assert!(speeds.is_sorted(), "{speeds:?}");
    }
}
