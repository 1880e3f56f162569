//! Tables and keys to test with. The crate's own tests, those in this folder and the benchmark share them.

use api::wire::token::Keys;
use api::{
    AdTable, AdTableSpec, CampaignIdentity, LandingPage, MetricKind, SegmentAllocation, Slots, TableMetric,
    TablePlacement, TableRound, TableVariant,
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// A table of the campaign `cart-and-hero` with one placement `hero`, in few words.
#[derive(Clone, Copy)]
pub(crate) struct Sample<'s> {
    pub(crate) uid: &'s str,
    pub(crate) number: i64,
    pub(crate) round: u32,
    pub(crate) seed: i64,
    pub(crate) window_seconds: u32,
    pub(crate) kind: MetricKind,
    pub(crate) cap_millionths: Option<i64>,
    pub(crate) dry_run: bool,
    /// Name, kind, and window in seconds.
    pub(crate) guardrails: &'s [(&'s str, MetricKind, u32)],
    /// Segments and their shares.
    pub(crate) allocations: &'s [(&'s [&'s str], &'s [u32])],
}

/// Three variants, half for the control, nothing for the last.
pub(crate) const SAMPLE: Sample<'static> = Sample {
    uid: "2f1c9a52-3b1e-4a3c-9a41-5d0b6f3f7c11",
    number: 1,
    round: 1,
    seed: 1,
    window_seconds: 1800,
    kind: MetricKind::Binary,
    cap_millionths: None,
    dry_run: false,
    guardrails: &[],
    allocations: &[(&["all"], &[500_000, 500_000])],
};

impl Sample<'_> {
    pub(crate) fn object(&self) -> AdTable {
        let mut object = AdTable::new(self.uid, self.spec());
        object.metadata.namespace = Some("shop".to_owned());
        object
    }

    fn spec(&self) -> AdTableSpec {
        AdTableSpec {
            number: self.number,
            campaign: CampaignIdentity { name: "cart-and-hero".to_owned(), uid: self.uid.to_owned() },
            exclusion: None,
            holdout: None,
            landing_page: Some(LandingPage(LANDING_PAGE.to_owned())),
            dry_run: self.dry_run,
            placements: vec![self.placement()],
        }
    }

    fn placement(&self) -> TablePlacement {
        TablePlacement {
            name: "hero".to_owned(),
            format: "WebBanner".to_owned(),
            rules: None,
            seed: self.seed,
            metric: TableMetric {
                name: "product-view".to_owned(),
                kind: self.kind,
                cap_millionths: self.cap_millionths,
                window_seconds: self.window_seconds,
            },
            guardrails: self.guardrails.iter().map(guardrail).collect(),
            variants: ["control", "warm", "retired"].map(|name| self.variant(name)).to_vec(),
            in_review: Vec::new(),
            rounds: vec![self.round()],
        }
    }

    /// In a dry run the control's texts stand for those of all.
    fn variant(&self, name: &str) -> TableVariant {
        let own = variant(name);
        if !self.dry_run {
            return own;
        }
        let TableVariant { digest, slots, .. } = variant("control");
        TableVariant { digest, slots, stands_for: Some(own.digest), ..own }
    }

    fn round(&self) -> TableRound {
        let allocation = |(segments, shares): &(&[&str], &[u32])| SegmentAllocation {
            segments: segments.iter().map(|&name| name.to_owned()).collect(),
            shares: shares.to_vec(),
        };
        TableRound {
            number: self.round,
            opened_at: Time(START),
            matured_exposures: 0,
            allocations: self.allocations.iter().map(allocation).collect(),
        }
    }
}

fn guardrail((name, kind, window_seconds): &(&str, MetricKind, u32)) -> TableMetric {
    TableMetric {
        name: (*name).to_owned(),
        kind: *kind,
        cap_millionths: None,
        window_seconds: *window_seconds,
    }
}

/// Where its links lead.
pub(crate) const LANDING_PAGE: &str = "https://shop.example/trail?ref=ad#top";

/// A banner whose headline tells its name.
pub(crate) fn variant(name: &str) -> TableVariant {
    let texts = [("headline", format!("Run further: {name}")), ("button", "Shop now".to_owned())];
    let slots: Slots = texts.into_iter().map(|(slot, text)| (slot.to_owned(), text)).collect();
    TableVariant {
        name: name.to_owned(),
        digest: api::name::copy_digest(&slots),
        slots,
        stands_for: None,
        withdrawn: false,
        generation: 1,
        edit_of: None,
        harms: Vec::new(),
    }
}

/// When tests begin.
pub(crate) const START: Timestamp = Timestamp::constant(1_800_000_000, 0);

/// Keys that are no secret.
pub(crate) fn keys() -> Keys {
    Keys::new(&[7; 32]).expect("32 bytes are enough")
}
