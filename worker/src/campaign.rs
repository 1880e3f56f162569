//! From the object that a marketer wrote to what the worker needs of it.

use std::path::{Path, PathBuf};

use api::{AdCampaign, AdCampaignSpec, Percent, PercentError, Slots, TOKENS_TAKEN, TokensTaken};
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Resource, ResourceExt};
use rules::{
    Brand, BrandRules, Format, Formats, MeaningError, MeaningThreshold, Variable, VariableError, Variables,
};

use crate::brief::Brief;
use crate::share::Share;

/// A campaign as far as it is written by a model.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// The object's name.
    pub name: String,
    /// The seed of all its copy.
    pub seed: i64,
    /// The language of the copy, as a tag such as `en`.
    pub language: String,
    /// What the copy is about.
    pub brief: Brief,
    /// Words that the brand forbids or demands, and the variables of its copy.
    pub brand: BrandRules,
    /// The version of the rules that copy is judged by, and where the campaign names a brand, the digest of its files.
    pub rules_version: String,
    /// What is to be written, one for each placement that asks for variants.
    pub assignments: Vec<Assignment>,
    /// Tokens that may be written for all of them.
    pub tokens: Option<u64>,
    /// How many of them workers before wrote, by whose share it was.
    pub taken: TokensTaken,
    /// From which cosine two pieces of copy say the same, where there is an embedder.
    pub same_meaning: MeaningThreshold,
    /// Where the object lives, if it comes from a cluster.
    pub home: Option<Home>,
}

/// Where a campaign lives in its cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Home {
    /// Its namespace.
    pub namespace: String,
    /// What makes it the owner of its variants.
    pub owner: OwnerReference,
}

/// What is to be written for one placement.
#[derive(Clone, Debug)]
pub struct Assignment {
    /// The placement's name.
    pub placement: String,
    /// Its format.
    pub format: Format,
    /// How many variants it asks for.
    pub variants: u32,
    /// Copy by people, which no variant may repeat.
    pub people: Vec<Slots>,
}

impl Assignment {
    /// The texts of a draft beside the control's pictures and videos: where words are tested all else stays.
    #[must_use]
    pub fn beside_media(&self, texts: Slots) -> Slots {
        let control = self.people.first();
        let media = self.format.media().iter().filter_map(|slot| control?.get_key_value(&slot.name));
        texts.into_iter().chain(media.map(|(name, address)| (name.clone(), address.clone()))).collect()
    }

    /// The digests of people's copy, which every draft for the placement depends on.
    #[must_use]
    pub fn siblings(&self) -> Vec<String> {
        self.people.iter().map(api::name::copy_digest).collect()
    }
}

/// Why a campaign cannot be written for. Each is for a person to mend.
#[derive(Debug, thiserror::Error)]
pub enum CampaignError {
    /// The file is not there or cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no campaign.
    #[error("{} is not an AdCampaign", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What the parser said, with the line.
        source: Box<serde_saphyr::Error>,
    },
    /// The object has fields that nobody reads.
    #[error(
        "no such field: {0}: correct the spelling, or ask `broadside check`, which names what is known there"
    )]
    Unknown(String),
    /// The object has no name, which every variant's name begins with.
    #[error("metadata.name is missing: give the campaign a name")]
    Unnamed,
    /// A placement's format is none that the rules know.
    #[error("placement {placement}: format {format:?} is unknown, choose one of {known}")]
    Format {
        /// The placement.
        placement: String,
        /// What it asks for.
        format: String,
        /// What there is.
        known: String,
    },
    /// The ConfigMap of the brand is not in the file.
    #[error(
        "spec.rules.brand: the file has no ConfigMap {0}: put it behind the campaign, after a line of ---"
    )]
    NoBrand(String),
    /// The brand's files cannot be used.
    #[error("spec.rules.brand: ConfigMap {name}, {error}")]
    BrandFiles {
        /// The ConfigMap.
        name: String,
        /// The first thing that is wrong.
        error: rules::BrandError,
    },
    /// The brand's words cannot be used.
    #[error("spec.rules cannot be used")]
    Brand(#[from] rules::BrandRulesError),
    /// The variables cannot be used.
    #[error("spec.variables cannot be used")]
    Variables(#[from] VariableError),
    /// What earlier workers wrote is not told as it should be.
    #[error(
        "metadata.annotations[{TOKENS_TAKEN}] is not as the operator writes it, such as {{\"0\":1200}}: leave it out"
    )]
    Taken(#[from] serde_json::Error),
    /// The embedder's threshold is no percentage.
    #[error("spec.generation.embedder.threshold cannot be used")]
    Percent(#[from] PercentError),
    /// The embedder's threshold parts nothing.
    #[error("spec.generation.embedder.threshold cannot be used")]
    Threshold(#[from] MeaningError),
}

impl Campaign {
    /// The part of one of several workers: its placements, and of the tokens as much as is theirs by their variants, so that
    /// all workers together keep to what there is, less what others wrote that had the same part before.
    #[must_use]
    pub fn shared(self, share: Share) -> Self {
        let asked =
            |assignments: &[Assignment]| assignments.iter().map(|it| u64::from(it.variants)).sum::<u64>();
        let all = asked(&self.assignments);
        let assignments = share.of(self.assignments);
        let taken = self.taken.get(&share.index()).copied().unwrap_or(0);
        let tokens =
            self.tokens.map(|tokens| (tokens * asked(&assignments) / all.max(1)).saturating_sub(taken));
        Self { assignments, tokens, ..self }
    }

    /// Reads the first `AdCampaign` of a YAML file, which may hold other objects beside it: the ConfigMap of the brand
    /// that the campaign names is one.
    ///
    /// # Errors
    /// When the file cannot be read or holds no campaign that can be written for.
    pub fn open(path: &Path) -> Result<Self, CampaignError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| CampaignError::Read { path: path.to_owned(), source })?;
        let parse = |source| CampaignError::Parse { path: path.to_owned(), source: Box::new(source) };
        let documents = documents(&text);
        let document = documents.iter().find(|document| Head::of(document).kind == "AdCampaign");
        let document = document.unwrap_or(&text);
        let object: AdCampaign = serde_saphyr::from_str(document).map_err(parse)?;
        known(serde_saphyr::from_str(document).map_err(parse)?)?;
        let is_named = |name: &&str| object.spec.brand() == Some(name);
        let brand = documents.iter().find(|document| {
            let head = Head::of(document);
            head.kind == "ConfigMap" && head.metadata.name.as_deref().is_some_and(|name| is_named(&name))
        });
        let brand: Option<ConfigMap> =
            brand.map(|document| serde_saphyr::from_str(document)).transpose().map_err(parse)?;
        Self::read(&object, brand.as_ref())
    }

    /// Reads a campaign; `brand` is the ConfigMap that it names.
    ///
    /// # Errors
    /// When the campaign cannot be written for.
    pub fn read(object: &AdCampaign, brand: Option<&ConfigMap>) -> Result<Self, CampaignError> {
        let spec = &object.spec;
        let words = spec.rules.clone().unwrap_or_default();
        let files = brand_files(spec, brand)?;
        let brand = read_brand(spec, files)?;
        let rules = brand.rules(&words.forbidden, &words.required)?;
        let required = rules.required().to_vec();
        Ok(Self {
            name: object.metadata.name.clone().ok_or(CampaignError::Unnamed)?,
            seed: spec.generation.as_ref().map_or(0, |it| it.seed),
            language: spec.brief.language.clone(),
            brief: Brief::new(&spec.brief, &required),
            brand: rules.with_variables(variables(spec)?),
            rules_version: rules_version(files),
            assignments: spec
                .placements
                .iter()
                .filter(|it| it.variants > 0)
                .map(|placement| assignment(placement, brand.formats()))
                .collect::<Result<_, _>>()?,
            tokens: spec.generation.as_ref().and_then(|it| it.budget.as_ref()?.tokens).map(u64::from),
            taken: taken(object)?,
            same_meaning: same_meaning(spec)?,
            home: home(object),
        })
    }
}

/// Holds that all fields of the specification are known: a misspelled one would be left out in silence.
fn known(object: serde_json::Value) -> Result<(), CampaignError> {
    let mut unknown = Vec::new();
    let collect = |path: serde_ignored::Path<'_>| {
        // An optional value is a step of its own there.
        let path = path.to_string().replace(".?", "");
        unknown.extend(path.starts_with("spec.").then_some(path));
    };
    // It was read before.
    let _campaign: Result<AdCampaign, _> = serde_ignored::deserialize(object, collect);
    if unknown.is_empty() { Ok(()) } else { Err(CampaignError::Unknown(unknown.join(", "))) }
}

type Files = std::collections::BTreeMap<String, String>;

fn brand_files<'b>(
    spec: &AdCampaignSpec,
    brand: Option<&'b ConfigMap>,
) -> Result<Option<&'b Files>, CampaignError> {
    match (spec.brand(), brand) {
        (None, _) => Ok(None),
        (Some(name), None) => Err(CampaignError::NoBrand(name.to_owned())),
        (Some(_), Some(brand)) => Ok(brand.data.as_ref()),
    }
}

fn read_brand(spec: &AdCampaignSpec, files: Option<&Files>) -> Result<Brand, CampaignError> {
    let Some(files) = files else { return Ok(Brand::default()) };
    Brand::parse(files).map_err(|errors| CampaignError::BrandFiles {
        name: spec.brand().unwrap_or_default().to_owned(),
        error: errors.into_iter().next().expect("what is not parsed has an error"),
    })
}

/// The digest is that of any texts by name; twelve digits tell the states of one ConfigMap apart.
fn rules_version(files: Option<&Files>) -> String {
    let digest = files.map(|files| format!("+{}", &api::name::copy_digest(files)[..12]));
    format!("{}{}", rules::VERSION, digest.unwrap_or_default())
}

/// The documents of a YAML stream. Each keeps the lines of those before it as empty ones, so that an error in it names
/// the line of the file.
fn documents(text: &str) -> Vec<String> {
    let mut documents = vec![String::new()];
    for (number, line) in text.lines().enumerate() {
        if line.trim_end() == "---" {
            documents.push("\n".repeat(number + 1));
        } else if let Some(document) = documents.last_mut() {
            document.push_str(line);
            document.push('\n');
        }
    }
    documents
}

/// What tells which object a document is.
#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Head {
    kind: String,
    metadata: Metadata,
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Metadata {
    name: Option<String>,
}

impl Head {
    /// Of what is no object, nothing.
    fn of(document: &str) -> Self {
        serde_saphyr::from_str(document).unwrap_or_default()
    }
}

impl TryFrom<&AdCampaign> for Campaign {
    type Error = CampaignError;

    /// Reads a campaign that names no brand.
    fn try_from(object: &AdCampaign) -> Result<Self, CampaignError> {
        Self::read(object, None)
    }
}

fn variables(spec: &AdCampaignSpec) -> Result<Variables, VariableError> {
    let declared = spec.variables.iter().flatten();
    let declared = declared.map(|it| Variable::new(&it.name, it.maximum_length, &it.fallback));
    Variables::new(declared.collect::<Result<_, _>>()?)
}

fn same_meaning(spec: &AdCampaignSpec) -> Result<MeaningThreshold, CampaignError> {
    let embedder = spec.generation.as_ref().and_then(|generation| generation.embedder.as_ref());
    let Some(threshold) = embedder.and_then(|embedder| embedder.threshold.as_ref()) else {
        return Ok(MeaningThreshold::default());
    };
    Ok(MeaningThreshold::new(f64::from(Percent::parts_per_million(threshold)?) / 1e6)?)
}

fn taken(object: &AdCampaign) -> Result<TokensTaken, CampaignError> {
    let annotation = object.annotations().get(TOKENS_TAKEN);
    Ok(annotation.map(|json| serde_json::from_str(json)).transpose()?.unwrap_or_default())
}

/// Without `blockOwnerDeletion`, which would need rights on campaigns that a worker has not.
fn home(object: &AdCampaign) -> Option<Home> {
    let owner = OwnerReference { block_owner_deletion: None, ..object.controller_owner_ref(&())? };
    Some(Home { namespace: object.metadata.namespace.clone()?, owner })
}

fn assignment(placement: &api::Placement, formats: &Formats) -> Result<Assignment, CampaignError> {
    let unknown = || CampaignError::Format {
        placement: placement.name.clone(),
        format: placement.format.clone(),
        known: formats.iter().map(Format::name).collect::<Vec<_>>().join(", "),
    };
    let challengers = placement.challengers.iter().flatten().cloned();
    Ok(Assignment {
        placement: placement.name.clone(),
        format: formats.get(&placement.format).ok_or_else(unknown)?.clone(),
        variants: placement.variants,
        people: std::iter::once(placement.control.clone()).chain(challengers).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAMPAIGN: &str = "
apiVersion: broadside.dev/v1alpha1
kind: AdCampaign
metadata: {name: cart}
spec:
  brief: {product: Aero Trail 3, language: en}
  rules: {forbidden: [cheap]}
  generation: {model: handbill, seed: 7}
  placements:
    - name: hero
      format: WebBanner
      delivery: {gateway: {}}
      control: {headline: Aero Trail 3, button: Shop now}
      challengers: [{headline: Run far, button: Go}]
      variants: 4
      metric: {name: view, kind: Binary, window: 30m}
    - name: side
      format: WebBanner
      delivery: {gateway: {}}
      control: {headline: Aero, button: Shop now}
      metric: {name: view, kind: Binary, window: 30m}
";

    fn open(text: &str) -> Result<Campaign, CampaignError> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("campaign.yaml");
        std::fs::write(&path, text).expect("written");
        Campaign::open(&path)
    }

    /// An error as it is shown: what failed, and what the source says of it.
    fn shown(text: &str) -> String {
        let error = open(text).expect_err("the campaign is bad");
        format!("{error}: {}", std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default())
    }

    #[test]
    fn only_placements_that_ask_for_variants_are_written_for() {
        let campaign = open(CAMPAIGN).expect("valid");
        assert_eq!((campaign.name.as_str(), campaign.seed, campaign.assignments.len()), ("cart", 7, 1));
        let hero = &campaign.assignments[0];
        assert_eq!((hero.placement.as_str(), hero.variants, hero.people.len()), ("hero", 4, 2));
    }

    #[test]
    fn each_worker_may_write_its_part_of_the_tokens_less_what_was_taken_of_it() {
        let two = CAMPAIGN.replace(
            "{headline: Aero, button: Shop now}",
            "{headline: Aero, button: Shop now}\n      variants: 1",
        );
        for (budget, taken, share, tokens) in [
            ("", "", "0/1", None),
            ("", r#"{"0":300}"#, "0/1", None),
            (", budget: {tokens: 1000}", "", "0/1", Some(1000)),
            (", budget: {tokens: 1000}", r#"{"0":300}"#, "0/1", Some(700)),
            (", budget: {tokens: 1000}", "", "0/2", Some(800)),
            (", budget: {tokens: 1000}", "", "1/2", Some(200)),
            (", budget: {tokens: 1000}", r#"{"0":300}"#, "0/2", Some(500)),
            (", budget: {tokens: 1000}", r#"{"0":300}"#, "1/2", Some(200)),
            (", budget: {tokens: 1000}", r#"{"0":300,"1":900}"#, "1/2", Some(0)),
        ] {
            let annotation = format!("{{name: cart, annotations: {{{TOKENS_TAKEN}: '{taken}'}}}}");
            let named = if taken.is_empty() { two.clone() } else { two.replace("{name: cart}", &annotation) };
            let campaign = open(&named.replace("seed: 7", &format!("seed: 7{budget}"))).expect("valid");
            let share: Share = share.parse().expect("a share");
            assert_eq!(campaign.shared(share).tokens, tokens, "{budget} {taken} {share:?}");
        }
        let odd = format!("{{name: cart, annotations: {{{TOKENS_TAKEN}: many}}}}");
        let said = shown(&CAMPAIGN.replace("{name: cart}", &odd));
        assert!(said.starts_with("metadata.annotations[broadside.dev/tokens-taken]"), "{said}");
    }

    #[test]
    fn an_embedder_has_its_own_threshold_or_the_usual_one() {
        for (embedder, threshold) in [
            ("seed: 7", MeaningThreshold::default()),
            ("seed: 7, embedder: {model: minilm}", MeaningThreshold::default()),
            ("seed: 7, embedder: {model: e5, threshold: 96.5%}", MeaningThreshold::new(0.965).expect("one")),
        ] {
            let campaign = open(&CAMPAIGN.replace("seed: 7", embedder)).expect("valid");
            assert_eq!(campaign.same_meaning, threshold, "{embedder}");
        }
    }

    #[test]
    fn the_campaign_is_found_among_other_objects() {
        let text = format!(
            "apiVersion: v1\nkind: Namespace\nmetadata: {{name: shop}}\n---{CAMPAIGN}---\nkind: AdModel\n"
        );
        assert_eq!(open(&text).expect("valid").name, "cart");
    }

    #[test]
    fn generated_texts_stand_beside_the_controls_picture() {
        let picture = format!("https://example.com/a.webp@sha256:{}", "0a".repeat(32));
        let with_picture = format!("headline: Aero Trail 3, image: \"{picture}\"");
        let campaign = open(&CAMPAIGN.replacen("headline: Aero Trail 3", &with_picture, 1)).expect("valid");
        let texts = Slots::from([("headline".to_owned(), "Run".to_owned())]);
        let variant = campaign.assignments[0].beside_media(texts);
        assert_eq!(variant.keys().collect::<Vec<_>>(), ["headline", "image"]);
        assert_eq!(variant["image"], picture);
    }

    const BRAND: &str = "
apiVersion: v1
kind: ConfigMap
metadata: {name: acme}
data:
  brand.yaml: 'required: [Terms apply]'
  tile.yaml: |
    {name: ShopTile, version: 1, summary: A tile., counting: Graphemes, deliveries: [Gateway], source: Ours.,
    checked: 2026-11-29, slots: [{name: title, purpose: Name., required: true, hardLimit: 30, maximumLines: 1}]}
";

    #[test]
    fn a_brand_behind_the_campaign_adds_its_words_and_formats() {
        let named = CAMPAIGN.replace("[cheap]", "[cheap], brand: acme");
        let named = named.replacen("format: WebBanner", "format: ShopTile", 1);
        let campaign = open(&format!("{named}---{BRAND}")).expect("valid");
        assert_eq!(campaign.assignments[0].format.name(), "ShopTile");
        assert_eq!(campaign.brief.words, ["Terms apply"]);
        assert_eq!(campaign.brand.forbidden(), ["cheap"]);
        let (version, digest) = campaign.rules_version.split_once('+').expect("a digest");
        assert_eq!((version, digest.len()), (rules::VERSION, 12));
        assert!(shown(&named).contains("the file has no ConfigMap acme: put it behind the campaign"));
        let bad = format!("{named}---{}", BRAND.replace("hardLimit: 30", "hardLimit: 0"));
        assert!(shown(&bad).contains("ConfigMap acme, tile.yaml: format \"ShopTile\""), "{}", shown(&bad));
    }

    #[test]
    fn what_a_person_has_to_mend_is_named() {
        assert!(shown("kind: AdModel\n").contains("is not an AdCampaign"));
        assert!(shown(&CAMPAIGN.replace("{name: cart}", "{}")).contains("metadata.name is missing"));
        let shown_format = shown(&CAMPAIGN.replace("format: WebBanner", "format: Billboard"));
        assert!(shown_format.contains("placement hero: format \"Billboard\" is unknown"), "{shown_format}");
        assert!(shown_format.contains("WebBanner"), "{shown_format}");
        for (threshold, says) in [("9%", "from 0.5 to 0.999"), ("much", "is no percentage")] {
            let embedder = format!("seed: 7, embedder: {{model: minilm, threshold: {threshold}}}");
            let said = shown(&CAMPAIGN.replace("seed: 7", &embedder));
            assert!(said.contains("embedder.threshold cannot be used") && said.contains(says), "{said}");
        }
        assert!(shown(&CAMPAIGN.replace("[cheap]", "['']")).contains("spec.rules cannot be used"));
        let variable = "variables: [{name: Name, maximumLength: 9, fallback: you}]\n  rules:";
        assert!(shown(&CAMPAIGN.replace("rules:", variable)).contains("spec.variables cannot be used"));
        let second = format!("kind: Other\n---{}", CAMPAIGN.replace("product: Aero Trail 3, ", ""));
        assert!(shown(&second).contains("product"), "{}", shown(&second));
    }
}
