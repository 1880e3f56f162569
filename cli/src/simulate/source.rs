//! Where the variants are learned, and when the campaign is decided.

use std::cmp::Reverse;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use api::{AdCampaign, AdTable, TablePlacement};
use kube::Api;
use kube::api::ListParams;

use super::Args;
use crate::connection::{self, Connected};
use crate::results::is_decided;
use crate::terminal::note;

/// Why the variants can't be learned.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The cluster can't be reached.
    #[error(transparent)]
    Connection(#[from] connection::Error),
    /// The API server refused or did not answer.
    #[error("the table can't be read: {0}")]
    Api(#[from] Box<kube::Error>),
    /// A folder or a file in it can't be read.
    #[error("{} can't be read: {source}", .path.display())]
    Unreadable {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file holds no table.
    #[error("{} holds no AdTable: {problem}", .path.display())]
    NoTable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A folder can't tell when a campaign is decided.
    #[error("--until-decided needs a cluster: leave out --tables, or give --duration")]
    NeedsCluster,
    /// The time is up.
    #[error("{what} after {} s: look at `kubectl describe adcampaign {campaign}`, or wait longer with --wait", .waited.as_secs())]
    Never {
        /// What there is instead.
        what: String,
        /// The campaign.
        campaign: String,
        /// How long it took.
        waited: Duration,
    },
    /// The campaign has several placements, or not the one that was named.
    #[error("name one of its placements with --placement: {}", .0.join(", "))]
    WhichPlacement(Vec<String>),
}

/// Where tables are.
#[expect(clippy::large_enum_variant, reason = "there is one of it, for the whole run")]
enum Place {
    Cluster { tables: Api<AdTable>, campaigns: Api<AdCampaign> },
    Folder(PathBuf),
}

/// Where one campaign's table is.
pub(super) struct Source {
    place: Place,
    namespace: String,
    campaign: String,
    placement: Option<String>,
}

const LOOK_EVERY: Duration = Duration::from_millis(500);

impl Source {
    pub(super) async fn open(args: &Args, campaign: &str) -> Result<Self, Error> {
        let (campaign, placement) = (campaign.to_owned(), args.placement.clone());
        if args.tables != "kubernetes" {
            if args.until_decided {
                return Err(Error::NeedsCluster);
            }
            let namespace = args.connection.namespace.clone().unwrap_or_else(|| "default".to_owned());
            return Ok(Self {
                place: Place::Folder(args.tables.clone().into()),
                namespace,
                campaign,
                placement,
            });
        }
        let Connected { client, namespace } = args.connection.connect().await?;
        let tables = Api::namespaced(client.clone(), &namespace);
        let place = Place::Cluster { tables, campaigns: Api::namespaced(client, &namespace) };
        Ok(Self { place, namespace, campaign, placement })
    }

    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The placement, once its table holds more than the control: the appeals are drawn for the whole set at once.
    pub(super) async fn wait_for_variants(&self, longest: Duration) -> Result<TablePlacement, Error> {
        let began = Instant::now();
        let mut told = String::new();
        loop {
            let what = match self.table().await? {
                None => "no table is published".to_owned(),
                Some(table) => match self.choose(&table)? {
                    placement if placement.variants.len() > 1 => return Ok(placement.clone()),
                    _ => "only the control is served".to_owned(),
                },
            };
            if began.elapsed() >= longest {
                return Err(Error::Never { what, campaign: self.campaign.clone(), waited: longest });
            }
            if what != told {
                note(&format!("waiting: {what}"));
                told = what;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn choose<'a>(&self, table: &'a AdTable) -> Result<&'a TablePlacement, Error> {
        let placements = &table.spec.placements;
        let chosen = match (&self.placement, placements.as_slice()) {
            (Some(name), _) => placements.iter().find(|placement| placement.name == *name),
            (None, [only]) => Some(only),
            (None, _) => None,
        };
        chosen.ok_or_else(|| {
            Error::WhichPlacement(placements.iter().map(|placement| placement.name.clone()).collect())
        })
    }

    /// The campaign's table. After a campaign was made again under its name, the younger one.
    async fn table(&self) -> Result<Option<AdTable>, Error> {
        let all = match &self.place {
            Place::Cluster { tables, .. } => {
                tables.list(&ListParams::default()).await.map_err(Box::new)?.items
            }
            Place::Folder(folder) => read_folder(folder)?,
        };
        let mut of_campaign: Vec<AdTable> =
            all.into_iter().filter(|table| table.spec.campaign.name == self.campaign).collect();
        of_campaign
            .sort_by_key(|table| Reverse(table.metadata.creation_timestamp.as_ref().map(|time| time.0)));
        Ok(of_campaign.into_iter().next())
    }

    /// Returns when the campaign is decided. An API server that is away does not end the run.
    pub(super) async fn decided(&self) {
        let Place::Cluster { campaigns, .. } = &self.place else { return std::future::pending().await };
        loop {
            if matches!(campaigns.get_opt(&self.campaign).await, Ok(Some(campaign)) if is_decided(&campaign))
            {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// The tables of a folder, in the order of their files.
fn read_folder(folder: &Path) -> Result<Vec<AdTable>, Error> {
    let unreadable = |source| Error::Unreadable { path: folder.to_owned(), source };
    let entries = fs::read_dir(folder).map_err(unreadable)?;
    let entries: Result<Vec<PathBuf>, io::Error> =
        entries.map(|entry| entry.map(|entry| entry.path())).collect();
    let is_table =
        |path: &PathBuf| path.extension().is_some_and(|end| end == "yaml" || end == "yml" || end == "json");
    let mut files: Vec<PathBuf> = entries.map_err(unreadable)?.into_iter().filter(is_table).collect();
    files.sort();
    files.into_iter().map(read_table).collect()
}

fn read_table(path: PathBuf) -> Result<AdTable, Error> {
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(source) => return Err(Error::Unreadable { path, source }),
    };
    serde_saphyr::from_str(&text).map_err(|error| Error::NoTable { path, problem: error.to_string() })
}
