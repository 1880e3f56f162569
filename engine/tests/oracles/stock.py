"""Makes tiny random checkpoints of families that run through candle's modules, and writes what transformers continues.

    pip install -r requirements.txt && python3 stock.py

One folder for each family below stock/, and stock/expected.json. As in make.py no greedy step is in doubt.
Configurations are written as they are published, with rope_theta and without rope_parameters. Takes a minute.
"""

import json

import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM

import make

FOLDER = make.HERE / "stock"
ROWS = 5

SMALL = {
    "vocab_size": make.VOCAB,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "bos_token_id": make.BOS,
    "eos_token_id": make.EOS,
    "pad_token_id": make.BOS,
    "rope_theta": 10000.0,
    "attention_bias": False,
    "dtype": "bfloat16",
}
RMS = SMALL | {"rms_norm_eps": 1e-3, "hidden_act": "silu"}
GEMMA = SMALL | {"rms_norm_eps": 1e-3, "head_dim": 16, "hidden_act": "gelu_pytorch_tanh", "hidden_activation": "gelu_pytorch_tanh"}
SLIDING = {"query_pre_attn_scalar": 16, "sliding_window": 128, "attn_logit_softcapping": None, "final_logit_softcapping": None}
EXPERTS = {"num_experts_per_tok": 2}

FAMILIES = {
    "falcon": {
        "vocab_size": make.VOCAB,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "layer_norm_epsilon": 1e-3,
        "initializer_range": 0.02,
        "use_cache": True,
        "bos_token_id": make.BOS,
        "eos_token_id": make.EOS,
        "hidden_dropout": 0.0,
        "attention_dropout": 0.0,
        "alibi": False,
        "new_decoder_architecture": False,
        "multi_query": True,
        "parallel_attn": True,
        "bias": False,
        "tie_word_embeddings": False,
        "dtype": "bfloat16",
    },
    "gemma": GEMMA,
    "gemma2": GEMMA | SLIDING | {"attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0},
    "gemma3_text": GEMMA | SLIDING | {"num_key_value_heads": 1, "num_hidden_layers": 3, "sliding_window_pattern": 3, "rope_theta": 1000000.0, "rope_local_base_freq": 10000.0},
    "phi": SMALL
    | {
        "num_key_value_heads": 4,
        "hidden_act": "gelu_new",
        "layer_norm_eps": 1e-3,
        "partial_rotary_factor": 0.5,
        "qk_layernorm": False,
        "tie_word_embeddings": False,
    },
    "phi3": RMS | {"sliding_window": None, "original_max_position_embeddings": 256, "tie_word_embeddings": False},
    "lfm2": SMALL
    | {
        "norm_eps": 1e-3,
        "layer_types": ["conv", "full_attention", "conv"],
        "num_hidden_layers": 3,
        "conv_L_cache": 3,
        "conv_bias": False,
        "block_auto_adjust_ff_dim": True,
        "block_ff_dim": 192,
        "block_ffn_dim_multiplier": 1.0,
        "block_multiple_of": 16,
        "tie_embedding": True,
    },
    "mixtral": RMS | EXPERTS | {"num_local_experts": 4, "sliding_window": None, "tie_word_embeddings": False},
    "qwen2_moe": RMS
    | EXPERTS
    | {
        "num_experts": 4,
        "moe_intermediate_size": 32,
        "shared_expert_intermediate_size": 48,
        "decoder_sparse_step": 1,
        "norm_topk_prob": False,
        "use_sliding_window": False,
        "sliding_window": 256,
        "max_window_layers": 2,
        "mlp_only_layers": [],
        "tie_word_embeddings": False,
    },
    "qwen3_moe": RMS
    | EXPERTS
    | {
        "head_dim": 16,
        "num_experts": 4,
        "moe_intermediate_size": 32,
        "decoder_sparse_step": 1,
        "norm_topk_prob": True,
        "use_sliding_window": False,
        "sliding_window": None,
        "max_window_layers": 2,
        "mlp_only_layers": [],
        "tie_word_embeddings": False,
    },
    "glm4": RMS | {"head_dim": 16, "partial_rotary_factor": 0.5, "tie_word_embeddings": False},
    "smollm3": RMS | {"no_rope_layers": [1, 0], "no_rope_layer_interval": 2, "use_sliding_window": False, "tie_word_embeddings": True},
    "olmo": SMALL | {"hidden_act": "silu", "clip_qkv": None, "tie_word_embeddings": False},
    "olmo2": RMS | {"clip_qkv": None, "tie_word_embeddings": False},
    "starcoder2": SMALL | {"hidden_act": "gelu_pytorch_tanh", "norm_epsilon": 1e-3, "use_bias": True, "sliding_window": None, "tie_word_embeddings": True},
    "helium": RMS | {"head_dim": 8, "mlp_bias": False, "tie_word_embeddings": False},
}


def drawn(name, config, seed):
    torch.manual_seed(seed)
    with torch.no_grad():
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        for key, values in model.named_parameters():
            if "norm" in key:
                # Gemma adds one to the weights of its norms.
                values.normal_(0 if "gemma" in name or key.endswith("bias") else 1, 0.3)
            else:
                # Gemma multiplies its embeddings by the root of their width, and would write its last token again.
                values.normal_(0, 0.1 if "gemma" in name and "embed_tokens" in key else 0.3)
                if "embed" in key or "lm_head" in key:
                    values[[make.BOS, make.EOS]] = 0
        return model


def expectation(model):
    prefix, own = make.prompts()
    rows, exact = [], None
    for row in own[:ROWS]:
        tokens, logits = make.continued(model, prefix + row)
        exact = exact or make.copy.deepcopy(model).double()
        with torch.no_grad():
            again = exact(torch.tensor([prefix + row + tokens[:-1]])).logits[0, -make.NEW :]
        noise = (again - logits).abs().max().item()
        best = again.topk(2).values
        gap = (best[:, 0] - best[:, 1]).min().item()
        if again.argmax(1).tolist() != tokens or gap < 1e-3 * again.std().item() or gap < 100 * noise:
            raise make.InDoubt(f"gap {gap:.1e}, noise {noise:.1e}")
        if len(set(tokens)) < make.NEW // 4:
            raise make.InDoubt(f"{len(set(tokens))} different tokens")
        rows.append(tokens)
    if len({tuple(row) for row in rows}) < ROWS:
        raise make.InDoubt("rows are alike")
    return rows


GGUF_NAMES = make.GGUF_NAMES | {
    "self_attn.qkv_proj": "attn_qkv",
    "mlp.gate_up_proj": "ffn_up",
    "post_self_attn_layernorm": "post_attention_norm",
    "post_mlp_layernorm": "post_ffw_norm",
}


def write_gguf(path, config, model):
    """As llama.cpp converts."""
    writer = make.gguf.GGUFWriter(path, config.model_type)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_dimension_count(config.hidden_size // config.num_attention_heads)
    writer.add_rope_freq_base(10000.0)
    if config.model_type == "glm4":
        writer.add_key_length(config.head_dim)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    writer.add_tokenizer_model("no_vocab")
    for key, values in model.named_parameters():
        stem, kind = key.rsplit(".", 1)
        _, _, layer, rest = stem.split(".", 3) if ".layers." in stem else (None, None, None, stem)
        name = f"{GGUF_NAMES[rest]}.{kind}" if layer is None else f"blk.{layer}.{GGUF_NAMES[rest]}.{kind}"
        writer.add_tensor(name, values.detach().float().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def family(name, written):
    folder = FOLDER / name
    for seed in range(1, 1000):
        config = AutoConfig.for_model(name, **written)
        drawn(name, config, seed).to(torch.bfloat16).save_pretrained(folder)
        (folder / "generation_config.json").unlink(missing_ok=True)
        (folder / "config.json").write_text(json.dumps({"model_type": name} | written, indent=2) + "\n")
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager", experts_implementation="eager").eval()
        try:
            rows = expectation(model)
        except (make.InDoubt, AssertionError) as doubt:
            print(f"{name}, seed {seed}: {doubt}", flush=True)
            continue
        print(f"{name}, seed {seed}", flush=True)
        files = [name]
        if name in ("glm4", "phi3"):
            files.append(f"{name}.gguf")
            write_gguf(FOLDER / files[1], config, model)
        return {"files": files, "seed": seed, "next": rows}
    raise SystemExit(f"{name}: no seed does")


def main():
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    FOLDER.mkdir(exist_ok=True)
    prefix, own = make.prompts()
    checkpoints = {name: family(name, written) for name, written in FAMILIES.items()}
    parts = {"transformers": transformers.__version__, "prefix": prefix, "rows": own[:ROWS], "checkpoints": checkpoints}
    (FOLDER / "expected.json").write_text(make.text(parts))
    for file in FOLDER.glob("*/*.safetensors"):
        file.chmod(0o644)


if __name__ == "__main__":
    main()
