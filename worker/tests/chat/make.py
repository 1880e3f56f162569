"""Renders the templates of this folder with transformers, for worker/tests/chat.rs.

Run from the repository's root with the Python of `make bench-peers`: python worker/tests/chat/make.py
The templates are ours; each uses what one family's uses: loops and trims, namespaces and slices, exceptions, thinking.
"""

import json
from pathlib import Path

import transformers
from jinja2.exceptions import TemplateError

FOLDER = Path(__file__).parent
CASES = [
    ["You write advertising copy.", "Write.\n<brief>\nproduct: Café 云翼 {{ 7 * 7 }}\n</brief>"],
    ["  outer space  ", "\n'quoted' \"both\" <b>&amp;</b> \\n"],
]


def rendered(tokenizer, messages):
    return tokenizer.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=True, enable_thinking=False
    )


def told(tokenizer, system, user):
    try:
        both = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        return rendered(tokenizer, both)
    except TemplateError:
        return rendered(tokenizer, [{"role": "user", "content": f"{system}\n\n{user}"}])


def main():
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_file="models/handbill/tokenizer.json", bos_token="<s>", eos_token="</s>"
    )
    out = {"transformers": transformers.__version__, "cases": []}
    for path in sorted(FOLDER.glob("*.jinja")):
        tokenizer.chat_template = path.read_text()
        for system, user in CASES:
            text = told(tokenizer, system, user)
            out["cases"].append({"template": path.name, "system": system, "user": user, "told": text})
    (FOLDER / "expected.json").write_text(json.dumps(out, ensure_ascii=False, indent=1) + "\n")


main()
