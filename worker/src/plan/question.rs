//! From a question to estimates, and to the one that is recommended.

use api::Price;

use super::device::{Device, Form};
use super::model::Model;
use super::size::{self, Part, Workload};
use super::speed;
use super::training::{self, Training};
use super::{Answer, Estimate, Obstacle, PlanError};
use crate::args::{PlanArguments, PlanForm};

/// What is asked, in units.
pub(super) struct Question<'a> {
    pub(super) arguments: &'a PlanArguments,
    pub(super) device: Device,
    /// Seconds.
    pub(super) within: u64,
}

impl Question<'_> {
    pub(super) fn workload(&self) -> Workload {
        let PlanArguments { rows, data, prompt, tokens, .. } = self.arguments;
        Workload { rows: (*rows).min(*data), prompt: *prompt, tokens: *tokens }
    }

    pub(super) fn writing(&self, models: &[Model]) -> Result<Answer, PlanError> {
        let mut estimates =
            models.iter().map(|model| self.best_form(model)).collect::<Result<Vec<_>, _>>()?;
        estimates.sort_by_key(|estimate| estimate.parameters);
        // Of one family, and mostly of several, the larger model writes the better copy.
        let recommended = estimates.iter().rfind(|estimate| estimate.obstacle.is_none()).cloned();
        Ok(self.answer(estimates, recommended.as_ref()))
    }

    /// The model in the most faithful form in which nothing stands against it, else in the smallest.
    fn best_form(&self, model: &Model) -> Result<Estimate, PlanError> {
        let given = self.arguments.weights.map(Form::from);
        let forms = given.as_ref().map_or(self.device.forms(), std::slice::from_ref);
        let estimates =
            forms.iter().map(|form| self.estimate(model, *form)).collect::<Result<Vec<_>, _>>()?;
        let best = estimates.iter().find(|it| it.obstacle.is_none()).or(estimates.last());
        Ok(best.cloned().expect("there is a form at least"))
    }

    fn estimate(&self, model: &Model, form: Form) -> Result<Estimate, PlanError> {
        let (device, workload) = (&self.device, self.workload());
        let memory = size::writing(model, device, form, workload);
        let speed = speed::at_best(model, device, form, workload);
        let tokens = self.arguments.data * workload.tokens;
        let seconds = tokens.div_ceil(speed.tokens_per_second.max(1));
        let (needed, available) = (total(&memory), device.memory());
        let without_rows = total(&size::writing(model, device, form, Workload { rows: 0, ..workload }));
        let of_row = (needed - without_rows) / workload.rows;
        let obstacle = match () {
            () if !model.writes(&self.arguments.languages) => Some(Obstacle::Languages),
            () if workload.prompt + workload.tokens > model.shape.positions as u64 => Some(Obstacle::Length),
            () if needed > available => Some(Obstacle::Memory),
            () if seconds > self.within => Some(Obstacle::Time),
            () => None,
        };
        Ok(Estimate {
            speed: Some(speed),
            seconds: Some(seconds),
            cost: self.cost(seconds)?,
            obstacle,
            most_rows: available.saturating_sub(without_rows) / of_row.max(1),
            ..self.of_memory(model, device.kept(form), memory)
        })
    }

    fn of_memory(&self, model: &Model, form: Form, memory: Vec<Part>) -> Estimate {
        Estimate {
            model: model.name.clone(),
            parameters: model.parameters(),
            languages: model.languages.clone(),
            weights: form.name(),
            needed_bytes: total(&memory),
            available_bytes: self.device.memory(),
            memory,
            most_rows: 0,
            speed: None,
            seconds: None,
            cost: None,
            obstacle: None,
        }
    }

    fn cost(&self, seconds: u64) -> Result<Option<String>, PlanError> {
        let price = self.arguments.price.clone().map(|per_gpu_hour| Price { per_gpu_hour });
        Ok(price.map(|price| price.of(seconds)).transpose()?)
    }

    /// The smallest class is the only one that our trainer makes.
    pub(super) fn training(&self, models: Vec<Model>) -> Result<Answer, PlanError> {
        if matches!(self.device, Device::Gpu(_)) {
            return Err(PlanError::TrainsOnCpu);
        }
        let model = models.into_iter().next().expect("one was given, or there are classes");
        if model.shape.key_heads != model.shape.heads || !model.is_tied() {
            return Err(PlanError::TrainsOnly(model.name));
        }
        let PlanArguments { rows, tokens, cpus, .. } = *self.arguments;
        let memory = training::training(&model, Training { rows, tokens, shards: cpus });
        let mut estimate = self.of_memory(&model, Form::F32, memory);
        estimate.obstacle = (estimate.needed_bytes > estimate.available_bytes).then_some(Obstacle::Memory);
        let recommended = estimate.obstacle.is_none().then(|| estimate.clone());
        Ok(self.answer(vec![estimate], recommended.as_ref()))
    }
}

fn total(parts: &[Part]) -> u64 {
    parts.iter().map(|part| part.bytes).sum()
}

impl From<PlanForm> for Form {
    fn from(form: PlanForm) -> Self {
        match form {
            PlanForm::F32 => Self::F32,
            PlanForm::Bf16 => Self::Bf16,
            PlanForm::Q8 => Self::Q8,
            PlanForm::Q4 => Self::Q4,
        }
    }
}
