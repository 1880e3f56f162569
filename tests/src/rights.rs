//! What an account may do, by its roles, and what it asked for, by the API server's audit log.

use std::collections::BTreeSet;
use std::fmt;

use anyhow::Context;
use k8s_openapi::api::rbac::v1::PolicyRule;
use serde_json::Value;

/// A verb on a kind of objects.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    verb: String,
    group: String,
    /// With its subresource, if any: `adcampaigns/status`.
    resource: String,
}

impl Right {
    fn new(verb: &str, group: &str, resource: &str) -> Self {
        Self { verb: verb.to_owned(), group: group.to_owned(), resource: resource.to_owned() }
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verb, group, resource } = self;
        let dot = if group.is_empty() { "" } else { "." };
        write!(f, "{verb} {resource}{dot}{group}")
    }
}

/// What rules allow.
pub fn granted(rules: &[PolicyRule]) -> BTreeSet<Right> {
    let each = rules.iter().flat_map(|rule| {
        let groups = rule.api_groups.iter().flatten();
        groups.flat_map(move |group| {
            let resources = rule.resources.iter().flatten();
            resources.flat_map(move |resource| {
                rule.verbs.iter().map(move |verb| Right::new(verb, group, resource))
            })
        })
    });
    each.collect()
}

/// What an account asked for.
#[derive(Debug, Default)]
pub struct Asked {
    /// What it was allowed.
    pub used: BTreeSet<Right>,
    /// What it was not, as verb and path.
    pub refused: Vec<String>,
}

/// What the account asked for, of all that the log has: a line of JSON for each event. A last line that is not whole is left
/// out, since the server may be writing it.
///
/// # Errors
/// When a line is no event.
pub fn asked(log: &str, account: &str) -> anyhow::Result<Asked> {
    let whole = log.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let mut asked = Asked::default();
    for line in whole.lines() {
        let event: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
        if is_of(&event, account) {
            asked.take(&event);
        }
    }
    Ok(asked)
}

/// Whether the account asked, or somebody in its place.
fn is_of(event: &Value, account: &str) -> bool {
    let asks = event.get("impersonatedUser").unwrap_or(&event["user"]);
    asks["username"] == account
}

impl Asked {
    fn take(&mut self, event: &Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let verb = text(&event["verb"]);
        let code = event["responseStatus"]["code"].as_u64();
        if code == Some(403) {
            self.refused.push(format!("{verb} {}", text(&event["requestURI"])));
            return;
        }
        let object = &event["objectRef"];
        let mut resource = text(&object["resource"]);
        if let Some(part) = object["subresource"].as_str() {
            resource = format!("{resource}/{part}");
        }
        let group = text(&object["apiGroup"]);
        self.used.insert(Right::new(&verb, &group, &resource));
        // Two rights that the server asks for besides the one in its log: to apply what is not there yet is to create it, and
        // to bind a role takes the right to hand it out.
        if code == Some(201) {
            self.used.insert(Right::new("create", &group, &resource));
            if resource == "rolebindings" {
                self.used.insert(Right::new("bind", &group, "clusterroles"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn titles(rights: &BTreeSet<Right>) -> Vec<String> {
        rights.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn rules_allow_each_verb_on_each_resource() {
        let rule: PolicyRule = serde_json::from_value(json!({
            "apiGroups": ["", "batch"], "resources": ["jobs", "jobs/status"], "verbs": ["get", "list"],
        }))
        .expect("a rule");
        let expected = [
            "get jobs",
            "get jobs/status",
            "get jobs.batch",
            "get jobs/status.batch",
            "list jobs",
            "list jobs/status",
            "list jobs.batch",
            "list jobs/status.batch",
        ];
        assert_eq!(titles(&granted(&[rule])), expected);
    }

    fn event(user: &Value, verb: &str, resource: &str, code: u16) -> String {
        let (resource, part) =
            resource.split_once('/').map_or((resource, None), |(it, part)| (it, Some(part)));
        let mut event = json!({
            "verb": verb, "requestURI": format!("/{resource}"), "responseStatus": {"code": code},
            "objectRef": {"resource": resource, "apiGroup": "example.dev", "subresource": part},
        });
        event.as_object_mut().expect("an object").extend(user.as_object().expect("an object").clone());
        format!("{event}\n")
    }

    #[test]
    fn what_an_account_asked_for_stands_in_the_log() {
        let check = |log: &str, used: &[&str], refused: &[&str]| {
            let asked = asked(log, "operator").expect("a log");
            assert_eq!(
                (titles(&asked.used), asked.refused),
                (
                    used.iter().map(ToString::to_string).collect(),
                    refused.iter().map(ToString::to_string).collect()
                )
            );
        };
        let operator = json!({"user": {"username": "operator"}});
        let by_other = json!({"user": {"username": "admin"}, "impersonatedUser": {"username": "operator"}});
        let other = json!({"user": {"username": "operator"}, "impersonatedUser": {"username": "admin"}});
        check("", &[], &[]);
        check(&event(&operator, "get", "jobs", 200), &["get jobs.example.dev"], &[]);
        check(&event(&by_other, "get", "jobs", 404), &["get jobs.example.dev"], &[]);
        check(&event(&other, "get", "jobs", 200), &[], &[]);
        check(&event(&operator, "get", "jobs", 403), &[], &["get /jobs"]);
        check(&event(&operator, "patch", "jobs/status", 200), &["patch jobs/status.example.dev"], &[]);
        check(
            &event(&operator, "patch", "rolebindings", 201),
            &[
                "bind clusterroles.example.dev",
                "create rolebindings.example.dev",
                "patch rolebindings.example.dev",
            ],
            &[],
        );
        let cut = event(&operator, "get", "jobs", 200) + &event(&operator, "list", "jobs", 200)[..20];
        check(&cut, &["get jobs.example.dev"], &[]);
    }
}
