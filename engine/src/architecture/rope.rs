//! How rotary positions are stretched for texts longer than the model was first trained on.

use std::f64::consts::TAU;

use serde::Deserialize;

use crate::EngineError;
use crate::cpu::{Pairing, Rotary};

/// A configuration's `rope_scaling`, or what is left of its `rope_parameters`.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Scaling {
    #[serde(alias = "type")]
    pub(super) rope_type: Option<String>,
    pub(super) rope_theta: Option<f64>,
    pub(super) factor: Option<f64>,
    pub(super) low_freq_factor: Option<f64>,
    pub(super) high_freq_factor: Option<f64>,
    pub(super) original_max_position_embeddings: Option<f64>,
    pub(super) attention_factor: Option<f64>,
    pub(super) beta_fast: Option<f64>,
    pub(super) beta_slow: Option<f64>,
}

/// The angles of heads of `width` numbers.
pub(super) fn rotary(
    theta: f64,
    width: usize,
    positions: usize,
    scaling: &Scaling,
    pairing: Pairing,
) -> Result<Rotary, EngineError> {
    let plain = (0..width / 2).map(|pair| theta.powf(-2.0 * pair as f64 / width as f64));
    let plain: Vec<f64> = plain.collect();
    let factor = scaling.factor.unwrap_or(1.0);
    let trained = scaling.original_max_position_embeddings.unwrap_or(positions as f64);
    let (frequencies, magnitude) = match scaling.rope_type.as_deref().unwrap_or("default") {
        "default" | "none" => (plain, 1.0),
        "linear" => (plain.iter().map(|frequency| frequency / factor).collect(), 1.0),
        "llama3" => (llama3(&plain, factor, trained, scaling), 1.0),
        "yarn" => {
            let magnitude =
                scaling.attention_factor.unwrap_or(if factor > 1.0 { 0.1 * factor.ln() + 1.0 } else { 1.0 });
            (yarn(&plain, factor, trained, theta, scaling), magnitude)
        }
        other => {
            return Err(EngineError::Unsupported {
                field: "rope type",
                found: format!("{other:?}"),
                known: "default, linear, llama3 and yarn",
            });
        }
    };
    let frequencies = frequencies.into_iter().map(|frequency| frequency as f32).collect();
    Ok(Rotary { frequencies, magnitude: magnitude as f32, pairing })
}

/// Llama 3.1: waves that are long against the texts of the training turn more slowly, short ones do not change, and
/// those between lie between.
fn llama3(plain: &[f64], factor: f64, trained: f64, scaling: &Scaling) -> Vec<f64> {
    let (low, high) = (scaling.low_freq_factor.unwrap_or(1.0), scaling.high_freq_factor.unwrap_or(4.0));
    let scale = |frequency: &f64| {
        let waves = trained * frequency / TAU;
        let kept = ((waves - low) / (high - low)).clamp(0.0, 1.0);
        frequency * (kept + (1.0 - kept) / factor)
    };
    plain.iter().map(scale).collect()
}

/// YaRN (Peng et al. 2023, section 3.2, equations 17 to 19), with the rounding of borders of its authors' code.
fn yarn(plain: &[f64], factor: f64, trained: f64, theta: f64, scaling: &Scaling) -> Vec<f64> {
    let width = 2.0 * plain.len() as f64;
    let pair_that_turns = |times: f64| width * (trained / (times * TAU)).ln() / (2.0 * theta.ln());
    let first = pair_that_turns(scaling.beta_fast.unwrap_or(32.0)).floor().max(0.0);
    let last = pair_that_turns(scaling.beta_slow.unwrap_or(1.0)).ceil().min(width - 1.0);
    let span = if last > first { last - first } else { 0.001 };
    let scale = |(pair, frequency): (usize, &f64)| {
        let slowed = ((pair as f64 - first) / span).clamp(0.0, 1.0);
        frequency * (1.0 - slowed + slowed / factor)
    };
    plain.iter().enumerate().map(scale).collect()
}
