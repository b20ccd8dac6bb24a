//! Properties of checkpoints and generator states made of arbitrary bytes. The fuzz targets and a property test run
//! them.

use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;
use tempfile::TempDir;
use tokenbed_rng::Generator;
use tokenbed_testkit::memory::{Counting, within};
use tokenbed_train::classify::{Classify, ClassifyOptions};
use tokenbed_train::examples::Examples;
use tokenbed_train::objective::RunOptions;
use tokenbed_train::{Trainer, checkpoint};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a folder for temporary files"));

const TIME: Duration = Duration::from_secs(20);

/// A small run.
fn trainer() -> Trainer {
    let mut examples = Examples::default();
    for class in 0..2 {
        examples.push([class, 2].into_iter(), [class].into_iter());
    }
    let run = RunOptions { vocab_size: 0, dim: 2, epochs: 2, min_count: 1, seed: 3 };
    let options = ClassifyOptions { run, lr: 0.5 };
    Trainer::new(Box::new(Classify::new(options, examples, 3, 2).expect("a model")))
}

/// A checkpoint of the run, and where its header ends.
static WHOLE: LazyLock<(Vec<u8>, usize)> = LazyLock::new(|| {
    let path = FOLDER.path().join("whole.safetensors");
    checkpoint::save(&mut trainer(), &path, "{\"a\":1}").expect("a checkpoint");
    let bytes = std::fs::read(path).expect("a file");
    let header = u64::from_le_bytes(bytes[..8].try_into().expect("a length")) as usize;
    (bytes, 8 + header)
});

fn file(content: &[u8]) -> PathBuf {
    let path = FOLDER.path().join(format!("{:?}", std::thread::current().id()));
    let _ = std::fs::remove_file(&path);
    std::fs::write(&path, content).expect("a file can be written");
    path
}

/// Resuming fails and leaves the trainer as it was, or succeeds and the trainer can train further. The bytes are tried
/// as a file, and written over those of a sound file, in its header and in its tensors.
pub fn checkpoint(data: &[u8]) {
    let (whole, header) = &*WHOLE;
    let mut changed = whole.clone();
    for change in data.chunks_exact(3) {
        let place = usize::from(u16::from_le_bytes([change[0], change[1]]));
        let (at, len) = if place % 2 == 0 { (8, header - 8) } else { (*header, whole.len() - header) };
        changed[at + place / 2 % len] = change[2];
    }
    for content in [data, &changed] {
        let path = file(content);
        within((1 << 20) + content.len() * 64, TIME, || {
            let Ok(saved) = checkpoint::open(&path) else { return };
            if let Ok(config) = saved.config() {
                assert!(config.len() <= content.len());
            }
            let mut trainer = trainer();
            let before = bits(&mut trainer);
            match checkpoint::restore(&mut trainer, &saved) {
                Err(_) => assert_eq!(bits(&mut trainer), before, "an error changes nothing"),
                Ok(()) => {
                    let _ = trainer.run(TIME, 1, &|| true);
                }
            }
        });
    }
}

fn bits(trainer: &mut Trainer) -> Vec<u32> {
    let arrays = trainer.arrays().expect("arrays");
    arrays.iter().flat_map(|array| array.values.iter().map(|value| value.to_bits())).collect()
}

/// A state is refused and changes nothing, or the generator has it and can draw further. The bytes are tried as they
/// are, and written over those of a sound state.
pub fn generator(data: &[u8]) {
    let (skipped, rest) = data.split_first().map_or((0, data), |(&first, rest)| (first, rest));
    let mut sound = Generator::new(3);
    (0..u16::from(skipped) * 3).for_each(|_| _ = sound.random());
    let mut changed = sound.state();
    for change in rest.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]]));
        // The places before the words are chosen more often than their share.
        let at = if at % 2 == 0 { at / 2 % 24 } else { at / 2 % changed.len() };
        changed[at] = change[2];
    }
    for state in [data, &changed] {
        let mut generator = Generator::new(7);
        let before = generator.state();
        within(1 << 16, TIME, || match generator.set_state(state) {
            Err(_) => assert_eq!(generator.state(), before),
            Ok(()) => {
                assert_eq!(generator.state(), state);
                (0..1300).for_each(|_| _ = generator.random());
            }
        });
    }
}
