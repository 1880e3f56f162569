//! A word → an `AdReview` in the name of whoever runs the command.

use std::fmt;
use std::time::Duration;

use api::{
    AdCampaign, AdReview, AdReviewSpec, AdReviewStatus, CampaignIdentity, Decision, Represented, ReviewState,
    ReviewedVariant,
};
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Resource, ResourceExt};

use super::Word;
use crate::campaign::Source;

/// Why a word was not written, or does not count.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server did not say who asks.
    #[error("the API server does not say who you are: {0}")]
    Nobody(Box<kube::Error>),
    /// It said that nobody does.
    #[error("the API server knows you by no name: use a kubeconfig with credentials")]
    Anonymous,
    /// The API server refused or did not answer.
    #[error("the review was not taken: {0}")]
    Refused(Box<kube::Error>),
    /// The operator does not honor it.
    #[error("the review {name} does not count: {why}")]
    NotHonored {
        /// The review.
        name: String,
        /// Why.
        why: String,
    },
}

/// Who writes a review, and for whom.
#[derive(Clone, Debug)]
pub(super) struct Author {
    /// Whoever asks, by the name that the API server knows.
    pub(super) reviewer: String,
    /// Whose word it is, where that is another's.
    pub(super) on_behalf_of: Option<Represented>,
}

impl fmt::Display for Author {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.on_behalf_of {
            None => f.write_str(&self.reviewer),
            Some(Represented { person, commit }) => {
                write!(f, "{person}, by {} with commit {commit},", self.reviewer)
            }
        }
    }
}

/// A review that was taken.
pub(super) struct Written {
    name: String,
    decision: Decision,
    author: Author,
    variants: Vec<String>,
    status: Option<AdReviewStatus>,
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = match self.decision {
            Decision::Approve => "approves",
            Decision::Reject => "rejects",
            Decision::Edit => "edits",
        };
        writeln!(f, "{} {said} {} (adreview {})", self.author, self.variants.join(", "), self.name)?;
        match &self.status {
            None => writeln!(
                f,
                "  the operator has not said yet whether it counts: `kubectl get adreview {} -o wide` tells",
                self.name
            ),
            Some(AdReviewStatus { state: _, message: Some(message) }) => writeln!(f, "  {message}"),
            Some(AdReviewStatus { state: _, message: None }) => Ok(()),
        }
    }
}

/// The name by which the API server knows whoever asks.
pub(super) async fn whoami(source: &Source) -> Result<String, Error> {
    let reviews: Api<SelfSubjectReview> = Api::all(source.client.clone());
    let asked = reviews.create(&PostParams::default(), &SelfSubjectReview::default()).await;
    let told = asked.map_err(|error| Error::Nobody(Box::new(error)))?;
    let name = told.status.and_then(|status| status.user_info).and_then(|user| user.username);
    name.filter(|name| !name.is_empty()).ok_or(Error::Anonymous)
}

/// Writes it, and waits a while for the operator to say whether it counts.
pub(super) async fn write(
    source: &Source,
    campaign: &AdCampaign,
    word: &Word<'_>,
    author: &Author,
) -> Result<Written, Error> {
    let reviews: Api<AdReview> = Api::namespaced(source.client.clone(), &source.namespace);
    let refused = |error| Error::Refused(Box::new(error));
    let review = review(campaign, word, author);
    let name = reviews.create(&PostParams::default(), &review).await.map_err(refused)?.name_any();
    let status = answer(&reviews, &name).await.map_err(refused)?;
    if let Some(AdReviewStatus { state: Some(ReviewState::NotHonored), message }) = status {
        return Err(Error::NotHonored { name, why: message.unwrap_or_default() });
    }
    let variants = word.variants.iter().map(|variant| variant.name_any()).collect();
    Ok(Written { name, decision: word.decision, author: author.clone(), variants, status })
}

/// It goes with its campaign.
fn review(campaign: &AdCampaign, word: &Word<'_>, author: &Author) -> AdReview {
    let Word { decision, variants, texts, reason } = word;
    let Author { reviewer, on_behalf_of } = author.clone();
    let (name, uid) = (campaign.name_any(), campaign.uid().unwrap_or_default());
    let read = variants.iter().map(|variant| ReviewedVariant {
        name: variant.name_any(),
        digest: api::name::copy_digest(&variant.spec.slots),
    });
    let spec = AdReviewSpec {
        campaign: CampaignIdentity { name: name.clone(), uid },
        variants: read.collect(),
        decision: *decision,
        texts: texts.clone(),
        reviewer,
        on_behalf_of,
        reason: reason.clone(),
    };
    let owners = campaign.owner_ref(&()).map(|owner| vec![owner]);
    let metadata = ObjectMeta {
        generate_name: Some(format!("{name}-")),
        owner_references: owners,
        ..ObjectMeta::default()
    };
    AdReview { metadata, spec, status: None }
}

/// How long the operator is waited for, and how often it is looked.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(100);

async fn answer(reviews: &Api<AdReview>, name: &str) -> Result<Option<AdReviewStatus>, kube::Error> {
    let told = async {
        loop {
            if let Some(status) = reviews.get(name).await?.status.filter(|status| status.state.is_some()) {
                return Ok(status);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    match tokio::time::timeout(PATIENCE, told).await {
        Ok(told) => told.map(Some),
        Err(_) => Ok(None),
    }
}
