//! Trains the byte-level BPE tokenizer.
//!
//! Texts are cut into pieces first, and no token spans two of them: words with the space before them, as in GPT-2, but
//! each digit and each Chinese character by itself. A figure and a Chinese name then have the same tokens wherever they
//! stand, while merged ones would depend on what stands beside them, as Chinese sets no spaces.

use tokenizers::decoders::byte_level::ByteLevel as Decoder;
use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::tokenizer::SplitDelimiterBehavior;
use tokenizers::{AddedToken, Tokenizer, TokenizerBuilder};

use crate::prompt::{CLOSING, OPENING};
use crate::tokens::{Tokens, TokensError};

/// Learns a vocabulary of `size` tokens from `texts`: 256 bytes, two special tokens, and the commonest merges.
///
/// Any text can be encoded, since every byte has a token. The same texts give the same tokenizer.
///
/// # Errors
/// When the trainer fails or `size` leaves no room for the bytes and special tokens.
pub fn train<'a>(texts: impl Iterator<Item = &'a str> + Send, size: usize) -> Result<Tokens, TokensError> {
    let mut trainer = BpeTrainerBuilder::new()
        .show_progress(false)
        .vocab_size(size)
        .min_frequency(2)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .special_tokens([OPENING, CLOSING].map(|token| AddedToken::from(token.to_owned(), true)).to_vec())
        .build();
    let single = SplitPattern::Regex(r"\p{Han}|\p{N}".to_owned());
    let single = Split::new(single, SplitDelimiterBehavior::Isolated, false)
        .map_err(|error| TokensError::Text(error.to_string()))?;
    // No prefix space: a value's space stands in the text, and a cue at the start of a line has none.
    let words = ByteLevel::new(false, true, true);
    let pieces = Sequence::new(vec![single.into(), words.into()]);
    let mut tokenizer =
        TokenizerBuilder::<_, tokenizers::NormalizerWrapper, _, tokenizers::PostProcessorWrapper, _>::new()
            .with_model(BPE::default())
            .with_normalizer(None)
            .with_pre_tokenizer(Some(pieces))
            .with_post_processor(None)
            .with_decoder(Some(Decoder::default()))
            .build()
            .map_err(|error| TokensError::Text(error.to_string()))?;
    tokenizer.train(&mut trainer, texts).map_err(|error| TokensError::Text(error.to_string()))?;
    let json = tokenizer.to_string(false).map_err(|error| TokensError::Text(error.to_string()))?;
    Ok(Tokens::new(json.parse::<Tokenizer>().map_err(|error| TokensError::Read(error.to_string()))?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::names::is_han;

    const TEXTS: [&str; 3] =
        ["product: Velta Trail\nheadline: Meet Velta Trail\n", "fact: Weighs 240 g\n", "button: Shop now\n"];

    fn tokens() -> Tokens {
        train(TEXTS.iter().copied().cycle().take(300), 300).expect("trains")
    }

    #[test]
    fn the_same_texts_give_the_same_tokenizer() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name| {
            let path = folder.path().join(name);
            tokens().save(&path).expect("saves");
            std::fs::read(path).expect("reads")
        };
        assert_eq!(write("one"), write("two"));
    }

    #[test]
    fn every_text_comes_back_as_it_was() {
        let tokens = tokens();
        for text in ["Meet Velta", " Café — 云翼 👩‍🚀", "a\nb", "", "</s> is text"] {
            assert_eq!(tokens.decode(&tokens.encode(text).expect("encodes")).expect("decodes"), text);
        }
    }

    #[test]
    fn a_name_has_the_same_tokens_in_the_brief_and_in_the_copy() {
        let tokens = tokens();
        let check = |name: &str, text: &str| {
            let name = tokens.encode(name).expect("encodes");
            let text = tokens.encode(text).expect("encodes");
            let found = text.windows(name.len()).filter(|window| *window == name).count();
            assert_eq!(found, 2);
        };
        check(" Quorvix Trail", "product: Quorvix Trail\nheadline: Meet Quorvix Trail: now");
        check("云翼咖啡", "product:云翼咖啡\nheadline:认识一下云翼咖啡吧");
        check("Quorvix跑鞋2", "product:Quorvix跑鞋2\nheadline:有Quorvix跑鞋2，真好");
        check("240", "fact: Weighs 240 g\nbody: 云240克");
    }

    #[test]
    fn no_token_holds_two_digits_or_two_chinese_characters() {
        let texts = ["重240克 240 g 云翼云翼\n"].into_iter().cycle().take(300);
        let tokens = train(texts, 400).expect("trains");
        let texts = (0..400u32).map(|token| String::from_utf8_lossy(tokens.bytes(token)).into_owned());
        let single = |c: &char| c.is_ascii_digit() || is_han(*c);
        for text in texts {
            assert!(text.chars().filter(single).count() <= 1, "{text:?}");
        }
    }
}
