//! How the record of a verdict stands in a ConfigMap: as it is, or compressed where it is long.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::ConfigMap;

/// The longest record that is kept or read.
pub const MOST_BYTES: usize = 2_000_000;

/// What the records in one ConfigMap may take as they are kept: it holds a MiB, and others may add to it.
pub const MOST_BYTES_KEPT: usize = 900_000;

/// A longer record is compressed: those of all placements stand in one ConfigMap, which whoever follows it reads whole.
pub const MOST_BYTES_AS_TEXT: usize = 20_000;

/// What the key of a compressed record ends with.
pub const COMPRESSED: &str = ".gz";

/// A record as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredRecord {
    /// As it is, under `data`.
    Text(String),
    /// By gzip, under `binaryData` and a key that ends with [`COMPRESSED`].
    Compressed(ByteString),
}

/// Why a record that is kept can't be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// It is something else, or a part.
    #[error("it is not compressed by gzip, or not whole")]
    Damaged(#[source] std::io::Error),
    /// It is compressed, and no text.
    #[error("it is compressed, and no text")]
    NotText(#[source] std::string::FromUtf8Error),
    /// It is longer than any that is kept.
    #[error("it has more than {MOST_BYTES} bytes")]
    TooLong,
}

impl StoredRecord {
    /// The way in which a record is kept.
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

    /// What a ConfigMap holds under a key: one of both, unless somebody else wrote the other.
    pub fn all(config: &ConfigMap, key: &str) -> impl Iterator<Item = Self> {
        let text = config.data.as_ref().and_then(|data| data.get(key));
        let bytes = config.binary_data.as_ref().and_then(|data| data.get(&format!("{key}{COMPRESSED}")));
        text.cloned().map(Self::Text).into_iter().chain(bytes.cloned().map(Self::Compressed))
    }

    /// The record.
    ///
    /// # Errors
    /// When it is none that is kept: who wrote it may be anybody, and little may become very much.
    pub fn text(&self) -> Result<String, RecordError> {
        let text = match self {
            Self::Text(text) => text.clone(),
            Self::Compressed(ByteString(bytes)) => {
                let mut text = Vec::new();
                let most = MOST_BYTES as u64 + 1;
                GzDecoder::new(&bytes[..]).take(most).read_to_end(&mut text).map_err(RecordError::Damaged)?;
                if text.len() > MOST_BYTES {
                    return Err(RecordError::TooLong);
                }
                String::from_utf8(text).map_err(RecordError::NotText)?
            }
        };
        if text.len() > MOST_BYTES { Err(RecordError::TooLong) } else { Ok(text) }
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

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "evidence.json";

    fn config(text: &str) -> ConfigMap {
        let mut config = ConfigMap::default();
        StoredRecord::new(text).put(&mut config, KEY);
        config
    }

    #[test]
    fn a_long_record_is_compressed_and_comes_back_as_it_was() {
        let check = |text: &str, data: usize, binary: usize| {
            let config = config(text);
            let texts = config.data.as_ref().map_or(0, |it| it.len());
            let compressed = config.binary_data.as_ref().map_or(0, |it| it.len());
            assert_eq!((texts, compressed), (data, binary), "{} bytes", text.len());
            let found: Vec<String> =
                StoredRecord::all(&config, KEY).map(|it| it.text().expect("it is whole")).collect();
            assert_eq!(found, [text]);
        };
        check("{}", 1, 0);
        check(&"x".repeat(MOST_BYTES_AS_TEXT), 1, 0);
        check(&"x".repeat(MOST_BYTES_AS_TEXT + 1), 0, 1);
        check(&"né ".repeat(MOST_BYTES / 4), 0, 1);
        assert_eq!(StoredRecord::all(&config("{}"), "another").count(), 0);
    }

    #[test]
    fn what_is_no_record_is_an_error() {
        let long = "x".repeat(MOST_BYTES_AS_TEXT + 1);
        let StoredRecord::Compressed(ByteString(bytes)) = StoredRecord::new(&long) else {
            panic!("it is long")
        };
        let compressed = |bytes: &[u8]| StoredRecord::Compressed(ByteString(bytes.to_owned())).text();
        assert!(matches!(compressed(&bytes[..bytes.len() / 2]), Err(RecordError::Damaged(_))));
        assert!(matches!(compressed(b"{}"), Err(RecordError::Damaged(_))));
        let too_long = "x".repeat(MOST_BYTES + 1);
        assert!(matches!(StoredRecord::new(&too_long).text(), Err(RecordError::TooLong)));
        assert!(matches!(StoredRecord::Text(too_long).text(), Err(RecordError::TooLong)));
        let mut no_text = GzEncoder::new(Vec::new(), Compression::fast());
        no_text.write_all(&[0xff; 4]).expect("memory takes it");
        assert!(matches!(
            compressed(&no_text.finish().expect("memory takes it")),
            Err(RecordError::NotText(_))
        ));
    }
}
