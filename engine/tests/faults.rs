//! Files that are no model, or not all of one: each is a named error, and nothing panics.

use std::fs;
use std::path::{Path, PathBuf};

use candle_core::Device;
use candle_core::quantized::QTensor;
use candle_core::quantized::gguf_file::{self, Content, Value};
use engine::cpu::Form;
use engine::{Conversation, Decoder, Input, Weights};

fn oracle(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracles").join(name)
}

/// A copy of a checkpoint's folder, spoilt.
fn spoilt(name: &str, spoil: impl FnOnce(&Path)) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for entry in fs::read_dir(oracle(name)).expect("the oracle's folder") {
        let path = entry.expect("a file").path();
        fs::copy(&path, folder.path().join(path.file_name().expect("a name"))).expect("copied");
    }
    spoil(folder.path());
    folder
}

fn replace(folder: &Path, file: &str, from: &str, to: &str) {
    let path = folder.join(file);
    let text = fs::read_to_string(&path).expect("readable");
    assert!(text.contains(from), "{file} has no {from}");
    fs::write(path, text.replace(from, to)).expect("written");
}

fn cut(path: &Path, bytes: u64) {
    let file = fs::OpenOptions::new().write(true).open(path).expect("a file");
    let length = file.metadata().expect("a file").len();
    file.set_len(length - bytes).expect("cut");
}

fn check(path: &Path, said: &str) {
    let loaded = Weights::open(path)
        .and_then(|(weights, configuration)| Decoder::load(&weights, configuration, Form::AsStored));
    let error = loaded.expect_err(said).to_string();
    assert!(error.contains(said), "{error:?} says nothing of {said:?}");
}

fn check_spoilt(name: &str, said: &str, spoil: impl FnOnce(&Path)) {
    check(spoilt(name, spoil).path(), said);
}

#[test]
fn a_folder_that_is_no_model_says_what_is_wrong_with_it() {
    check(Path::new("/nowhere"), "cannot read /nowhere/config.json");
    let config =
        |from: &'static str, to: &'static str| move |folder: &Path| replace(folder, "config.json", from, to);
    check_spoilt(
        "qwen2",
        "family \"gpt2\": this engine knows llama, mistral, qwen2, qwen3, through candle's modules falcon",
        config("\"qwen2\"", "\"gpt2\""),
    );
    check_spoilt("qwen2", "activation is \"gelu\"", config("\"silu\"", "\"gelu\""));
    check_spoilt("llama-scaled", "rope type is \"dynamic\"", config("\"llama3\"", "\"dynamic\""));
    check_spoilt("qwen2", "is not what its name says", config("{", "["));
    check_spoilt("qwen2", "not of shape [1024, 64]", config("\"vocab_size\": 512", "\"vocab_size\": 1024"));
    check_spoilt(
        "qwen2",
        "quantization is fp8: this engine takes safetensors in floats, and GGUF files",
        config("\"hidden_act\"", "\"quantization_config\": {\"quant_method\": \"fp8\"}, \"hidden_act\""),
    );
    check_spoilt("qwen3", "head size is 24", config("\"head_dim\": 32", "\"head_dim\": 24"));
}

#[test]
fn a_folder_that_a_module_of_candle_cannot_read_says_what_is_wrong_with_it() {
    let error = |spoil: &dyn Fn(&Path)| {
        let folder = spoilt("stock/olmo", spoil);
        let loaded = Weights::open(folder.path())
            .and_then(|(weights, configuration)| Decoder::load(&weights, configuration, Form::AsStored));
        let error = loaded.expect_err("it is spoilt");
        let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        format!("{error}: {source}")
    };
    for (from, to, said) in [
        (
            "\"vocab_size\": 512",
            "\"vocab_size\": 1024",
            "the weight model.embed_tokens.weight is missing or not",
        ),
        ("\"clip_qkv\": null", "\"rope_scaling\": {\"type\": \"linear\"}", "rope type is \"linear\""),
        (
            "\"hidden_act\": \"silu\"",
            "\"hidden_act\": \"none\"",
            "the family \"olmo\" cannot read the model: unknown variant",
        ),
    ] {
        let error = error(&|folder| replace(folder, "config.json", from, to));
        assert!(error.contains(said), "{error:?} says nothing of {said:?}");
    }
}

#[test]
fn weights_that_are_not_all_there_say_which_file_is() {
    check_spoilt("qwen2", "and promises", |folder| cut(&folder.join("model.safetensors"), 1));
    check_spoilt("qwen2", "its header would have", |folder| {
        fs::write(folder.join("model.safetensors"), [0xFF; 64]).expect("written");
    });
    check_spoilt("llama", "model-00002-of-00003.safetensors", |folder| {
        fs::remove_file(folder.join("model-00002-of-00003.safetensors")).expect("removed");
    });
    check_spoilt("llama", "is no file beside it", |folder| {
        replace(folder, "model.safetensors.index.json", "model-00002-of-00003", "../model-00002-of-00003");
    });
}

/// Writes other bytes over those at the first place of `mark`, `behind` bytes after it.
fn overwrite(path: &Path, mark: &str, behind: usize, bytes: &[u8]) {
    let mut file = fs::read(path).expect("readable");
    let place = file.windows(mark.len()).position(|it| it == mark.as_bytes()).expect("it is there");
    let from = place + mark.len() + behind;
    file[from..from + bytes.len()].copy_from_slice(bytes);
    fs::write(path, file).expect("written");
}

#[test]
fn a_weight_that_the_family_has_not_is_not_left_out_in_silence() {
    check_spoilt("qwen2", "the weight model.layers.0.mlp.xown_proj.weight is none that", |folder| {
        overwrite(&folder.join("model.safetensors"), "model.layers.0.mlp.", 0, b"x");
    });
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.gguf");
    fs::copy(oracle("qwen2.gguf"), &path).expect("copied");
    overwrite(&path, "blk.0.attn_q.bi", 0, b"ns");
    check(&path, "is none that the family has");
}

#[test]
fn tensors_of_shapes_that_nothing_has_are_refused() {
    // Behind a tensor's name stand the number of its dimensions in four bytes and each of them in eight.
    let check = |from: usize, size: u64| {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("model.gguf");
        fs::copy(oracle("llama-q8_0.gguf"), &path).expect("copied");
        overwrite(&path, "blk.0.ffn_down.weight", 4 + from, &size.to_le_bytes());
        check(&path, "the tensor model.layers.0.mlp.down_proj.weight has the shape");
    };
    check(0, 16);
    check(0, 0);
    check(8, 1 << 60);
}

/// A copy of a GGUF file that says more.
fn saying(name: &str, more: &[(&str, Value)], to: &Path) {
    let mut file = fs::File::open(oracle(name)).expect("the oracle");
    let content = Content::read(&mut file).expect("GGUF");
    let names: Vec<&String> = content.tensor_infos.keys().collect();
    let tensor = |name: &&String| content.tensor(&mut file, name, &Device::Cpu).expect("a tensor");
    let tensors: Vec<QTensor> = names.iter().map(tensor).collect();
    let tensors: Vec<_> = names.iter().map(|name| name.as_str()).zip(&tensors).collect();
    let known = content.metadata.iter().map(|(key, value)| (key.as_str(), value));
    let metadata: Vec<_> = known.chain(more.iter().map(|(key, value)| (*key, value))).collect();
    gguf_file::write(&mut fs::File::create(to).expect("made"), &metadata, &tensors).expect("written");
}

#[test]
fn a_gguf_file_says_how_one_speaks_with_its_model() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.gguf");
    let told = [
        ("tokenizer.chat_template", Value::String("{{ messages }}".into())),
        ("tokenizer.ggml.bos_token_id", Value::U32(1)),
        ("tokenizer.ggml.eos_token_id", Value::U32(2)),
    ];
    saying("qwen3.gguf", &told, &path);
    let (weights, _) = Weights::open(&path).expect("a model");
    let expected =
        Conversation { template: Some("{{ messages }}".into()), opening: Some(1), closing: Some(2) };
    assert_eq!(*weights.conversation(), expected);
    let (weights, _) = Weights::open(&oracle("qwen3")).expect("safetensors");
    assert_eq!(*weights.conversation(), Conversation::default());
}

#[test]
fn gguf_files_are_checked_alike() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.gguf");
    fs::copy(oracle("qwen3.gguf"), &path).expect("copied");
    cut(&path, 1);
    check(&path, "and promises");
    fs::write(&path, b"GGUF, they say").expect("written");
    check(folder.path(), "is not what its name says");
    fs::copy(oracle("qwen3.gguf"), folder.path().join("other.gguf")).expect("copied");
    check(folder.path(), "it holds 2 GGUF files: name one of them");
}

#[test]
fn a_text_that_does_not_fit_is_an_error_and_nothing_of_it_is_read() {
    let (weights, configuration) = Weights::open(&oracle("qwen2")).expect("a model");
    let decoder = Decoder::load(&weights, configuration, Form::AsStored).expect("a decoder");
    let mut text = decoder.text(None);
    let mut read = |tokens: &[u32]| {
        let read = decoder.read(&mut [Input { text: &mut text, tokens }]);
        (read.err().map(|error| error.to_string()).unwrap_or_default(), text.tokens())
    };
    assert_eq!(read(&[3; 500]), (String::new(), 500));
    let (error, tokens) = read(&[3; 13]);
    assert!(error.contains("513 tokens and the model 512 positions"), "{error}");
    assert_eq!(tokens, 500);
    let (error, tokens) = read(&[3, 512]);
    assert!(error.contains("the token 512 is none of the model's 512"), "{error}");
    assert_eq!(tokens, 500);
    assert_eq!(read(&[3; 12]), (String::new(), 512));
}
