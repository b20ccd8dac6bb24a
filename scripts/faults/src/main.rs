//! Runs a program and makes its system calls fail: `tokenbed-faults node script.js`.
//!
//! All calls of the program are intercepted, whether Node, Rust's library or other code makes them. The program
//! itself says what happens to them ([`plan`]).

mod calls;
mod plan;
mod tracee;

use calls::Call;
use plan::{Fate, Plan};
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use tracee::{ARGUMENTS, CALL, RESULT, Stop, Tracee, be_watched};

/// A call that was let through and has not returned yet.
struct Begun {
    call: &'static Call,
    args: [u64; 6],
    file: PathBuf,
    other: Option<PathBuf>,
    fate: Fate,
    /// The position at which it writes.
    at: Option<u64>,
    /// Whether it opens a file that existed before.
    existed: bool,
}

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let Some(program) = args.next() else {
        eprintln!("usage: tokenbed-faults program [arguments]");
        return ExitCode::from(2);
    };
    let mut command = Command::new(program);
    command.args(args);
    // SAFETY: only one system call runs between fork and exec.
    unsafe { command.pre_exec(be_watched) };
    match command.spawn() {
        Ok(child) => watch(child.id() as i32),
        Err(error) => {
            eprintln!("faults: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Watches until the first process ends, and returns how it ended.
fn watch(first: i32) -> ExitCode {
    let mut plan = Plan::new();
    let mut begun = HashMap::new();
    let mut known = HashSet::new();
    loop {
        let mut status = 0;
        // SAFETY: the call only writes a number to `status`.
        let thread = unsafe { libc::waitpid(-1, &mut status, libc::__WALL) };
        if thread < 0 {
            return ExitCode::FAILURE;
        }
        if libc::WIFEXITED(status) || libc::WIFSIGNALED(status) {
            begun.remove(&thread);
            known.remove(&thread);
            if thread != first {
                continue;
            }
            if libc::WIFEXITED(status) {
                return ExitCode::from(libc::WEXITSTATUS(status) as u8);
            }
            return ExitCode::from(128 + libc::WTERMSIG(status) as u8);
        }
        let tracee = Tracee(thread);
        let is_new = known.insert(thread);
        if is_new
            && thread == first
            && let Err(error) = tracee.set_options()
        {
            eprintln!("faults: the program cannot be watched: {error}");
            tracee.kill();
        }
        let signal = libc::WSTOPSIG(status);
        let is_event = status >> 16 != 0;
        match signal {
            _ if signal == libc::SIGTRAP | 0x80 => {
                at_call(&mut plan, &mut begun, tracee);
                tracee.go_on(0);
            }
            // A new thread or process stops once, and so does one that starts a program.
            libc::SIGSTOP if is_new => tracee.go_on(0),
            libc::SIGTRAP if is_event || is_new => tracee.go_on(0),
            _ if is_event => tracee.go_on(0),
            _ => tracee.go_on(signal),
        }
    }
}

fn at_call(plan: &mut Plan, begun: &mut HashMap<i32, Begun>, tracee: Tracee) {
    match tracee.stop() {
        Stop::Entry(number, args) => {
            begun.remove(&tracee.0);
            let Some(call) = calls::find(number) else { return };
            if let Some(one) = enter(plan, tracee, call, args) {
                begun.insert(tracee.0, one);
            }
        }
        Stop::Exit(result) => {
            if let Some(one) = begun.remove(&tracee.0) {
                leave(plan, tracee, &one, result);
            }
        }
        Stop::Other => {}
    }
}

fn enter(plan: &mut Plan, tracee: Tracee, call: &'static Call, args: [u64; 6]) -> Option<Begun> {
    let is_question = call.name.contains("access");
    if !is_question && !plan.is_watching() {
        return None;
    }
    let file = call.file(&tracee, &args)?;
    if is_question && plan.obey(&file) {
        return None;
    }
    let other = call.other(&tracee, &args);
    if !plan.watches(&file) && !other.as_deref().is_some_and(|other| plan.watches(other)) {
        return None;
    }
    let fate = plan.fate(call.name);
    match fate {
        // No call has this number, so the system does nothing.
        Fate::Failed(_) => tracee.set(CALL, u64::MAX),
        Fate::Short(bytes) => {
            if let Some(length) = call.length {
                tracee.set(ARGUMENTS[length], args[length].min(bytes));
            }
        }
        Fate::Killed => tracee.kill(),
        Fate::Done => {}
    }
    let at =
        if call.writes() { call.offset(&tracee, &args).or_else(|| tracee.position(call.fd(&args)?)) } else { None };
    let existed = file.symlink_metadata().is_ok();
    Some(Begun { call, args, file, other, fate, at, existed })
}

fn leave(plan: &mut Plan, tracee: Tracee, one: &Begun, result: i64) {
    let Begun { call, args, fate, .. } = one;
    let mut result = result;
    let mut done = "";
    match fate {
        Fate::Failed(error) => {
            result = -i64::from(*error);
            tracee.set(RESULT, result as u64);
            done = "failed";
        }
        Fate::Short(_) => {
            done = "short";
            if let Some(length) = call.length {
                // A call changes no register except that of its result, and its caller relies on that.
                tracee.set(ARGUMENTS[length], args[length]);
            }
        }
        Fate::Done | Fate::Killed => {}
    }
    if plan.is_logging() {
        let line = line(plan.with_data, tracee, one, result, done);
        plan.write_down(&line);
    }
}

fn line(with_data: bool, tracee: Tracee, one: &Begun, result: i64, done: &str) -> String {
    let Begun { call, args, file, other, at, existed, .. } = one;
    let flags = call.flags(args);
    let inode = match (flags, other, call.fd(args)) {
        (Some(_), ..) if result >= 0 => tracee.inode(result as i32),
        (_, Some(other), _) => other.symlink_metadata().ok().map(|found| found.ino()),
        (_, _, Some(fd)) => tracee.inode(fd),
        _ => None,
    };
    let show = |number: Option<u64>| number.map_or(String::new(), |number| number.to_string());
    let other = other.as_deref().map_or(String::new(), |other| other.display().to_string());
    let data = if with_data { written(tracee, one, result).unwrap_or_default() } else { String::new() };
    let opened = flags.map_or(String::new(), |flags| {
        let set = |flag, name| if flags & flag == flag { name } else { "" };
        let made = if *existed { "" } else { "made " };
        [made, set(libc::O_TMPFILE, "unnamed "), set(libc::O_TRUNC, "emptied ")].concat()
    });
    let size = if call.name == "ftruncate" { Some(args[1]) } else { *at };
    format!(
        "{}\t{}\t{other}\t{result}\t{done}\t{}\t{}\t{data}\t{opened}",
        call.name,
        file.display(),
        show(inode),
        show(size)
    )
}

/// The bytes that a call has written, read back from the file.
fn written(tracee: Tracee, one: &Begun, result: i64) -> Option<String> {
    let at = one.at?;
    let file = File::open(tracee.proc(one.call.fd(&one.args)?)).ok()?;
    let mut bytes = vec![0; usize::try_from(result).ok()?];
    file.read_exact_at(&mut bytes, at).ok()?;
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        write!(text, "{byte:02x}").ok()?;
    }
    Some(text)
}
