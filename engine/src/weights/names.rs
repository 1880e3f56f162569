//! GGUF's names of weights, and Hugging Face's.

const LAYER: [(&str, &str); 11] = [
    ("attn_norm", "input_layernorm"),
    ("attn_q", "self_attn.q_proj"),
    ("attn_k", "self_attn.k_proj"),
    ("attn_v", "self_attn.v_proj"),
    ("attn_output", "self_attn.o_proj"),
    ("attn_q_norm", "self_attn.q_norm"),
    ("attn_k_norm", "self_attn.k_norm"),
    ("ffn_norm", "post_attention_layernorm"),
    ("ffn_gate", "mlp.gate_proj"),
    ("ffn_up", "mlp.up_proj"),
    ("ffn_down", "mlp.down_proj"),
];

const OUTSIDE: [(&str, &str); 3] =
    [("token_embd", "model.embed_tokens"), ("output_norm", "model.norm"), ("output", "lm_head")];

/// The name that Hugging Face gives a weight, or the same where it has none for it.
pub(super) fn by_hugging_face(name: &str) -> String {
    translated(name).unwrap_or_else(|| name.to_owned())
}

fn translated(name: &str) -> Option<String> {
    let (path, kind) = name.rsplit_once('.')?;
    if let Some((_, theirs)) = OUTSIDE.iter().find(|(ours, _)| *ours == path) {
        return Some(format!("{theirs}.{kind}"));
    }
    let (layer, part) = path.strip_prefix("blk.")?.split_once('.')?;
    let (_, theirs) = LAYER.iter().find(|(ours, _)| *ours == part)?;
    Some(format!("model.layers.{layer}.{theirs}.{kind}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_found_by_one_name_whatever_file_they_are_in() {
        for (theirs, ours) in [
            ("token_embd.weight", "model.embed_tokens.weight"),
            ("output.weight", "lm_head.weight"),
            ("blk.12.attn_q.bias", "model.layers.12.self_attn.q_proj.bias"),
            ("blk.0.ffn_down.weight", "model.layers.0.mlp.down_proj.weight"),
            ("rope_freqs.weight", "rope_freqs.weight"),
        ] {
            assert_eq!(by_hugging_face(theirs), ours);
        }
    }
}
