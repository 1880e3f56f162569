"""Trains transformers' Llama with torch, for the bench to compare.

    python3 training.py CONFIG    reads a command per line, answers a line each, until its input ends

CONFIG is the config.json of a model; the weights are new. A command is JSON:

    {"threads": 2, "rate": 0.003, "decay": 0.05, "clip": 1.0,
     "batches": [{"tokens": [[0, 5, ...], ...], "positions": [7, ...], "labels": [9, ...]}]}

Each batch is one step. `positions` are those of the flattened batch whose next token is asked for, and `labels` these
tokens; no other position goes through the output matrix, as in our trainer. Filling stands behind a row, where causal
attention cannot see it, so there is no mask. The answer:

    {"seconds": 2.1, "loss": 6.3, "version": "..."}

A command that fails is answered by {"error": "..."}.
"""

import json
import sys
import time

import torch
import transformers


class Trainer:
    def __init__(self, config):
        transformers.logging.set_verbosity_error()
        config = transformers.LlamaConfig.from_json_file(config)
        config.dtype = torch.float32
        torch.manual_seed(1)
        self.model = transformers.LlamaForCausalLM(config).float().train()
        self.optimizer = None

    def step(self, batch, clip):
        tokens, positions, labels = (torch.tensor(batch[name]) for name in ("tokens", "positions", "labels"))
        stream = self.model.model(input_ids=tokens, use_cache=False).last_hidden_state
        logits = self.model.lm_head(stream.flatten(0, 1)[positions])
        loss = torch.nn.functional.cross_entropy(logits, labels)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), clip)
        self.optimizer.step()
        return loss.item()

    def run(self, command):
        torch.set_num_threads(command["threads"])
        if self.optimizer is None:
            self.optimizer = torch.optim.AdamW(
                self.model.parameters(), lr=command["rate"], betas=(0.9, 0.98), weight_decay=command["decay"]
            )
        start = time.perf_counter()
        losses = [self.step(batch, command["clip"]) for batch in command["batches"]]
        return {
            "seconds": time.perf_counter() - start,
            "loss": losses[-1],
            "version": f"transformers {transformers.__version__}, torch {torch.__version__}",
        }


def main():
    trainer = Trainer(sys.argv[1])
    for line in sys.stdin:
        try:
            answer = trainer.run(json.loads(line))
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
