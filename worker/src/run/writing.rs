//! `worker generate`, from its arguments to its report.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use api::wire::report::{Effort, Report};
use engine::Sampling;
use tracing::info;

use super::{Reporter, RunError, origin};
use crate::args::GenerateArguments;
use crate::author::Author;
use crate::campaign::Campaign;
use crate::cluster::Cluster;
use crate::destination::{Destination, Folder};
use crate::embedding::{Embed, Embedder, EmbedderError};
use crate::endpoint::{Access, Endpoint, Patience, Settings};
use crate::generate::generate;
use crate::meter::Meter;
use crate::model::Model;
use crate::prompt;
use crate::write::Writer;

/// Writes what the arguments ask for.
pub(super) fn written(arguments: &GenerateArguments, reporter: &Reporter) -> Result<Report, RunError> {
    let campaign = Campaign::open(&arguments.campaign)?;
    let same_meaning = arguments.embedder_threshold.unwrap_or(campaign.same_meaning);
    let campaign = Campaign { same_meaning, ..campaign.shared(arguments.share) };
    let embedder = arguments.embedder.as_deref().map(|folder| embedder(folder, &campaign)).transpose()?;
    let embedder = embedder.as_ref().map(|it| it as &dyn Embed);
    let run = Run { arguments, reporter, campaign: &campaign, embedder };
    let report = match &arguments.endpoint {
        Some(folder) => run.written_elsewhere(folder)?,
        None => run.written_here()?,
    };
    let tokens_per_second = report.effort.and_then(Effort::tokens_per_second);
    info!(outcome = ?report.outcome, placements = ?report.placements, tokens_per_second, "writing ended");
    Ok(report)
}

fn embedder(folder: &Path, campaign: &Campaign) -> Result<Embedder, EmbedderError> {
    let embedder = Embedder::open(folder)?;
    info!(embedder = embedder.digest(), threshold = %campaign.same_meaning, "copy is compared by its meaning");
    Ok(embedder)
}

/// One run of `worker generate`.
#[derive(Clone, Copy)]
struct Run<'a> {
    arguments: &'a GenerateArguments,
    reporter: &'a Reporter,
    campaign: &'a Campaign,
    embedder: Option<&'a dyn Embed>,
}

impl Run<'_> {
    fn written_here(self) -> Result<Report, RunError> {
        let Self { arguments, campaign, .. } = self;
        let folder = arguments.model.as_ref().expect("the arguments demand it where there is no endpoint");
        let device = arguments.device.place();
        let model = Model::open_at(folder, arguments.adapter.as_deref(), arguments.weights.into(), device)?;
        check_language(&model, campaign)?;
        let mut writer = Writer::new(&model, arguments.rows as usize)?;
        writer.sampling = sampling(arguments, writer.sampling);
        writer.meter = self.meter();
        let (weights_bytes, sampling) = (model.decoder().bytes(), writer.sampling);
        info!(
            campaign = campaign.name,
            model = model.digest(),
            adapter = model.adapter_digest(),
            ?device,
            weights_bytes,
            ?sampling,
            "writing begins"
        );
        self.deliver(&writer)
    }

    fn written_elsewhere(self, folder: &Path) -> Result<Report, RunError> {
        let Self { arguments, campaign, .. } = self;
        let access = Access::open(folder)?;
        let settings = Settings {
            model: arguments.endpoint_model.clone().expect("the arguments demand it beside an endpoint"),
            concurrency: NonZeroUsize::new(arguments.endpoint_concurrency.into())
                .expect("the arguments begin at one"),
            temperature: arguments.temperature,
            top_p: arguments.top_p,
            patience: Patience::default(),
        };
        let (host, model, concurrency) = (access.host(), &settings.model, settings.concurrency);
        info!(campaign = campaign.name, host, model, concurrency, "writing begins");
        let mut endpoint = Endpoint::new(access, settings)?;
        endpoint.meter = self.meter();
        self.deliver(&endpoint)
    }

    fn deliver(self, author: &dyn Author) -> Result<Report, RunError> {
        let Self { arguments, reporter: _, campaign, embedder } = self;
        let mut destination: Box<dyn Destination> = match &arguments.output {
            Some(folder) => {
                let mut folder = Folder::open(folder)?;
                origin::check(author, campaign, &folder.existing(&campaign.name)?)?;
                Box::new(folder)
            }
            None => Box::new(Cluster::connect(campaign.home.as_ref())?),
        };
        generate(author, embedder, campaign, arguments.attempts, &mut *destination).map_err(|source| {
            let effort = Box::new(author.meter().effort());
            RunError::Generate { source, effort }
        })
    }

    /// Of what is written from now on.
    fn meter(self) -> Arc<Meter> {
        let meter = Arc::new(Meter::new(self.campaign.tokens));
        self.reporter.writes(Arc::clone(&meter));
        meter
    }
}

fn sampling(arguments: &GenerateArguments, advice: Sampling) -> Sampling {
    Sampling {
        temperature: arguments.temperature.unwrap_or(advice.temperature),
        top_p: arguments.top_p.unwrap_or(advice.top_p),
        sibling_penalty: arguments.sibling_penalty.unwrap_or(advice.sibling_penalty),
        ..advice
    }
}

/// A model that names its languages writes no other: its copy would be in the wrong language and pass every rule.
fn check_language(model: &Model, campaign: &Campaign) -> Result<(), RunError> {
    let primary = prompt::primary(&campaign.language);
    let known = model.languages();
    if known.is_empty() || known.contains(&primary) {
        return Ok(());
    }
    Err(RunError::Language { language: campaign.language.clone(), known: known.join(", ") })
}
