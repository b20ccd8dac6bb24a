//! The `tokenizers` crate and model2vec-rs, which take turns with Node: they read commands as lines of JSON, and answer
//! each with one. The first argument names the one that works. Both run on one thread, and times are processor time.

use std::collections::HashMap;
use std::error::Error;
use std::io::BufRead;
use std::time::Instant;

use model2vec_rs::model::StaticModel;
use serde_json::{Value, json};
use tokenizers::Tokenizer;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// What works: a tokenizer of the crate, or a model whose vectors have one number, so that its tokenizer does the work.
enum Worker {
    Crate(Box<Tokenizer>),
    Model2Vec(StaticModel),
}

/// A table of zeros in the format of safetensors.
fn table(rows: usize) -> Vec<u8> {
    let header =
        json!({ "embeddings": { "dtype": "F32", "shape": [rows, 1], "data_offsets": [0, 4 * rows] } }).to_string();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + 4 * rows, 0);
    bytes
}

impl Worker {
    fn load(name: &str, path: &str) -> Result<Self> {
        if std::path::Path::new(path).is_dir() {
            // A whole model, whose vectors are wanted.
            return Ok(Self::Model2Vec(StaticModel::from_pretrained(path, None, None, None)?));
        }
        let file = std::fs::read(path)?;
        if name == "tokenizers" {
            let mut it = Tokenizer::from_bytes(&file)?;
            it.with_truncation(None)?;
            it.with_padding(None);
            return Ok(Self::Crate(Box::new(it)));
        }
        Ok(Self::Model2Vec(StaticModel::from_bytes(&file, table(400_000), "{}", Some(false))?))
    }

    fn run(&self, texts: &[String], alone: bool) -> Result<()> {
        match self {
            Self::Crate(it) if alone => {
                for text in texts {
                    it.encode_fast(text.as_str(), false)?;
                }
            }
            Self::Crate(it) => drop(it.encode_batch_fast(texts.iter().map(String::as_str).collect(), false)?),
            Self::Model2Vec(it) => drop(it.encode_flat_with_args(texts, None)),
        }
        Ok(())
    }
}

/// Bytes of memory that the process holds.
fn resident() -> Result<u64> {
    let pages: u64 = std::fs::read_to_string("/proc/self/statm")?.split(' ').nth(1).ok_or("statm")?.parse()?;
    Ok(pages * 4096)
}

/// Nanoseconds of processor time that this thread had.
fn used() -> Result<u64> {
    Ok(std::fs::read_to_string("/proc/thread-self/schedstat")?.split(' ').next().ok_or("schedstat")?.parse()?)
}

struct Peer {
    name: String,
    worker: Option<Worker>,
    texts: HashMap<String, Vec<String>>,
}

impl Peer {
    fn answer(&mut self, command: &Value) -> Result<Value> {
        let word = |name: &str| command[name].as_str().unwrap_or_default();
        match word("do") {
            "version" => return Ok(json!({ "version": if self.name == "tokenizers" { "0.23.2" } else { "0.4.0" } })),
            "texts" => {
                self.texts = serde_json::from_slice(&std::fs::read(word("path"))?)?;
                return Ok(json!({}));
            }
            "load" => {
                self.worker = None;
                let (before, start) = (resident()?, used()?);
                let worker = self.worker.insert(Worker::load(&self.name, word("path"))?);
                worker.run(&["The first words, and 12345 more.".into()], true)?;
                let milliseconds = (used()? - start) as f64 / 1e6;
                return Ok(json!({ "milliseconds": milliseconds, "bytes": resident()?.saturating_sub(before) }));
            }
            _ => {}
        }
        let worker = self.worker.as_ref().ok_or("nothing is loaded")?;
        let texts = self.texts.get(word("job")).ok_or("no such texts")?;
        let milliseconds = command["milliseconds"].as_f64().unwrap_or_default();
        let (mut calls, start, before) = (0, Instant::now(), used()?);
        while calls == 0 || start.elapsed().as_secs_f64() * 1e3 < milliseconds {
            worker.run(texts, word("job") == "short")?;
            calls += 1;
        }
        Ok(json!({ "us": (used()? - before) as f64 / 1e3 / f64::from(calls), "faults": 0 }))
    }
}

fn main() -> Result<()> {
    let name = std::env::args().nth(1).unwrap_or_default();
    let mut peer = Peer { name, worker: None, texts: HashMap::new() };
    for line in std::io::stdin().lock().lines() {
        let said = serde_json::from_str(&line?).map_err(Into::into).and_then(|command| peer.answer(&command));
        println!("{}", said.unwrap_or_else(|error| json!({ "error": error.to_string() })));
    }
    Ok(())
}
