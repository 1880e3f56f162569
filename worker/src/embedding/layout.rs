//! The files that sentence-transformers puts beside a model: how its vectors become that of a text.

use std::io::ErrorKind;
use std::path::Path;

use api::model_files::{MODULES, POOLING, PROMPTS, SEQUENCE};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::EmbedderError;
use crate::model::ModelError;

/// What the files say. A model of transformers alone has none of them, and is read as sentence-transformers would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// How the vectors of tokens become that of a text.
    pub(super) pooling: Pooling,
    /// Which letters the model knows.
    pub(super) letters: Letters,
    /// What stands before every text.
    pub(super) prefix: String,
    /// The most tokens of a text, those around it among them; what is longer is cut.
    pub(super) limit: usize,
}

/// How the vectors of tokens become that of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pooling {
    /// Their mean.
    Mean,
    /// That of the first, which is made for it.
    First,
}

/// Which letters a model knows, whatever its tokenizer does to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Letters {
    All,
    Small,
}

#[derive(Deserialize)]
struct Module {
    path: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Sequence {
    max_seq_length: Option<usize>,
    do_lower_case: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Prompts {
    prompts: Map<String, Value>,
    default_prompt_name: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OfTokenizer {
    /// Tokenizers without a bound have 10^30 here.
    model_max_length: Option<f64>,
}

impl Layout {
    /// Reads what is there of a folder.
    ///
    /// # Errors
    /// When a file is not what its name says, or asks for something that is not read.
    pub(super) fn open(folder: &Path) -> Result<Self, EmbedderError> {
        let Sequence { max_seq_length, do_lower_case } = read(&folder.join(SEQUENCE))?.unwrap_or_default();
        let OfTokenizer { model_max_length } =
            read(&folder.join("tokenizer_config.json"))?.unwrap_or_default();
        let prefix = prefix(read(&folder.join(PROMPTS))?.unwrap_or_default());
        // A cast of what is larger gives the largest number.
        let limit = max_seq_length.or(model_max_length.map(|it| it as usize)).unwrap_or(usize::MAX);
        let letters = if do_lower_case { Letters::Small } else { Letters::All };
        Ok(Self { pooling: open_pooling(folder, &prefix)?, letters, prefix, limit })
    }
}

fn prefix(Prompts { prompts, default_prompt_name }: Prompts) -> String {
    let named = default_prompt_name.and_then(|name| prompts.get(&name)?.as_str().map(str::to_owned));
    named.unwrap_or_default()
}

/// Whoever lists a pooling has a file for it: without that one, a model that pools by its first token would be read
/// wrongly and nobody would hear of it.
fn open_pooling(folder: &Path, prefix: &str) -> Result<Pooling, EmbedderError> {
    if !lists_pooling(&folder.join(MODULES))? {
        return Ok(Pooling::Mean);
    }
    let path = folder.join(POOLING);
    std::fs::metadata(&path).map_err(|source| ModelError::Read { path: path.clone(), source })?;
    let said = read(&path)?.unwrap_or_default();
    pooling(&said, prefix).map_err(|found| EmbedderError::Pooling { path, found })
}

/// Whether a model says how it pools, in the one folder that is fetched and packed for it.
fn lists_pooling(path: &Path) -> Result<bool, EmbedderError> {
    let modules: Vec<Module> = read(path)?.unwrap_or_default();
    let unread = |kind: String| EmbedderError::Module { path: path.to_owned(), kind };
    let mut lists = false;
    for Module { path: below, kind } in modules {
        match kind.rsplit('.').next().unwrap_or_default() {
            "Transformer" | "Normalize" => {}
            "Pooling" if POOLING == format!("{below}/config.json") => lists = true,
            "Pooling" => return Err(unread(format!("a Pooling in {below}"))),
            other => return Err(unread(other.to_owned())),
        }
    }
    Ok(lists)
}

/// Older files have a flag for each way, newer ones a name or a list of names.
fn pooling(said: &Map<String, Value>, prefix: &str) -> Result<Pooling, String> {
    if said.get("include_prompt") == Some(&Value::Bool(false)) && !prefix.is_empty() {
        return Err("the text without what stands before it (include_prompt)".to_owned());
    }
    let flags = said.iter().filter(|(_, flag)| **flag == Value::Bool(true));
    let flags = flags.filter_map(|(name, _)| name.strip_prefix("pooling_mode_"));
    let named = match said.get("pooling_mode") {
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        Some(name) => name.as_str().into_iter().collect(),
        None => flags.collect::<Vec<_>>(),
    };
    match named[..] {
        ["mean" | "mean_tokens"] => Ok(Pooling::Mean),
        ["cls" | "cls_token"] => Ok(Pooling::First),
        _ => Err(if named.is_empty() { "nothing".to_owned() } else { named.join(" and ") }),
    }
}

/// A file of JSON; nothing where there is none.
fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, ModelError> {
    let bytes = match std::fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        bytes => bytes.map_err(|source| ModelError::Read { path: path.to_owned(), source })?,
    };
    let parse = |source| ModelError::Parse { path: path.to_owned(), source };
    serde_json::from_slice(&bytes).map(Some).map_err(parse)
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    fn open(files: &[(&str, &str)]) -> Result<Layout, String> {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("1_Pooling")).expect("made");
        for (name, content) in files {
            std::fs::write(folder.path().join(name), content).expect("written");
        }
        Layout::open(folder.path()).map_err(|error| match error.source() {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        })
    }

    const LISTED: (&str, &str) = (
        MODULES,
        r#"[{"path": "", "type": "sentence_transformers.models.Transformer"},
            {"path": "1_Pooling", "type": "sentence_transformers.sentence_transformer.modules.pooling.Pooling"}]"#,
    );

    #[test]
    fn what_the_files_say_is_what_is_done() {
        let bare = Layout {
            pooling: Pooling::Mean,
            letters: Letters::All,
            prefix: String::new(),
            limit: usize::MAX,
        };
        let first = Layout { pooling: Pooling::First, ..bare.clone() };
        let check = |files: &[(&str, &str)], expected: &Layout| {
            assert_eq!(open(files).as_ref(), Ok(expected), "{files:?}");
        };
        check(&[], &bare);
        check(
            &[LISTED, (POOLING, r#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}"#)],
            &first,
        );
        check(&[LISTED, (POOLING, r#"{"pooling_mode": "cls"}"#)], &first);
        check(&[LISTED, (POOLING, r#"{"pooling_mode": ["mean"], "include_prompt": false}"#)], &bare);
        let tokenizer = ("tokenizer_config.json", r#"{"model_max_length": 128}"#);
        check(&[tokenizer], &Layout { limit: 128, ..bare.clone() });
        let sequence = (SEQUENCE, r#"{"max_seq_length": 256, "do_lower_case": true}"#);
        check(&[tokenizer, sequence], &Layout { limit: 256, letters: Letters::Small, ..bare.clone() });
        let boundless = ("tokenizer_config.json", r#"{"model_max_length": 1000000000000000019884624838656}"#);
        check(&[boundless, (SEQUENCE, r#"{"max_seq_length": null}"#)], &bare);
        let prompts = r#"{"prompts": {"query": "query: "}, "default_prompt_name": "query"}"#;
        check(&[(PROMPTS, prompts)], &Layout { prefix: "query: ".into(), ..bare.clone() });
        check(&[(PROMPTS, r#"{"prompts": {"query": "query: "}, "default_prompt_name": null}"#)], &bare);
    }

    #[test]
    fn what_is_not_read_is_named_and_never_left_out() {
        let check = |files: &[(&str, &str)], says: &str| {
            let said = open(files).expect_err(says);
            assert!(said.contains(says), "{said}");
        };
        check(&[LISTED], "cannot read");
        check(
            &[LISTED, (POOLING, r#"{"pooling_mode_lasttoken": true}"#)],
            "pools by lasttoken: mean and cls",
        );
        check(&[LISTED, (POOLING, r#"{"pooling_mode": ["cls", "mean"]}"#)], "pools by cls and mean");
        check(&[LISTED, (POOLING, "{}")], "pools by nothing");
        check(&[LISTED, (POOLING, "<html>")], "config.json is not what its name says");
        let dense = r#"[{"path": "2_Dense", "type": "sentence_transformers.models.Dense"}]"#;
        check(&[(MODULES, dense)], "modules.json lists Dense: of embedders Transformer, Pooling");
        let elsewhere = r#"[{"path": "2_Pooling", "type": "Pooling"}]"#;
        check(&[(MODULES, elsewhere)], "lists a Pooling in 2_Pooling");
        let prompts = (PROMPTS, r#"{"prompts": {"q": "query: "}, "default_prompt_name": "q"}"#);
        let apart = (POOLING, r#"{"pooling_mode": "mean", "include_prompt": false}"#);
        check(&[LISTED, prompts, apart], "(include_prompt)");
    }
}
