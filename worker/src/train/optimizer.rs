//! Moves the weights: AdamW, a rate that rises and falls, and gradients clipped together.

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, Var};
use candle_nn::{AdamW, Optimizer as _, ParamsAdamW};

use super::model::Decoder;
use super::recipe::TrainingRecipe;

/// AdamW (Loshchilov and Hutter, 2019) with a schedule. Matrices decay; the weights of norms do not, since they scale
/// what is already normalized and have one as their neutral value, not zero.
#[derive(Debug)]
pub struct Optimizer {
    matrices: AdamW,
    norms: AdamW,
    vars: Vec<Var>,
    recipe: TrainingRecipe,
    step: usize,
}

impl Optimizer {
    /// Starts at step zero.
    ///
    /// # Errors
    /// When the moments cannot be made.
    pub fn new(decoder: &Decoder, recipe: &TrainingRecipe) -> Result<Self> {
        let vars: Vec<Var> = decoder.weights().into_iter().map(|(_, var)| var.clone()).collect();
        let (matrices, norms): (Vec<Var>, Vec<Var>) = vars.iter().cloned().partition(|var| var.rank() == 2);
        // A second moment of 0.98 instead of 0.999 forgets the first steps sooner, which a run of a thousand needs.
        let params = |weight_decay| ParamsAdamW { lr: 0.0, beta1: 0.9, beta2: 0.98, eps: 1e-8, weight_decay };
        Ok(Self {
            matrices: AdamW::new(matrices, params(recipe.weight_decay))?,
            norms: AdamW::new(norms, params(0.0))?,
            vars,
            recipe: recipe.clone(),
            step: 0,
        })
    }

    /// Takes one step along the sum of `parts` and returns the norm that it had before clipping.
    ///
    /// # Errors
    /// When a weight has no gradient, or an operation fails.
    pub fn step(&mut self, parts: Vec<GradStore>) -> Result<f64> {
        let mut gradients = self.sum(parts)?;
        let norm = clip(&mut gradients, &self.vars, self.recipe.clip)?;
        let rate = rate(&self.recipe, self.step);
        for optimizer in [&mut self.matrices, &mut self.norms] {
            optimizer.set_learning_rate(rate);
            optimizer.step(&gradients)?;
        }
        self.step += 1;
        Ok(norm)
    }

    /// Adds gradients in the order of the parts, so that the sum is the same however the parts were timed.
    fn sum(&self, parts: Vec<GradStore>) -> Result<GradStore> {
        let mut parts = parts.into_iter();
        let mut total =
            parts.next().ok_or_else(|| candle_core::Error::Msg("a step needs a gradient".into()))?;
        for part in parts {
            for var in &self.vars {
                let sum = (gradient(&total, var)? + gradient(&part, var)?)?;
                total.insert(var, sum);
            }
        }
        Ok(total)
    }
}

/// The learning rate of a step: a straight rise, then half a cosine down (Loshchilov and Hutter, 2017, equation 5).
fn rate(recipe: &TrainingRecipe, step: usize) -> f64 {
    if step < recipe.warm_up {
        return recipe.learning_rate * (step + 1) as f64 / recipe.warm_up as f64;
    }
    let passed = (step - recipe.warm_up) as f64 / (recipe.steps - recipe.warm_up) as f64;
    let cosine = 0.5 * (1.0 + (std::f64::consts::PI * passed.min(1.0)).cos());
    recipe.learning_rate * (recipe.final_share + (1.0 - recipe.final_share) * cosine)
}

/// Scales all gradients by one factor so that their common norm is at most `limit`; returns the norm before.
/// (Pascanu, Mikolov and Bengio, 2013, algorithm 1.)
fn clip(gradients: &mut GradStore, vars: &[Var], limit: f64) -> Result<f64> {
    let mut squares = 0.0;
    for var in vars {
        squares += f64::from(gradient(gradients, var)?.sqr()?.sum_all()?.to_scalar::<f32>()?);
    }
    let norm = squares.sqrt();
    if norm > limit {
        for var in vars {
            let scaled = (gradient(gradients, var)? * (limit / norm))?;
            gradients.insert(var, scaled);
        }
    }
    Ok(norm)
}

/// A weight without a gradient is the trap that `model.rs` tells of; it must never train on silently.
fn gradient<'a>(gradients: &'a GradStore, var: &Var) -> Result<&'a Tensor> {
    gradients.get(var).ok_or_else(|| candle_core::Error::Msg("a weight received no gradient".into()))
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn recipe() -> TrainingRecipe {
        TrainingRecipe {
            steps: 110,
            batch: 2,
            shards: 1,
            learning_rate: 1.0,
            warm_up: 10,
            final_share: 0.1,
            weight_decay: 0.0,
            clip: 1.0,
            validate_every: 1,
        }
    }

    #[test]
    fn the_rate_rises_to_its_height_and_falls_to_its_last_share() {
        let recipe = recipe();
        let at = |step| rate(&recipe, step);
        assert!((at(0) - 0.1).abs() < 1e-12);
        assert!((at(9) - 1.0).abs() < 1e-12);
        assert!((at(60) - 0.55).abs() < 1e-12, "halfway down a cosine lies halfway between its ends");
        assert!((at(110) - 0.1).abs() < 1e-12);
    }

    #[test]
    fn clipping_keeps_the_direction_and_bounds_the_norm_of_all_gradients_together() {
        let vars = [3.0f32, 4.0].map(|value| Var::new(&[value], &Device::Cpu).expect("a weight"));
        // The gradient of half the sum of squares is the weight itself, so the norm is 5.
        let half_square = |var: &Var| var.sqr()?.sum_all()? * 0.5;
        let loss = half_square(&vars[0]).and_then(|first| first + half_square(&vars[1])?);
        let mut gradients = loss.and_then(|loss| loss.backward()).expect("gradients");
        let norm = clip(&mut gradients, &vars, 1.0).expect("clipped");
        assert!((norm - 5.0).abs() < 1e-6);
        let clipped = vars
            .each_ref()
            .map(|var| gradients.get(var).expect("kept").to_vec1::<f32>().expect("a vector")[0]);
        assert!((clipped[0] - 0.6).abs() < 1e-6 && (clipped[1] - 0.8).abs() < 1e-6, "{clipped:?}");
    }
}
