//! Draws against PyTorch's: every case of `testdata/golden/draws/draws.json`, step by step on one generator.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use serde_json::Value;
use sha2::{Digest, Sha256};
use tokenbed_kernels::dispatch;
use tokenbed_rng::{Generator, How, LARGE_PERMUTATION, loader, normal_with, randperm, uniform_with};

/// Permutations from this length on take a gigabyte and a minute, so only [`the_longest_permutations`] draws them.
const LONG: u64 = LARGE_PERMUTATION as u64 - 1;

#[test]
fn on_one_thread() {
    play(|_| true, How::default());
}

#[test]
fn on_three_threads() {
    play(|_| true, How { threads: 3, ..How::default() });
}

/// The scalar kernels take a second for the largest tables, which are left to the other tests.
#[test]
fn on_every_instruction_set() {
    for kernels in dispatch::available() {
        play(|steps| steps.iter().all(|step| values(step) < 1_000_000), How { kernels, threads: 1 });
    }
}

#[test]
#[ignore = "takes two gigabytes and a minute"]
fn the_longest_permutations() {
    for case in cases().iter().filter(|case| is_long(case)) {
        play_case(case, How::default());
    }
}

fn cases() -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/golden/draws/draws.json");
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    file["cases"].as_array().unwrap().clone()
}

fn steps(case: &Value) -> &[Value] {
    case["steps"].as_array().unwrap()
}

fn is_long(case: &Value) -> bool {
    steps(case).iter().any(|step| step["op"] == "randperm" && number(step, "n") >= LONG)
}

fn play(wanted: impl Fn(&[Value]) -> bool, how: How) {
    let mut played = 0;
    for case in cases().iter().filter(|case| !is_long(case) && wanted(steps(case))) {
        play_case(case, how);
        played += 1;
    }
    assert!(played > 30);
}

fn play_case(case: &Value, how: How) {
    let mut generator = Generator::new(seed(case));
    for (index, step) in steps(case).iter().enumerate() {
        let place = format!("{}, step {index} ({}), {}", case["name"], step["op"], how.kernels.isa().name());
        play_step(step, how, &mut generator, &place);
    }
}

fn play_step(step: &Value, how: How, generator: &mut Generator, place: &str) {
    match step["op"].as_str().unwrap() {
        "normal" => {
            let mut out = vec![f32::NAN; values(step)];
            normal_with(how, generator, &mut out, float(step, "mean", 0.0), float(step, "std", 1.0)).unwrap();
            same_floats(&out, step, place);
        }
        "uniform" => {
            let mut out = vec![f32::NAN; values(step)];
            uniform_with(how, generator, &mut out, float(step, "low", 0.0), float(step, "high", 1.0)).unwrap();
            same_floats(&out, step, place);
        }
        "embedding" => {
            let dim = number(step, "dim") as usize;
            let mut out = vec![f32::NAN; number(step, "rows") as usize * dim];
            normal_with(how, generator, &mut out, 0.0, 1.0).unwrap();
            if let Some(row) = step["padding_idx"].as_u64() {
                out[row as usize * dim..][..dim].fill(0.0);
            }
            same_floats(&out, step, place);
        }
        "randperm" => same_order(&randperm(generator, number(step, "n") as usize).unwrap(), step, place),
        "random31" => assert_eq!(u64::from(generator.random() & 0x7fff_ffff), number(step, "value"), "{place}"),
        "random63" => assert_eq!(generator.random63().to_string(), step["value"], "{place}"),
        "manual_seed" => generator.manual_seed(seed(step)),
        "epoch" => epoch(step, generator, place),
        "state" => same_state(generator, step, place),
        other => panic!("{place}: no such op: {other}"),
    }
}

fn epoch(step: &Value, generator: &mut Generator, place: &str) {
    let len = number(step, "n") as usize;
    let batch = step["batch"].as_u64().unwrap_or(50) as usize;
    let own = step["own"] == true;
    let order = if own { loader::begin_own_epoch(generator, len) } else { loader::epoch_order_default(generator, len) };
    let mut order = order.unwrap();
    let batches = if step["drop_last"] == true { len / batch } else { len.div_ceil(batch) };
    let left_after = step["leave_after"].as_u64().map(|batches| batches as usize);
    order.truncate(left_after.unwrap_or(batches) * batch);
    // A short last batch runs the sampler dry. Without one, only a loop that ends by itself does.
    if own && (left_after.is_none() || batch * batches > len && left_after == Some(batches)) {
        loader::finish_own_epoch(generator, len).unwrap();
    }
    same_order(&order, step, place);
}

/// Compares the digest, if the C library is the one that made the goldens. Another library's sine may differ in the
/// last bit of the cached f64, so there the parts are compared, and that value within two units in the last place.
fn same_state(generator: &mut Generator, step: &Value, place: &str) {
    let state = generator.state();
    let same_library = cfg!(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"));
    if same_library || step["normal"].is_null() {
        assert_eq!(hex(&state), step["sha256"], "{place}");
    }
    let words: Vec<u8> =
        state[24..24 + 8 * 624].as_chunks::<8>().0.iter().flat_map(|word| word[..4].to_vec()).collect();
    assert_eq!(hex(&words), step["words_sha256"], "{place}");
    assert_eq!(generator.initial_seed(), seed(step), "{place}");
    if let Some(cached) = step["normal"].as_f64() {
        let ours = f64::from_le_bytes(state[5024..5032].try_into().unwrap());
        assert!(ours.to_bits().abs_diff(cached.to_bits()) <= 2, "{place}: {ours} instead of {cached}");
    }
    if let Some(text) = step["base64"].as_str() {
        let theirs = from_base64(text);
        assert_eq!(hex(&theirs), step["sha256"], "{place}");
        // PyTorch's state, loaded, continues as ours does.
        generator.set_state(&theirs).unwrap();
        assert_eq!(generator.state(), theirs, "{place}");
    }
}

fn same_floats(out: &[f32], step: &Value, place: &str) {
    // When something is wrong, the first and the last values say more than a digest.
    let ends = |values: &[Value]| values.iter().map(|v| v.as_f64().unwrap() as f32).collect::<Vec<_>>();
    let (first, last) = (ends(step["first"].as_array().unwrap()), ends(step["last"].as_array().unwrap()));
    assert_eq!(out[..first.len()], first, "{place}");
    assert_eq!(out[out.len() - last.len()..], last, "{place}");
    let bytes: Vec<u8> = out.iter().flat_map(|value| value.to_le_bytes()).collect();
    assert_eq!(hex(&bytes), step["sha256"], "{place}");
}

fn same_order(order: &[u32], step: &Value, place: &str) {
    let first: Vec<u64> = step["first"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap()).collect();
    assert!(order.iter().zip(&first).all(|(ours, theirs)| u64::from(*ours) == *theirs), "{place}: {first:?}");
    let bytes: Vec<u8> = order.iter().flat_map(|id| id.to_le_bytes()).collect();
    assert_eq!(hex(&bytes), step["sha256"], "{place}");
}

fn values(step: &Value) -> usize {
    let product =
        |shape: &Value| shape.as_array().unwrap().iter().map(|side| side.as_u64().unwrap() as usize).product();
    step.get("shape").map_or(0, product)
}

fn number(step: &Value, key: &str) -> u64 {
    step[key].as_u64().unwrap()
}

fn float(step: &Value, key: &str, default: f64) -> f64 {
    step.get(key).map_or(default, |value| value.as_f64().unwrap())
}

/// Negative seeds are two's complement, as in PyTorch.
fn seed(of: &Value) -> u64 {
    of["seed"].as_str().unwrap().parse::<i128>().unwrap() as u64
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_base64(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.trim_end_matches('=').bytes();
    let (mut bits, mut held, mut bytes) = (0_u32, 0, Vec::new());
    for digit in digits {
        bits = bits << 6 | ALPHABET.iter().position(|letter| *letter == digit).unwrap() as u32;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    bytes
}
