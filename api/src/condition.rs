//! The conditions of an `AdCampaign`: each type answers one question, each reason is part of the API.
//!
//! | Type | The question |
//! | --- | --- |
//! | `Ready` | Is this spec served, at least its control? |
//! | `Reconciling` | Are we on the way there? |
//! | `Stalled` | Must a person do something? |
//! | `VariantsReady` | Has the model written what was asked? |
//! | `Approved` | May what was written be served? |
//! | `DataFresh` | Are the numbers of now? |
//! | `Decided` | Has every placement ended, and how? |

use std::fmt;

use serde::Deserialize;

/// The types of condition, in the order in which status lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub enum Type {
    /// True once this generation of the spec is served, at least its control.
    Ready,
    /// True while we are on the way to `Ready`.
    Reconciling,
    /// True only when a person must change something.
    Stalled,
    /// True when the variants asked of a model exist, or none were asked.
    VariantsReady,
    /// True when of all that was written it is known whether it may be served.
    Approved,
    /// True when the ledger answers.
    DataFresh,
    /// True when every placement has ended. It never turns back.
    Decided,
}

/// The reasons. Each belongs to the types that its comment names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Reason {
    /// `Ready=True`: the table is published.
    Serving,
    /// `Unknown`, of every type: no pass has come so far yet.
    Preparing,
    /// `Reconciling=False`: there is nothing left to set up.
    SetUp,
    /// `Stalled=False`: nothing needs a person.
    Healthy,
    /// `Stalled=True`, `Ready=False`, `Reconciling=False`: the spec can't be carried out; the message names field and remedy.
    InvalidSpec,
    /// `Stalled=True`, `VariantsReady=False`: the model that the campaign names does not exist.
    ModelNotFound,
    /// `Stalled=True`, `VariantsReady=False`: the model that the campaign names can't be used; the message names its field.
    InvalidModel,
    /// `Stalled=True`: a placement has nothing but its control, since nothing could be written, or all of it was rejected.
    NothingToTest,
    /// `Ready=False`, `Reconciling=True`: a call to the API server failed before anything was served; it is tried again.
    ApiError,
    /// `VariantsReady=True`: no variants were asked of a model.
    NotAsked,
    /// `VariantsReady=False`: the Job runs.
    Generating,
    /// `VariantsReady=False`: the API server refuses the Job; the message has its words, and those of who keeps the policy.
    JobRefused,
    /// `VariantsReady=False`: somebody else suspended the Job, as a queue does until there is room.
    Queued,
    /// `VariantsReady=False`: the namespace's quota has no room for the Job's pod.
    QuotaExceeded,
    /// `VariantsReady=False`: the API server refuses the Job's pod for another reason, such as a policy; the message has its words.
    PodRefused,
    /// `VariantsReady=False`: no node takes the Job's pod; the message has the scheduler's words.
    Unschedulable,
    /// `VariantsReady=False`: a claim, Secret or ConfigMap that the Job's pod mounts is missing; the message names it.
    VolumeMissing,
    /// `VariantsReady=False`: an image of the Job's pod can't be pulled; the message has the kubelet's words.
    ImageNotPulled,
    /// `VariantsReady=False`: the Job's pod can't start on its node, or was not made; the message has the kubelet's words.
    PodNotStarted,
    /// `VariantsReady=True`: all exist.
    Complete,
    /// `VariantsReady=False`: fewer than asked pass the rules.
    Shortfall,
    /// `VariantsReady=False`: the worker used more memory than it may.
    OutOfMemory,
    /// `VariantsReady=False`: configuration, tokenizer, weights or adapter of the model are not where they should be.
    ModelFilesMissing,
    /// `VariantsReady=False`: the engine does not know the model's family.
    ModelFamilyUnknown,
    /// `VariantsReady=False`: a file of the model ends too early, or is not what its name says.
    ModelFilesDamaged,
    /// `VariantsReady=False`: the embedder's files are missing or damaged, or it is no model that is read as one.
    EmbedderUnfit,
    /// `VariantsReady=False`: writing took as much as the campaign allows, and was stopped.
    BudgetSpent,
    /// `VariantsReady=False`: the Job failed in another way.
    GenerationFailed,
    /// `VariantsReady=False`, `Decided=False`: the campaign is suspended.
    Suspended,
    /// `Approved=True`: what passes the rules is approved.
    Automatic,
    /// `Approved=True`: of every variant somebody has said whether it may be served.
    Reviewed,
    /// `Approved=False`: variants wait for a person's word; the message names them.
    AwaitingReview,
    /// `Approved=Unknown`: nothing checks who writes reviews, so none that comes now counts.
    PolicyMissing,
    /// `DataFresh=True`: the ledger answered.
    Fresh,
    /// `DataFresh=Unknown`: nothing is served yet, so there is nothing to ask for.
    NotServed,
    /// `DataFresh=False`: the ledger did not answer; the last shares stay.
    LedgerUnreachable,
    /// `DataFresh=False`: the ledger's sums contradict the table; the last shares stay.
    LedgerInconsistent,
    /// `Decided=False`: the experiments begin at the moment that the schedule names.
    Scheduled,
    /// `Decided=False`: the numbers don't allow a verdict yet.
    Collecting,
    /// `Decided=True`: a variant won, in every placement.
    Winner,
    /// `Decided=True`: every variant is worse than the control, in every placement.
    ControlWins,
    /// `Decided=True`: no variant is worth having, in every placement.
    NoWorthwhileDifference,
    /// `Decided=True`: the time was up in every placement.
    Inconclusive,
    /// `Decided=True`: the placements ended differently; `status.placements` has each.
    Mixed,
    /// `Decided=True`: a dry run has ended, in whatever way; there is nothing to hand on.
    DryRun,
}

impl fmt::Display for Type {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A unit variant's Debug form is its name, which is the API.
        write!(formatter, "{self:?}")
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self:?}")
    }
}
