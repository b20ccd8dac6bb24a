//! Failures cross the border as a status and a few fields; panics never cross it.

use napi::bindgen_prelude::AsyncTask;
use napi::{Env, Task};
use napi_derive::napi;
use std::cell::RefCell;
use tokenbed_core::Error;
use tokenbed_core::storage::watched;
use tokenbed_nn::token_position::Side;
use tokenbed_text::panics::{self, Ended};

/// Why the last call of this thread failed. TypeScript makes the typed error from it.
#[napi(object)]
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// `core::Error::code`, or `INTERNAL` for a panic.
    pub code: String,
    pub message: String,
    /// For a bad id: its place counted over all ids, the id in decimal, the number of rows, and the number of bad ids.
    /// For memory that could not be allocated: the number of bytes.
    pub flat: Option<f64>,
    pub value: Option<String>,
    pub rows: Option<f64>,
    pub count: Option<f64>,
    /// The kind of a bad id that is not a token: a position or a segment.
    pub what: Option<String>,
    /// The number of the feature that is at fault, if a call reads several.
    pub feature: Option<f64>,
    /// The path of the file that is at fault.
    pub path: Option<String>,
    pub offset: Option<f64>,
    /// Whether the bytes at fault are not valid UTF-8, and could be replaced.
    pub invalid_utf8: Option<bool>,
    /// The special token that occurs in a text and is not allowed.
    pub special_token: Option<String>,
    /// The environment variable whose value cannot be used.
    pub setting: Option<String>,
    /// The system's error: its message and, if known, its number.
    pub cause: Option<String>,
    pub errno: Option<i32>,
}

/// A failure on its way to the caller. It is boxed so that successful results stay small.
#[derive(Clone, Debug)]
pub struct Failure(Box<Report>);

impl Failure {
    /// A failure for a bad id that is a target of cross-entropy.
    pub(crate) fn of_target(error: Error) -> Self {
        let mut failure = Failure::from(error);
        failure.0.what = Some("target".into());
        failure
    }

    /// A failure for a bad index into a dimension.
    pub(crate) fn of_index(error: Error) -> Self {
        let mut failure = Failure::from(error);
        failure.0.what = Some("index".into());
        failure
    }

    /// Adds the number of the feature that is at fault.
    pub(crate) fn of_feature(mut self, number: usize) -> Self {
        self.0.feature = Some(number as f64);
        self
    }

    /// Adds the special token that is not allowed where it occurs.
    pub(crate) fn of_special_token(mut self, token: String) -> Self {
        self.0.special_token = Some(token);
        self
    }

    /// Adds the environment variable whose value cannot be used.
    pub(crate) fn of_setting(mut self, variable: &str) -> Self {
        self.0.setting = Some(variable.into());
        self
    }

    /// The failure of work that an AbortSignal stopped.
    pub(crate) fn aborted() -> Self {
        Failure(Box::new(Report { code: "ABORTED".into(), message: "aborted".into(), ..Report::default() }))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let mut report = Report { code: error.code().into(), message: error.to_string(), ..Report::default() };
        match error {
            Error::TokenIndex { flat, value, rows, count } => {
                report.flat = Some(flat as f64);
                report.value = Some(value.to_string());
                report.rows = Some(rows as f64);
                report.count = Some(count as f64);
            }
            Error::Memory { bytes, .. } => report.count = Some(bytes as f64),
            Error::Format { path, offset, .. } => {
                report.path = Some(path.display().to_string());
                report.offset = Some(offset as f64);
            }
            Error::InvalidUtf8 { path, offset, .. } => {
                report.path = Some(path.display().to_string());
                report.offset = Some(offset as f64);
                report.invalid_utf8 = Some(true);
            }
            Error::File { path, source, .. } => {
                report.path = Some(path.display().to_string());
                report.cause = Some(source.to_string());
                report.errno = source.raw_os_error();
            }
            _ => {}
        }
        Failure(Box::new(report))
    }
}

impl From<(Side, Error)> for Failure {
    fn from((side, error): (Side, Error)) -> Self {
        let mut failure = Failure::from(error);
        failure.0.what = match side {
            Side::Token => None,
            Side::Position => Some("position".into()),
            Side::Segment => Some("segment".into()),
        };
        failure
    }
}

impl From<napi::Error> for Failure {
    fn from(error: napi::Error) -> Self {
        internal(error.to_string())
    }
}

impl From<Failure> for Report {
    fn from(failure: Failure) -> Self {
        *failure.0
    }
}

fn internal(message: String) -> Failure {
    Failure(Box::new(Report { code: "INTERNAL".into(), message, ..Report::default() }))
}

thread_local! {
    static LAST: RefCell<Option<Report>> = const { RefCell::new(None) };
}

/// Runs work and returns any failure as its result, as is needed on another thread. Panics become failures, and so does
/// the unwinding that follows a failed allocation.
pub(crate) fn caught<T>(run: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    // A panic may leave the caller's output half written; the caller learns from the failure not to use it.
    match panics::ended(|| watched(run)) {
        Ok(result) => result,
        Err(Ended::Panic(message)) => Err(internal(message)),
        Err(Ended::OutOfMemory(refused)) => Err(Error::from(refused).into()),
    }
}

/// Runs an export. If it fails or panics, the failure is kept for `takeFailure` and the result is None.
pub(crate) fn guard<T>(run: impl FnOnce() -> Result<T, Failure>) -> Option<T> {
    caught(run).map_err(|failure| LAST.with(|last| *last.borrow_mut() = Some(*failure.0))).ok()
}

/// Runs an export that only returns a status; true means success. Otherwise as [`guard`].
pub(crate) fn status(run: impl FnOnce() -> Result<(), Failure>) -> bool {
    guard(run).is_some()
}

/// Takes the failure of this thread's last call; a second call returns nothing.
#[napi(catch_unwind)]
pub fn take_failure() -> Option<Report> {
    LAST.with(|last| last.borrow_mut().take())
}

/// Panics as a bug would. A test calls it to check that a panic does not end the process.
#[napi(catch_unwind)]
pub fn panic_on_purpose() -> bool {
    #[allow(clippy::panic, reason = "its purpose")]
    status(|| panic!("on purpose"))
}

/// A panic on another thread.
pub struct Panic;

#[napi]
impl Task for Panic {
    type Output = Result<(), Failure>;
    type JsValue = Option<Report>;

    #[allow(clippy::panic, reason = "its purpose")]
    fn compute(&mut self) -> napi::Result<Self::Output> {
        Ok(caught(|| panic!("on purpose, elsewhere")))
    }

    fn resolve(&mut self, _: Env, output: Self::Output) -> napi::Result<Self::JsValue> {
        Ok(output.err().map(Report::from))
    }
}

/// Does the same as [`panic_on_purpose`], on another thread while JavaScript continues.
#[napi(catch_unwind)]
pub fn panic_elsewhere() -> AsyncTask<Panic> {
    AsyncTask::new(Panic)
}
