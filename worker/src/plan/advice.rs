//! What is said of estimates: why, what to change, and what to ask of the cluster.

use super::device::{Device, Form};
use super::question::Question;
use super::{Answer, Estimate, Obstacle, words};

impl Question<'_> {
    pub(super) fn answer(&self, estimates: Vec<Estimate>, recommended: Option<&Estimate>) -> Answer {
        Answer {
            task: self.arguments.task,
            data: self.arguments.data,
            device: self.device.name(),
            rows: self.workload().rows,
            why: self.why(&estimates, recommended),
            recommended: recommended.map(|it| it.model.clone()),
            manifest: recommended.map_or_else(String::new, |it| self.manifest(it)),
            estimates,
        }
    }

    fn why(&self, estimates: &[Estimate], recommended: Option<&Estimate>) -> Vec<String> {
        let mut why = Vec::new();
        if let Some(chosen) = recommended {
            let larger = estimates.iter().find(|it| it.parameters > chosen.parameters);
            why.extend((estimates.len() > 1).then(|| words::chosen(chosen)));
            why.extend(larger.map(|larger| words::obstacle(larger, self.within)));
            why.extend(chosen.speed.map(words::bound));
        } else {
            why.extend(estimates.iter().map(|it| words::obstacle(it, self.within)));
            why.extend(self.remedy(estimates));
        }
        why.extend(recommended.and_then(|it| Some(words::offered(it, self.rounded(it)?))));
        if matches!(self.device, Device::Gpu(_)) {
            why.push("The worker of this release computes on CPUs: on a GPU let an engine such as vLLM serve the model.".to_owned());
        }
        why
    }

    /// The form to which the weights are rounded, where the worker's pod has to be told.
    fn rounded(&self, chosen: &Estimate) -> Option<Form> {
        let is_cpu = matches!(self.device, Device::Cpu(_));
        [Form::Q8, Form::Q4].into_iter().find(|form| is_cpu && form.name() == chosen.weights)
    }

    /// What helps where nothing will do: fewer rows, or the smallest GPU that holds the smallest model.
    fn remedy(&self, estimates: &[Estimate]) -> Option<String> {
        let short = estimates.iter().find(|it| it.obstacle == Some(Obstacle::Memory))?;
        if short.most_rows > 0 {
            return Some(format!("With --rows {} it fits.", short.most_rows));
        }
        let larger = Device::gpus().into_iter().find(|gpu| {
            let gpu = Device::Gpu(gpu.clone());
            gpu.memory() > self.device.memory() && gpu.memory() >= short.needed_bytes
        });
        larger.map(|gpu| format!("The smallest GPU with so much memory is {}.", gpu.name))
    }

    fn manifest(&self, chosen: &Estimate) -> String {
        match &self.device {
            Device::Gpu(gpu) => format!(
                "resources:\n  limits:\n    nvidia.com/gpu: \"1\"\nnodeSelector:\n  nvidia.com/gpu.product: {}\n",
                gpu.product
            ),
            Device::Cpu(cpu) => {
                // A tenth more than is worked out, for what an allocator can't use.
                let mebibytes = (chosen.needed_bytes / 10 * 11).div_ceil(64 << 20) * 64;
                let weights = match self.rounded(chosen) {
                    Some(Form::Q8) => "weights: Q8\n",
                    _ => "",
                };
                format!(
                    "{weights}resources:\n  limits:\n    cpu: \"{}\"\n    memory: {mebibytes}Mi\n",
                    cpu.cpus
                )
            }
        }
    }
}
