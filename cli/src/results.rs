//! `broadside results`: who leads, by how much, how sure, and what is waited for.

mod render;

use std::collections::BTreeMap;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use api::{AdCampaign, AdVariant, condition};
use kube::ResourceExt;
use serde_json::json;

pub use render::render;

use crate::campaign::{self, Target};
use crate::terminal::Output;

/// Show the results of a campaign, as the operator wrote them.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    /// Draw anew whenever something changed, until the campaign is decided.
    #[arg(short, long)]
    watch: bool,
    /// How results are printed.
    #[arg(short, long, value_enum, default_value = "table")]
    output: Format,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people.
    Table,
    /// The campaign's status and the texts of its variants, for programs.
    Json,
}

/// Why there are no results.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The campaign can't be read.
    #[error(transparent)]
    Campaign(#[from] campaign::Error),
    /// Standard output is closed or full.
    #[error("the results can't be written: {0}")]
    Unwritable(#[from] io::Error),
}

/// How often the cluster is asked while somebody watches. Figures move at most once in a while, people blink.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Prints the results, once or until the campaign is decided.
pub(crate) async fn run(args: Args) -> Result<ExitCode, Error> {
    let source = args.target.source().await?;
    let output = Output::detect();
    let mut shown = None;
    loop {
        let (campaign, variants) = source.look().await?;
        let text = match args.output {
            Format::Table => render(&campaign, &variants, output.width()),
            Format::Json => to_json(&campaign, &variants),
        };
        if !args.watch {
            output.print(&text)?;
            return Ok(ExitCode::SUCCESS);
        }
        if shown.as_ref() != Some(&text) {
            output.redraw(&text)?;
            shown = Some(text);
        }
        if is_decided(&campaign) {
            return Ok(ExitCode::SUCCESS);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Whether every placement has ended.
pub(crate) fn is_decided(campaign: &AdCampaign) -> bool {
    let decided = condition::Type::Decided.to_string();
    let conditions = campaign.status.iter().flat_map(|status| &status.conditions);
    conditions.into_iter().any(|condition| condition.type_ == decided && condition.status == "True")
}

fn to_json(campaign: &AdCampaign, variants: &[AdVariant]) -> String {
    let texts: BTreeMap<String, _> =
        variants.iter().map(|variant| (variant.name_any(), &variant.spec.slots)).collect();
    let mut results = json!({
        "namespace": campaign.namespace(), "name": campaign.name_any(),
        "status": campaign.status, "texts": texts,
    });
    results.sort_all_objects();
    format!("{results:#}\n")
}
