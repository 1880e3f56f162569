//! LoRA adapters among a model's files: folders as peft saves them, wherever they lie below the model's.

use std::fs;
use std::path::{Path, PathBuf};

use api::model_files::{ADAPTER, is_plain};

use super::folder::{Fault, json, lacks, safetensors};

/// The files of all adapters below a folder, by their paths from it, sorted.
///
/// # Errors
/// When a folder has an adapter's configuration and not the rest of one.
pub(super) fn adapters(folder: &Path) -> Result<Vec<String>, Fault> {
    let mut files = Vec::new();
    for name in folders(folder)? {
        let inside = folder.join(&name);
        let own = adapter(&inside)?.into_iter().map(str::to_owned);
        let below = adapters(&inside)?;
        files.extend(own.chain(below).map(|file| format!("{name}/{file}")));
    }
    Ok(files)
}

/// The files of the adapter that a folder is, if it is one.
fn adapter(folder: &Path) -> Result<Vec<&'static str>, Fault> {
    let [config, weights] = ADAPTER;
    if !folder.join(config).is_file() {
        return Ok(Vec::new());
    }
    json(&folder.join(config), "peft_type")?;
    if !folder.join(weights).is_file() {
        let remedy = "save the adapter as safetensors, or take its folder away";
        return Err(lacks(folder, weights, remedy));
    }
    safetensors(&folder.join(weights))?;
    Ok(ADAPTER.to_vec())
}

/// The folders of a folder, those that an `AdModel` can name: visible, and of harmless letters. A link to a folder may
/// lead round in a circle and is left.
fn folders(folder: &Path) -> Result<Vec<String>, Fault> {
    let unreadable = |source| Fault::Unreadable { path: PathBuf::from(folder), source };
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if entry.file_type().map_err(unreadable)?.is_dir() {
            names.extend(entry.file_name().into_string().ok().filter(|name| is_plain(name)));
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = r#"{"peft_type": "LORA"}"#;
    const TENSORS: &str = "\u{2}\0\0\0\0\0\0\0{}";

    fn found(files: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, content) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, content).expect("written");
        }
        adapters(folder.path()).map_err(|fault| fault.to_string())
    }

    #[test]
    fn adapters_go_along_wherever_they_lie_and_nothing_else_does() {
        let files = [
            ("brands/other/adapter_config.json", CONFIG),
            ("brands/other/adapter_model.safetensors", TENSORS),
            ("acme/adapter_config.json", CONFIG),
            ("acme/adapter_model.safetensors", TENSORS),
            ("acme/optimizer.pt", ""),
            (".cache/old/adapter_config.json", "hidden"),
            ("onnx/model.onnx", ""),
        ];
        let expected = [
            "acme/adapter_config.json",
            "acme/adapter_model.safetensors",
            "brands/other/adapter_config.json",
            "brands/other/adapter_model.safetensors",
        ];
        assert_eq!(found(&files).expect("adapters"), expected);
    }

    #[test]
    fn half_an_adapter_says_what_is_missing() {
        let check = |files: &[(&str, &str)], says: &str| {
            let said = found(files).expect_err(says);
            assert!(said.contains(says), "{said}");
        };
        let config = ("acme/adapter_config.json", CONFIG);
        check(&[config, ("acme/adapter_model.bin", "")], "acme has no adapter_model.safetensors: save");
        check(&[config, ("acme/adapter_model.safetensors", "version https")], "is no safetensors");
        check(&[("acme/adapter_config.json", "{}")], "adapter_config.json has no peft_type");
    }
}
