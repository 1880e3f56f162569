"""Makes random LoRA adapters for the checkpoints that are here, and writes what peft continues with them.

    pip install -r requirements.txt && python3 adapters.py

One folder for each below adapters/, as peft saves it, and adapters/expected.json. What is expected is written by peft's
own forward pass, with base and adapter apart and in single precision; merged by peft, the model must write the same. As
in make.py no greedy step is in doubt, and without its adapter a model must write something else. Takes a minute.
"""

import json
import shutil

import peft
import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

import make
import stock

FOLDER = make.HERE / "adapters"
ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
FEED_FORWARD = ["gate_proj", "up_proj", "down_proj"]

#: By adapter: the model's folder, peft's settings, and the type in which its tensors are kept.
ADAPTERS = {
    "llama": ("llama", {"r": 4, "lora_alpha": 8, "target_modules": ATTENTION + FEED_FORWARD + ["lm_head"]}, torch.float32),
    "llama-scaled": ("llama-scaled", {"r": 3, "lora_alpha": 6, "target_modules": ["q_proj", "v_proj"]}, torch.float16),
    "mistral": ("mistral", {"r": 8, "lora_alpha": 4, "use_rslora": True, "target_modules": ATTENTION}, torch.float32),
    "qwen2": (
        "qwen2",
        {
            "r": 4,
            "lora_alpha": 4,
            "target_modules": ATTENTION + FEED_FORWARD,
            "rank_pattern": {"down_proj": 2, "layers.1.self_attn.q_proj": 6},
            "alpha_pattern": {"self_attn.k_proj": 12, "down_proj": 1},
        },
        torch.float32,
    ),
    # The published spelling of a habit: peft ignores it, since these are no Conv1D.
    "qwen3": ("qwen3", {"r": 4, "lora_alpha": 8, "target_modules": ATTENTION + FEED_FORWARD, "fan_in_fan_out": True}, torch.bfloat16),
    "phi3": ("stock/phi3", {"r": 4, "lora_alpha": 8, "target_modules": ["qkv_proj", "o_proj", "gate_up_proj"]}, torch.float32),
    "gemma2": ("stock/gemma2", {"r": 2, "lora_alpha": 4, "target_modules": ["q_proj", "down_proj"]}, torch.bfloat16),
}


def base(name):
    return AutoModelForCausalLM.from_pretrained(make.HERE / name, dtype=torch.float32, attn_implementation="eager").eval()


def write_adapter(folder, name, settings, kind, seed):
    """The files as peft saves them, with tensors of the given type."""
    shutil.rmtree(folder, ignore_errors=True)
    torch.manual_seed(seed)
    model = get_peft_model(base(name), LoraConfig(task_type="CAUSAL_LM", **settings))
    with torch.no_grad():
        for key, values in model.named_parameters():
            if "lora_" in key:
                values.normal_(0, 0.15)
    # Beside an update of the head peft would keep a copy of the embeddings, which are those of the model.
    model.save_pretrained(folder, save_embedding_layers=False)
    (folder / "README.md").unlink()
    config = json.loads((folder / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = name
    # peft keeps these as a set, whose order is chance.
    config["target_modules"] = sorted(config["target_modules"])
    if "fan_in_fan_out" in settings:
        config["fan_in_fan_out"] = settings["fan_in_fan_out"]
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    file = folder / "adapter_model.safetensors"
    save_file({key: values.to(kind) for key, values in load_file(file).items()}, file, {"format": "pt"})
    file.chmod(0o644)


def first_logits(model):
    prefix, own = make.prompts()
    with torch.no_grad():
        return model(torch.tensor([prefix + own[0]])).logits[0, -1]


def adapter(name, model, settings, kind):
    folder = FOLDER / name
    for seed in range(1, 1000):
        write_adapter(folder, model, settings, kind, seed)
        # From the folder, so that what is expected is what its files say.
        adapted = PeftModel.from_pretrained(base(model), folder).eval()
        try:
            rows = stock.expectation(adapted)
        except (make.InDoubt, AssertionError) as doubt:
            print(f"{name}, seed {seed}: {doubt}", flush=True)
            continue
        prefix, own = make.prompts()
        merged, plain = PeftModel.from_pretrained(base(model), folder).merge_and_unload(), base(model)
        for tokens, row in zip(rows, own):
            assert make.continued(merged, prefix + row)[0] == tokens, f"{name}: merged by peft it writes otherwise"
            assert make.continued(plain, prefix + row)[0] != tokens, f"{name}: the adapter shows in nothing"
        print(f"{name}, seed {seed}", flush=True)
        logits = [float(f"{value:.6g}") for value in first_logits(adapted).tolist()]
        return {"model": model, "seed": seed, "next": rows, "firstLogits": logits}
    raise SystemExit(f"{name}: no seed does")


def main():
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    prefix, rows = make.prompts()
    parts = {
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__, "peft": peft.__version__},
        "prefix": prefix,
        "rows": rows[: stock.ROWS],
        "adapters": {name: adapter(name, *made) for name, made in ADAPTERS.items()},
    }
    (FOLDER / "expected.json").write_text(make.text(parts))


if __name__ == "__main__":
    main()
