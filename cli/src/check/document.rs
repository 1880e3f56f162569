//! A file as documents, a document as an object.

use serde_json::Value;

/// One document.
pub(super) enum Document {
    /// Of our API group.
    Ours(Value),
    /// Empty, or of another group: not ours to judge, but for the ConfigMap of a brand.
    Foreign(Value),
}

/// The documents of a file with the line on which each begins, from 1.
///
/// Split before parsing, so that a fault in one does not hide the others.
pub(super) fn split(text: &str) -> Vec<(usize, &str)> {
    let mut documents = Vec::new();
    let (mut start, mut first_line, mut position) = (0, 1, 0);
    for (index, line) in text.split_inclusive('\n').enumerate() {
        if line.trim_end() == "---" || line.starts_with("--- ") {
            documents.push((first_line, &text[start..position]));
            (start, first_line) = (position + line.len(), index + 2);
        }
        position += line.len();
    }
    documents.push((first_line, &text[start..]));
    documents.into_iter().map(|(line, text)| (line + leading_lines(text), text)).collect()
}

/// Blank lines and comments before the first field.
fn leading_lines(text: &str) -> usize {
    let is_content = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    text.lines().position(is_content).unwrap_or(0)
}

/// Reads a document; the error says what is wrong with its YAML, in one line.
pub(super) fn read(text: &str) -> Result<Document, String> {
    let object: Value = match serde_saphyr::from_str(text) {
        Ok(object) => object,
        Err(_) if is_blank(text) => return Ok(Document::Foreign(Value::Null)),
        Err(error) => return Err(one_line(&error.to_string())),
    };
    let is_ours = |version: &str| version.split('/').next() == Some(api::GROUP);
    match object["apiVersion"].as_str() {
        Some(version) if is_ours(version) => Ok(Document::Ours(object)),
        Some(_) => Ok(Document::Foreign(object)),
        None if object.is_null() => Ok(Document::Foreign(object)),
        None => Err("apiVersion is missing: begin the document with apiVersion and kind".to_owned()),
    }
}

fn is_blank(text: &str) -> bool {
    text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'))
}

/// Parsers draw the place over several lines; the first says what and where.
fn one_line(text: &str) -> String {
    format!("is no YAML: {}", text.lines().next().unwrap_or_default())
}

/// Kind, namespace and name for people.
pub(super) fn title(object: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let (kind, metadata) = (word(&object["kind"]), &object["metadata"]);
    match metadata["namespace"].as_str() {
        Some(namespace) => format!("{kind} {namespace}/{}", word(&metadata["name"])),
        None => format!("{kind} {}", word(&metadata["name"])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_begins_on_its_first_field() {
        let lines: Vec<usize> =
            split("# a\n\na: 1\n---\nb: 2\n--- # c\n# d\nc: 3\n").into_iter().map(|(line, _)| line).collect();
        assert_eq!(lines, [3, 5, 8]);
    }
}
