//! `broadside results`: who leads, by how much, how sure, and what is waited for.

mod render;

use std::collections::BTreeMap;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use api::{AdCampaign, AdVariant, condition};
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use serde_json::json;

pub use render::render;

use crate::connection::{self, Connected, Connection};
use crate::terminal::Output;

/// Show the results of a campaign, as the operator wrote them.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The campaign: NAME, or NAMESPACE/NAME.
    #[arg(value_name = "[NAMESPACE/]NAME")]
    campaign: String,
    /// Draw anew whenever something changed, until the campaign is decided.
    #[arg(short, long)]
    watch: bool,
    /// How results are printed.
    #[arg(short, long, value_enum, default_value = "table")]
    output: Format,
    #[command(flatten)]
    connection: Connection,
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
    /// The cluster can't be reached.
    #[error(transparent)]
    Connection(#[from] connection::Error),
    /// There is no such campaign.
    #[error("there is no campaign {namespace}/{name}: `kubectl get adcampaigns --all-namespaces` lists them")]
    NotFound {
        /// The namespace that was searched.
        namespace: String,
        /// The name that was asked for.
        name: String,
    },
    /// The API server refused or did not answer.
    #[error("the campaign can't be read: {0}")]
    Api(#[from] Box<kube::Error>),
    /// Standard output is closed or full.
    #[error("the results can't be written: {0}")]
    Unwritable(#[from] io::Error),
}

/// How often the cluster is asked while somebody watches. Figures move at most once in a while, people blink.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Prints the results, once or until the campaign is decided.
pub(crate) async fn run(args: Args) -> Result<ExitCode, Error> {
    let source = Source::connect(&args).await?;
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

/// Where one campaign and its variants are read.
struct Source {
    campaigns: Api<AdCampaign>,
    variants: Api<AdVariant>,
    namespace: String,
    name: String,
}

impl Source {
    async fn connect(args: &Args) -> Result<Self, Error> {
        let Connected { client, namespace } = args.connection.connect().await?;
        let (namespace, name) = match args.campaign.split_once('/') {
            Some((namespace, name)) => (namespace.to_owned(), name.to_owned()),
            None => (namespace, args.campaign.clone()),
        };
        let campaigns = Api::namespaced(client.clone(), &namespace);
        Ok(Self { campaigns, variants: Api::namespaced(client, &namespace), namespace, name })
    }

    async fn look(&self) -> Result<(AdCampaign, Vec<AdVariant>), Error> {
        let not_found = || Error::NotFound { namespace: self.namespace.clone(), name: self.name.clone() };
        let campaign = self.campaigns.get_opt(&self.name).await.map_err(Box::new)?.ok_or_else(not_found)?;
        let of_campaign = ListParams::default().fields(&format!("spec.campaign={}", self.name));
        let variants = self.variants.list(&of_campaign).await.map_err(Box::new)?.items;
        Ok((campaign, variants))
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
