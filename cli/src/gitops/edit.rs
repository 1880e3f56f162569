//! Texts into a file, at a place in it, with everything else of the file as it was: comments, order, quotes and line ends.
//!
//! Where a value stands is found by a parser that knows places, the value alone is replaced, and then both files are read:
//! where anything but the values differs, nothing is written.

use std::collections::BTreeMap;

use api::Slots;
use serde_json::Value;
use toml_edit::{DocumentMut, Item};
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
    #[error("it can't be read: {0}")]
    Unreadable(String),
    /// There is no such place.
    #[error("there is no {0}: add it once, with an empty text, where the copy belongs")]
    Missing(String),
    /// There is something else than a text.
    #[error("{0} is no text: name the keys above the texts in spec.placements[].promotion.at")]
    NotText(String),
    /// Its form is one that can't be changed in place.
    #[error("{0} can't be changed in place, since an alias or a merge is there: write the texts out")]
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
        edited = match form {
            Form::Yaml | Form::Json => in_place(&edited, &path, &value)?,
            Form::Toml => in_toml(&edited, &path, &value)?,
        };
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
            let document: DocumentMut = text.parse().map_err(|error| fault(&error))?;
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

/// In YAML a text in double quotes, with the escapes of JSON, is a text wherever it stands, and JSON is YAML.
fn in_place(text: &str, path: &str, value: &str) -> Result<String, EditError> {
    let form = || EditError::Form(path.to_owned());
    let document = Document::new(text).map_err(|error| EditError::Unreadable(error.to_string()))?;
    let components = path.split('.').map(|key| match key.parse::<usize>() {
        Ok(index) => Component::Index(index),
        Err(_) => Component::Key(key.to_owned().into()),
    });
    let route = Route::from(components.collect::<Vec<_>>());
    let feature = document.query_exact(&route).map_err(|_| form())?.ok_or_else(form)?;
    let (start, end) = feature.location.byte_span;
    let quoted = serde_json::to_string(value).expect("a text is JSON");
    // A block of lines ends with its last line end, which belongs to what follows.
    let kept = text[start..end].len() - text[start..end].trim_end_matches(['\n', '\r']).len();
    Ok(format!("{}{quoted}{}", &text[..start], &text[end - kept..]))
}

fn in_toml(text: &str, path: &str, value: &str) -> Result<String, EditError> {
    let form = || EditError::Form(path.to_owned());
    let mut document: DocumentMut =
        text.parse().map_err(|error: toml_edit::TomlError| EditError::Unreadable(error.to_string()))?;
    let mut item = document.as_item_mut();
    for key in path.split('.') {
        item = match key.parse::<usize>() {
            Ok(index) => item.get_mut(index).ok_or_else(form)?,
            Err(_) => item.get_mut(key).ok_or_else(form)?,
        };
    }
    let known = item.as_value_mut().ok_or_else(form)?;
    let decor = known.decor().clone();
    *known = toml_edit::Value::from(value);
    *known.decor_mut() = decor;
    Ok(document.to_string())
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
