//! A grammar in a file.

use std::io;
use std::path::{Path, PathBuf};

use rules::{Grammar, GrammarError, Source};

/// Why a file is no grammar.
#[derive(Debug, thiserror::Error)]
pub enum GrammarFileError {
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It cannot be used.
    #[error("{} {error}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: GrammarError,
    },
}

/// Reads a grammar: a JSON Schema where the file ends in `.json`, else rules in Lark.
///
/// # Errors
/// When it cannot be read or used.
pub fn open(path: &Path) -> Result<Grammar, GrammarFileError> {
    let named = |source| GrammarFileError::Read { path: path.to_owned(), source };
    let text = std::fs::read_to_string(path).map_err(named)?;
    let is_schema = path.extension().is_some_and(|it| it == "json");
    let source = if is_schema { Source::Schema(compact(text)) } else { Source::Lark(text) };
    Grammar::new(source).map_err(|error| GrammarFileError::Unusable { path: path.to_owned(), error })
}

/// A schema whose JSON has no spaces between its parts, unless it says something else of them itself: a model that was not
/// made for JSON writes such spaces without end.
fn compact(text: String) -> String {
    match serde_json::from_str(&text) {
        Ok(serde_json::Value::Object(mut schema)) => {
            schema.entry("x-guidance").or_insert_with(|| serde_json::json!({"whitespace_flexible": false}));
            serde_json::Value::Object(schema).to_string()
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_by_its_ending_and_what_is_wrong_names_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let check = |name: &str, text: &str, said: Result<&str, &str>| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("written");
            let found = open(&path).map_err(|error| error.to_string());
            match (found, said) {
                (Ok(grammar), Ok(text)) => assert_eq!(grammar.departure(text), None, "{name}"),
                (Err(error), Err(said)) => assert!(error.contains(name) && error.contains(said), "{error}"),
                (found, _) => panic!("{name}: {found:?}"),
            }
        };
        check("a.lark", "start: \"ab\"", Ok("ab"));
        check("a.json", r#"{"const": "ab"}"#, Ok("\"ab\""));
        let size = r#"{"type": "object", "properties": {"a": {"const": 1}}, "required": ["a"]}"#;
        check("size.json", size, Ok(r#"{"a":1}"#));
        let spaced = open(&folder.path().join("size.json")).expect("a schema").departure("{ }").map(str::len);
        assert_eq!(spaced, Some(1));
        check("b.json", "start: \"ab\"", Err("correct it"));
        check("b.lark", "start: b", Err("unknown name: \"b\""));
        let absent = open(&folder.path().join("c.lark")).expect_err("no file").to_string();
        assert!(absent.starts_with("cannot read") && absent.ends_with("c.lark"), "{absent}");
    }
}
