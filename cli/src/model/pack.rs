//! `broadside model pack`: a folder becomes an image that a pod can copy the model out of.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use cluster::Image;

use super::folder::{self, Contents, Fault};
use crate::terminal::Output;
use crate::text::plural;

/// Make a model's image from its folder.
///
/// The folder holds a model in the layout of Hugging Face, or one GGUF file with its tokenizer.json. The image holds the
/// files that the worker reads below /model, and at /copy a static program that copies them out. The same files give the
/// same image.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The model's folder.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The image's name with a tag, such as registry.example/qwen3:1.
    #[arg(long, value_name = "IMAGE", value_parser = reference)]
    name: String,
    /// The archive that is written, in the form of `docker save`. For a while it takes twice the model's room.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// The copier: a static program. Without it, the file `copy` beside this program.
    #[arg(long, value_name = "FILE", env = "BROADSIDE_COPIER")]
    copier: Option<PathBuf>,
}

/// Why no image was made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder is no model.
    #[error("the folder can't be packed")]
    Folder(#[from] Fault),
    /// There is no copier.
    #[error("there is no copier at {}: build it (cargo build --bin copy), and name it with --copier", path.display())]
    NoCopier {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The archive or the answer can't be written.
    #[error("{} can't be written: look whether there is room for twice the model", path.display())]
    Unwritable {
        /// The archive.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Any user but root; the Job runs the copier as this one.
const USER: &str = "65532";

/// The image of a model's folder, whose files were looked at, and what of the folder is in it.
///
/// # Errors
/// When the folder is no model, or there is no copier.
pub fn image(folder: &Path, name: &str, copier: &Path) -> Result<(Image, Contents), Error> {
    if !copier.is_file() {
        return Err(Error::NoCopier { path: copier.to_owned() });
    }
    let contents = folder::look(folder)?;
    let of_model = contents.packed.iter().map(|file| (folder.join(file), format!("/model/{file}")));
    let files = std::iter::once((copier.to_owned(), "/copy".to_owned())).chain(of_model).collect();
    let entrypoint = vec!["/copy".to_owned(), "/model".to_owned()];
    Ok((Image { reference: name.to_owned(), entrypoint, user: USER.to_owned(), files }, contents))
}

/// Writes the archive and says what to do with it.
pub(super) fn run(args: &Args) -> Result<ExitCode, Error> {
    let copier = args.copier.clone().unwrap_or_else(beside);
    let (image, contents) = image(&args.folder, &args.name, &copier)?;
    let unwritable = |source| Error::Unwritable { path: args.output.clone(), source };
    let digest = image.write(&args.output).map_err(unwritable)?;
    Output::detect().print(&describe(args, &contents, &digest)).map_err(unwritable)?;
    Ok(ExitCode::SUCCESS)
}

/// The copier that was built with this program.
fn beside() -> PathBuf {
    std::env::current_exe().unwrap_or_default().with_file_name("copy")
}

fn describe(args: &Args, contents: &Contents, digest: &str) -> String {
    let (archive, name) = (args.output.display(), &args.name);
    let left = match contents.left.as_slice() {
        [] => String::new(),
        left => format!("left out: {}\n", left.join(", ")),
    };
    format!(
        "{archive}: {name}, {files} of the model\n\
         image ID: {digest}\n\
         {left}\n\
         To bring it to a registry, one of\n  \
         skopeo copy docker-archive:{archive} docker://{name}\n  \
         docker load --input {archive} && docker push {name}\n\
         To bring it to this node alone\n  \
         ctr --namespace k8s.io images import {archive}\n\
         Then offer it\n  \
         spec: {{source: {{image: {{reference: {name}}}}}}}\n",
        files = plural(contents.packed.len(), "file"),
    )
}

/// A name that registries and Kubernetes take: no white space, and a tag, without which the newest would be meant.
fn reference(text: &str) -> Result<String, String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/:".contains(&byte);
    let tagged = text.rsplit('/').next().is_some_and(|last| {
        last.split_once(':').is_some_and(|(name, tag)| !name.is_empty() && !tag.is_empty())
    });
    if tagged && text.bytes().all(allowed) {
        Ok(text.to_owned())
    } else {
        Err("write a name with a tag, such as registry.example/qwen3:1".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_a_tag() {
        for name in ["qwen3:1", "registry.example:5000/team/qwen3:1.0-q8"] {
            reference(name).expect(name);
        }
        for name in ["", "qwen3", "registry.example:5000/qwen3", "qwen3:", ":1", "a b:1", "a@sha256:0"] {
            assert!(reference(name).is_err(), "{name}");
        }
    }

    #[test]
    fn our_own_model_becomes_an_image_that_says_what_to_do_next() {
        let place = tempfile::tempdir().expect("a folder");
        let (output, copier) = (place.path().join("handbill.tar"), place.path().join("copy"));
        std::fs::write(&copier, "a program").expect("written");
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/handbill");
        let name = "registry.example/handbill:1".to_owned();
        let (image, contents) = image(&folder, &name, &copier).expect("our model is a model");
        assert_eq!(contents.left, ["recipe.yaml"]);
        let inside: Vec<&str> = image.files.iter().map(|(_, inside)| inside.as_str()).collect();
        let model = [
            "LICENSE",
            "README.md",
            "config.json",
            "generation_config.json",
            "model.safetensors",
            "tokenizer.json",
        ];
        let expected: Vec<String> = model.iter().map(|file| format!("/model/{file}")).collect();
        assert_eq!(
            (inside[0], &inside[1..]),
            ("/copy", &expected.iter().map(String::as_str).collect::<Vec<_>>()[..])
        );

        let digest = image.write(&output).expect("written");
        assert!(digest.starts_with("sha256:") && digest.len() == 71, "{digest}");
        let args = Args { folder, name, output, copier: Some(copier) };
        let said = describe(&args, &contents, &digest);
        for part in
            [&digest, "left out: recipe.yaml", "docker://registry.example/handbill:1", "reference: registry"]
        {
            assert!(said.contains(part), "{said}");
        }
    }

    #[test]
    fn a_missing_copier_is_named() {
        let error = image(Path::new("."), "a:1", Path::new("/nowhere/copy")).expect_err("none");
        assert!(error.to_string().contains("/nowhere/copy: build it"), "{error}");
    }
}
