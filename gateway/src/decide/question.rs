//! What is asked, once it is known to be a question.

use api::wire::decide::{Consent, DecideRequest, Traffic};

use super::SUBJECT_LIMIT;
use crate::refusal::Refusal;

/// The most placements in one request: four times what a campaign may have.
pub const PLACEMENTS_LIMIT: usize = 16;

/// The most variants that a caller may name: as many as a placement may have.
pub const ELIGIBLE_LIMIT: usize = 25;

/// Which copy is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'r> {
    /// The campaign's namespace.
    pub namespace: &'r str,
    /// The campaign's name.
    pub campaign: &'r str,
    /// The placement.
    pub placement: &'r str,
}

/// For whom, and what may be shown and done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question<'r> {
    /// The person or device, as the caller knows it: 1 to [`SUBJECT_LIMIT`] bytes.
    subject: &'r str,
    /// The segment that the caller names.
    pub segment: Option<&'r str>,
    /// The variants that the caller can show; nothing where it can show all.
    eligible: Option<&'r [String]>,
    /// Whether the answer may count.
    pub terms: Terms<'r>,
}

/// Whether an answer may count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms<'r> {
    /// What the person allows.
    pub consent: Consent,
    /// Who comes.
    pub traffic: Traffic,
    /// The variant that a reviewer wants to see.
    pub preview: Option<&'r str>,
}

/// The placements of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placements<'r> {
    /// One, whose answer stands by itself.
    One(&'r str),
    /// Several, whose answers are a list.
    Several(&'r [String]),
}

/// Why there is no question. Each says what to send; its field has another name at each edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuestionError {
    /// The subject is empty or too long.
    #[error("send 1 to {SUBJECT_LIMIT} bytes")]
    Subject,
    /// No variant is named, or too many are.
    #[error("send 1 to {ELIGIBLE_LIMIT} names, or leave it out")]
    Eligible,
}

impl<'r> Question<'r> {
    /// A question, unless the subject or the list of variants is none.
    ///
    /// # Errors
    /// When one of them has nothing or too much in it.
    pub fn new(
        subject: &'r str,
        segment: Option<&'r str>,
        eligible: Option<&'r [String]>,
        terms: Terms<'r>,
    ) -> Result<Self, QuestionError> {
        if !(1..=SUBJECT_LIMIT).contains(&subject.len()) {
            return Err(QuestionError::Subject);
        }
        if eligible.is_some_and(|eligible| !(1..=ELIGIBLE_LIMIT).contains(&eligible.len())) {
            return Err(QuestionError::Eligible);
        }
        Ok(Self { subject, segment, eligible, terms })
    }

    /// The subject.
    #[must_use]
    pub fn subject(&self) -> &'r str {
        self.subject
    }

    /// Whether the caller can show the variant of that name.
    #[must_use]
    pub fn can_show(&self, variant: &str) -> bool {
        self.eligible.is_none_or(|eligible| eligible.iter().any(|name| name == variant))
    }
}

/// A text, unless there is nothing in it: a page that hands on what it was not given sends that.
pub(super) fn some(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

impl From<QuestionError> for Refusal {
    fn from(error: QuestionError) -> Self {
        let field = match error {
            QuestionError::Subject => "subject",
            QuestionError::Eligible => "eligible",
        };
        Self::malformed(format!("{field}: {error}"))
    }
}

impl<'r> TryFrom<&'r DecideRequest> for Question<'r> {
    type Error = Refusal;

    fn try_from(request: &'r DecideRequest) -> Result<Self, Refusal> {
        let DecideRequest {
            namespace: _,
            campaign: _,
            placement: _,
            placements: _,
            subject,
            segment,
            eligible,
            consent,
            traffic,
            user_agent: _,
            preview,
        } = request;
        let terms = Terms { consent: *consent, traffic: *traffic, preview: some(preview.as_deref()) };
        let subject = subject.as_deref().unwrap_or_default();
        Ok(Self::new(subject, segment.as_deref(), eligible.as_deref(), terms)?)
    }
}

impl<'r> TryFrom<&'r DecideRequest> for Placements<'r> {
    type Error = Refusal;

    fn try_from(request: &'r DecideRequest) -> Result<Self, Refusal> {
        match (&request.placement, &request.placements) {
            (Some(placement), None) => Ok(Self::One(placement)),
            (None, Some(several)) if (1..=PLACEMENTS_LIMIT).contains(&several.len()) => {
                Ok(Self::Several(several))
            }
            (None, Some(_)) => {
                Err(Refusal::malformed(format!("placements: send 1 to {PLACEMENTS_LIMIT} names")))
            }
            (Some(_), Some(_)) => Err(Refusal::malformed("placements: send it or placement, not both")),
            (None, None) => {
                Err(Refusal::malformed("placement: it is missing: name one, or several in placements"))
            }
        }
    }
}
