"""Makes tiny random checkpoints and writes what transformers continues greedily, to expected.json.

    pip install -r requirements.txt && python3 make.py

Each family is a Hugging Face folder and a GGUF file of the same weights, converted as llama.cpp converts. The weights
are drawn with a seed that leaves no greedy step in doubt: the best logit leads by a thousandth of the logits'
standard deviation or more, and by a hundred times what single precision moves them. Each family must also write other
tokens once its own feature is taken away, or a decoder without the feature would pass.

At last llama.cpp reads every GGUF file and must write the same tokens. Takes less than a minute.
"""

import copy
import json
import platform
import shutil
from importlib import metadata
from pathlib import Path

import gguf
import llama_cpp
import numpy as np
import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

HERE = Path(__file__).parent
VOCAB = 512
NEW = 24
PREFIX = 24
ROWS = 32
#: Beginning and end of text. Their embeddings are zero, so that neither is ever the best token.
BOS, EOS = 0, 1

SMALL = {
    "vocab_size": VOCAB,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    # Large enough for a decoder that has another epsilon built in to write other logits.
    "rms_norm_eps": 1e-3,
    "bos_token_id": BOS,
    "eos_token_id": EOS,
    "hidden_act": "silu",
}

#: By family: config.json, the type of its tensors, bytes per shard, and the first seed from 1 on that does; to look for it
#: again takes ten minutes. Two ways to write the positions are in use:
#: rope_theta and rope_scaling, in most of what is published, and rope_parameters, which transformers writes since 5.
FAMILIES = {
    "llama": (
        SMALL
        | {
            "model_type": "llama",
            "architectures": ["LlamaForCausalLM"],
            "head_dim": 16,
            "rope_parameters": {"rope_type": "default", "rope_theta": 500000.0},
            "tie_word_embeddings": False,
            "dtype": "float32",
        },
        torch.float32,
        200_000,
        62,
    ),
    "llama-scaled": (
        SMALL
        | {
            "model_type": "llama",
            "architectures": ["LlamaForCausalLM"],
            "rope_theta": 10000.0,
            # Of the eight wavelengths the first stays, two are between and five are stretched.
            "rope_scaling": {
                "rope_type": "llama3",
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 64,
            },
            "tie_word_embeddings": True,
            "torch_dtype": "bfloat16",
        },
        torch.bfloat16,
        None,
        17,
    ),
    "mistral": (
        SMALL
        | {
            "model_type": "mistral",
            "architectures": ["MistralForCausalLM"],
            "num_key_value_heads": 1,
            "head_dim": 32,
            "sliding_window": 16,
            "rope_theta": 1000000.0,
            "tie_word_embeddings": True,
            "torch_dtype": "float16",
        },
        torch.float16,
        None,
        351,
    ),
    "qwen2": (
        SMALL
        | {
            "model_type": "qwen2",
            "architectures": ["Qwen2ForCausalLM"],
            "rope_theta": 1000000.0,
            # As published: a window that is switched off.
            "use_sliding_window": False,
            "sliding_window": 16,
            "max_window_layers": 1,
            "tie_word_embeddings": True,
            "torch_dtype": "float32",
        },
        torch.float32,
        None,
        6,
    ),
    "qwen3": (
        SMALL
        | {
            "model_type": "qwen3",
            "architectures": ["Qwen3ForCausalLM"],
            "head_dim": 32,
            "attention_bias": False,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0},
            "use_sliding_window": False,
            "sliding_window": None,
            "tie_word_embeddings": True,
            "dtype": "bfloat16",
        },
        torch.bfloat16,
        None,
        6,
    ),
}


def prompts():
    """A prefix for all rows and what each row has of its own: nothing in the first, 1 to 12 tokens in the others."""
    state = np.random.default_rng(20261129)
    draw = lambda count: state.integers(EOS + 1, VOCAB, count).tolist()
    return draw(PREFIX), [draw(1 + 5 * row % 12 if row else 0) for row in range(ROWS)]


def drawn(config, kind, seed):
    """Weights of the given type, by name."""
    torch.manual_seed(seed)
    with torch.no_grad():
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        for name, values in model.named_parameters():
            if name.endswith("norm.weight"):
                values.normal_(1, 0.3)
            elif name.endswith("bias"):
                values.normal_(0, 1)
            elif "embed_tokens" in name or "lm_head" in name:
                values.normal_(0, 0.3)
                values[[BOS, EOS]] = 0
            else:
                values.normal_(0, 0.3)
        return {name: values.detach().to(kind).clone() for name, values in model.named_parameters()}


def write_folder(folder, config, weights, shard):
    """config.json and the tensors, in one file or in shards of at most so many bytes with an index."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    if shard is None:
        save_file(weights, folder / "model.safetensors", {"format": "pt"})
        return
    files = [{}]
    for name, values in weights.items():
        if sum(v.nbytes for v in files[-1].values()) + values.nbytes > shard:
            files.append({})
        files[-1][name] = values
    index = {}
    for number, part in enumerate(files, 1):
        file = f"model-{number:05}-of-{len(files):05}.safetensors"
        save_file(part, folder / file, {"format": "pt"})
        index |= {name: file for name in part}
    total = sum(v.nbytes for v in weights.values())
    written = {"metadata": {"total_size": total}, "weight_map": index}
    (folder / "model.safetensors.index.json").write_text(json.dumps(written, indent=2) + "\n")


GGUF_NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def gguf_name(name):
    stem, kind = name.rsplit(".", 1)
    if stem.startswith("model.layers."):
        _, _, layer, rest = stem.split(".", 3)
        return f"blk.{layer}.{GGUF_NAMES[rest]}.{kind}"
    return f"{GGUF_NAMES[stem]}.{kind}"


def interleaved(rows, heads):
    """Rows of a head from (first half, second half) to pairs: the order that llama.cpp turns in its llama models."""
    return rows.reshape(heads, 2, rows.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(rows.shape)


def frequency_factors(config):
    """What llama.cpp divides each frequency by instead of reading the numbers of Llama 3's scaling."""
    scaling = config.rope_parameters
    dim = config.head_dim
    frequencies = 1.0 / scaling["rope_theta"] ** (np.arange(0, dim, 2) / dim)
    # Long waves are stretched by the factor, short ones not, and those between in proportion.
    turns = scaling["original_max_position_embeddings"] * frequencies / (2 * np.pi)
    low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
    kept = np.clip((turns - low) / (high - low), 0, 1)
    return (1 / (kept + (1 - kept) / scaling["factor"])).astype(np.float32)


def write_gguf(path, config, weights, quantized=False):
    """Writes the file and returns the weights that a reader gets out of it, under their names and in the order of before."""
    llama = config.model_type in ("llama", "mistral")
    writer = gguf.GGUFWriter(path, "llama" if llama else config.model_type)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    if head * config.num_attention_heads != config.hidden_size:
        writer.add_key_length(head)
        writer.add_value_length(head)
    if llama:
        writer.add_rope_dimension_count(head)
    # Of Mistral's window no converter writes anything, and llama.cpp has none in its llama models.
    writer.add_vocab_size(config.vocab_size)
    writer.add_tokenizer_model("no_vocab")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0 if quantized else gguf.LlamaFileType.ALL_F32)
    read = {}
    for name, values in weights.items():
        values = values.float().numpy()
        heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}.get(name.split(".")[-2])
        order = np.arange(len(values))
        if llama and heads:
            order = interleaved(order, heads)
        values = np.ascontiguousarray(values[order])
        if quantized and values.ndim == 2:
            kind = gguf.GGMLQuantizationType.Q8_0
            blocks = gguf.quants.quantize(values, kind)
            writer.add_tensor(gguf_name(name), blocks, raw_dtype=kind)
            values = gguf.quants.dequantize(blocks, kind)
        else:
            writer.add_tensor(gguf_name(name), values)
        read[name] = torch.from_numpy(values[np.argsort(order)])
    if config.rope_parameters["rope_type"] == "llama3":
        writer.add_tensor("rope_freqs.weight", frequency_factors(config))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return read


def loaded(config, weights):
    """The model in single precision."""
    model = AutoModelForCausalLM.from_config(copy.deepcopy(config), dtype=torch.float32, attn_implementation="eager")
    left, extra = model.load_state_dict(weights, strict=False)
    assert not extra and left in ([], ["lm_head.weight"]), (left, extra)
    model.tie_weights()
    return model.eval()


def continued(model, prompt):
    """NEW tokens after the prompt and the logits that chose each."""
    ids = torch.tensor([prompt])
    written = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        max_new_tokens=NEW,
        pad_token_id=EOS,
        output_logits=True,
        return_dict_in_generate=True,
    )
    tokens = written.sequences[0, len(prompt) :].tolist()
    assert len(tokens) == NEW and BOS not in tokens and EOS not in tokens, tokens
    return tokens, torch.cat(written.logits)


class InDoubt(Exception):
    """A greedy step that another machine may take otherwise, or output that would show little."""


def expectation(model):
    """What the model writes after each prompt, checked against one pass in double precision without a cache."""
    exact = copy.deepcopy(model).double()
    prefix, own = prompts()
    rows, first, margin = [], None, np.inf
    for row in own:
        tokens, logits = continued(model, prefix + row)
        if first is None:
            first = logits[0]
        with torch.no_grad():
            again = exact(torch.tensor([prefix + row + tokens[:-1]])).logits[0, -NEW:]
        noise = (again - logits).abs().max().item()
        best = again.topk(2).values
        gap = (best[:, 0] - best[:, 1]).min().item()
        spread = again.std().item()
        if again.argmax(1).tolist() != tokens or gap < 1e-3 * spread or gap < 100 * noise:
            raise InDoubt(f"gap {gap:.1e}, noise {noise:.1e}, spread {spread:.1f}")
        if len(set(tokens)) < NEW // 2:
            raise InDoubt(f"{len(set(tokens))} different tokens of {NEW}")
        rows.append(tokens)
        margin = min(margin, gap / spread)
    if len({tuple(row) for row in rows}) < ROWS or len({row[0] for row in rows}) < ROWS // 2:
        raise InDoubt("rows are alike")
    return {"next": rows, "firstLogits": [float(f"{value:.6g}") for value in first.tolist()]}, margin


def without(name, config, weights):
    """The family without what sets it apart."""
    config = copy.deepcopy(config)
    if name == "llama":
        config.rope_parameters["rope_theta"] = 10000.0
    elif name == "llama-scaled":
        config.rope_parameters = {"rope_type": "default", "rope_theta": config.rope_parameters["rope_theta"]}
    elif name == "mistral":
        config.sliding_window = None
    elif name == "qwen2":
        weights = {k: torch.zeros_like(v) if k.endswith("bias") else v for k, v in weights.items()}
    elif name == "qwen3":
        weights = {k: torch.ones_like(v) if k[-13:] in ("q_norm.weight", "k_norm.weight") else v for k, v in weights.items()}
    return loaded(config, weights)


def family(name, written, kind, shard, first):
    """Makes the files of one family; returns what is expected of each."""
    folder = HERE / name
    for seed in range(first, first + 1000):
        config = AutoConfig.for_model(**written)
        weights = drawn(config, kind, seed)
        write_folder(folder, written, weights, shard)
        # From the folder, so that what is expected is what its files say.
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
        config = model.config
        try:
            own, margin = expectation(model)
            expected = {name: {"files": [name, f"{name}.gguf"], "seed": seed} | own}
            read = write_gguf(HERE / f"{name}.gguf", config, weights)
            assert all(torch.equal(read[k], weights[k].float()) for k in weights)
            if name == "mistral":
                expected[name]["files"].pop()
                full, _ = expectation(without(name, config, weights))
                expected["mistral-no-window"] = {"files": [f"{name}.gguf"], "seed": seed} | full
            if name == "llama":
                read = write_gguf(HERE / f"{name}-q8_0.gguf", config, weights, quantized=True)
                rounded, _ = expectation(loaded(config, read))
                expected["llama-q8_0"] = {"files": [f"{name}-q8_0.gguf"], "seed": seed} | rounded
        except InDoubt as doubt:
            print(f"{name}, seed {seed}: {doubt}", flush=True)
            continue
        prefix, rows = prompts()
        plain = without(name, config, weights)
        differ = sum(continued(plain, prefix + row)[0] != next for row, next in zip(rows, own["next"]))
        assert differ > ROWS * 0.9, f"{name} hardly shows its feature: {differ} of {ROWS} rows"
        print(f"{name}, seed {seed}: least lead {margin:.1e}, feature shows in {differ} rows", flush=True)
        return expected
    raise SystemExit(f"{name}: no seed does")


def llama_cpp_rows(path):
    """What llama.cpp writes after each prompt, on one row at a time and with its cache in single precision."""
    single = llama_cpp.GGML_TYPE_F32
    model = llama_cpp.Llama(str(path), n_ctx=128, n_threads=2, type_k=single, type_v=single, verbose=False)
    prefix, own = prompts()
    rows = []
    for row in own:
        model.reset()
        model.eval(prefix + row)
        tokens = []
        while len(tokens) < NEW:
            logits = np.ctypeslib.as_array(llama_cpp.llama_get_logits(model.ctx), (VOCAB,))
            tokens.append(int(logits.argmax()))
            model.eval(tokens[-1:])
        rows.append(tokens)
    return rows


def main():
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    prefix, rows = prompts()
    checkpoints = {}
    for name, made in FAMILIES.items():
        checkpoints |= family(name, *made)
    for name, expected in checkpoints.items():
        for file in expected["files"]:
            if not file.endswith(".gguf"):
                continue
            found = llama_cpp_rows(HERE / file)
            same = sum(a == b for a, b in zip(found, expected["next"]))
            print(f"{file}: llama.cpp writes {same} of {ROWS} rows alike")
            # With quantized weights llama.cpp rounds what it multiplies them with too.
            assert same == ROWS or name == "llama-q8_0", file
    parts = {
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "gguf": metadata.version("gguf"),
            "llama-cpp-python": llama_cpp.__version__,
        },
        "prefix": prefix,
        "rows": rows,
        "checkpoints": checkpoints,
    }
    (HERE / "expected.json").write_text(text(parts))
    # Tensors are written for their owner alone.
    for file in HERE.glob("*/*.safetensors"):
        file.chmod(0o644)


def text(value, depth=0):
    """JSON with a list of plain values on one line."""
    if isinstance(value, dict) or (isinstance(value, list) and any(isinstance(v, list) for v in value)):
        indent = " " * (depth + 1)
        keys = [f"{json.dumps(k)}: " for k in value] if isinstance(value, dict) else [""] * len(value)
        values = value.values() if isinstance(value, dict) else value
        lines = [indent + k + text(v, depth + 1) for k, v in zip(keys, values)]
        open, close = "{}" if isinstance(value, dict) else "[]"
        return f"{open}\n" + ",\n".join(lines) + f"\n{' ' * depth}{close}" + ("" if depth else "\n")
    return json.dumps(value)


if __name__ == "__main__":
    main()
