//! Values that JavaScript holds behind externals, and that are freed as soon as they are garbage.
//!
//! Node runs the finalizer of an external when its event loop turns. Code that never lets it turn would keep everything
//! it ever made, whatever V8 collects meanwhile. So each external has a weak reference, which V8 empties during a
//! collection. Once enough has been made since the last look, all references are examined and the values of empty ones
//! are dropped. If nothing more is made, the finalizer frees them.
//!
//! V8 collects because it is told of the memory. It is not told of mapped files; when many are mapped, it is made to
//! collect. Memory that a live buffer shows needs more than that: see `buffers::orphans`.
//!
//! An external holds no pointer but a number, by which its thread finds the value. Neither an external of another addon
//! nor a late finalizer can therefore lead to freed memory.

#![allow(
    unsafe_code,
    reason = "makes references and looks at them; lends out values that stay while JavaScript holds them"
)]

use crate::node::buffers;
use napi::bindgen_prelude::{FromNapiRef, FromNapiValue, ToNapiValue, TypeName, ValidateNapiValue};
use napi::{Env, ValueType, check_status, sys};
use napi_derive::napi;
use std::any::TypeId;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::c_void;
use std::hash::{BuildHasher, RandomState};
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::panic::catch_unwind;
use std::ptr::{self, NonNull};
use tokenbed_core::storage::usage;
use tokenbed_memory::{List, Map};

/// A value that JavaScript holds, or is about to.
pub struct External<T: 'static> {
    value: T,
    /// The size that V8 was told of.
    bytes: Cell<usize>,
    _room: Room,
}

impl<T> External<T> {
    pub fn new(value: T) -> Self {
        Self::new_with_size_hint(value, 0)
    }

    /// Makes an external whose value takes about this many bytes, of which V8 is told.
    pub fn new_with_size_hint(value: T, bytes: usize) -> Self {
        Self { value, bytes: Cell::new(bytes), _room: Room::take() }
    }

    /// Tells V8 how much memory a value that JavaScript already holds takes by now.
    pub fn holds(&self, env: &Env, bytes: usize) {
        let before = self.bytes.replace(bytes);
        tell(env, bytes as i64 - before as i64);
    }
}

impl<T> Deref for External<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> TypeName for &External<T> {
    fn type_name() -> &'static str {
        "External"
    }

    fn value_type() -> ValueType {
        ValueType::External
    }
}

impl<T> ValidateNapiValue for &External<T> {}

impl<T> FromNapiRef for External<T> {
    unsafe fn from_napi_ref(env: sys::napi_env, value: sys::napi_value) -> napi::Result<&'static Self> {
        let mut data = ptr::null_mut();
        // SAFETY: napi's macro gives a live env and value.
        check_status!(unsafe { sys::napi_get_value_external(env, value, &mut data) }, "not an external")?;
        let found = value_of(data as usize).filter(|found| found.kind == TypeId::of::<Self>());
        let found = found.ok_or_else(|| napi::Error::from_reason("the external has another kind"))?;
        // SAFETY: the type was checked just now. A value stays where it is until it is garbage; during a call,
        // JavaScript holds the externals that it passed, and no call keeps its arguments.
        Ok(unsafe { found.value.cast::<Self>().as_ref() })
    }
}

/// A value that JavaScript holds, as the field of an object that it passed to this call.
pub struct Given<T: 'static>(&'static External<T>);

impl<T> Deref for Given<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.value
    }
}

impl<T> TypeName for Given<T> {
    fn type_name() -> &'static str {
        "External"
    }

    fn value_type() -> ValueType {
        ValueType::External
    }
}

impl<T> ValidateNapiValue for Given<T> {}

impl<T> FromNapiValue for Given<T> {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> napi::Result<Self> {
        // SAFETY: napi's macro gives a live env and value. The object that was passed holds the external, so it stays
        // as long as an argument would.
        Ok(Self(unsafe { External::<T>::from_napi_ref(env, value) }?))
    }
}

impl<T> ToNapiValue for External<T> {
    unsafe fn to_napi_value(env: sys::napi_env, external: Self) -> napi::Result<sys::napi_value> {
        let number = with(|made| {
            made.last += 1;
            made.last
        });
        let number = number.ok_or_else(|| napi::Error::from_reason("this thread is ending"))?;
        let data = ptr::without_provenance_mut(number);
        let (mut value, mut reference) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: the env is live, as this function's caller promises; the finalizer does not read memory at the
        // address it is given.
        check_status!(unsafe { sys::napi_create_external(env, data, None, ptr::null_mut(), &mut value) })?;
        // SAFETY: as above.
        check_status!(unsafe {
            sys::napi_add_finalizer(env, value, data, Some(finalize), ptr::null_mut(), &mut reference)
        })?;
        tell(&Env::from_raw(env), external.bytes.get() as i64);
        enter(number, Kept { env, reference, kind: TypeId::of::<Self>(), value: Box::new(external) });
        Ok(value)
    }
}

/// The number of an external of any kind.
pub struct Named(usize);

impl TypeName for Named {
    fn type_name() -> &'static str {
        "External"
    }

    fn value_type() -> ValueType {
        ValueType::External
    }
}

impl ValidateNapiValue for Named {}

impl FromNapiValue for Named {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> napi::Result<Self> {
        let mut data = ptr::null_mut();
        // SAFETY: napi's macro gives a live env and value.
        check_status!(unsafe { sys::napi_get_value_external(env, value, &mut data) }, "not an external")?;
        Ok(Self(data as usize))
    }
}

/// Drops the value of an external now, instead of when it is garbage. The caller passes it to no later call.
#[napi(catch_unwind)]
pub fn external_release(external: Named) {
    drop_value(external.0);
}

/// Drops a value. Its place in the cache is emptied first.
fn drop_value(number: usize) {
    RECENT.with(|recent| recent[number % LOOKED_UP].set(None));
    let kept = with(|made| made.all.remove(&number));
    kept.flatten().into_iter().for_each(Kept::release);
}

/// Runs when the event loop turns, or when the environment ends.
unsafe extern "C" fn finalize(_env: sys::napi_env, data: *mut c_void, _hint: *mut c_void) {
    // A panic leaks memory and does nothing else.
    let _ = catch_unwind(|| {
        drop_value(data.addr());
        buffers::finalizers_run();
    });
}

/// A value of any type.
trait Value {
    fn bytes(&self) -> usize;
}

impl<T> Value for External<T> {
    fn bytes(&self) -> usize {
        self.bytes.get()
    }
}

/// A value that JavaScript holds, and the weak reference to its external.
struct Kept {
    env: sys::napi_env,
    reference: sys::napi_ref,
    /// The type of the value.
    kind: TypeId,
    value: Box<dyn Value>,
}

impl Kept {
    /// Drops the value of an external that JavaScript can no longer reach.
    fn release(self) {
        // SAFETY: the reference was made in this environment, which is alive whenever its calls and finalizers run. The
        // status is ignored: a reference that cannot be deleted ends with the environment.
        unsafe { sys::napi_delete_reference(self.env, self.reference) };
        tell(&Env::from_raw(self.env), -(self.value.bytes() as i64));
    }

    /// Whether the external belongs to this environment and V8 has collected it. The caller must have opened a handle
    /// scope.
    fn is_garbage(&self, env: sys::napi_env) -> bool {
        let mut value = ptr::null_mut();
        // SAFETY: the reference belongs to this environment and was not deleted.
        self.env == env
            && unsafe { sys::napi_get_reference_value(env, self.reference, &mut value) } == sys::Status::napi_ok
            && value.is_null()
    }
}

/// V8 is told of at least this many bytes between two looks,
const BYTES_BETWEEN: usize = 64 << 20;
/// and of this many more for each existing external, so that the time of a look stays proportional to the work between
/// looks.
const BYTES_EACH: usize = 2048;
/// The minimal number of externals made between two looks.
const MADE_BETWEEN: usize = 4096;
/// V8 is made to collect when the mapped bytes exceed twice what the last collection left by this many,
const MAPPED_BETWEEN: usize = 256 << 20;
/// or after this many storages in mapped files: Linux maps 65530 files at once.
const MAPS_BETWEEN: usize = 1 << 14;
/// Not for fewer storages: there is no garbage where a model was just opened, and a collection would take longer than
/// opening it did.
const MAPS_OF_A_MODEL: usize = 5;
/// The memory pressure that makes V8 collect: more than any limit it has.
const PRESSURE: i64 = 1 << 40;

/// The externals of a thread.
struct Made {
    /// The externals by their numbers. The map is never dropped: values left when a thread ends outlive its
    /// environment.
    all: ManuallyDrop<HashMap<usize, Kept, Numbered>>,
    /// The number given last.
    last: usize,
    /// The number of externals that exist or are about to.
    announced: usize,
    /// The number of externals left at the last look.
    left: usize,
    /// Bytes that V8 was told of since then.
    told: usize,
    /// Storages in mapped files made since V8 was last made to collect, and the bytes that were mapped at that time.
    maps: usize,
    mapped: usize,
}

/// A hasher that spreads consecutive numbers.
#[derive(Clone, Copy)]
struct Numbered;

impl BuildHasher for Numbered {
    type Hasher = Number;

    fn build_hasher(&self) -> Number {
        Number(0)
    }
}

struct Number(u64);

impl std::hash::Hasher for Number {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_usize(byte.into()));
    }

    fn write_usize(&mut self, number: usize) {
        // 2^64 divided by the golden ratio (Knuth 6.4).
        self.0 = (self.0 ^ number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Made {
    fn new() -> Self {
        // Far from the values that other addons put in their externals, and within the 47 bits of an address.
        let first = RandomState::new().hash_one(0) as usize & 0x3fff_ffff_0000;
        let all = ManuallyDrop::new(HashMap::with_hasher(Numbered));
        Self { all, last: first, announced: 0, left: 0, told: 0, maps: 0, mapped: 0 }
    }
}

thread_local! {
    static MADE: RefCell<Made> = RefCell::new(Made::new());
    /// Whether values are currently being dropped before their finalizers run.
    static AHEAD: Cell<bool> = const { Cell::new(false) };
}

/// A value with its number and its type, which identify it without reading the value.
#[derive(Clone, Copy)]
struct Found {
    number: usize,
    kind: TypeId,
    value: NonNull<()>,
}

/// Loops pass the same few externals to each call. This many of the last ones looked up are cached by number.
const LOOKED_UP: usize = 16;

thread_local! {
    static RECENT: [Cell<Option<Found>>; LOOKED_UP] = const { [const { Cell::new(None) }; LOOKED_UP] };
}

/// The value of a number, if it exists. Its place in the cache is emptied before the value is dropped.
fn value_of(number: usize) -> Option<Found> {
    RECENT.with(|recent| {
        let place = &recent[number % LOOKED_UP];
        if let Some(found) = place.get().filter(|found| found.number == number) {
            return Some(found);
        }
        let found = with(|made| {
            let kept = made.all.get(&number)?;
            Some(Found { number, kind: kept.kind, value: NonNull::from(&*kept.value).cast() })
        });
        let found = found.flatten()?;
        place.set(Some(found));
        Some(found)
    })
}

/// Runs `run` on the externals; returns None while the thread is ending.
fn with<R>(run: impl FnOnce(&mut Made) -> R) -> Option<R> {
    MADE.try_with(|made| made.try_borrow_mut().ok().map(|mut made| run(&mut made))).ok().flatten()
}

/// A reserved place for one external.
struct Room;

impl Room {
    /// Reserves the place; ends the call if there is no memory.
    fn take() -> Self {
        with(|made| {
            let more = made.announced + 1 - made.all.len();
            made.all.make_room(more);
            made.announced += 1;
        });
        Self
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        with(|made| made.announced -= 1);
    }
}

/// Reports memory to V8's garbage collector. It only fails while the environment is ending, when it does not matter.
pub(crate) fn tell(env: &Env, bytes: i64) {
    if bytes > 0 {
        with(|made| made.told = made.told.saturating_add(bytes as usize));
    }
    if bytes != 0 {
        let _ = env.adjust_external_memory(bytes);
    }
}

/// Counts a storage that was made in a mapped file.
pub(crate) fn mapped() {
    with(|made| made.maps += 1);
}

/// Registers a new value, and drops garbage if it is time to look.
fn enter(number: usize, kept: Kept) {
    let env = kept.env;
    let due = with(|made| {
        made.all.put(number, kept);
        let all = made.all.len();
        let look = made.told >= BYTES_BETWEEN.max(all * BYTES_EACH) || all >= 2 * made.left + MADE_BETWEEN;
        let press = made.maps >= MAPS_BETWEEN
            || made.maps >= MAPS_OF_A_MODEL && usage().mapped >= 2 * made.mapped + MAPPED_BETWEEN;
        (look, press)
    });
    match due {
        Some((_, true)) => {
            press(env);
            look(env, 1);
            with(|made| (made.maps, made.mapped) = (0, usage().mapped));
        }
        Some((true, false)) => look(env, buffers::WORTH),
        _ => {}
    }
}

/// Drops the values of all externals that V8 has found to be garbage, and the memory of their buffers if it is at least
/// `least` bytes.
fn look(env: sys::napi_env, least: usize) {
    let garbage = with(|made| {
        let mut scope = ptr::null_mut();
        // SAFETY: the env is live. The values of the references live only in this scope, which is closed below.
        let opened = unsafe { sys::napi_open_handle_scope(env, &mut scope) } == sys::Status::napi_ok;
        let mut garbage = Vec::new();
        // If there is no memory for the list, the externals wait for their finalizers.
        if opened && garbage.try_reserve_exact(made.all.len()).is_ok() {
            garbage.put_all(made.all.extract_if(|_, kept| kept.is_garbage(env)));
            RECENT.with(|recent| recent.iter().for_each(|place| place.set(None)));
        }
        if opened {
            // SAFETY: the scope was opened above.
            unsafe { sys::napi_close_handle_scope(env, scope) };
        }
        (made.left, made.told) = (made.all.len(), 0);
        garbage
    });
    // The borrow has ended: values may tell V8 that their memory is gone.
    AHEAD.set(true);
    garbage.into_iter().flatten().for_each(|(_, kept)| kept.release());
    AHEAD.set(false);
    buffers::free_orphans(env, least);
}

/// Whether a value dropped now is dropped before its finalizer runs.
pub(crate) fn is_ahead() -> bool {
    AHEAD.get()
}

/// Makes V8 collect all garbage before this returns. Other hosts may do so later.
pub(crate) fn press(env: sys::napi_env) {
    let env = Env::from_raw(env);
    if env.adjust_external_memory(PRESSURE).is_ok() {
        let _ = env.adjust_external_memory(-PRESSURE);
    }
}
