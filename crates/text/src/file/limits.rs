//! Limits of what a tokenizer's file may cost, so that a file from a stranger costs no more.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// How much a file may make of a text. Tokenizers in use stay far below.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Number of bytes that a byte of text may become by normalizing, pre-tokenizing or decoding, beyond 64 KB in
    /// all.
    pub growth: usize,
    /// Number of backtracking steps that a pattern may take for one match.
    pub pattern_steps: usize,
    /// Seconds of processor time for a megabyte of text. A text shorter than a tenth of a megabyte has the time of a
    /// tenth.
    pub seconds_per_megabyte: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { growth: 40, pattern_steps: 1_000_000, seconds_per_megabyte: 20.0 }
    }
}

/// Number of bytes that every text may become, however short.
const FREE: usize = 64 << 10;

impl Limits {
    /// Largest number of bytes that a text of `text` bytes may become.
    pub(crate) fn most_bytes(&self, text: usize) -> usize {
        text.saturating_mul(self.growth).saturating_add(FREE)
    }

    /// The budget for a text of `text` bytes.
    pub(crate) fn budget(&self, text: usize) -> Budget {
        let seconds = self.seconds_per_megabyte * (text as f64 / 1e6).max(0.1);
        Budget {
            bytes: self.most_bytes(text),
            time: Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX),
            began: Cell::new((text > SHORT_STEP).then(Instant::now)),
            busy: Cell::new(None),
            unread: Cell::new(0),
        }
    }

    /// The message for a part of the file that makes too much of a text.
    pub(crate) fn grows(&self) -> String {
        format!(
            "it makes more than {} bytes of each byte of a text, the limit maxGrowth: give a larger one if this is meant",
            self.growth
        )
    }

    pub(crate) fn slow(&self) -> String {
        format!(
            "a text takes it more than {} seconds a megabyte, the limit maxSecondsPerMegabyte: give a larger one if this is meant",
            self.seconds_per_megabyte
        )
    }

    pub(crate) fn backtracks(&self) -> String {
        format!(
            "its pattern goes more than {} steps back for one match, the limit maxPatternSteps: give a larger one if this is meant",
            self.pattern_steps
        )
    }
}

/// The budget for one text.
pub(crate) struct Budget {
    /// Number of bytes that it may become.
    pub(crate) bytes: usize,
    time: Duration,
    /// When the work began. For a text that is soon done the clock is not read before somebody asks.
    began: Cell<Option<Instant>>,
    /// Processor time of this thread when it was first asked for.
    busy: Cell<Option<Duration>>,
    /// What was done in short steps since the clock was read, in bytes.
    unread: Cell<usize>,
}

/// The processor time is not asked for before this has passed, because that takes longer than reading a clock.
const SHORT: Duration = Duration::from_millis(50);

/// A step over fewer bytes is done sooner than a clock is read twice.
const SHORT_STEP: usize = 4 << 10;

/// What the shortest step counts as.
const LEAST_STEP: usize = 64;

impl Budget {
    /// Whether the time is spent, after a step over `bytes` bytes whose time is linear in them.
    pub(crate) fn is_spent_by(&self, bytes: usize) -> bool {
        bytes > SHORT_STEP && self.is_spent()
    }

    /// The same for steps of which there may be one for each few bytes of a text: the clock is read now and then.
    pub(crate) fn is_spent_by_steps(&self, bytes: usize) -> bool {
        let unread = self.unread.get().saturating_add(bytes.max(LEAST_STEP));
        let reads = unread > SHORT_STEP;
        self.unread.set(if reads { 0 } else { unread });
        reads && self.is_spent()
    }

    /// Whether the time is spent. It is processor time, so that other work on the machine does not count.
    pub(crate) fn is_spent(&self) -> bool {
        let began = self.began.get().unwrap_or_else(Instant::now);
        self.began.set(Some(began));
        let passed = began.elapsed();
        if passed < SHORT {
            return false;
        }
        let now = worked().unwrap_or(passed);
        match self.busy.get() {
            Some(before) => now.saturating_sub(before) > self.time,
            None => {
                self.busy.set(Some(now));
                false
            }
        }
    }
}

/// Processor time of this thread; `None` if the system does not tell.
#[cfg(unix)]
fn worked() -> Option<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Some(Duration::new(time.tv_sec.try_into().ok()?, time.tv_nsec.try_into().ok()?))
}

#[cfg(not(unix))]
fn worked() -> Option<Duration> {
    None
}
