//! A run gives the same bits on any number of threads, and wherever it is interrupted.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{all, bits, restore, train};
use tokenbed_train::checkpoint;

#[test]
fn same_bits_at_any_number_of_threads() {
    for (name, make) in all() {
        let results = [1, 2, 3, 8].map(|threads| {
            tokenbed_threads::set_num_threads(threads).unwrap();
            let mut trainer = make();
            let report = train(&mut trainer, u64::MAX);
            assert!(report.progress.is_done() && report.loss.is_finite(), "{name}: {report:?}");
            (bits(&trainer.tables().unwrap()), report.loss.to_bits())
        });
        assert!(results.windows(2).all(|pair| pair[0] == pair[1]), "{name}");
    }
}

#[test]
fn same_bits_from_every_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    for (name, make) in all() {
        let mut whole = make();
        let steps = train(&mut whole, u64::MAX).progress.step;
        let expected = bits(&whole.tables().unwrap());
        for cut in (0..=steps).step_by((steps as usize / 7).max(1)) {
            let mut first = make();
            train(&mut first, cut);
            checkpoint::save(&mut first, &path, "{}").unwrap();
            // Saving again gives the same file: a checkpoint holds the whole run.
            let saved = std::fs::read(&path).unwrap();
            let mut second = make();
            restore(&mut second, &path).unwrap();
            checkpoint::save(&mut second, &path, "{}").unwrap();
            assert!(saved == std::fs::read(&path).unwrap(), "{name}, {cut}");
            train(&mut second, u64::MAX);
            assert!(bits(&second.tables().unwrap()) == expected, "{name}: cut at {cut} of {steps}");
        }
    }
}

#[test]
fn same_bits_however_a_run_is_divided() {
    for (name, make) in all() {
        let (mut whole, mut parts) = (make(), make());
        train(&mut whole, u64::MAX);
        while !parts.progress().is_done() {
            parts.run(std::time::Duration::ZERO, 3, &|| true).unwrap();
        }
        assert!(bits(&whole.tables().unwrap()) == bits(&parts.tables().unwrap()), "{name}");
    }
}
