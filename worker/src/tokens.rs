//! Text to tokens and back, the same way in training and in writing.
//!
//! A text is encoded in pieces (head, cue, copy, line break), since that is how it is written: the model must never see
//! in training a token that spans a border which writing keeps apart.

use std::path::Path;

use tokenizers::{DecoderWrapper, Tokenizer};

/// Why a tokenizer cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// The file is not there or is no tokenizer.
    #[error("cannot read the tokenizer {0}: take the one of the model's own repository")]
    Read(String),
    /// The tokenizer lacks a token that the prompt's form needs.
    #[error(
        "the tokenizer has no token {0:?}, which the plain form of prompts needs: use the model's own tokenizer.json, \
         or add its chat template as chat_template.jinja"
    )]
    Missing(&'static str),
    /// A text could not be encoded or decoded.
    #[error("the tokenizer failed: {0}")]
    Text(String),
}

/// A tokenizer, and what each of its tokens adds to a text.
#[derive(Clone, Debug)]
pub struct Tokens {
    tokenizer: Tokenizer,
    /// What marks tokens that are no text, such as `</s>`.
    marks: Vec<String>,
    /// What each token adds to a text; nothing for those that are no text.
    bytes: Vec<Vec<u8>>,
}

impl Tokens {
    /// Reads a `tokenizer.json`.
    ///
    /// # Errors
    /// When it is no tokenizer.
    pub fn open(path: &Path) -> Result<Self, TokensError> {
        let tokenizer = Tokenizer::from_file(path)
            .map_err(|error| TokensError::Read(format!("{}: {error}", path.display())))?;
        Ok(Self::new(tokenizer))
    }

    /// Takes a tokenizer.
    #[must_use]
    pub fn new(tokenizer: Tokenizer) -> Self {
        let added = tokenizer.get_added_tokens_decoder();
        let special = added.into_values().filter(|token| token.special);
        let mut marks: Vec<String> = special.map(|token| token.content).collect();
        marks.sort_unstable();
        let bytes = bytes(&tokenizer);
        Self { tokenizer, marks, bytes }
    }

    /// The tokens of one piece of text. What marks a special token stays text: a brief that spells `</s>` may not end the
    /// prompt or open another.
    ///
    /// # Errors
    /// When the tokenizer fails, which a byte-level one never does.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TokensError> {
        let mut tokens = Vec::new();
        for piece in apart(text, &self.marks) {
            tokens.extend(self.encode_marked(piece)?);
        }
        Ok(tokens)
    }

    /// The tokens of a text in which special tokens are meant as such.
    ///
    /// # Errors
    /// When the tokenizer fails, which a byte-level one never does.
    pub fn encode_marked(&self, text: &str) -> Result<Vec<u32>, TokensError> {
        self.encoded(text, Frame::Bare)
    }

    /// The tokens of a text with the special ones around it that the tokenizer adds by itself.
    ///
    /// # Errors
    /// When the tokenizer fails, which a byte-level one never does.
    pub fn encode_framed(&self, text: &str) -> Result<Vec<u32>, TokensError> {
        self.encoded(text, Frame::Added)
    }

    /// The tokens of a piece of text that goes on behind another one. Some tokenizers put a space before a text that
    /// stands alone.
    ///
    /// # Errors
    /// When the tokenizer fails, which a byte-level one never does.
    pub fn encode_behind(&self, text: &str) -> Result<Vec<u32>, TokensError> {
        let (line, both) = (self.encode("\n")?, self.encode(&format!("\n{text}"))?);
        both.strip_prefix(&line[..]).map_or_else(|| self.encode(text), |rest| Ok(rest.to_vec()))
    }

    fn encoded(&self, text: &str, frame: Frame) -> Result<Vec<u32>, TokensError> {
        let encoding = self
            .tokenizer
            .encode_fast(text, frame == Frame::Added)
            .map_err(|error| TokensError::Text(error.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// A text in which no special token is spelled: each mark is broken by a space.
    #[must_use]
    pub fn unmarked(&self, text: &str) -> String {
        apart(text, &self.marks).join(" ")
    }

    /// The text of some tokens. Bytes that are no UTF-8 become U+FFFD.
    ///
    /// # Errors
    /// When a token is none of this vocabulary.
    pub fn decode(&self, tokens: &[u32]) -> Result<String, TokensError> {
        self.tokenizer.decode(tokens, true).map_err(|error| TokensError::Text(error.to_string()))
    }

    /// The token of this text, if there is one.
    #[must_use]
    pub fn id(&self, token: &str) -> Option<u32> {
        self.tokenizer.token_to_id(token)
    }

    /// How a token is written; nothing where there is none of this number.
    #[must_use]
    pub fn name(&self, token: u32) -> Option<String> {
        self.tokenizer.id_to_token(token)
    }

    /// What a token adds to a text, which may be a part of a character; nothing for a token that is no text.
    #[must_use]
    pub fn bytes(&self, token: u32) -> &[u8] {
        self.bytes.get(token as usize).map_or(&[], Vec::as_slice)
    }

    /// How many tokens there are.
    #[must_use]
    pub fn vocabulary(&self) -> usize {
        self.tokenizer.get_vocab_size(true)
    }

    /// Writes the tokenizer as `tokenizer.json`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), TokensError> {
        self.tokenizer.save(path, false).map_err(|error| TokensError::Text(error.to_string()))
    }
}

/// Whether a tokenizer adds the special tokens that stand around a text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Frame {
    Bare,
    Added,
}

/// The text in pieces of which none holds a mark: each mark is cut behind its first character.
fn apart<'t>(text: &'t str, marks: &[String]) -> Vec<&'t str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    let first_mark = |rest: &str| {
        marks.iter().filter(|mark| !mark.is_empty()).filter_map(|mark| rest.find(mark.as_str())).min()
    };
    while let Some(start) = first_mark(rest) {
        let length = rest[start..].chars().next().map_or(1, char::len_utf8);
        let (piece, behind) = rest.split_at(start + length);
        pieces.push(piece);
        rest = behind;
    }
    pieces.push(rest);
    pieces
}

/// The bytes of every token of the vocabulary.
fn bytes(tokenizer: &Tokenizer) -> Vec<Vec<u8>> {
    let special = tokenizer.get_added_tokens_decoder();
    let by_characters = tokenizer.get_decoder().is_some_and(is_byte_level);
    let count = u32::try_from(tokenizer.get_vocab_size(true)).expect("token ids are 32 bits");
    let of_token = |token: u32| match (special.get(&token), tokenizer.id_to_token(token)) {
        (Some(added), _) if added.special => Vec::new(),
        (Some(added), _) => added.content.clone().into_bytes(),
        (None, Some(text)) if by_characters => byte_level(&text),
        (None, Some(text)) => byte_fallback(&text),
        (None, None) => Vec::new(),
    };
    (0..count).map(of_token).collect()
}

fn is_byte_level(decoder: &DecoderWrapper) -> bool {
    match decoder {
        DecoderWrapper::ByteLevel(_) => true,
        DecoderWrapper::Sequence(sequence) => sequence.get_decoders().iter().any(is_byte_level),
        _ => false,
    }
}

/// A byte-level token (Radford et al. 2019): each byte is one character, the printable ones themselves, the others, in
/// their order, those from U+0100 on.
fn byte_level(token: &str) -> Vec<u8> {
    let printable = |byte: u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    let byte = |c: char| {
        let others = || (0..=255u8).filter(|byte| !printable(*byte));
        let code = u32::from(c);
        match u8::try_from(code) {
            Ok(byte) => printable(byte).then_some(byte),
            Err(_) => others().nth(usize::try_from(code.checked_sub(256)?).ok()?),
        }
    };
    token.chars().map(byte).collect::<Option<_>>().unwrap_or_else(|| token.as_bytes().to_vec())
}

/// A token of a SentencePiece model: a bar below stands for a space, and `<0x0A>` for a byte.
fn byte_fallback(token: &str) -> Vec<u8> {
    let hexadecimal = token.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>'));
    match hexadecimal.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
        Some(byte) => vec![byte],
        None => token.replace('\u{2581}', " ").into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_the_bytes_that_they_add_to_a_text() {
        assert_eq!(byte_level("Ġcafé"), " caf\u{e9}".chars().map(|c| c as u8).collect::<Vec<_>>());
        assert_eq!(byte_level("ĊÃ¤"), "\nä".as_bytes());
        assert_eq!(byte_fallback("<0xE4>"), [0xE4]);
        assert_eq!(byte_fallback("▁Meet▁it"), b" Meet it");
    }

    #[test]
    fn marks_are_cut_and_nothing_else_is() {
        let marks = ["</s>".to_owned(), "<|end|>".to_owned()];
        let check = |text: &str, pieces: &[&str]| assert_eq!(apart(text, &marks), pieces, "{text}");
        check("plain <s text>", &["plain <s text>"]);
        check("a</s>b", &["a<", "/s>b"]);
        check("<|end|></s>", &["<", "|end|><", "/s>"]);
        check("<</s></s>", &["<<", "/s><", "/s>"]);
        check("", &[""]);
    }

    #[test]
    fn the_bytes_of_a_text_s_tokens_are_the_text() {
        let tokens = Tokens::open(Path::new(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../models/handbill/tokenizer.json"
        )))
        .expect("the shipped tokenizer");
        for text in [" Meet Aero Trail 3.", "云翼咖啡舒适贴合", "Ü 19 € 👟", "a\nb"] {
            let bytes: Vec<u8> = tokens
                .encode(text)
                .expect("it encodes")
                .iter()
                .flat_map(|it| tokens.bytes(*it))
                .copied()
                .collect();
            assert_eq!(String::from_utf8(bytes).expect("whole characters"), text);
        }
        assert_eq!(tokens.bytes(tokens.id("<s>").expect("it opens texts")), b"");
    }
}
