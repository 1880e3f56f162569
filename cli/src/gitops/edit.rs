//! Texts into a file, at a place in it, with everything else of the file as it was: comments, order, quotes and line ends.
//!
//! Where a value stands is found by a parser that knows places, the value alone is replaced, and then both files are read:
//! where anything but the values differs, nothing is written.

use std::collections::BTreeMap;

use api::Slots;
use serde_json::Value;
use toml_edit::Item;
use yamlpath::{Component, Document, Route};

/// How a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// YAML, one document.
    Yaml,
    /// JSON.
    Json,
    /// TOML.
    Toml,
}

impl Form {
    /// By the ending of the file's name.
    pub fn of(file: &str) -> Option<Self> {
        match file.rsplit_once('.')?.1 {
            "yaml" | "yml" => Some(Self::Yaml),
            "json" => Some(Self::Json),
            "toml" => Some(Self::Toml),
            _ => None,
        }
    }
}

/// Why texts can't be written into a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// It can't be read as what its name says.
    #[error("it can't be read: {0}; a file is one document of YAML, TOML, or JSON without comments")]
    Unreadable(String),
    /// There is no such place.
    #[error("there is no {0}: add it once, with an empty text, where the copy belongs")]
    Missing(String),
    /// There is something else than a text.
    #[error("{0} is no text: name the keys above the texts in spec.placements[].promotion.at")]
    NotText(String),
    /// Nothing stands there.
    #[error("nothing stands at {0}: write an empty text there, as ''")]
    Empty(String),
    /// Its form is one that can't be changed in place.
    #[error(
        "{0} can't be changed in place, since an alias, a merge, a tag or a comment within is there: write the text out in quotes"
    )]
    Form(String),
}

/// The file with these texts at `at`, each slot as a key below it; texts that are there already stay as they are written.
///
/// A slot of `format` that the copy lacks, and the file has, becomes an empty text: what was there belonged to other copy.
///
/// # Errors
/// When the file can't be read, or a slot of the copy has no place in it. Nothing is written in halves.
pub fn edit(form: Form, text: &str, at: &str, slots: &Slots, format: &[String]) -> Result<String, EditError> {
    let before = read(form, text)?;
    let place = at.split('.').try_fold(&before, |value, key| child(value, key));
    let place = place.ok_or_else(|| EditError::Missing(at.to_owned()))?;
    let mut wanted = before.clone();
    let mut edited = text.to_owned();
    for (slot, value) in wanted_texts(place, slots, format) {
        let path = format!("{at}.{slot}");
        match child(place, &slot) {
            None => return Err(EditError::Missing(path)),
            Some(Value::String(known)) if *known == value => continue,
            // Without quotes a text may read as something else, such as yes or 240.
            Some(Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_)) => {}
            Some(Value::Array(_) | Value::Object(_)) => return Err(EditError::NotText(path)),
        }
        let (start, end) = match form {
            Form::Yaml | Form::Json => in_yaml(&edited, &before, &path)?,
            Form::Toml => in_toml(&edited, &path)?,
        };
        // With the escapes of JSON a text in double quotes is one in YAML and TOML too, wherever it stands.
        let quoted = serde_json::to_string(&value).expect("a text is JSON");
        edited.replace_range(start..end, &quoted);
        set(&mut wanted, &path, value);
    }
    if read(form, &edited).ok().as_ref() == Some(&wanted) {
        Ok(edited)
    } else {
        Err(EditError::Form(at.to_owned()))
    }
}

/// The texts of the copy, and nothing where the file has a slot that the copy lacks.
fn wanted_texts(place: &Value, slots: &Slots, format: &[String]) -> BTreeMap<String, String> {
    let lacking = format.iter().filter(|slot| !slots.contains_key(*slot) && child(place, slot).is_some());
    let mut texts: BTreeMap<String, String> = lacking.map(|slot| (slot.clone(), String::new())).collect();
    texts.extend(slots.clone());
    texts
}

fn read(form: Form, text: &str) -> Result<Value, EditError> {
    let fault = |error: &dyn std::fmt::Display| EditError::Unreadable(error.to_string());
    match form {
        Form::Json => serde_json::from_str(text).map_err(|error| fault(&error)),
        Form::Yaml => serde_saphyr::from_str(text).map_err(|error| fault(&error)),
        Form::Toml => {
            let document = toml_edit::Document::parse(text).map_err(|error| fault(&error))?;
            Ok(of_toml(document.as_item()))
        }
    }
}

fn child<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    match value {
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        other => other.get(key),
    }
}

fn set(value: &mut Value, path: &str, text: String) {
    let mut place = value;
    for key in path.split('.') {
        place = match place {
            Value::Array(items) => &mut items[key.parse::<usize>().expect("it was found before")],
            other => &mut other[key],
        };
    }
    *place = Value::String(text);
}

/// From where to where the value stands. JSON is YAML.
fn in_yaml(text: &str, before: &Value, path: &str) -> Result<(usize, usize), EditError> {
    let form = || EditError::Form(path.to_owned());
    let document = Document::new(text).map_err(|error| EditError::Unreadable(error.to_string()))?;
    let mut place = before;
    let mut components = Vec::new();
    for key in path.split('.') {
        components.push(match (place, key.parse::<usize>()) {
            (Value::Array(_), Ok(index)) => Component::Index(index),
            _ => Component::Key(key.to_owned().into()),
        });
        place = child(place, key).ok_or_else(form)?;
    }
    let found = document.query_exact(&Route::from(components)).map_err(|_| form())?;
    let (start, end) = found.ok_or_else(|| EditError::Empty(path.to_owned()))?.location.byte_span;
    // A block of lines ends with its last line end, which belongs to what follows.
    let value = text[start..end].trim_end_matches(['\n', '\r']);
    let head = value.lines().next().unwrap_or_default();
    let is_block = head.starts_with(['|', '>']);
    if value.starts_with(['!', '*', '&']) || (is_block && head.contains('#')) {
        return Err(form());
    }
    Ok((start, start + value.len()))
}

fn in_toml(text: &str, path: &str) -> Result<(usize, usize), EditError> {
    let form = || EditError::Form(path.to_owned());
    let document =
        toml_edit::Document::parse(text).map_err(|error| EditError::Unreadable(error.to_string()))?;
    let mut item = document.as_item();
    for key in path.split('.') {
        item = match key.parse::<usize>() {
            Ok(index) if item.is_array() || item.is_array_of_tables() => item.get(index).ok_or_else(form)?,
            _ => item.get(key).ok_or_else(form)?,
        };
    }
    let span = item.as_value().and_then(toml_edit::Value::span).ok_or_else(form)?;
    Ok((span.start, span.end))
}

/// As JSON, to look things up in.
fn of_toml(item: &Item) -> Value {
    match item {
        Item::None => Value::Null,
        Item::Value(value) => of_toml_value(value),
        Item::Table(table) => table.iter().map(|(key, item)| (key.to_owned(), of_toml(item))).collect(),
        Item::ArrayOfTables(tables) => {
            let table = |table: &toml_edit::Table| {
                table.iter().map(|(key, item)| (key.to_owned(), of_toml(item))).collect::<Value>()
            };
            Value::Array(tables.iter().map(table).collect())
        }
    }
}

fn of_toml_value(value: &toml_edit::Value) -> Value {
    match value {
        toml_edit::Value::String(text) => Value::String(text.value().clone()),
        toml_edit::Value::Array(items) => Value::Array(items.iter().map(of_toml_value).collect()),
        toml_edit::Value::InlineTable(table) => {
            table.iter().map(|(key, value)| (key.to_owned(), of_toml_value(value))).collect()
        }
        // Numbers and dates only have to stay what they are.
        other => Value::Array(vec![Value::String(other.to_string().trim().to_owned())]),
    }
}
