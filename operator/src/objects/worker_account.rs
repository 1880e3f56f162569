//! The worker's account, and its binding to the one fixed ClusterRole: nobody makes rights at run time.

use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{RoleBinding, RoleRef, Subject};

use super::metadata;
use crate::campaign::Campaign;

/// The account of the campaign's worker.
pub fn account(campaign: &Campaign) -> ServiceAccount {
    ServiceAccount {
        metadata: metadata(campaign, api::name::worker_account(&campaign.name)),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}

/// Its rights, in its own namespace.
pub fn binding(campaign: &Campaign) -> RoleBinding {
    let account = api::name::worker_account(&campaign.name);
    RoleBinding {
        metadata: metadata(campaign, account.clone()),
        role_ref: RoleRef {
            api_group: "rbac.authorization.k8s.io".to_owned(),
            kind: "ClusterRole".to_owned(),
            name: api::name::WORKER_CLUSTER_ROLE.to_owned(),
        },
        subjects: Some(vec![Subject {
            kind: "ServiceAccount".to_owned(),
            name: account,
            namespace: Some(campaign.namespace.clone()),
            api_group: None,
        }]),
    }
}
