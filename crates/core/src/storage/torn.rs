//! Mapped files that have lost bytes: somebody cut them short in place, or the disk failed.
//!
//! Touching a page that the file no longer has raises SIGBUS, which would end the process. Here a handler puts zeros
//! in the place of the lost pages and marks the mapping as torn, so that the code that touched it goes on and ends.
//! Before a call answers, it asks whether a file that it touched is torn ([`watched`]); if so, what it made of the
//! zeros is thrown away.
//!
//! Windows has no such signal: there a mapped file cannot be cut short.

use crate::{Error, Result};
use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicUsize,
    Ordering::{Relaxed, SeqCst},
};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokenbed_memory::List;

/// An entry in the list of mappings. Entries are never freed and stay in the list, because a signal may come at any
/// moment; those of mappings that no longer exist are reused.
#[derive(Debug)]
pub(super) struct Place {
    /// Address of the first byte of the mapping; 0 if the entry is free. It is cleared first and set last. Code that
    /// reads it before and after the end, and finds the same value, knows that the end belongs to it.
    start: AtomicUsize,
    end: AtomicUsize,
    torn: AtomicBool,
    next: AtomicPtr<Place>,
    path: Mutex<PathBuf>,
}

/// The newest entry; the others follow it.
static FIRST: AtomicPtr<Place> = AtomicPtr::new(ptr::null_mut());
/// Number of mappings, and number of torn ones. The handler raises the second.
static MAPPED: AtomicUsize = AtomicUsize::new(0);
static TORN: AtomicUsize = AtomicUsize::new(0);
/// Held while the list is changed. The handler only reads the list.
static CHANGING: Mutex<()> = Mutex::new(());

fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All entries, including free ones.
fn places() -> impl Iterator<Item = &'static Place> {
    // SAFETY: the pointer is null or an entry, and entries are never freed.
    let of = |pointer: &AtomicPtr<Place>| unsafe { pointer.load(SeqCst).as_ref() };
    std::iter::successors(of(&FIRST), move |place| of(&place.next))
}

impl Place {
    /// The addresses of the mapping's start and end, if the entry is in use.
    fn range(&self) -> Option<(usize, usize)> {
        let (start, end) = (self.start.load(SeqCst), self.end.load(SeqCst));
        (start != 0 && self.start.load(SeqCst) == start).then_some((start, end))
    }

    fn holds(&self, address: usize) -> bool {
        self.range().is_some_and(|(start, end)| start <= address && address < end)
    }

    /// Enters a mapping of `len` bytes; `len` must not be 0.
    pub(super) fn take(start: usize, len: usize, path: &Path) -> &'static Self {
        handler::install();
        let _changing = unpoisoned(&CHANGING);
        let place = places().find(|place| place.start.load(SeqCst) == 0).unwrap_or_else(|| {
            let place: &'static Place = Box::leak(Box::new(Place {
                start: AtomicUsize::new(0),
                end: AtomicUsize::new(0),
                torn: AtomicBool::new(false),
                next: AtomicPtr::new(FIRST.load(SeqCst)),
                path: Mutex::default(),
            }));
            FIRST.store(ptr::from_ref(place).cast_mut(), SeqCst);
            place
        });
        *unpoisoned(&place.path) = path.to_path_buf();
        place.end.store(start + len, SeqCst);
        place.start.store(start, SeqCst);
        MAPPED.fetch_add(1, SeqCst);
        place
    }

    /// Frees the entry, before the mapping is removed.
    pub(super) fn give_back(&self) {
        let _changing = unpoisoned(&CHANGING);
        self.start.store(0, SeqCst);
        MAPPED.fetch_sub(1, SeqCst);
        if self.torn.swap(false, SeqCst) {
            TORN.fetch_sub(1, SeqCst);
        }
    }

    /// Marks the mapping as torn.
    fn tear(&self) {
        if !self.torn.swap(true, SeqCst) {
            TORN.fetch_add(1, SeqCst);
        }
    }

    fn error(&self) -> Error {
        let why = "the file was cut short or became unreadable while it was mapped, and its bytes are lost: load it \
                   again, and replace files only by renaming";
        Error::File { path: unpoisoned(&self.path).clone(), action: "read", source: io::Error::other(why) }
    }
}

thread_local! {
    /// The ranges of bytes that the call on this thread reads and writes.
    static TOUCHED: RefCell<Vec<(usize, usize)>> = const { RefCell::new(Vec::new()) };
}

/// Whether the bytes are in a mapped file.
pub fn is_mapped(bytes: &[u8]) -> bool {
    MAPPED.load(SeqCst) > 0 && places().any(|place| place.holds(bytes.as_ptr() as usize))
}

/// Notes that this call is about to read or write these bytes, wherever they are.
///
/// # Errors
/// [`Error::File`] if they are in a mapped file that is torn.
#[inline]
pub fn touch(start: *const u8, len: usize) -> Result<()> {
    if MAPPED.load(Relaxed) == 0 { Ok(()) } else { note(start as usize, len) }
}

#[inline(never)]
fn note(start: usize, len: usize) -> Result<()> {
    if len > 0 {
        TOUCHED.with_borrow_mut(|touched| touched.put((start, len)));
        if TORN.load(SeqCst) > 0 {
            return whole(&[(start, len)]);
        }
    }
    Ok(())
}

/// Checks that no mapped file that this call has touched so far is torn.
///
/// # Errors
/// [`Error::File`] if one is.
pub fn intact() -> Result<()> {
    if TORN.load(SeqCst) == 0 { Ok(()) } else { TOUCHED.with_borrow(|touched| whole(touched)) }
}

#[cold]
fn whole(touched: &[(usize, usize)]) -> Result<()> {
    let torn = |place: &&Place| {
        let meets = |(start, end)| touched.iter().any(|&(from, len)| from < end && start < from + len);
        place.torn.load(SeqCst) && place.range().is_some_and(meets)
    };
    places().find(torn).map_or(Ok(()), |place| Err(place.error()))
}

/// Runs a call. If a mapped file that it touched is torn, the answer is an error, whatever the call made of the
/// zeros.
///
/// # Errors
/// The errors of `run`, and [`Error::File`].
#[inline]
pub fn watched<T, E: From<Error>>(run: impl FnOnce() -> std::result::Result<T, E>) -> std::result::Result<T, E> {
    if MAPPED.load(Relaxed) > 0 {
        TOUCHED.with_borrow_mut(Vec::clear);
    }
    let answer = run();
    if MAPPED.load(Relaxed) == 0 { answer } else { judged(answer) }
}

#[inline(never)]
fn judged<T, E: From<Error>>(answer: std::result::Result<T, E>) -> std::result::Result<T, E> {
    let intact = intact();
    TOUCHED.with_borrow_mut(Vec::clear);
    intact?;
    answer
}

#[cfg(unix)]
mod handler {
    //! The handler of SIGBUS. It does only what is allowed at any moment: it reads atomics and makes system calls.

    use super::places;
    use libc::{c_int, c_void, sigaction, siginfo_t};
    use std::mem::MaybeUninit;
    use std::ptr;
    use std::sync::Once;
    use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

    /// The handler that was there before; null until ours is installed. Never freed.
    static BEFORE: AtomicPtr<sigaction> = AtomicPtr::new(ptr::null_mut());
    /// Size of a page in bytes.
    static PAGE: AtomicUsize = AtomicUsize::new(0);

    /// Installs the handler once in a process, with the first mapping. If the system refuses, the signal ends the
    /// process, as it would have without us.
    pub(super) fn install() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            // SAFETY: this only asks for a number.
            let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
            let mut before = MaybeUninit::<sigaction>::zeroed();
            // SAFETY: the signal exists, and there is room for the answer.
            let asked = unsafe { libc::sigaction(libc::SIGBUS, ptr::null(), before.as_mut_ptr()) };
            let (Ok(page), 0) = (usize::try_from(page), asked) else { return };
            // SAFETY: the call above has filled it in.
            let before = unsafe { before.assume_init() };
            // Keeps what the previous handler asked for: which other signals are blocked meanwhile.
            let mut ours = before;
            ours.sa_sigaction = on_bus_error as *const () as usize;
            ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | (before.sa_flags & libc::SA_NODEFER);
            PAGE.store(page, Ordering::SeqCst);
            BEFORE.store(Box::into_raw(Box::new(before)), Ordering::SeqCst);
            // SAFETY: the handler has the form that the flags say, and does only what a handler may.
            unsafe { libc::sigaction(libc::SIGBUS, &ours, ptr::null_mut()) };
        });
    }

    unsafe extern "C" fn on_bus_error(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
        // SAFETY: the system gives its information to a handler of this form.
        let (address, sent) = unsafe { ((*info).si_addr() as usize, (*info).si_code <= 0) };
        if !sent && mend(address) {
            return;
        }
        // SAFETY: the pointer is null or what `install` left there for good.
        let Some(before) = (unsafe { BEFORE.load(Ordering::SeqCst).as_ref() }) else { return };
        match before.sa_sigaction {
            libc::SIG_IGN if sent => {}
            libc::SIG_DFL | libc::SIG_IGN => {
                // The process ends, as it would have without us: the instruction runs again, or the signal that was
                // sent comes again. SAFETY: a handler may make these system calls.
                unsafe {
                    libc::signal(signal, libc::SIG_DFL);
                    if sent {
                        libc::raise(signal);
                    }
                }
            }
            handler if before.sa_flags & libc::SA_SIGINFO != 0 => {
                // SAFETY: the flags say that the handler has this form.
                let handler: unsafe extern "C" fn(c_int, *mut siginfo_t, *mut c_void) =
                    unsafe { std::mem::transmute(handler) };
                // SAFETY: it gets what the system gave to this handler.
                unsafe { handler(signal, info, context) };
            }
            handler => {
                // SAFETY: the flags say that the handler has the other form.
                let handler: unsafe extern "C" fn(c_int) = unsafe { std::mem::transmute(handler) };
                // SAFETY: as above.
                unsafe { handler(signal) };
            }
        }
    }

    /// Puts zeros in the place of the lost pages, from the page of `address` to the end of its mapping, and returns
    /// whether the mapping is one of ours. The mapping exists, because whoever touched the address holds it.
    fn mend(address: usize) -> bool {
        let Some((place, (_, end))) =
            places().filter(|place| place.holds(address)).find_map(|place| Some((place, place.range()?)))
        else {
            return false;
        };
        place.tear();
        let page = PAGE.load(Ordering::SeqCst).max(1);
        let start = address / page * page;
        let (access, kind) = (
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_FIXED | libc::MAP_NORESERVE,
        );
        // SAFETY: the range runs from a page of the mapping to its end, so no other memory is there.
        unsafe { libc::mmap(start as *mut c_void, end - start, access, kind, -1, 0) != libc::MAP_FAILED }
    }
}

#[cfg(not(unix))]
mod handler {
    pub(super) fn install() {}
}
