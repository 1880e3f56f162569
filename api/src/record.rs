//! How the record of a verdict stands in a ConfigMap: as it is, or compressed where it is long.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::ConfigMap;

/// The longest record that is kept or read.
pub const MOST_BYTES: usize = 900_000;

/// A longer record is compressed: those of all placements stand in one ConfigMap, which whoever follows it reads whole.
pub const MOST_BYTES_AS_TEXT: usize = 20_000;

/// What the key of a compressed record ends with.
pub const COMPRESSED: &str = ".gz";

/// A record as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// As it is, under `data`.
    Text(String),
    /// By gzip, under `binaryData` and a key that ends with [`COMPRESSED`].
    Compressed(ByteString),
}

/// Why a compressed record can't be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// It is something else.
    #[error("it is not compressed by gzip, or not whole: {0}")]
    Damaged(#[from] std::io::Error),
    /// It is longer than any that is kept.
    #[error("it has more than {MOST_BYTES} bytes")]
    TooLong,
}

impl Kept {
    /// The way in which a record is kept. The same record is the same bytes.
    ///
    /// # Panics
    /// Never: memory takes what is written.
    pub fn new(text: &str) -> Self {
        if text.len() <= MOST_BYTES_AS_TEXT {
            return Self::Text(text.to_owned());
        }
        let mut compressed = GzEncoder::new(Vec::new(), Compression::best());
        compressed.write_all(text.as_bytes()).expect("memory takes it");
        Self::Compressed(ByteString(compressed.finish().expect("memory takes it")))
    }

    /// How many bytes it takes in its ConfigMap, where bytes are written as base64.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Compressed(ByteString(bytes)) => bytes.len().div_ceil(3) * 4,
        }
    }

    /// Puts it into a ConfigMap.
    pub fn put(self, config: &mut ConfigMap, key: &str) {
        match self {
            Self::Text(text) => drop(config.data.get_or_insert_default().insert(key.to_owned(), text)),
            Self::Compressed(bytes) => {
                let key = format!("{key}{COMPRESSED}");
                config.binary_data.get_or_insert_default().insert(key, bytes);
            }
        }
    }
}

/// The record that a ConfigMap holds under a key, however it is kept; nothing where it holds none.
///
/// # Errors
/// When it is compressed and can't be read, or is too long.
pub fn find(config: &ConfigMap, key: &str) -> Result<Option<String>, RecordError> {
    if let Some(text) = config.data.as_ref().and_then(|data| data.get(key)) {
        return Ok(Some(text.clone()));
    }
    let compressed = config.binary_data.as_ref().and_then(|data| data.get(&format!("{key}{COMPRESSED}")));
    compressed.map(|ByteString(bytes)| decompressed(bytes)).transpose()
}

/// Who wrote it may be anybody, and little may become very much.
fn decompressed(bytes: &[u8]) -> Result<String, RecordError> {
    let mut text = String::new();
    GzDecoder::new(bytes).take(MOST_BYTES as u64 + 1).read_to_string(&mut text)?;
    if text.len() > MOST_BYTES { Err(RecordError::TooLong) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> ConfigMap {
        let mut config = ConfigMap::default();
        Kept::new(text).put(&mut config, "evidence.json");
        config
    }

    #[test]
    fn a_long_record_is_compressed_and_comes_back_as_it_was() {
        let check = |text: &str, data: usize, binary: usize| {
            let config = config(text);
            let keys = (
                config.data.as_ref().map_or(0, |it| it.len()),
                config.binary_data.as_ref().map_or(0, |it| it.len()),
            );
            assert_eq!(keys, (data, binary), "{} bytes", text.len());
            assert_eq!(find(&config, "evidence.json").expect("it is whole").as_deref(), Some(text));
            assert_eq!(config, self::config(text), "the same record is the same bytes");
        };
        check("{}", 1, 0);
        check(&"x".repeat(MOST_BYTES_AS_TEXT), 1, 0);
        check(&"x".repeat(MOST_BYTES_AS_TEXT + 1), 0, 1);
        check(&"né ".repeat(MOST_BYTES / 4), 0, 1);
        assert_eq!(find(&config("{}"), "another").expect("there is none"), None);
    }

    #[test]
    fn what_is_no_record_is_an_error() {
        let mut config = config(&"x".repeat(MOST_BYTES + 1));
        assert!(matches!(find(&config, "evidence.json"), Err(RecordError::TooLong)));
        let bytes = &mut config.binary_data.as_mut().expect("data").values_mut().next().expect("a record").0;
        bytes.truncate(bytes.len() / 2);
        assert!(matches!(
            find(&config, "evidence.json"),
            Err(RecordError::Damaged(_) | RecordError::TooLong)
        ));
        let bytes = &mut config.binary_data.as_mut().expect("data").values_mut().next().expect("a record").0;
        bytes[0] = 0;
        assert!(matches!(find(&config, "evidence.json"), Err(RecordError::Damaged(_))));
    }
}
