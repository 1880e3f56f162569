//! The cluster as a destination: each variant an object, created with the worker's own account.

use std::time::{Duration, Instant};

use api::{AdVariant, AdVariantSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{ListParams, PostParams};
use kube::{Api, Client, ResourceExt};
use tokio::runtime::Runtime;

use crate::campaign::Home;
use crate::destination::{Destination, DestinationError};

/// The API server, as the destination of one campaign's variants.
pub struct Cluster {
    runtime: Runtime,
    variants: Api<AdVariant>,
    owner: OwnerReference,
}

/// Why the cluster can't take variants.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The campaign is not from an API server.
    #[error(
        "the campaign has no metadata.namespace and metadata.uid: take it from the cluster, or write to --output"
    )]
    NotFromCluster,
    /// No thread for the connection.
    #[error("a connection can't be prepared")]
    Runtime(#[source] std::io::Error),
    /// No API server is known here.
    #[error("no API server is known here: run as a pod with an account, or set KUBECONFIG")]
    Unknown(#[source] Box<kube::Error>),
    /// The API server refused, or did not answer.
    #[error("{act} failed")]
    Api {
        /// What was tried.
        act: &'static str,
        /// What it said.
        #[source]
        source: Box<kube::Error>,
    },
    /// A variant of a deleted campaign of the same name has not gone.
    #[error("variant {name} of a deleted campaign is still there after {}s: delete it", GONE_WITHIN.as_secs())]
    Namesake {
        /// The variant.
        name: String,
    },
}

impl ClusterError {
    /// Whether the API server looked at a variant and found it to be none, as it would again. Rights that are missing may
    /// still come: the operator gives them at the same time as the Job.
    fn is_refusal(&self) -> bool {
        match self {
            Self::Api { source, .. } => {
                matches!(&**source, kube::Error::Api(status) if [400, 422].contains(&status.code))
            }
            Self::NotFromCluster | Self::Runtime(_) | Self::Unknown(_) | Self::Namesake { .. } => false,
        }
    }
}

/// The garbage collector takes seconds; a busy one takes longer.
const GONE_WITHIN: Duration = Duration::from_secs(120);

impl Cluster {
    /// The cluster that this process is in, or that `KUBECONFIG` names.
    ///
    /// # Errors
    /// When the campaign is not from an API server, or none is known.
    pub fn connect(home: Option<&Home>) -> Result<Self, ClusterError> {
        let Home { namespace, owner } = home.ok_or(ClusterError::NotFromCluster)?;
        // The process talks to one server; where tests have set a provider already, theirs will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(ClusterError::Runtime)?;
        let client = runtime
            .block_on(Client::try_default())
            .map_err(|error| ClusterError::Unknown(Box::new(error)))?;
        Ok(Self { runtime, variants: Api::namespaced(client, namespace), owner: owner.clone() })
    }

    fn list(&self, campaign: &str) -> Result<Vec<AdVariantSpec>, ClusterError> {
        let of_campaign = ListParams::default().fields(&format!("spec.campaign={campaign}"));
        let listed =
            self.runtime.block_on(self.variants.list(&of_campaign)).map_err(failed("listing variants"))?;
        let ours = listed.items.into_iter().filter(|variant| self.is_ours(variant));
        Ok(ours.map(|variant| variant.spec).collect())
    }

    fn is_ours(&self, variant: &AdVariant) -> bool {
        variant.owner_references().iter().any(|owner| owner.uid == self.owner.uid)
    }

    fn create(&self, spec: &AdVariantSpec) -> Result<(), ClusterError> {
        let object = self.object(spec);
        let started = Instant::now();
        while started.elapsed() < GONE_WITHIN {
            let created = self.runtime.block_on(self.variants.create(&PostParams::default(), &object));
            match created {
                Ok(_) => return Ok(()),
                Err(kube::Error::Api(status)) if status.is_already_exists() => {
                    if self.holds(&object.name_any())? {
                        return Ok(());
                    }
                    self.runtime.block_on(tokio::time::sleep(Duration::from_secs(1)));
                }
                Err(error) => return Err(failed("creating a variant")(error)),
            }
        }
        Err(ClusterError::Namesake { name: object.name_any() })
    }

    /// Whether the variant of this name is this campaign's, and not that of a deleted one.
    fn holds(&self, name: &str) -> Result<bool, ClusterError> {
        let found =
            self.runtime.block_on(self.variants.get_opt(name)).map_err(failed("reading a variant"))?;
        Ok(found.is_some_and(|variant| self.is_ours(&variant)))
    }

    fn object(&self, spec: &AdVariantSpec) -> AdVariant {
        let name = api::name::variant(&spec.campaign, &spec.placement, &spec.slots);
        let mut object = AdVariant::new(&name, spec.clone());
        let labels = [
            (api::name::MANAGED_BY_LABEL, api::name::MANAGED_BY),
            (api::name::CAMPAIGN_LABEL, spec.campaign.as_str()),
            (api::name::PLACEMENT_LABEL, spec.placement.as_str()),
        ];
        object.labels_mut().extend(labels.map(|(key, value)| (key.to_owned(), value.to_owned())));
        object.owner_references_mut().push(self.owner.clone());
        object
    }
}

fn failed(act: &'static str) -> impl Fn(kube::Error) -> ClusterError {
    move |source| ClusterError::Api { act, source: Box::new(source) }
}

impl Destination for Cluster {
    fn existing(&mut self, campaign: &str) -> Result<Vec<AdVariantSpec>, DestinationError> {
        self.list(campaign).map_err(|error| DestinationError::Other(Box::new(error)))
    }

    fn deliver(&mut self, variant: &AdVariantSpec) -> Result<(), DestinationError> {
        self.create(variant).map_err(|error| match error.is_refusal() {
            true => DestinationError::Refused(Box::new(error)),
            false => DestinationError::Other(Box::new(error)),
        })
    }
}
