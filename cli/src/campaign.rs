//! One campaign of a cluster, and its variants, as commands name and read them.

use api::{AdCampaign, AdTable, AdVariant, AdVariantSpec, Origin};
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};

use crate::connection::{self, Connected, Connection};

/// Which campaign, and where.
#[derive(Debug, clap::Args)]
pub(crate) struct Target {
    /// The campaign: NAME, or NAMESPACE/NAME.
    #[arg(value_name = "[NAMESPACE/]NAME")]
    campaign: String,
    #[command(flatten)]
    connection: Connection,
}

/// Why a campaign can't be read.
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
}

/// Where one campaign and its variants are read.
pub(crate) struct Source {
    pub(crate) client: Client,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Target {
    pub(crate) async fn source(&self) -> Result<Source, Error> {
        let Connected { client, namespace } = self.connection.connect().await?;
        let (namespace, name) = match self.campaign.split_once('/') {
            Some((namespace, name)) => (namespace.to_owned(), name.to_owned()),
            None => (namespace, self.campaign.clone()),
        };
        Ok(Source { client, namespace, name })
    }
}

impl Source {
    /// The campaign as it is, and its variants in the order of their names; those of an earlier one of its name are left out.
    pub(crate) async fn look(&self) -> Result<(AdCampaign, Vec<AdVariant>), Error> {
        let campaigns: Api<AdCampaign> = Api::namespaced(self.client.clone(), &self.namespace);
        let variants: Api<AdVariant> = Api::namespaced(self.client.clone(), &self.namespace);
        let not_found = || Error::NotFound { namespace: self.namespace.clone(), name: self.name.clone() };
        let campaign = campaigns.get_opt(&self.name).await.map_err(Box::new)?.ok_or_else(not_found)?;
        let of_campaign = ListParams::default().fields(&format!("spec.campaign={}", self.name));
        let mut variants = variants.list(&of_campaign).await.map_err(Box::new)?.items;
        let uid = campaign.uid().unwrap_or_default();
        variants.retain(|variant| variant.owner_references().iter().any(|owner| owner.uid == uid));
        variants.sort_by_key(ResourceExt::name_any);
        Ok((campaign, variants))
    }
}

impl Source {
    /// What is served of the campaign, where something is.
    pub(crate) async fn table(&self, campaign: &AdCampaign) -> Result<Option<AdTable>, Error> {
        let tables: Api<AdTable> = Api::namespaced(self.client.clone(), &self.namespace);
        Ok(tables.get_opt(&campaign.uid().unwrap_or_default()).await.map_err(Box::new)?)
    }

    /// What is served beside the control and is none of `variants`.
    pub(crate) async fn served_alone(
        &self,
        campaign: &AdCampaign,
        variants: &[AdVariant],
    ) -> Result<Vec<AdVariant>, Error> {
        let table = self.table(campaign).await?;
        let rows = table.iter().flat_map(|table| &table.spec.placements);
        let served = rows.flat_map(|row| row.variants.iter().skip(1).map(|variant| (&row.name, variant)));
        let unknown = served
            // Of what a dry run draws the table has no texts.
            .filter(|(_, served)| served.stands_for.is_none())
            .filter(|(_, served)| variants.iter().all(|known| known.name_any() != served.name))
            .map(|(placement, served)| {
                let spec = AdVariantSpec {
                    campaign: self.name.clone(),
                    placement: placement.clone(),
                    origin: Origin::Generated,
                    slots: served.slots.clone(),
                    edit: None,
                    provenance: None,
                    appraisal: None,
                };
                AdVariant::new(&served.name, spec)
            });
        Ok(unknown.collect())
    }
}

/// Who wrote a variant, as tables say it.
pub(crate) fn origin(variant: Origin) -> &'static str {
    match variant {
        Origin::Control => "control",
        Origin::Challenger => "challenger",
        Origin::Generated => "generated",
        Origin::Edited => "edited",
    }
}

/// The digits at the end of a variant's name, which tell it from the others of its placement.
pub(crate) fn digits(variant: &AdVariant) -> String {
    variant.name_any().rsplit('-').next().unwrap_or_default().to_owned()
}
