//! Mapped files whose bytes went away: cut short in place by somebody, or on a disk that fails.
//!
//! Touching a page that the file no longer has raises SIGBUS, which ends a process. Here a handler puts zeros in the place
//! of what is lost and marks the mapping as torn, so that whoever touched it goes on and ends; what it made of the zeros
//! is thrown away, as every call asks, before it answers, whether a file that it read from is torn ([`watched`]).
//!
//! Windows has no such signal: there a file that is mapped cannot be cut short.

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

/// A place of the list of mappings. Places are never freed and stay in the list, as a signal may come at any moment; those
/// of mappings that are gone are taken again.
#[derive(Debug)]
pub(super) struct Place {
    /// The first byte of the mapping; 0 where the place is free. Cleared first and set last, so that who reads it twice,
    /// before the end and after, and finds the same knows that the end belongs to it.
    start: AtomicUsize,
    end: AtomicUsize,
    torn: AtomicBool,
    next: AtomicPtr<Place>,
    path: Mutex<PathBuf>,
}

/// The newest place; the others follow it.
static FIRST: AtomicPtr<Place> = AtomicPtr::new(ptr::null_mut());
/// Mappings there are, and how many of them are torn. The second is raised by the handler.
static MAPPED: AtomicUsize = AtomicUsize::new(0);
static TORN: AtomicUsize = AtomicUsize::new(0);
/// Held by who changes the list; the handler only reads it.
static CHANGING: Mutex<()> = Mutex::new(());

fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All places, free ones too.
fn places() -> impl Iterator<Item = &'static Place> {
    // SAFETY: null, or a place, which is never freed.
    let of = |pointer: &AtomicPtr<Place>| unsafe { pointer.load(SeqCst).as_ref() };
    std::iter::successors(of(&FIRST), move |place| of(&place.next))
}

impl Place {
    /// Whether the mapping has a byte of these.
    fn range(&self) -> Option<(usize, usize)> {
        let (start, end) = (self.start.load(SeqCst), self.end.load(SeqCst));
        (start != 0 && self.start.load(SeqCst) == start).then_some((start, end))
    }

    fn holds(&self, address: usize) -> bool {
        self.range().is_some_and(|(start, end)| start <= address && address < end)
    }

    /// Enters a mapping of `len` bytes, more than none.
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

    /// The mapping is about to go.
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
        let why = "the file was cut short, or could not be read any more, while it was mapped: its bytes are lost. Replace \
                   files by renaming, and load it again";
        Error::File { path: unpoisoned(&self.path).clone(), action: "read", source: io::Error::other(why) }
    }
}

thread_local! {
    /// What the call on this thread reads and writes of mapped files.
    static TOUCHED: RefCell<Vec<(usize, usize)>> = const { RefCell::new(Vec::new()) };
}

/// Whether bytes are a mapped file's.
pub fn is_mapped(bytes: &[u8]) -> bool {
    MAPPED.load(SeqCst) > 0 && places().any(|place| place.holds(bytes.as_ptr() as usize))
}

/// Notes that this call is about to read or write bytes, wherever they are.
///
/// # Errors
/// [`Error::File`] where they are of a mapped file that is torn.
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

/// Whether all that this call has touched so far is whole.
///
/// # Errors
/// [`Error::File`] where some of it is of a mapped file that is torn.
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

/// Runs a call, whose answer is an error where a mapped file that it touched is torn, whatever it made of the zeros.
///
/// # Errors
/// Those of `run`, and [`Error::File`].
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
    //! The handler of SIGBUS. What it does is allowed at any moment: it reads atomics and calls the system.

    use super::places;
    use libc::{c_int, c_void, sigaction, siginfo_t};
    use std::mem::MaybeUninit;
    use std::ptr;
    use std::sync::Once;
    use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

    /// Who had the signal before; null before the handler is installed. Never freed.
    static BEFORE: AtomicPtr<sigaction> = AtomicPtr::new(ptr::null_mut());
    /// Bytes of a page.
    static PAGE: AtomicUsize = AtomicUsize::new(0);

    /// Installs it, once in a process: with the first mapping. Where the system refuses, the signal ends the process as it
    /// would have.
    pub(super) fn install() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            // SAFETY: asks for a number.
            let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
            let mut before = MaybeUninit::<sigaction>::zeroed();
            // SAFETY: a signal that there is, and room for the answer.
            let asked = unsafe { libc::sigaction(libc::SIGBUS, ptr::null(), before.as_mut_ptr()) };
            let (Ok(page), 0) = (usize::try_from(page), asked) else { return };
            // SAFETY: filled in just now.
            let before = unsafe { before.assume_init() };
            // As who had it before wanted: what else is held back meanwhile.
            let mut ours = before;
            ours.sa_sigaction = on_bus_error as *const () as usize;
            ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | (before.sa_flags & libc::SA_NODEFER);
            PAGE.store(page, Ordering::SeqCst);
            BEFORE.store(Box::into_raw(Box::new(before)), Ordering::SeqCst);
            // SAFETY: a handler of the form that the flags say, which does only what a handler may.
            unsafe { libc::sigaction(libc::SIGBUS, &ours, ptr::null_mut()) };
        });
    }

    unsafe extern "C" fn on_bus_error(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
        // SAFETY: the system gives a handler of this form its information.
        let (address, sent) = unsafe { ((*info).si_addr() as usize, (*info).si_code <= 0) };
        if !sent && mend(address) {
            return;
        }
        // SAFETY: null, or what `install` left there for good.
        let Some(before) = (unsafe { BEFORE.load(Ordering::SeqCst).as_ref() }) else { return };
        match before.sa_sigaction {
            libc::SIG_IGN if sent => {}
            libc::SIG_DFL | libc::SIG_IGN => {
                // It ends the process, which is what would have happened: the instruction runs again, or the signal that
                // was sent comes again.
                // SAFETY: calls of the system that a handler may make.
                unsafe {
                    libc::signal(signal, libc::SIG_DFL);
                    if sent {
                        libc::raise(signal);
                    }
                }
            }
            handler if before.sa_flags & libc::SA_SIGINFO != 0 => {
                // SAFETY: a handler of this form, as its flags say.
                let handler: unsafe extern "C" fn(c_int, *mut siginfo_t, *mut c_void) =
                    unsafe { std::mem::transmute(handler) };
                // SAFETY: with what the system gave to this one.
                unsafe { handler(signal, info, context) };
            }
            handler => {
                // SAFETY: a handler of the other form, as its flags say.
                let handler: unsafe extern "C" fn(c_int) = unsafe { std::mem::transmute(handler) };
                // SAFETY: as above.
                unsafe { handler(signal) };
            }
        }
    }

    /// Puts zeros in the place of what is lost, from the page of `address` to the end of its mapping; whether it is one of
    /// ours. The mapping is there: who touched the address holds it.
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
        // SAFETY: from a page of the mapping to its end: nobody else's memory is there.
        unsafe { libc::mmap(start as *mut c_void, end - start, access, kind, -1, 0) != libc::MAP_FAILED }
    }
}

#[cfg(not(unix))]
mod handler {
    pub(super) fn install() {}
}
