//! Files of fastText with bytes changed at random: each gives an error or numbers, and none a panic.

use std::path::Path;
use tokenbed_fasttext::FastText;
use tokenbed_kernels::dispatch;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/golden/fasttext");

/// Uses all that a model computes.
fn used(path: &Path) -> tokenbed_core::Result<()> {
    let model = FastText::open(path)?;
    let dim = model.header().dim;
    let mut vector = vec![0.0; dim];
    for word in ["", "a", "abc", "абвгд", "__label__class1", "</s>"] {
        model.vector(word, &mut vector)?;
        model.word(word)?;
    }
    model.texts(0, usize::MAX)?;
    let texts = ["abc абв 語", "", "</s> a", "__label__class1 b\0c"];
    model.sentences(&texts, 2, &mut vec![0.0; texts.len() * dim])?;
    let classes = model.classify(&texts, 3, 2);
    assert!(classes.is_err() || classes.is_ok_and(|found| found.counts.len() == texts.len()));
    let query = vec![1.0; dim];
    let found = model.nearest(dispatch::active(), &query, 3, &[0])?;
    assert!(found.len() <= 3 && found.iter().all(|one| one.id != 0));
    let mut table = vec![0.0; model.header().words * dim];
    model.vectors(0, &mut table)?;
    assert!(model.vectors(1, &mut table).is_err());
    Ok(())
}

#[test]
fn damaged_files_are_refused_or_give_numbers() {
    let folder = std::env::temp_dir().join(format!("tokenbed-fasttext-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("damaged.bin");
    let mut state = 7u64;
    let mut draw = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let (mut refused, mut fine) = (0, 0);
    for entry in std::fs::read_dir(GOLDEN).unwrap() {
        let file = entry.unwrap().path();
        if !file.extension().is_some_and(|ending| ending == "bin" || ending == "ftz") {
            continue;
        }
        used(&file).unwrap();
        let bytes = std::fs::read(&file).unwrap();
        for round in 0..60 {
            let mut changed = bytes.clone();
            // Most changes are where counts are.
            let within = if round % 3 == 0 { bytes.len() } else { bytes.len().min(1200) };
            for _ in 0..=draw(3) {
                changed[draw(within)] = draw(256) as u8;
            }
            std::fs::write(&path, &changed).unwrap();
            if used(&path).is_ok() { fine += 1 } else { refused += 1 }
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(refused > 20 && fine > 20, "{refused} refused, {fine} fine");
}
