//! What a tokenizer's file may ask for: a file from a stranger costs no more than is written here.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// How much a file may make of a text. The tokenizers that are in use stay far below.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Bytes that a byte of text may become by normalizing, pre-tokenizing or decoding; 64 KB of them are free.
    pub growth: usize,
    /// Steps back that a pattern may take for one match.
    pub pattern_steps: usize,
    /// Seconds of the processor for a megabyte of text, or for what a tenth of one would take where it is shorter.
    pub seconds_per_megabyte: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { growth: 40, pattern_steps: 1_000_000, seconds_per_megabyte: 20.0 }
    }
}

/// Bytes that any text may become.
const FREE: usize = 64 << 10;

impl Limits {
    /// Bytes that a text of so many may become.
    pub(crate) fn most_bytes(&self, text: usize) -> usize {
        text.saturating_mul(self.growth).saturating_add(FREE)
    }

    /// What may be spent on a text of so many bytes.
    pub(super) fn budget(&self, text: usize) -> Budget {
        let seconds = self.seconds_per_megabyte * (text as f64 / 1e6).max(0.1);
        Budget {
            bytes: self.most_bytes(text),
            time: Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX),
            began: Instant::now(),
            busy: Cell::new(None),
        }
    }

    /// That a part of the file makes too much of a text.
    pub(crate) fn grows(&self) -> String {
        format!(
            "it makes more than {} bytes of each byte of a text, the limit maxGrowth: give a larger one if this is meant",
            self.growth
        )
    }

    pub(super) fn slow(&self) -> String {
        format!(
            "a text takes it more than {} seconds a megabyte, the limit maxSecondsPerMegabyte: give a larger one if this is meant",
            self.seconds_per_megabyte
        )
    }

    pub(super) fn backtracks(&self) -> String {
        format!(
            "its pattern goes more than {} steps back for one match, the limit maxPatternSteps: give a larger one if this is meant",
            self.pattern_steps
        )
    }
}

/// What is left for one text.
pub(super) struct Budget {
    /// Bytes that it may become.
    pub(super) bytes: usize,
    time: Duration,
    began: Instant,
    /// How long this thread had worked when time began to matter.
    busy: Cell<Option<Duration>>,
}

/// Up to here nobody asks the processor how long it worked, which takes longer than looking at a clock.
const SHORT: Duration = Duration::from_millis(50);

impl Budget {
    /// Whether its time is spent: that of the processor, so that other work on the machine does not count.
    pub(super) fn is_spent(&self) -> bool {
        let passed = self.began.elapsed();
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

/// How long the processor worked for this thread; nothing where the system does not say.
#[cfg(unix)]
fn worked() -> Option<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Some(Duration::new(time.tv_sec.try_into().ok()?, time.tv_nsec.try_into().ok()?))
}

#[cfg(not(unix))]
fn worked() -> Option<Duration> {
    None
}
