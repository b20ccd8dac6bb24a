//! What happens at which call. The program itself decides it, by asking whether a file exists whose path begins with
//! `/.faults/`:
//!
//! | path | effect from then on |
//! |---|---|
//! | `/.faults/watch/folder` | calls count that touch this folder or its content |
//! | `/.faults/log/file` | calls are written to this file, a line each |
//! | `/.faults/data/file` | the same, with the bytes that are written |
//! | `/.faults/fail/NAME/N/ERROR/TIMES` | from the Nth call of this name on, TIMES calls fail with this error number |
//! | `/.faults/short/NAME/N/BYTES/TIMES` | it reads or writes at most this many bytes |
//! | `/.faults/kill/N` | the process is killed before the Nth call of any name |
//! | `/.faults/off` | nothing happens any more, and nothing is written down |
//!
//! Each of them starts a new count. The line of a call has, separated by tabs: name, file, new name, result, what was
//! done to it (`failed`, `short` or nothing), number of the file, position of the written bytes, those bytes, flags.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// What happens to a call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It runs as usual.
    Done,
    /// It fails with this error and does nothing.
    Failed(i32),
    /// It transfers at most this many bytes.
    Short(u64),
    /// Its process is killed before it.
    Killed,
}

enum Aim {
    Nothing,
    /// Applies to calls of this name, from the `nth` on, `times` times.
    At {
        name: String,
        nth: u64,
        times: u64,
        fate: Fate,
    },
    /// Applies to any call.
    Kill {
        nth: u64,
    },
}

/// The current plan.
pub struct Plan {
    folder: Option<PathBuf>,
    aim: Aim,
    seen: HashMap<&'static str, u64>,
    all: u64,
    log: Option<BufWriter<File>>,
    /// Whether bytes are written down, too.
    pub with_data: bool,
}

const COMMANDS: &str = "/.faults/";

impl Plan {
    /// A plan that watches nothing.
    pub fn new() -> Self {
        Self { folder: None, aim: Aim::Nothing, seen: HashMap::new(), all: 0, log: None, with_data: false }
    }

    /// Whether anything is watched.
    pub fn is_watching(&self) -> bool {
        self.folder.is_some()
    }

    /// Carries out a path that is a command, and returns whether it is one.
    pub fn obey(&mut self, path: &Path) -> bool {
        let Some(command) = path.to_str().and_then(|path| path.strip_prefix(COMMANDS)) else { return false };
        if self.take(command).is_none() {
            eprintln!("faults: {command} is no command");
        }
        true
    }

    fn take(&mut self, command: &str) -> Option<()> {
        self.seen.clear();
        self.all = 0;
        self.aim = Aim::Nothing;
        let (verb, rest) = command.split_once('/').unwrap_or((command, ""));
        let mut parts = rest.split('/');
        let number = |parts: &mut std::str::Split<'_, char>| parts.next()?.parse::<u64>().ok();
        match verb {
            "watch" => self.folder = Some(Path::new("/").join(rest)),
            "log" | "data" => {
                self.log = Some(BufWriter::new(File::create(Path::new("/").join(rest)).ok()?));
                self.with_data = verb == "data";
            }
            "fail" | "short" => {
                let name = parts.next()?.to_owned();
                let (nth, value, times) = (number(&mut parts)?, number(&mut parts)?, number(&mut parts)?);
                let fate = if verb == "fail" { Fate::Failed(value as i32) } else { Fate::Short(value) };
                self.aim = Aim::At { name, nth, times, fate };
            }
            "kill" => self.aim = Aim::Kill { nth: number(&mut parts)? },
            "off" => {
                self.folder = None;
                // Dropping the log writes what it holds.
                self.log = None;
            }
            _ => return None,
        }
        Some(())
    }

    /// Whether a file is watched.
    pub fn watches(&self, path: &Path) -> bool {
        self.folder.as_deref().is_some_and(|folder| path.starts_with(folder))
    }

    /// Counts a call, and decides what happens to it.
    pub fn fate(&mut self, called: &'static str) -> Fate {
        self.all += 1;
        let seen = self.seen.entry(called).or_default();
        *seen += 1;
        match &self.aim {
            Aim::At { name, nth, times, fate }
                if name == called && (*nth..nth.saturating_add(*times)).contains(seen) =>
            {
                *fate
            }
            Aim::Kill { nth } if self.all == *nth => Fate::Killed,
            _ => Fate::Done,
        }
    }

    /// Writes a line.
    pub fn write_down(&mut self, line: &str) {
        if let Some(log) = &mut self.log {
            // The log may be read at once, even if the process is killed.
            if writeln!(log, "{line}").and_then(|()| log.flush()).is_err() {
                eprintln!("faults: the log cannot be written");
            }
        }
    }

    /// Whether lines are kept.
    pub fn is_logging(&self) -> bool {
        self.log.is_some()
    }
}
