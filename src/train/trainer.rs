//! Tables that learn: a trainer runs on threads of libuv's pool, for a fraction of a second at a time.

use crate::files::tensors::LoadedTensor;
use crate::node::borrow::{Operand, size};
use crate::node::borrowed_word::Word;
use crate::node::buffers::Handle;
use crate::node::external::External;
use crate::node::guard::{Failure, Report, caught, guard, status};
use crate::node::leaving::apart;
use crate::node::options::Given;
use crate::train::corpus::{Builder, Gathered, encoded, held_out, ids_of_folder, lock};
use napi::bindgen_prelude::{AsyncTask, Object};
use napi::{Env, Task};
use napi_derive::napi;
use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokenbed_core::storage::Storage;
use tokenbed_core::{DType, Error};
use tokenbed_memory::{Gather, Slice, zeroed};
use tokenbed_train::classify::{Classify, ClassifyOptions};
use tokenbed_train::examples::{Examples, Labelled};
use tokenbed_train::next_token::NextToken;
use tokenbed_train::objective::{Plan, RunOptions};
use tokenbed_train::pairs::Pairs;
use tokenbed_train::{Corpus, HeldOut, Model, Text, Trainer, checkpoint};

/// A trainer, shared by the threads that run it and those that ask for its progress.
pub struct Shared {
    trainer: Mutex<Trainer>,
    /// What the tables are evaluated over.
    held: Mutex<Option<HeldOut>>,
    stopped: AtomicBool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Trainer> {
        // A panic in a step was already reported. Its half-done state is only read by callers that ask for it.
        self.trainer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A trainer as JavaScript holds it.
pub struct Held(RefCell<Option<Arc<Shared>>>);

impl Held {
    /// The trainer. Fails once it was closed.
    fn shared(&self) -> Result<Arc<Shared>, Failure> {
        let closed = || Error::Usage("use of a disposed Trainer".into()).into();
        self.0.borrow().as_ref().map(Arc::clone).ok_or_else(closed)
    }
}

/// The task that makes a trainer.
pub struct Make {
    gathered: Arc<Mutex<Gathered>>,
    plan: Plan,
    /// How often the first tokens occurred in earlier corpora.
    earlier: Vec<f64>,
}

/// A new trainer, with the names of its tables' rows.
pub struct Made {
    trainer: Trainer,
    words: Option<Vec<String>>,
    labels: Option<Vec<String>>,
    counts: Vec<f64>,
}

/// A new trainer, or the failure to make one.
#[napi(object, object_from_js = false)]
pub struct MadeTrainer {
    pub trainer: Option<External<Held>>,
    pub words: Option<Vec<String>>,
    pub labels: Option<Vec<String>>,
    /// How often each row's token occurs.
    pub counts: Vec<f64>,
    pub failure: Option<Report>,
}

fn counts(corpus: &[u64]) -> Vec<f64> {
    corpus.iter().map(|&count| count as f64).into_list()
}

/// How often each id occurs.
fn counted(ids: &[u32], vocabulary: usize) -> Vec<f64> {
    let mut counts = zeroed(vocabulary);
    ids.iter().for_each(|&id| counts.get_mut(id as usize).into_iter().for_each(|count| *count += 1.0));
    counts
}

impl Make {
    /// The corpus, with what occurred in earlier ones.
    fn after(&self, corpus: Corpus) -> Result<Corpus, Failure> {
        Ok(if self.earlier.is_empty() { corpus } else { corpus.with_earlier(&self.earlier)? })
    }

    fn run(&self) -> Result<Made, Failure> {
        let RunOptions { vocab_size, min_count, .. } = *self.plan.run();
        // The corpus is taken: it belongs to the trainer from now on.
        let gathered = std::mem::replace(&mut *lock(&self.gathered), Gathered::Ids(Vec::new(), Vec::new()));
        match (gathered, self.plan) {
            (Gathered::Texts(tokenizer, given), Plan::Classify(options)) => {
                let (examples, labels) = encoded(&tokenizer, given)?;
                classifier(options, examples, None, labels)
            }
            (Gathered::Examples(given), Plan::Classify(options)) => {
                let hint = given.hint();
                let Labelled { words, labels, examples } = given.examples.finish(min_count, hint)?;
                classifier(options, examples, Some(words), labels)
            }
            (Gathered::Words(counter), plan) => {
                let found = counter.finish(min_count)?;
                let corpus = self.after(found.corpus)?;
                let counts = counts(corpus.totals());
                Ok(Made { trainer: over(plan, corpus)?, words: Some(found.words), labels: None, counts })
            }
            // If no ids are left out, the trainer can read the folder's ids directly.
            (Gathered::Folder(tokens), plan @ Plan::NextToken(_)) if min_count <= 1 => {
                let text = Text::of_folder(tokens, vocab_size)?;
                let counts = counts(text.counts());
                Ok(Made { trainer: over(plan, text)?, words: None, labels: None, counts })
            }
            (Gathered::Folder(tokens), plan) => {
                let (ids, ends) = ids_of_folder(&tokens)?;
                let corpus = self.after(Corpus::new(ids, &ends, vocab_size, min_count)?)?;
                let counts = counts(corpus.totals());
                Ok(Made { trainer: over(plan, corpus)?, words: None, labels: None, counts })
            }
            (Gathered::Ids(ids, ends), plan) => {
                let corpus = self.after(Corpus::new(ids, &ends, vocab_size, min_count)?)?;
                let counts = counts(corpus.totals());
                Ok(Made { trainer: over(plan, corpus)?, words: None, labels: None, counts })
            }
            (Gathered::Texts(..) | Gathered::Examples(_), _) => {
                Err(Error::Usage("only the objective \"classify\" takes texts with classes".into()).into())
            }
        }
    }
}

/// Makes a classifier over words, or over the ids of the vocabulary that the options name.
fn classifier(
    options: ClassifyOptions,
    examples: Examples,
    words: Option<Vec<String>>,
    labels: Vec<String>,
) -> Result<Made, Failure> {
    let vocabulary = words.as_ref().map_or(options.run.vocab_size, Vec::len);
    let counts = counted(&examples.ids, vocabulary);
    let model = Classify::new(options, examples, vocabulary, labels.len())?;
    Ok(Made { trainer: Trainer::new(Box::new(model)), words, labels: Some(labels), counts })
}

/// Makes a trainer over a corpus without classes.
fn over(plan: Plan, text: impl Into<Text>) -> Result<Trainer, Failure> {
    let model: Box<dyn Model> = match plan {
        Plan::Pairs(options) => {
            let Text::Held(corpus) = text.into() else {
                return Err(Error::Usage("the objectives of pairs need sentences in memory".into()).into());
            };
            Box::new(Pairs::new(options, corpus)?)
        }
        Plan::NextToken(options) => Box::new(NextToken::new(options, text)?),
        Plan::Classify(_) => return Err(Error::Usage("a corpus of ids has no classes".into()).into()),
    };
    Ok(Trainer::new(model))
}

#[napi]
impl Task for Make {
    type Output = Result<Made, Failure>;
    type JsValue = MadeTrainer;

    fn compute(&mut self) -> napi::Result<Self::Output> {
        Ok(caught(|| self.run()))
    }

    fn resolve(&mut self, _: Env, output: Self::Output) -> napi::Result<Self::JsValue> {
        let made = caught(|| {
            let Made { trainer, words, labels, counts } = output?;
            let shared =
                Shared { trainer: Mutex::new(trainer), held: Mutex::new(None), stopped: AtomicBool::new(false) };
            let trainer = Some(External::new(Held(RefCell::new(Some(Arc::new(shared))))));
            Ok(MadeTrainer { trainer, words, labels, counts, failure: None })
        });
        Ok(made.unwrap_or_else(|failure| {
            let failure = Some(failure.into());
            MadeTrainer { trainer: None, words: None, labels: None, counts: Vec::new(), failure }
        }))
    }
}

/// Makes a trainer from a corpus on another thread; the corpus is empty afterwards. `options` holds all options of the
/// objective by name, and `objective` itself; `earlier` says how often the first tokens occurred in earlier corpora.
#[napi(catch_unwind)]
pub fn trainer_new(
    corpus: &External<Builder>,
    options: Object<'_>,
    earlier: Option<Operand>,
) -> Option<AsyncTask<Make>> {
    guard(|| {
        crate::node::process::threads()?;
        let plan = Plan::read(&Given(options))?;
        let earlier = match &earlier {
            Some(earlier) => earlier.shared::<f64>()?.to_list(),
            None => Vec::new(),
        };
        Ok(AsyncTask::new(Make { gathered: corpus.share(), plan, earlier }))
    })
}

/// Begins rows of the table of inputs, or that of outputs, with these values (float32), before the first step.
#[napi(catch_unwind)]
pub fn trainer_begin(trainer: &External<Held>, outputs: bool, rows: Operand, values: Operand) -> bool {
    status(|| {
        let table = if outputs { "output" } else { "input" };
        Ok(trainer.shared()?.lock().begin(table, rows.stable()?, values.shared()?)?)
    })
}

/// How much of each change every row of the inputs takes (float32), before the first step.
#[napi(catch_unwind)]
pub fn trainer_lock(trainer: &External<Held>, factors: Operand) -> bool {
    status(|| Ok(trainer.shared()?.lock().lock(factors.shared()?)?))
}

/// The task that makes ready what is held out.
pub struct Hold {
    shared: Arc<Shared>,
    gathered: Arc<Mutex<Gathered>>,
    vocabulary: usize,
    classes: u32,
}

#[napi]
impl Task for Hold {
    type Output = Result<(), Failure>;
    type JsValue = Option<Report>;

    fn compute(&mut self) -> napi::Result<Self::Output> {
        Ok(caught(|| {
            let gathered = std::mem::replace(&mut *lock(&self.gathered), Gathered::Ids(Vec::new(), Vec::new()));
            let held = held_out(gathered, self.vocabulary, self.classes)?;
            *self.shared.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
            Ok(())
        }))
    }

    fn resolve(&mut self, _: Env, output: Self::Output) -> napi::Result<Self::JsValue> {
        Ok(output.err().map(Report::from))
    }
}

/// Makes a corpus what the trainer is evaluated over; the corpus is empty afterwards.
#[napi(catch_unwind)]
pub fn trainer_hold(
    trainer: &External<Held>,
    corpus: &External<Builder>,
    vocabulary: f64,
    classes: f64,
) -> Option<AsyncTask<Hold>> {
    guard(|| {
        let (shared, gathered) = (trainer.shared()?, corpus.share());
        let (vocabulary, classes) = (size(vocabulary)?, size(classes)? as u32);
        Ok(AsyncTask::new(Hold { shared, gathered, vocabulary, classes }))
    })
}

/// How good the tables are over what is held out.
#[napi(object, object_from_js = false)]
pub struct HeldOutReport {
    /// The mean loss; NaN if there was none.
    pub loss: f64,
    /// For a classifier: the share of the texts whose most probable class is one of theirs.
    pub accuracy: f64,
    pub failure: Option<Report>,
}

/// The task that evaluates.
pub struct Evaluate(Arc<Shared>);

#[napi]
impl Task for Evaluate {
    type Output = Result<tokenbed_train::Evaluation, Failure>;
    type JsValue = HeldOutReport;

    fn compute(&mut self) -> napi::Result<Self::Output> {
        Ok(caught(|| {
            let shared = Arc::clone(&self.0);
            apart(move || {
                let held = shared.held.lock().unwrap_or_else(PoisonError::into_inner);
                let Some(held) = &*held else {
                    return Err(Error::Usage("nothing is held out".into()).into());
                };
                let go_on = || !shared.stopped.load(Ordering::Relaxed);
                Ok(shared.lock().evaluate(held, &go_on)?)
            })
        }))
    }

    fn resolve(&mut self, _: Env, output: Self::Output) -> napi::Result<Self::JsValue> {
        Ok(match output {
            Ok(found) => {
                let count = found.losses as f64;
                HeldOutReport { loss: found.loss / count, accuracy: found.right as f64 / count, failure: None }
            }
            Err(failure) => HeldOutReport { loss: f64::NAN, accuracy: f64::NAN, failure: Some(failure.into()) },
        })
    }
}

/// Evaluates the tables over what is held out, until `trainer_stop`. Only between two runs.
#[napi(catch_unwind)]
pub fn trainer_evaluate(trainer: &External<Held>) -> Option<AsyncTask<Evaluate>> {
    guard(|| {
        let shared = trainer.shared()?;
        shared.stopped.store(false, Ordering::Relaxed);
        Ok(AsyncTask::new(Evaluate(shared)))
    })
}

/// The progress of a trainer.
#[napi(object, object_from_js = false)]
pub struct TrainReport {
    pub step: f64,
    pub epoch: f64,
    pub tokens: f64,
    pub total: f64,
    pub lr: f64,
    /// The mean loss since the last report; NaN if there was no batch.
    pub loss: f64,
    /// Tokens since the last report.
    pub recent: f64,
    pub failure: Option<Report>,
}

fn reported(report: tokenbed_train::Report, failure: Option<Report>) -> TrainReport {
    let tokenbed_train::Report { progress, loss, tokens } = report;
    TrainReport {
        step: progress.step as f64,
        epoch: progress.epoch as f64,
        tokens: progress.tokens as f64,
        total: progress.total as f64,
        lr: progress.lr,
        loss,
        recent: tokens as f64,
        failure,
    }
}

/// The task that trains for a while.
pub struct Run {
    shared: Arc<Shared>,
    time: Duration,
    steps: u64,
}

#[napi]
impl Task for Run {
    type Output = Result<(tokenbed_train::Report, Option<Failure>), Failure>;
    type JsValue = TrainReport;

    fn compute(&mut self) -> napi::Result<Self::Output> {
        Ok(caught(|| {
            let (shared, time, steps) = (Arc::clone(&self.shared), self.time, self.steps);
            apart(move || {
                let mut trainer = shared.lock();
                let go_on = || !shared.stopped.load(Ordering::Relaxed);
                // Failures are caught here so that the progress is reported even then.
                let ended = caught(|| Ok(trainer.run(time, steps, &go_on)?));
                let nothing = tokenbed_train::Report { progress: trainer.progress(), loss: f64::NAN, tokens: 0 };
                Ok(ended.map_or_else(|failure| (nothing, Some(failure)), |report| (report, None)))
            })
        }))
    }

    fn resolve(&mut self, _: Env, output: Self::Output) -> napi::Result<Self::JsValue> {
        let (report, failure) = output.unwrap_or_else(|failure| {
            let progress = tokenbed_train::Progress { step: 0, epoch: 0, tokens: 0, total: 0, lr: 0.0 };
            (tokenbed_train::Report { progress, loss: f64::NAN, tokens: 0 }, Some(failure))
        });
        Ok(reported(report, failure.map(Report::from)))
    }
}

/// Trains for this time or this number of steps, whichever ends first, but at least one step. Only one call may run at
/// a time.
#[napi(catch_unwind)]
pub fn trainer_run(trainer: &External<Held>, milliseconds: f64, steps: f64) -> Option<AsyncTask<Run>> {
    guard(|| {
        let shared = trainer.shared()?;
        shared.stopped.store(false, Ordering::Relaxed);
        let time = Duration::try_from_secs_f64(milliseconds / 1e3).unwrap_or(Duration::ZERO);
        Ok(AsyncTask::new(Run { shared, time, steps: size(steps)? as u64 }))
    })
}

/// Stops a running call after its current step.
#[napi(catch_unwind)]
pub fn trainer_stop(trainer: &External<Held>) -> bool {
    status(|| {
        trainer.shared()?.stopped.store(true, Ordering::Relaxed);
        Ok(())
    })
}

/// Lets go of the tables and the corpus: at once, or when work that is under way ends, which is stopped.
#[napi(catch_unwind)]
pub fn trainer_close(trainer: &External<Held>) -> bool {
    status(|| {
        if let Some(shared) = trainer.0.borrow_mut().take() {
            shared.stopped.store(true, Ordering::Relaxed);
        }
        Ok(())
    })
}

/// What to do with a checkpoint on another thread.
enum Doing {
    Save(PathBuf, String),
    Restore(Arc<checkpoint::Saved>),
}

/// The task that writes a checkpoint or resumes from one.
pub struct Checkpoint {
    shared: Arc<Shared>,
    doing: Doing,
}

#[napi]
impl Task for Checkpoint {
    type Output = Result<(), Failure>;
    type JsValue = Option<Report>;

    fn compute(&mut self) -> napi::Result<Self::Output> {
        Ok(caught(|| {
            let mut trainer = self.shared.lock();
            match &self.doing {
                Doing::Save(path, config) => checkpoint::save(&mut trainer, path, config)?,
                Doing::Restore(saved) => checkpoint::restore(&mut trainer, saved)?,
            }
            Ok(())
        }))
    }

    fn resolve(&mut self, _: Env, output: Self::Output) -> napi::Result<Self::JsValue> {
        Ok(output.err().map(Report::from))
    }
}

/// Writes a checkpoint, whole or not at all.
#[napi(catch_unwind)]
pub fn trainer_save(trainer: &External<Held>, path: String, config: String) -> Option<AsyncTask<Checkpoint>> {
    guard(|| Ok(AsyncTask::new(Checkpoint { shared: trainer.shared()?, doing: Doing::Save(path.into(), config) })))
}

/// Resumes from a checkpoint.
#[napi(catch_unwind)]
pub fn trainer_restore(trainer: &External<Held>, saved: &External<Saved>) -> Option<AsyncTask<Checkpoint>> {
    guard(|| {
        let doing = Doing::Restore(Arc::clone(&saved.0));
        Ok(AsyncTask::new(Checkpoint { shared: trainer.shared()?, doing }))
    })
}

/// An opened checkpoint as JavaScript holds it.
pub struct Saved(Arc<checkpoint::Saved>);

/// An opened checkpoint with the description of its run that was saved, or the failure.
#[napi(object, object_from_js = false)]
pub struct OpenedCheckpoint {
    pub saved: Option<External<Saved>>,
    pub config: Option<String>,
    pub failure: Option<Report>,
}

/// The task that opens a checkpoint.
pub struct OpenCheckpoint(PathBuf);

#[napi]
impl Task for OpenCheckpoint {
    type Output = Result<(Arc<checkpoint::Saved>, String), Failure>;
    type JsValue = OpenedCheckpoint;

    fn compute(&mut self) -> napi::Result<Self::Output> {
        Ok(caught(|| {
            let saved = checkpoint::open(&self.0)?;
            let config = saved.config()?;
            Ok((Arc::new(saved), config))
        }))
    }

    fn resolve(&mut self, _: Env, output: Self::Output) -> napi::Result<Self::JsValue> {
        let opened = caught(|| {
            let (saved, config) = output?;
            Ok(OpenedCheckpoint { saved: Some(External::new(Saved(saved))), config: Some(config), failure: None })
        });
        Ok(opened.unwrap_or_else(|failure| OpenedCheckpoint {
            saved: None,
            config: None,
            failure: Some(failure.into()),
        }))
    }
}

/// Opens a checkpoint on another thread, comparing all of its bytes with their digest.
#[napi(catch_unwind)]
pub fn checkpoint_open(path: String) -> Option<AsyncTask<OpenCheckpoint>> {
    guard(|| Ok(AsyncTask::new(OpenCheckpoint(path.into()))))
}

/// The progress of the trainer, between two runs.
#[napi(catch_unwind)]
pub fn trainer_progress(trainer: &External<Held>) -> Option<TrainReport> {
    guard(|| {
        let progress = trainer.shared()?.lock().progress();
        Ok(reported(tokenbed_train::Report { progress, loss: f64::NAN, tokens: 0 }, None))
    })
}

/// Copies of the current tables, between two runs.
#[napi(catch_unwind)]
pub fn trainer_tables(env: Env, trainer: &External<Held>) -> Option<Vec<LoadedTensor>> {
    guard(|| {
        let tables = trainer.shared()?.lock().tables()?;
        let loaded = tables.into_iter().map(|table| {
            let storage = Storage::copy_of(bytemuck::cast_slice(&table.values))?;
            Ok(LoadedTensor {
                name: table.name.into(),
                dtype: Word(DType::Float32),
                shape: table.shape.iter().map(|&n| n as f64).into_list(),
                mapped: false,
                handle: Handle::new(env, storage, false),
            })
        });
        loaded.try_into_list()
    })
}
