//! Prompts that begin alike are read as a tree: what they share, once.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{Decoder, EngineError, Input, Text};

/// A prompt of which the shared part was read.
#[derive(Debug)]
pub struct Begun {
    /// What was read, still without tokens of its own.
    pub text: Text,
    /// What is left of the prompt, at least one token.
    pub rest: Vec<u32>,
}

/// Reads what prompts share, each stretch once and the stretches of one depth together; nothing where the family is one
/// whose texts share nothing.
///
/// # Errors
/// When a prompt is longer than the model's positions or a token is none of the vocabulary.
///
/// # Panics
/// When a prompt has no tokens.
pub fn begin(decoder: &Decoder, prompts: &[Vec<u32>]) -> Result<Vec<Begun>, EngineError> {
    assert!(prompts.iter().all(|prompt| !prompt.is_empty()), "a prompt has a token at least");
    if decoder.stock_family().is_some() {
        return Ok(prompts.iter().map(|it| Begun { text: decoder.text(None), rest: it.clone() }).collect());
    }
    let mut begun: Vec<Option<Begun>> = prompts.iter().map(|_| None).collect();
    let mut groups = vec![Group { above: None, read: 0, members: (0..prompts.len()).collect() }];
    while !groups.is_empty() {
        read_shared(decoder, prompts, &mut groups)?;
        let (alone, shared): (Vec<Group>, Vec<Group>) =
            groups.iter().flat_map(|group| group.branches(prompts)).partition(Group::is_done);
        for Group { above, read, members } in alone {
            for member in members {
                let (text, rest) = (decoder.text(above.clone()), prompts[member][read..].to_vec());
                begun[member] = Some(Begun { text, rest });
            }
        }
        groups = shared;
    }
    Ok(begun.into_iter().map(|it| it.expect("every prompt ends in a branch of its own")).collect())
}

/// Prompts that are alike up to a token, and what was read of them.
struct Group {
    above: Option<Arc<Text>>,
    read: usize,
    members: Vec<usize>,
}

impl Group {
    /// The tokens that all members go on with. The last one of a prompt is left: what follows it is asked of it alone.
    fn shared<'p>(&self, prompts: &'p [Vec<u32>]) -> &'p [u32] {
        let rests = || self.members.iter().map(|member| &prompts[*member][self.read..]);
        let Some(first) = rests().next() else { return &[] };
        let alike = |rest: &[u32]| first.iter().zip(rest).take_while(|(a, b)| a == b).count();
        let most = rests().map(|rest| alike(rest).min(rest.len() - 1)).min();
        &first[..most.unwrap_or(0)]
    }

    /// The members by the token with which they go on.
    fn branches(&self, prompts: &[Vec<u32>]) -> Vec<Self> {
        let mut branches: BTreeMap<(u32, bool), Vec<usize>> = BTreeMap::new();
        for member in &self.members {
            let rest = &prompts[*member][self.read..];
            branches.entry((rest[0], rest.len() == 1)).or_default().push(*member);
        }
        let group = |members| Self { above: self.above.clone(), read: self.read, members };
        branches
            .into_iter()
            .flat_map(|((_, ended), members)| match ended {
                true => members.into_iter().map(|member| group(vec![member])).collect(),
                false => vec![group(members)],
            })
            .collect()
    }

    fn is_done(&self) -> bool {
        self.members.len() == 1
    }
}

fn read_shared(decoder: &Decoder, prompts: &[Vec<u32>], groups: &mut [Group]) -> Result<(), EngineError> {
    let mut texts: Vec<Text> = groups.iter().map(|group| decoder.text(group.above.clone())).collect();
    let stretches: Vec<&[u32]> = groups.iter().map(|group| group.shared(prompts)).collect();
    let inputs = texts.iter_mut().zip(&stretches).map(|(text, tokens)| Input { text, tokens });
    let mut inputs: Vec<Input<'_>> = inputs.filter(|input| !input.tokens.is_empty()).collect();
    if !inputs.is_empty() {
        decoder.read(&mut inputs)?;
    }
    for ((group, text), tokens) in groups.iter_mut().zip(texts).zip(stretches) {
        if !tokens.is_empty() {
            group.read += tokens.len();
            group.above = Some(Arc::new(text));
        }
    }
    Ok(())
}
