//! How much memory a compiled file takes.

use serde_json::{Value, json};

use super::Compiled;
use super::read::File;
use crate::file::Limits;

/// Bytes of the tokens and merges of a file as text.
fn content(model: &Value) -> usize {
    let size = |value: &Value| match value {
        Value::String(text) => text.len(),
        pair => pair[0].as_str().unwrap().len() + 1 + pair[1].as_str().unwrap().len(),
    };
    let merges: usize = model["merges"].as_array().into_iter().flatten().map(size).sum();
    let tokens: usize = match &model["vocab"] {
        Value::Object(tokens) => tokens.keys().map(String::len).sum(),
        tokens => tokens.as_array().unwrap().iter().map(|token| token[0].as_str().unwrap().len()).sum(),
    };
    tokens + merges
}

/// How many bytes of memory a file takes for each byte of its tokens and merges.
fn factor(json: &[u8]) -> f64 {
    let file = File::read(json).map_err(|not_native| not_native.part).unwrap();
    let compiled = Compiled::new(file, Limits::default()).map_err(|not_native| not_native.part).unwrap();
    let file: Value = serde_json::from_slice(json).unwrap();
    (compiled.model.memory() + compiled.added.memory()) as f64 / content(&file["model"]) as f64
}

/// A file of merges of letters.
fn merges(pre_tokenizer: &Value) -> Vec<u8> {
    let letters: Vec<String> = ('a'..='z').map(String::from).collect();
    let mut tokens = letters.clone();
    let mut merges = Vec::new();
    // All tokens of two letters, and some of each length up to nine.
    for length in 2..=9 {
        let longest: Vec<String> = tokens.iter().filter(|token| token.len() + 1 == length).cloned().collect();
        for token in longest.iter().take(200) {
            for letter in &letters {
                tokens.push(format!("{token}{letter}"));
                merges.push(format!("{token} {letter}"));
            }
        }
    }
    let vocab: Value = tokens.iter().zip(0..).map(|(token, id)| (token.clone(), Value::from(id))).collect();
    let model = json!({ "type": "BPE", "vocab": vocab, "merges": merges, "byte_fallback": false });
    json!({ "version": "1.0", "pre_tokenizer": pre_tokenizer, "model": model }).to_string().into_bytes()
}

#[test]
fn tables_take_less_than_three_times_the_tokens_and_merges() {
    let bytes = json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true });
    for pre_tokenizer in [bytes, Value::Null] {
        let factor = factor(&merges(&pre_tokenizer));
        assert!(factor < 3.0, "{factor}");
    }
}

/// The same of files in use, if they were fetched.
#[test]
fn tables_of_files_in_use_are_small() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tokenizer-files");
    for (name, most) in [
        ("llama3", 2.5),
        ("gemma3", 2.5),
        ("qwen3", 2.5),
        ("llama2", 2.5),
        ("bert_uncased", 2.5),
        ("t5", 3.0),
        ("xlm_r", 3.0),
    ] {
        if let Ok(json) = std::fs::read(folder.join(format!("{name}.json"))) {
            let factor = factor(&json);
            assert!(factor < most, "{name}: {factor}");
        }
    }
}
