//! A thread of the watched program, stopped at a call: its memory, its descriptors, its registers.

use std::ffi::{OsString, c_void};
use std::io;
use std::mem::{MaybeUninit, offset_of};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::ptr::null_mut;

/// A thread, by its number.
#[derive(Clone, Copy)]
pub struct Tracee(pub i32);

/// Why a thread has stopped.
pub enum Stop {
    /// Before a call with this number and these arguments.
    Entry(i64, [u64; 6]),
    /// After a call with this result.
    Exit(i64),
    /// For another reason.
    Other,
}

/// A register, as an offset in the struct of all registers.
#[derive(Clone, Copy)]
pub struct Register(usize);

/// The register with the number of the call.
pub const CALL: Register = Register(offset_of!(libc::user_regs_struct, orig_rax));
/// The register with the result of the call.
pub const RESULT: Register = Register(offset_of!(libc::user_regs_struct, rax));
/// The registers with the arguments.
pub const ARGUMENTS: [Register; 6] = [
    Register(offset_of!(libc::user_regs_struct, rdi)),
    Register(offset_of!(libc::user_regs_struct, rsi)),
    Register(offset_of!(libc::user_regs_struct, rdx)),
    Register(offset_of!(libc::user_regs_struct, r10)),
    Register(offset_of!(libc::user_regs_struct, r8)),
    Register(offset_of!(libc::user_regs_struct, r9)),
];

/// The request for information about a stop.
const GET_SYSCALL_INFO: libc::c_uint = 0x420e;
const PAGE: u64 = 4096;

/// Lets the parent watch this process from the next program that it starts.
///
/// # Errors
/// The system's error.
pub fn be_watched() -> io::Result<()> {
    ptrace(libc::PTRACE_TRACEME, 0, null_mut(), null_mut())
}

fn ptrace(request: libc::c_uint, thread: i32, address: *mut c_void, data: *mut c_void) -> io::Result<()> {
    // SAFETY: of the requests that are made here, only GET_SYSCALL_INFO writes to our memory, to a struct whose size
    // it is told. The others take data by value, and change another process.
    match unsafe { libc::ptrace(request, thread, address, data) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

impl Tracee {
    /// Makes the thread, and all threads and processes that it starts, stop at every call, and die with the watcher.
    pub fn set_options(self) -> io::Result<()> {
        let options = libc::PTRACE_O_TRACESYSGOOD
            | libc::PTRACE_O_TRACECLONE
            | libc::PTRACE_O_TRACEFORK
            | libc::PTRACE_O_TRACEVFORK
            | libc::PTRACE_O_TRACEEXEC
            | libc::PTRACE_O_EXITKILL;
        ptrace(libc::PTRACE_SETOPTIONS, self.0, null_mut(), options as usize as *mut c_void)
    }

    /// Continues to the next call, delivering the signal that it was stopped for. A thread that has ended meanwhile
    /// is not an error.
    pub fn go_on(self, signal: i32) {
        let _gone = ptrace(libc::PTRACE_SYSCALL, self.0, null_mut(), signal as usize as *mut c_void);
    }

    /// Why the thread has stopped.
    pub fn stop(self) -> Stop {
        let mut info = MaybeUninit::<libc::ptrace_syscall_info>::zeroed();
        let size = size_of::<libc::ptrace_syscall_info>() as *mut c_void;
        if ptrace(GET_SYSCALL_INFO, self.0, size, info.as_mut_ptr().cast()).is_err() {
            return Stop::Other;
        }
        // SAFETY: all zeros are a valid value, and the system wrote over some of them.
        let info = unsafe { info.assume_init() };
        match info.op {
            libc::PTRACE_SYSCALL_INFO_ENTRY => {
                // SAFETY: `op` says that the union holds an entry.
                let entry = unsafe { info.u.entry };
                Stop::Entry(entry.nr as i64, entry.args)
            }
            // SAFETY: `op` says that the union holds an exit.
            libc::PTRACE_SYSCALL_INFO_EXIT => Stop::Exit(unsafe { info.u.exit }.sval),
            _ => Stop::Other,
        }
    }

    /// Writes a register.
    pub fn set(self, Register(at): Register, value: u64) {
        let _gone = ptrace(libc::PTRACE_POKEUSER, self.0, at as *mut c_void, value as *mut c_void);
    }

    /// Kills its process.
    pub fn kill(self) {
        // SAFETY: the call takes only numbers.
        unsafe { libc::kill(self.0, libc::SIGKILL) };
    }

    /// The path at an address.
    pub fn path_at(self, address: u64) -> Option<PathBuf> {
        let mut bytes = Vec::new();
        let mut at = address;
        while bytes.len() < libc::PATH_MAX as usize {
            // Reads up to the end of a page, because the next one may not exist.
            let mut part = vec![0; (PAGE - at % PAGE) as usize];
            let read = self.read(at, &mut part)?;
            if let Some(end) = part[..read].iter().position(|&byte| byte == 0) {
                bytes.extend_from_slice(&part[..end]);
                return Some(OsString::from_vec(bytes).into());
            }
            bytes.extend_from_slice(&part[..read]);
            at += read as u64;
        }
        None
    }

    /// The number of eight bytes at an address.
    pub fn number_at(self, address: u64) -> Option<u64> {
        let mut bytes = [0; 8];
        (self.read(address, &mut bytes)? == 8).then(|| u64::from_le_bytes(bytes))
    }

    fn read(self, address: u64, into: &mut [u8]) -> Option<usize> {
        let local = libc::iovec { iov_base: into.as_mut_ptr().cast(), iov_len: into.len() };
        let remote = libc::iovec { iov_base: address as *mut c_void, iov_len: into.len() };
        // SAFETY: it writes into `into`, at most its length.
        let read = unsafe { libc::process_vm_readv(self.0, &local, 1, &remote, 1, 0) };
        usize::try_from(read).ok().filter(|&read| read > 0)
    }

    /// Path of a descriptor in /proc, where it can be opened.
    pub fn proc(self, fd: i32) -> PathBuf {
        format!("/proc/{}/fd/{fd}", self.0).into()
    }

    /// Path of a descriptor's file, as the system names it.
    pub fn descriptor(self, fd: i32) -> Option<PathBuf> {
        if fd < 0 { None } else { std::fs::read_link(self.proc(fd)).ok() }
    }

    /// Inode number of a descriptor's file.
    pub fn inode(self, fd: i32) -> Option<u64> {
        Some(std::fs::metadata(self.proc(fd)).ok()?.ino())
    }

    /// Position of the next read or write of a descriptor.
    pub fn position(self, fd: i32) -> Option<u64> {
        let text = std::fs::read_to_string(format!("/proc/{}/fdinfo/{fd}", self.0)).ok()?;
        text.strip_prefix("pos:")?.lines().next()?.trim().parse().ok()
    }

    /// The current folder.
    pub fn folder(self) -> Option<PathBuf> {
        std::fs::read_link(format!("/proc/{}/cwd", self.0)).ok()
    }
}
