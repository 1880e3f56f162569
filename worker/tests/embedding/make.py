"""Makes tiny embedding models with random weights, and writes what sentence-transformers embeds with them.

    pip install -r requirements.txt && python3 make.py

One folder for each model, in the layout in which such models are published, and expected.json: each text, and by model
its vector, of length one, to nine digits. Texts were embedded one by one, in single precision on the weights as stored.
"""

import json
import shutil
from pathlib import Path

import torch
import transformers
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = Path(__file__).parent

TEXTS = [
    "Light shoes for long trails",
    "Shoes that are light, for trails that are long.",
    "Die Café-Maschine für den Sonntag: jetzt ohne Versand, heute bestellen!",
    "云翼咖啡，给爱喝咖啡的人",
    "Go",
    "🏃 240 g\n60 days",
    "",
    "Run far at the weekend and come home before it is dark, with a shoe that weighs less than what you had for breakfast, "
    "and send it back within sixty days if it is not for you, without a word and without a cent",
]
# Words of the texts and a few more, so that vocabularies hold whole words and pieces.
CORPUS = TEXTS + ["a shoe for every trail", "coffee for every day", "Kaffee am Morgen", "咖啡 跑鞋"]

SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "initializer_range": 0.4,
}


def wordpiece():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=180, special_tokens=special))
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.decoder = decoders.WordPiece()
    # As all-MiniLM-L6-v2 has it: a shorter bound than the model's, and padding to a fixed length. Neither counts.
    tokenizer.enable_truncation(8)
    tokenizer.enable_padding(length=16)
    return tokenizer, dict(zip(["pad_token", "unk_token", "cls_token", "sep_token", "mask_token"], special))


def unigram():
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(vocab_size=200, special_tokens=special, unk_token="<unk>")
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=False)
    return tokenizer, dict(zip(["bos_token", "pad_token", "eos_token", "unk_token"], special))


def save(name, tokenizer, config, limit, architecture):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    tokens, special = tokenizer
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokens, model_max_length=limit, **special)
    torch.manual_seed(len(name))
    model = architecture(config).half().float()
    model.half().save_pretrained(folder)
    fast.save_pretrained(folder)
    tokens.save(str(folder / "tokenizer.json"))
    return folder


def layout(folder, pooling, sequence, prompts=None):
    """The files that sentence-transformers writes beside a model of transformers."""
    kinds = [("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize")]
    modules = [
        {"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for index, (kind, path) in enumerate(kinds)
    ]
    flags = ["cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens"]
    write(folder / "modules.json", modules)
    write(folder / "sentence_bert_config.json", sequence)
    (folder / "1_Pooling").mkdir()
    modes = {f"pooling_mode_{flag}": flag == pooling for flag in flags}
    write(folder / "1_Pooling/config.json", {"word_embedding_dimension": 32} | modes)
    if prompts:
        write(folder / "config_sentence_transformers.json", prompts)


def write(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n")


def make():
    """Like all-MiniLM-L6-v2, bge-small, multilingual-e5-small, and a model of transformers alone."""
    bert = transformers.BertConfig(vocab_size=180, max_position_embeddings=40, **SMALL)
    mean = save("bert-mean", wordpiece(), bert, 40, lambda it: transformers.BertModel(it, add_pooling_layer=False))
    layout(mean, "mean_tokens", {"max_seq_length": 24, "do_lower_case": False})
    first = save("bert-cls", wordpiece(), bert, 40, transformers.BertModel)
    layout(first, "cls_token", {"max_seq_length": 40, "do_lower_case": True})
    special = {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2}
    roberta = {"vocab_size": 200, "max_position_embeddings": 42, "type_vocab_size": 1, "layer_norm_eps": 1e-5}
    xlm = transformers.XLMRobertaConfig(**SMALL, **special, **roberta)
    build = lambda it: transformers.XLMRobertaModel(it, add_pooling_layer=False)
    multilingual = save("xlm-roberta-mean", unigram(), xlm, 40, build)
    prompts = {"prompts": {"query": "query: ", "passage": "passage: "}, "default_prompt_name": "query"}
    layout(multilingual, "mean_tokens", {"max_seq_length": 30, "do_lower_case": False}, prompts)
    save("xlm-roberta-bare", unigram(), xlm, 40, transformers.XLMRobertaForMaskedLM)
    return ["bert-mean", "bert-cls", "xlm-roberta-mean", "xlm-roberta-bare"]


def embedded(name):
    model = SentenceTransformer(str(HERE / name), device="cpu", model_kwargs={"dtype": "float32"})
    vectors = [model.encode(text, batch_size=1, normalize_embeddings=True) for text in TEXTS]
    return [[float(f"{number:.9g}") for number in vector] for vector in vectors]


def main():
    vectors = {name: embedded(name) for name in make()}
    expected = {"texts": TEXTS, "vectors": vectors}
    (HERE / "expected.json").write_text(json.dumps(expected, ensure_ascii=False) + "\n")


main()
