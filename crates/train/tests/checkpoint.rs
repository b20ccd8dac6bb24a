//! Files that are not a checkpoint of this run are refused.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{all, bits, config, corpus, next_token, pairs, restore, train};
use tokenbed_core::Error;
use tokenbed_train::next_token::{NextToken, Softmax};
use tokenbed_train::pairs::Pairs;
use tokenbed_train::{Trainer, checkpoint};

fn skip_gram(options: tokenbed_train::pairs::PairOptions, text: usize) -> Trainer {
    Trainer::new(Box::new(Pairs::new(options, corpus(text, 300)).unwrap()))
}

#[test]
fn rejects_checkpoints_of_other_runs_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let mut saved = skip_gram(pairs(false), 3000);
    train(&mut saved, 5);
    checkpoint::save(&mut saved, &path, "{\"a\":1}").unwrap();
    assert_eq!(config(&path).unwrap(), "{\"a\":1}");

    let mut other = pairs(false);
    other.run.dim = 21;
    for (mut trainer, says) in
        [(skip_gram(other, 3000), "another model"), (skip_gram(pairs(false), 2999), "another corpus")]
    {
        let before = bits(&trainer.tables().unwrap());
        let error = restore(&mut trainer, &path).unwrap_err();
        assert!(matches!(error, Error::Usage(_)) && error.to_string().contains(says), "{error}");
        assert!(error.to_string().contains("run.safetensors"), "{error}");
        assert!(bits(&trainer.tables().unwrap()) == before);
    }
    for (name, make) in all().into_iter().filter(|(name, _)| !matches!(*name, "skip-gram" | "cbow")) {
        let error = restore(&mut make(), &path).unwrap_err();
        assert!(error.to_string().contains("another"), "{name}: {error}");
    }

    let whole = std::fs::read(&path).unwrap();
    for cut in [0, 7, 8, 100, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let error = restore(&mut skip_gram(pairs(false), 3000), &path).unwrap_err();
        assert!(matches!(error, Error::Format { .. }), "cut at {cut}: {error}");
        assert!(matches!(config(&path), Err(Error::Format { .. })));
    }
    let missing = restore(&mut skip_gram(pairs(false), 3000), &folder.path().join("none"));
    assert!(matches!(missing, Err(Error::File { .. })));
}

/// A change of any single byte is detected.
#[test]
fn reports_damaged_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let mut saved = skip_gram(pairs(false), 3000);
    train(&mut saved, 2);
    checkpoint::save(&mut saved, &path, "{\"a\":1}").unwrap();
    let whole = std::fs::read(&path).unwrap();
    let header = 8 + u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    for at in (0..header + 64).chain((header..whole.len()).step_by(997)).chain([whole.len() - 1]) {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        std::fs::write(&path, damaged).unwrap();
        let error = restore(&mut skip_gram(pairs(false), 3000), &path).unwrap_err();
        // A changed byte may turn an element type into one that is not supported.
        assert!(matches!(error, Error::Format { .. } | Error::DType(_)), "byte {at}: {error:?}");
        assert!(error.to_string().contains("run.safetensors"), "byte {at}: {error}");
    }
}

#[test]
fn rejects_other_files_and_versions() {
    use tokenbed_core::DType;
    use tokenbed_io::safetensors::{ToSave, save};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    let tensor = |name: &str, dtype, len, bytes| ToSave { name: name.into(), dtype, shape: vec![len], bytes };
    save(&path, vec![tensor("weight", DType::UInt8, 1, &[1])], Default::default()).unwrap();
    assert!(config(&path).unwrap_err().to_string().contains("is not a checkpoint"));
    let counters = [9u64.to_le_bytes(), 0u64.to_le_bytes()].concat();
    save(&path, vec![tensor("counters", DType::Int64, 2, &counters)], Default::default()).unwrap();
    let error = config(&path).unwrap_err().to_string();
    assert!(error.contains("version 9") && error.contains("version 2"), "{error}");
}

/// A step whose loss is finite can leave tables that are not: they are never written.
#[test]
fn never_writes_numbers_that_are_not_finite() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let mut options = next_token(false, Softmax::Full);
    (options.adamw.lr, options.final_lr) = (1e39, 1e39);
    let mut trainer = Trainer::new(Box::new(NextToken::new(options, corpus(3000, 300)).unwrap()));
    checkpoint::save(&mut trainer, &path, "{}").unwrap();
    let before = std::fs::read(&path).unwrap();
    assert!(train(&mut trainer, 1).loss.is_finite());
    let error = checkpoint::save(&mut trainer, &path, "{}").unwrap_err().to_string();
    assert!(error.contains("not finite after step 1"), "{error}");
    assert!(trainer.tables().is_err());
    assert!(trainer.run(std::time::Duration::from_secs(60), 1, &|| true).is_err());
    assert!(std::fs::read(&path).unwrap() == before, "the last good checkpoint stays");
}

#[test]
fn a_non_finite_loss_ends_the_run() {
    let mut options = pairs(false);
    (options.alpha, options.min_alpha) = (1e30, 1e30);
    let mut trainer = skip_gram(options, 3000);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    checkpoint::save(&mut trainer, &path, "{}").unwrap();
    let before = std::fs::read(&path).unwrap();
    let error = trainer.run(std::time::Duration::from_secs(60), u64::MAX, &|| true).unwrap_err();
    assert!(error.to_string().contains("the loss of step"), "{error}");
    assert!(checkpoint::save(&mut trainer, &path, "{}").is_err() && trainer.tables().is_err());
    assert!(std::fs::read(&path).unwrap() == before, "the last good checkpoint stays");
}

#[cfg(unix)]
#[test]
fn the_next_save_removes_what_a_killed_one_left() {
    let folder = tempfile::tempdir().unwrap();
    let left = folder.path().join(".tokenbed-x1y2z3.part");
    let file = std::fs::File::create(&left).unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    drop(file);
    checkpoint::save(&mut skip_gram(pairs(false), 3000), &folder.path().join("run.safetensors"), "{}").unwrap();
    assert!(!left.exists());
}
