//! `worker regenerate`: writes a variant again from its provenance, and says whether it came out the same.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use api::{AdVariant, AdVariantSpec, Drawing, Provenance, Slots};
use engine::cpu;

use crate::author::{Author, AuthorError};
use crate::campaign::{Assignment, Campaign};
use crate::draft::Draft;
use crate::generate::{ENGINE, task};
use crate::model::{AS_STORED, DEVICE, Model, ModelError, Q8};
use crate::write::{Writer, sampling};

/// Why a variant can't be written again.
#[derive(Debug, thiserror::Error)]
pub enum RegenerateError {
    /// The file is not there or cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no variant.
    #[error("{} is not an AdVariant", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What the parser said, with the line.
        source: Box<serde_saphyr::Error>,
    },
    /// Nothing says how it was made.
    #[error(
        "spec.{0} is missing: people or an engine elsewhere wrote this variant, and only our own engine's can be written again"
    )]
    NotOurs(&'static str),
    /// A device made it, whose arithmetic differs from that of processors in the last bits.
    #[error(
        "a device wrote this variant, in other arithmetic than a processor's: it can't be written again to the byte"
    )]
    OfDevice,
    /// It was made from something else.
    #[error("spec.{field} is {was} and here it is {here}: {remedy}")]
    Different {
        /// The field.
        field: &'static str,
        /// What the variant says.
        was: String,
        /// What there is here.
        here: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The model cannot be used.
    #[error("the model cannot be used")]
    Model(#[from] ModelError),
    /// The model cannot write.
    #[error(transparent)]
    Author(#[from] AuthorError),
}

/// A variant that was made here and says how.
#[derive(Clone, Debug)]
pub struct Record {
    spec: AdVariantSpec,
    provenance: Provenance,
    drawing: Drawing,
    form: cpu::Form,
}

/// How the adapter of a model without one is called where two are compared.
const NO_ADAPTER: &str = "none";

/// What came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Again {
    /// The texts, media of people among them.
    pub slots: Slots,
    /// The texts that the variant has.
    pub was: Slots,
}

impl Record {
    /// Reads a manifest.
    ///
    /// # Errors
    /// When it is none, or says not all of how it was made.
    pub fn open(path: &Path) -> Result<Self, RegenerateError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| RegenerateError::Read { path: path.to_owned(), source })?;
        let variant: AdVariant = serde_saphyr::from_str(&text)
            .map_err(|source| RegenerateError::Parse { path: path.to_owned(), source: Box::new(source) })?;
        let provenance = variant.spec.provenance.clone().ok_or(RegenerateError::NotOurs("provenance"))?;
        let drawing = provenance.drawing.clone().ok_or(RegenerateError::NotOurs("provenance.drawing"))?;
        let form = match provenance.quantization.as_deref() {
            Some(AS_STORED) => cpu::Form::AsStored,
            Some(Q8) => cpu::Form::Q8,
            Some(DEVICE) => return Err(RegenerateError::OfDevice),
            _ => return Err(RegenerateError::NotOurs("provenance.quantization")),
        };
        Ok(Self { spec: variant.spec, provenance, drawing, form })
    }

    /// In which form the model's weights have to be kept.
    #[must_use]
    pub fn form(&self) -> cpu::Form {
        self.form
    }

    /// Writes it again.
    ///
    /// # Errors
    /// When campaign or model are not those that it was made from, or the model can't write.
    pub fn again(&self, campaign: &Campaign, model: &Model) -> Result<Again, RegenerateError> {
        let assignment = self.assignment(campaign)?;
        let provenance = &self.provenance;
        same(
            "provenance.engineVersion",
            &provenance.engine_version,
            ENGINE,
            "use the worker of that version",
        )?;
        same(
            "provenance.modelDigest",
            &provenance.model_digest,
            model.digest(),
            "name the model that wrote it",
        )?;
        same(
            "provenance.adapterDigest",
            provenance.adapter_digest.as_deref().unwrap_or(NO_ADAPTER),
            model.adapter_digest().unwrap_or(NO_ADAPTER),
            "give --adapter the adapter that it was written with, or none",
        )?;
        let rules = &campaign.rules_version;
        same(
            "provenance.rulesVersion",
            &provenance.rules_version,
            rules,
            "use the brand's rules of that time",
        )?;
        let seed = campaign.seed.to_string();
        same("provenance.seed", &provenance.seed.to_string(), &seed, "use the campaign as it was")?;
        same(
            "provenance.siblings",
            &provenance.siblings.join(", "),
            &assignment.siblings().join(", "),
            "use the campaign as it was, its control and challengers too",
        )?;
        let draft = self.draft(campaign, assignment, model)?;
        let prompt = format!("sha256:{}", draft.trace.prompt_digest);
        same(
            "provenance.promptDigest",
            &provenance.prompt_digest,
            &prompt,
            "use the campaign as it was, its brief too",
        )?;
        Ok(Again { slots: assignment.beside_media(draft.slots), was: self.spec.slots.clone() })
    }

    fn assignment<'c>(&self, campaign: &'c Campaign) -> Result<&'c Assignment, RegenerateError> {
        same("campaign", &self.spec.campaign, &campaign.name, "give the campaign of the variant")?;
        let found = campaign.assignments.iter().find(|it| it.placement == self.spec.placement);
        found.ok_or_else(|| RegenerateError::Different {
            field: "placement",
            was: self.spec.placement.clone(),
            here: campaign.assignments.iter().map(|it| it.placement.as_str()).collect::<Vec<_>>().join(", "),
            remedy: "give the campaign that has the placement",
        })
    }

    fn draft(
        &self,
        campaign: &Campaign,
        assignment: &Assignment,
        model: &Model,
    ) -> Result<Draft, RegenerateError> {
        let mut writer = Writer::new(model, 1)?;
        writer.sampling = sampling(&self.drawing).ok_or(RegenerateError::NotOurs("provenance.drawing"))?;
        let task = task(campaign, assignment, self.provenance.index, self.provenance.attempt);
        let mut written = None;
        writer.write(vec![task], &mut |_, draft| {
            written = Some(draft);
            ControlFlow::Break(())
        })?;
        Ok(written.expect("a task gives a draft"))
    }
}

fn same(field: &'static str, was: &str, here: &str, remedy: &'static str) -> Result<(), RegenerateError> {
    let (was, here) = (was.to_owned(), here.to_owned());
    if was == here { Ok(()) } else { Err(RegenerateError::Different { field, was, here, remedy }) }
}
