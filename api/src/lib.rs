//! Everything of Broadside that crosses a process boundary, and only that: the Kubernetes objects, the JSON of the
//! gateway, the token, and the names that parts agree on.
//!
//! ```text
//! objects   AdCampaign  AdVariant  AdTable  AdModel  AdReview  AdPolicy   what `kubectl` sees
//! wire      decide  ofrep  event  totals  part  token     what applications and the operator send to the gateway
//! records   evidence  record                               what a verdict rests on, for GitOps and its readers
//! words     amount  condition  figure  landing_page  name  quantity  scope   what all are written with
//! ```
//!
//! The crate decides nothing and reads nothing. Strings with a grammar (`10%`, `30m`) stay strings in the objects,
//! so that one object from a newer or older version never stops a watch; they are parsed where they are used.

#![expect(unreachable_pub, reason = "KubeSchema checks each struct on a private copy, which keeps its `pub`")]

mod amount;
mod campaign;
mod campaign_status;
pub mod condition;
mod evidence;
pub mod figure;
mod landing_page;
mod model;
pub mod model_files;
pub mod model_secret;
pub mod name;
mod people;
mod policy;
mod price;
mod quantity;
pub mod record;
mod review;
mod schema;
mod scope;
mod spending;
mod table;
mod variant;
pub mod wire;

pub use amount::{Amount, AmountError};
pub use campaign::{
    AdCampaign, AdCampaignSpec, Approval, Brief, Budget, CampaignRules, Delivery, Direction, Embedder,
    GatewayDelivery, Generation, Guardrail, Metric, MetricKind, Offer, OnUndecided, Placement, Policy,
    PolicyType, Promotion, Round, Schedule, Segment, Stopping, Variable, WatchedMetric,
};
pub use campaign_status::{
    AdCampaignStatus, CostStatus, GenerationFailure, GenerationOutcome, GenerationStatus, GuardrailFigures,
    LiftStatus, Phase, PlacementStatus, RoundStatus, Safety, Summary, VariantFigures, VerdictReason,
    VerdictStatus,
};
pub use evidence::{EValues, Evidence, EvidenceCampaign, EvidenceKind, EvidenceVariant, GuardrailEValues};
pub use landing_page::{LandingPage, LandingPageError};
pub use model::{
    AdModel, AdModelSpec, EndpointSource, HuggingFaceSource, ImageSource, ModelAdapter, ModelCache,
    ModelResources, ModelSource, ModelWeights, Price, PullPolicy, PvcSource, SecretReference,
};
pub use people::{Exclusion, Group, Holdout, TableExclusion, TableHoldout};
pub use policy::{
    AdPolicy, AdPolicySpec, GenerationPolicy, LabelOperator, LabelRequirement, MinimumApproval,
    NamespaceSelector, PlacementPolicy, RequiredGuardrail,
};
pub use price::{PriceError, cost_of_each};
pub use quantity::{Duration, DurationError, Percent, PercentError};
pub use review::{
    AdReview, AdReviewSpec, AdReviewStatus, Decision, Represented, ReviewState, ReviewedVariant,
};
pub use scope::{Namespace, NoNamespace, Scope};
pub use spending::{Spending, TOKENS_TAKEN, Taken, TokensTaken};
pub use table::{
    AdTable, AdTableSpec, CampaignIdentity, Harm, SegmentAllocation, TableException, TableMetric,
    TablePlacement, TableRound, TableRules, TableVariant,
};
pub use variant::{
    AdVariant, AdVariantSpec, AdVariantStatus, Appraisal, Drawing, Origin, Provenance, VariantEdit,
    VariantState,
};

use std::collections::BTreeMap;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

/// The texts of one piece of copy, by slot name.
pub type Slots = BTreeMap<String, String>;

/// The API group of every object.
pub const GROUP: &str = "broadside.dev";

/// The custom resource definitions of all kinds, in the order in which `crds/` lists them.
pub fn definitions() -> Vec<CustomResourceDefinition> {
    let derived = [
        AdCampaign::crd(),
        AdVariant::crd(),
        AdTable::crd(),
        AdModel::crd(),
        AdReview::crd(),
        AdPolicy::crd(),
    ];
    derived.into_iter().map(schema::unobserved).map(schema::known_formats).collect()
}
