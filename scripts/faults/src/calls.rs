//! The system calls that touch files, and the arguments that name the files.

use crate::tracee::Tracee;
use std::path::{Path, PathBuf};

/// How a call names its file.
#[derive(Clone, Copy)]
enum Named {
    /// By the descriptor in this argument.
    Fd(usize),
    /// By the path in this argument.
    Path(usize),
    /// By a folder's descriptor and a path relative to it; an empty path means the descriptor itself.
    At(usize, usize),
}

/// A kind of call.
pub struct Call {
    number: i64,
    /// Name of its manual page.
    pub name: &'static str,
    file: Named,
    /// The new name, for calls that give one.
    other: Option<Named>,
    /// The argument with the number of bytes, for calls that may transfer fewer.
    pub length: Option<usize>,
}

const fn call(number: i64, name: &'static str, file: Named) -> Call {
    Call { number, name, file, other: None, length: None }
}

const fn sized(number: i64, name: &'static str, file: Named, length: usize) -> Call {
    Call { number, name, file, other: None, length: Some(length) }
}

const fn naming(number: i64, name: &'static str, file: Named, other: Named) -> Call {
    Call { number, name, file, other: Some(other), length: None }
}

use Named::{At, Fd, Path as By};

const CALLS: &[Call] = &[
    sized(libc::SYS_read, "read", Fd(0), 2),
    sized(libc::SYS_pread64, "pread64", Fd(0), 2),
    call(libc::SYS_readv, "readv", Fd(0)),
    call(libc::SYS_preadv, "preadv", Fd(0)),
    sized(libc::SYS_write, "write", Fd(0), 2),
    sized(libc::SYS_pwrite64, "pwrite64", Fd(0), 2),
    call(libc::SYS_writev, "writev", Fd(0)),
    call(libc::SYS_pwritev, "pwritev", Fd(0)),
    sized(libc::SYS_copy_file_range, "copy_file_range", Fd(2), 4),
    sized(libc::SYS_sendfile, "sendfile", Fd(0), 3),
    call(libc::SYS_fsync, "fsync", Fd(0)),
    call(libc::SYS_fdatasync, "fdatasync", Fd(0)),
    call(libc::SYS_ftruncate, "ftruncate", Fd(0)),
    call(libc::SYS_fallocate, "fallocate", Fd(0)),
    call(libc::SYS_flock, "flock", Fd(0)),
    call(libc::SYS_lseek, "lseek", Fd(0)),
    call(libc::SYS_fstat, "fstat", Fd(0)),
    call(libc::SYS_fchmod, "fchmod", Fd(0)),
    call(libc::SYS_getdents64, "getdents64", Fd(0)),
    call(libc::SYS_mmap, "mmap", Fd(4)),
    call(libc::SYS_open, "open", By(0)),
    call(libc::SYS_openat, "openat", At(0, 1)),
    call(libc::SYS_openat2, "openat2", At(0, 1)),
    call(libc::SYS_stat, "stat", By(0)),
    call(libc::SYS_lstat, "lstat", By(0)),
    call(libc::SYS_newfstatat, "newfstatat", At(0, 1)),
    call(libc::SYS_statx, "statx", At(0, 1)),
    call(libc::SYS_access, "access", By(0)),
    call(libc::SYS_faccessat, "faccessat", At(0, 1)),
    call(libc::SYS_faccessat2, "faccessat2", At(0, 1)),
    call(libc::SYS_mkdir, "mkdir", By(0)),
    call(libc::SYS_mkdirat, "mkdirat", At(0, 1)),
    call(libc::SYS_rmdir, "rmdir", By(0)),
    call(libc::SYS_unlink, "unlink", By(0)),
    call(libc::SYS_unlinkat, "unlinkat", At(0, 1)),
    naming(libc::SYS_rename, "rename", By(0), By(1)),
    naming(libc::SYS_renameat, "renameat", At(0, 1), At(2, 3)),
    naming(libc::SYS_renameat2, "renameat2", At(0, 1), At(2, 3)),
    naming(libc::SYS_link, "link", By(0), By(1)),
    naming(libc::SYS_linkat, "linkat", At(0, 1), At(2, 3)),
];

/// The call with this number, if it touches files.
pub fn find(number: i64) -> Option<&'static Call> {
    CALLS.iter().find(|call| call.number == number)
}

impl Call {
    /// Path of the file that it touches.
    pub fn file(&self, tracee: &Tracee, args: &[u64; 6]) -> Option<PathBuf> {
        let in_memory_alone = self.number == libc::SYS_mmap && args[3] & libc::MAP_ANONYMOUS as u64 != 0;
        if in_memory_alone { None } else { named(self.file, tracee, args) }
    }

    /// The new name that it gives.
    pub fn other(&self, tracee: &Tracee, args: &[u64; 6]) -> Option<PathBuf> {
        named(self.other?, tracee, args)
    }

    /// The descriptor that it works on.
    pub fn fd(&self, args: &[u64; 6]) -> Option<i32> {
        match self.file {
            Fd(at) => Some(args[at] as i32),
            _ => None,
        }
    }

    /// The flags of a call that opens a file.
    pub fn flags(&self, args: &[u64; 6]) -> Option<i32> {
        match self.number {
            libc::SYS_open => Some(args[1] as i32),
            libc::SYS_openat => Some(args[2] as i32),
            _ => None,
        }
    }

    /// Whether it writes bytes.
    pub fn writes(&self) -> bool {
        matches!(self.name, "write" | "pwrite64" | "writev" | "pwritev" | "copy_file_range" | "sendfile")
    }

    /// The position in the file at which it writes, if the call names one.
    pub fn offset(&self, tracee: &Tracee, args: &[u64; 6]) -> Option<u64> {
        match self.name {
            "pwrite64" | "pwritev" => Some(args[3]),
            "copy_file_range" if args[3] != 0 => tracee.number_at(args[3]),
            _ => None,
        }
    }
}

fn named(how: Named, tracee: &Tracee, args: &[u64; 6]) -> Option<PathBuf> {
    match how {
        Fd(at) => tracee.descriptor(args[at] as i32),
        By(at) => Some(tracee.folder()?.join(tracee.path_at(args[at])?)),
        At(folder, at) => {
            let path = tracee.path_at(args[at])?;
            let folder = match args[folder] as i32 {
                _ if path.is_absolute() => return Some(path),
                libc::AT_FDCWD => tracee.folder()?,
                fd => tracee.descriptor(fd)?,
            };
            Some(if path == Path::new("") { folder } else { folder.join(path) })
        }
    }
}
