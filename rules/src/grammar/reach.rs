//! A parser of llguidance, driven byte by byte and within bounds.
//!
//! The library is made to mask whole vocabularies, and holds to its bounds while it makes a mask and only then: a grammar
//! of few bytes can keep its other calls busy for minutes. So bytes are tried in the place of a mask, where what a lexer
//! and an Earley parser do is counted, and are pushed once they were tried.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use llguidance::api::{ParserLimits, TopLevelGrammar};
use llguidance::earley::{BiasComputer, ParserRecognizer};
use llguidance::toktrie::{ApproximateTokEnv, InferenceCapabilities, Recognizer, SimpleVob, TokEnv, TokTrie};
use llguidance::{ParserFactory, TokenParser, panic_utils};

/// A parser at the beginning of a text, or what is wrong with its grammar.
pub(super) fn parser(grammar: TopLevelGrammar) -> Result<TokenParser, String> {
    let bytes = ApproximateTokEnv::single_byte_env();
    let mut factory = ParserFactory::new(&bytes, InferenceCapabilities::default(), &[])
        .expect("no slices of the vocabulary are asked for, so none is bad");
    factory.quiet();
    *factory.limits_mut() = limits();
    let mut parser = factory.create_parser(grammar).map_err(|error| error.to_string())?;
    parser.start_without_prompt();
    Ok(parser)
}

/// Grammars come from anybody who may edit a ConfigMap. A form of copy needs a hundredth of this. At the bounds a byte
/// takes a millisecond or two, and a text has taken some twenty megabytes.
fn limits() -> ParserLimits {
    ParserLimits {
        max_items_in_row: 200,
        initial_lexer_fuel: 200_000,
        step_lexer_fuel: 20_000,
        step_max_items: 5_000,
        max_lexer_states: 10_000,
        max_grammar_size: 50_000,
        // Made for vocabularies of whole tokens: of single bytes there is nothing to prepare.
        precompute_large_lexemes: false,
        verbose_errors: false,
    }
}

/// How many of these bytes may follow, the first ones, up to one that the library keeps for marks of models and that no
/// text has; nothing where that is too much work.
pub(super) fn reach(parser: &mut TokenParser, bytes: &[u8]) -> Option<usize> {
    if bytes.is_empty() {
        return Some(0);
    }
    let reach = Reach { bytes: Arc::clone(&parser.token_env), reached: AtomicUsize::new(0) };
    caught(|| parser.parser.compute_bias(&reach, bytes))?;
    parser.parser.get_error().is_none().then(|| reach.reached.into_inner())
}

/// Goes on with bytes that may follow; whether it did.
pub(super) fn push(parser: &mut TokenParser, bytes: &[u8]) -> bool {
    // In the vocabulary of single bytes each is its own token.
    let mut consume =
        |byte: &u8| parser.consume_token(u32::from(*byte)).is_ok_and(|taken_back| taken_back == 0);
    caught(|| bytes.iter().all(&mut consume)) == Some(true)
}

/// Whether the text is whole as it stands.
pub(super) fn is_whole(parser: &mut TokenParser) -> bool {
    caught(|| parser.is_accepting()) == Some(true)
}

/// Nothing in place of a panic of the library: a text may never end who reads it.
fn caught<T>(act: impl FnOnce() -> T) -> Option<T> {
    panic_utils::catch_unwind(AssertUnwindSafe(|| Ok(act()))).ok()
}

/// Tries bytes in the place of a mask.
struct Reach {
    bytes: TokEnv,
    reached: AtomicUsize,
}

impl BiasComputer for Reach {
    fn compute_bias(&self, parser: &mut ParserRecognizer<'_>, start: &[u8]) -> SimpleVob {
        parser.trie_started("reach");
        let may_follow = |byte: &&u8| **byte != TokTrie::SPECIAL_TOKEN_MARKER && parser.try_push_byte(**byte);
        let reached = start.iter().take_while(may_follow).count();
        parser.pop_bytes(reached);
        parser.trie_finished();
        self.reached.store(reached, Ordering::Relaxed);
        self.trie().alloc_token_set()
    }

    fn trie(&self) -> &TokTrie {
        self.bytes.tok_trie()
    }
}
