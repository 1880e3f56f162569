//! Holds embedders to what sentence-transformers gives.
//!
//! `tests/embedding/make.py` made the models and the expected vectors.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use worker::embedding::{Embed, Embedder};

/// Both reckon in single precision and add in another order.
const TOLERANCE: f32 = 1e-5;

#[derive(Deserialize)]
struct Expected {
    texts: Vec<String>,
    vectors: BTreeMap<String, Vec<Vec<f32>>>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/embedding")
}

fn expected() -> Expected {
    let text = std::fs::read_to_string(folder().join("expected.json")).expect("the peer's figures");
    serde_json::from_str(&text).expect("the peer's figures are JSON")
}

#[test]
fn every_number_is_the_one_that_sentence_transformers_gives() {
    let Expected { texts, vectors } = expected();
    assert_eq!((texts.len(), vectors.len()), (8, 4));
    for (name, vectors) in vectors {
        let embedder = Embedder::open(&folder().join(&name)).expect("a model");
        let found = embedder.embed(&texts).expect("texts can be embedded");
        for ((text, found), expected) in texts.iter().zip(found).zip(vectors) {
            assert_eq!(found.numbers().len(), expected.len());
            for (found, expected) in found.numbers().iter().zip(expected) {
                assert!((found - expected).abs() <= TOLERANCE, "{name}, {text:?}: {found} is not {expected}");
            }
        }
    }
}

#[test]
fn a_text_means_the_same_whatever_else_is_embedded() {
    let Expected { texts, vectors } = expected();
    for name in vectors.keys() {
        let embedder = Embedder::open(&folder().join(name)).expect("a model");
        let together = embedder.embed(&texts).expect("texts can be embedded");
        for (text, together) in texts.iter().zip(together) {
            let alone = embedder.embed(std::slice::from_ref(text)).expect("a text can be embedded");
            assert_eq!(alone, [together], "{name}, {text:?}");
        }
    }
}
