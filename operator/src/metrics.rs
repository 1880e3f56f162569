//! What Prometheus reads.

mod conditions;

use std::sync::Arc;
use std::time::Duration;

use api::AdCampaign;
use kube::runtime::reflector::Store;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::error::Error;
use conditions::Conditions;

/// Counts passes.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Registry>,
    passes: Family<PassLabels, Counter>,
    seconds: Histogram,
    leading: Gauge,
    requests: Family<RequestLabels, Counter>,
    conditions: Conditions,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: Method,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
    Other,
}

impl From<&http::Method> for Method {
    fn from(method: &http::Method) -> Self {
        match method.as_str() {
            "GET" => Self::Get,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "PATCH" => Self::Patch,
            "DELETE" => Self::Delete,
            _ => Self::Other,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PassLabels {
    outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum Outcome {
    Ok,
    InvalidSpec,
    ApiError,
    Outdated,
    TimedOut,
}

impl Metrics {
    /// Metrics that have counted nothing.
    pub fn new() -> Self {
        let passes = Family::default();
        // 50 ms, which 99 of 100 passes are to keep, is one of the bounds.
        let seconds = Histogram::new(exponential_buckets(0.00625, 2.0, 12));
        let mut registry = Registry::with_prefix("broadside_operator");
        registry.register("passes", "Passes over campaigns, by how they ended", passes.clone());
        let taken = "How long passes take once it is their turn";
        registry.register_with_unit("pass", taken, Unit::Seconds, seconds.clone());
        let leading = Gauge::default();
        registry.register("leading", "1 while this process is the one that acts", leading.clone());
        let requests = Family::default();
        let of_passes = "Requests of passes and watches to the API server, the repeated ones too";
        registry.register("api_requests", of_passes, requests.clone());
        let conditions = Conditions::default();
        registry.register_collector(Box::new(conditions.clone()));
        Self { registry: Arc::new(registry), passes, seconds, leading, requests, conditions }
    }

    /// This process acts from now on.
    pub fn lead(&self) {
        self.leading.set(1);
    }

    /// Tells from now on how the campaigns of a watch stand.
    pub(crate) fn tell_of(&self, campaigns: Store<AdCampaign>) {
        self.conditions.add(campaigns);
    }

    /// Counts one request to the API server.
    pub(crate) fn count_request(&self, method: &http::Method) {
        self.requests.get_or_create(&RequestLabels { method: method.into() }).inc();
    }

    /// Counts one pass.
    pub(crate) fn count_pass(&self, took: Duration, error: Option<&Error>) {
        let outcome = match error {
            None => Outcome::Ok,
            Some(Error::Invalid(_)) => Outcome::InvalidSpec,
            Some(Error::Api { .. }) => Outcome::ApiError,
            Some(Error::Outdated) => Outcome::Outdated,
            Some(Error::TimedOut(_)) => Outcome::TimedOut,
        };
        self.passes.get_or_create(&PassLabels { outcome }).inc();
        self.seconds.observe(took.as_secs_f64());
    }

    /// Everything in the OpenMetrics text format.
    pub fn text(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)
            .expect("a String takes everything");
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
