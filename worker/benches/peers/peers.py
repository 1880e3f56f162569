"""Runs transformers or llama.cpp on the model of make_model.py, one command after the other, for the bench to compare.

    python3 peers.py FOLDER                  reads a command per line, answers a line each, until its input ends
    python3 peers.py FOLDER --once COMMAND   one command

A command is JSON:

    {"engine": "transformers", "dtype": "f32", "rows": 32, "prompt": 128, "new": 64, "threads": 2}
    {"engine": "llama.cpp", "gguf": "q8_0.gguf", "rows": 32, "prompt": 128, "new": 64, "threads": 2}

`dtype` is f32 or bf16, `gguf` a file in FOLDER, `prompt` how many tokens or the tokens themselves; of a number, token i is
3 + 7919 i mod 31991. Every row has the same prompt and writes `new` tokens greedily, whether or not the text has ended.
`"flash": false` keeps llama.cpp from its flash attention, which it takes by default and which rounds queries to half
precision: to compare tokens in single precision, not speed. The answer:

    {"prefillSeconds": 0.1, "decodeSeconds": 4.0, "tokens": [[5, 6], ...], "peakRssMiB": 261, "version": "..."}

The prefill ends with the first token of each row, so the decode is `new` - 1 steps. transformers gets the prompt N times,
llama.cpp reads it once and shares what it cached. Loading is not in the times, and a first run on a loaded model is slower
than the next. The peak is that of the process since it started: ask for it in a process of its own. A process that runs
both engines has two thread pools; give each engine its own if times matter. A command that fails is answered by
{"error": "..."}.
"""

import functools
import json
import sys
import time
from pathlib import Path


def prompt_of(command):
    prompt = command["prompt"]
    return prompt if isinstance(prompt, list) else [3 + 7919 * i % 31991 for i in range(prompt)]


def peak_rss_mib():
    # Not getrusage: its maximum survives exec, so a child of a large process would report its parent.
    with open("/proc/self/status") as status:
        kib = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    return round(kib / 1024, 1)


@functools.cache
def transformers_model(folder, dtype):
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    kind = {"f32": torch.float32, "bf16": torch.bfloat16}[dtype]
    return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=kind).eval()


def transformers_run(folder, command):
    import torch
    import transformers

    torch.set_num_threads(command["threads"])
    model = transformers_model(folder, command["dtype"])
    prompt = torch.tensor([prompt_of(command)] * command["rows"])
    seen = []

    def clock(_, scores):
        seen.append(time.perf_counter())
        return scores

    start = time.perf_counter()
    written = model.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        do_sample=False,
        max_new_tokens=command["new"],
        eos_token_id=None,
        pad_token_id=0,
        logits_processor=transformers.LogitsProcessorList([clock]),
    )
    end = time.perf_counter()
    return {
        "prefillSeconds": seen[0] - start,
        "decodeSeconds": end - seen[0],
        "tokens": written[:, prompt.shape[1] :].tolist(),
        "version": f"transformers {transformers.__version__}, torch {torch.__version__}",
    }


@functools.cache
def llama_cpp_model(path):
    import llama_cpp

    # Kept: the library calls it for as long as it runs.
    global silence
    silence = llama_cpp.llama_log_callback(lambda *_: None)
    llama_cpp.llama_log_set(silence, None)
    llama_cpp.llama_backend_init()
    model = llama_cpp.llama_model_load_from_file(str(path).encode(), llama_cpp.llama_model_default_params())
    if not model:
        raise OSError(f"llama.cpp cannot load {path}")
    return model


def llama_cpp_run(folder, command):
    import llama_cpp
    import numpy as np

    model = llama_cpp_model(Path(folder) / command["gguf"])
    prompt, rows, new = prompt_of(command), command["rows"], command["new"]
    params = llama_cpp.llama_context_default_params()
    params.n_ctx = len(prompt) + rows * new
    params.n_batch = params.n_ubatch = max(len(prompt), rows)
    params.n_seq_max = rows
    params.n_threads = params.n_threads_batch = command["threads"]
    # One cache for all rows: then a row takes over the prompt by reference.
    params.kv_unified = True
    if "flash" in command:
        params.flash_attn_type = int(command["flash"])
    context = llama_cpp.llama_init_from_model(model, params)
    if not context:
        raise MemoryError("llama.cpp makes no context")
    batch = llama_cpp.llama_batch_init(params.n_batch, 0, 1)
    vocab = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))

    def step(entries, outputs):
        """Runs (token, position, row, whether its logits are wanted) and returns the best next token of each wanted."""
        batch.n_tokens = len(entries)
        for i, (token, position, row, wanted) in enumerate(entries):
            batch.token[i], batch.pos[i] = token, position
            batch.n_seq_id[i], batch.seq_id[i][0] = 1, row
            batch.logits[i] = wanted
        if llama_cpp.llama_decode(context, batch) != 0:
            raise RuntimeError("llama.cpp does not decode")
        return np.ctypeslib.as_array(llama_cpp.llama_get_logits(context), (outputs, vocab)).argmax(1).tolist()

    try:
        start = time.perf_counter()
        last = len(prompt) - 1
        written = [step([(token, i, 0, i == last) for i, token in enumerate(prompt)], 1) * rows]
        memory = llama_cpp.llama_get_memory(context)
        for row in range(1, rows):
            llama_cpp.llama_memory_seq_cp(memory, 0, row, -1, -1)
        first = time.perf_counter()
        for position in range(len(prompt), len(prompt) + new - 1):
            written.append(step([(token, position, row, True) for row, token in enumerate(written[-1])], rows))
        end = time.perf_counter()
    finally:
        llama_cpp.llama_batch_free(batch)
        llama_cpp.llama_free(context)
    return {
        "prefillSeconds": first - start,
        "decodeSeconds": end - first,
        "tokens": [list(row) for row in zip(*written)],
        "version": f"llama-cpp-python {llama_cpp.__version__}",
    }


ENGINES = {"transformers": transformers_run, "llama.cpp": llama_cpp_run}


def answer(folder, line):
    try:
        command = json.loads(line)
        return ENGINES[command["engine"]](folder, command) | {"peakRssMiB": peak_rss_mib()}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def main():
    folder, *once = sys.argv[1:]
    for line in once[1:] if once[:1] == ["--once"] else sys.stdin:
        print(json.dumps(answer(folder, line)), flush=True)


if __name__ == "__main__":
    main()
