//! The admission policy that reviews are held to.

use jiff::Timestamp;
use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use kube::api::ObjectMeta;
use kube::{Api, Client};

/// The admission policy that lets nobody write a review in another's name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReviewPolicy {
    /// It is not there, or was not looked for since there was nothing that it could be asked of.
    #[default]
    Missing,
    /// It and its binding are there, the later of both since then.
    Since(Timestamp),
    /// The same of a chart of before: it does not ask who may write for others.
    OwnWordsSince(Timestamp),
}

impl ReviewPolicy {
    /// Reads the policy and its binding, which have the same name.
    pub(crate) async fn read(client: &Client, name: &str) -> Result<Self, kube::Error> {
        let policies: Api<ValidatingAdmissionPolicy> = Api::all(client.clone());
        let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(client.clone());
        let (policy, binding) = (policies.get_opt(name).await?, bindings.get_opt(name).await?);
        Ok(policy.zip(binding).map_or(Self::Missing, |(policy, binding)| in_force(&policy, &binding)))
    }
}

/// Whether both hold every review of the cluster to the policy. What its rules say is the cluster administrators' word.
fn in_force(policy: &ValidatingAdmissionPolicy, binding: &ValidatingAdmissionPolicyBinding) -> ReviewPolicy {
    let (held, bound) = (policy.spec.clone().unwrap_or_default(), binding.spec.clone().unwrap_or_default());
    // Policies of before people could be represented let everybody be.
    let asks_for_represented =
        held.validations.iter().flatten().any(|rule| rule.expression.contains("check('represent')"));
    let denies = held.failure_policy.as_deref() == Some("Fail")
        && held.match_conditions.is_none()
        && held.validations.is_some_and(|rules| !rules.is_empty());
    let everywhere = bound.policy_name == policy.metadata.name
        && bound.match_resources.is_none()
        && bound.param_ref.is_none()
        && bound.validation_actions.is_some_and(|actions| actions.iter().any(|action| action == "Deny"));
    let since = |metadata: &ObjectMeta| {
        metadata.creation_timestamp.as_ref().filter(|_| metadata.deletion_timestamp.is_none()).map(|at| at.0)
    };
    match (denies && everywhere, since(&policy.metadata), since(&binding.metadata)) {
        (true, Some(policy), Some(binding)) if asks_for_represented => {
            ReviewPolicy::Since(policy.max(binding))
        }
        (true, Some(policy), Some(binding)) => ReviewPolicy::OwnWordsSince(policy.max(binding)),
        _ => ReviewPolicy::Missing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn check(what: &str, change: impl Fn(&mut Value, &mut Value), expected: ReviewPolicy) {
        let made = |at: &str| json!({ "name": "reviews", "creationTimestamp": at });
        let mut policy = json!({ "metadata": made("2026-03-01T12:00:00Z"), "spec": {
            "failurePolicy": "Fail", "validations": [{ "expression": "authorizer.check('represent').allowed()" }],
        }});
        let mut binding = json!({ "metadata": made("2026-03-01T12:00:05Z"), "spec": {
            "policyName": "reviews", "validationActions": ["Deny"],
        }});
        change(&mut policy, &mut binding);
        let policy = serde_json::from_value(policy).expect("a policy");
        let binding = serde_json::from_value(binding).expect("a binding");
        assert_eq!(in_force(&policy, &binding), expected, "{what}");
    }

    #[test]
    fn reviews_are_checked_where_policy_and_binding_deny_everywhere() {
        let since = |at: &str| ReviewPolicy::Since(at.parse().expect("a moment"));
        let missing = ReviewPolicy::Missing;
        check("as the chart has them", |_, _| {}, since("2026-03-01T12:00:05Z"));
        let later = |policy: &mut Value, _: &mut Value| {
            policy["metadata"]["creationTimestamp"] = "2026-03-01T13:00:00Z".into();
        };
        check("a policy that was made anew", later, since("2026-03-01T13:00:00Z"));
        check("one that ignores", |policy, _| policy["spec"]["failurePolicy"] = "Ignore".into(), missing);
        let own = |policy: &mut Value, _: &mut Value| {
            policy["spec"]["validations"][0]["expression"] = "true".into();
        };
        let at = "2026-03-01T12:00:05Z".parse().expect("a moment");
        check("one of before people could be represented", own, ReviewPolicy::OwnWordsSince(at));
        check("one without rules", |policy, _| policy["spec"]["validations"] = json!([]), missing);
        let some = json!([{ "name": "some", "expression": "false" }]);
        check("one for some", |policy, _| policy["spec"]["matchConditions"] = some.clone(), missing);
        check(
            "one that goes",
            |policy, _| {
                policy["metadata"]["deletionTimestamp"] = "2026-03-01T13:00:00Z".into();
            },
            missing,
        );
        check("of another policy", |_, binding| binding["spec"]["policyName"] = "other".into(), missing);
        check(
            "one that tells alone",
            |_, binding| {
                binding["spec"]["validationActions"] = json!(["Audit"]);
            },
            missing,
        );
        let one = json!({ "namespaceSelector": { "matchLabels": { "a": "b" } } });
        check("of some namespaces", |_, binding| binding["spec"]["matchResources"] = one.clone(), missing);
    }
}
