//! What a thread needs to encode texts, kept between them. Nothing is shared between threads, so that there is no lock.

use std::cell::RefCell;

use tokenbed_memory::{List, Text};

use super::added::Part;
use super::cut::Pieces;
use super::{Aligned, Memo, Room};

/// Buffers and the memory of one tokenizer on one thread.
pub(super) struct Desk {
    /// The tokenizer whose pieces are remembered.
    owner: u64,
    pub(super) memo: Memo,
    pub(super) room: Room,
    pub(super) parts: Vec<Part>,
    pub(super) inner: Vec<Part>,
    pub(super) pieces: Pieces,
    pub(super) aligned: Aligned,
}

/// Number of tokenizers that a thread keeps memory for.
const DESKS: usize = 4;

thread_local! {
    /// The one that was used last is at the end. They are moved for each text, so each is in a box.
    #[allow(clippy::vec_box, reason = "a desk is many times as large as a pointer to it")]
    static FREE: RefCell<Vec<Box<Desk>>> = const { RefCell::new(Vec::new()) };
}

impl Desk {
    /// Runs `work` with the desk of a tokenizer. After a panic the desk is gone, and a new one takes its place.
    pub(super) fn with<T>(owner: u64, work: impl FnOnce(&mut Self) -> T) -> T {
        let mut desk = FREE.with_borrow_mut(|free| {
            let known = free.iter().rposition(|desk| desk.owner == owner);
            match known {
                Some(at) => Some(free.remove(at)),
                None if free.len() < DESKS => None,
                None => {
                    let mut oldest = free.remove(0);
                    oldest.memo.forget();
                    oldest.owner = owner;
                    Some(oldest)
                }
            }
        });
        let mut desk = desk.take().unwrap_or_else(|| Box::new(Self::new(owner)));
        let done = work(&mut desk);
        desk.shrink();
        FREE.with_borrow_mut(|free| free.put(desk));
        done
    }

    fn new(owner: u64) -> Self {
        Self {
            owner,
            memo: Memo::new(),
            room: Room::default(),
            parts: Vec::new(),
            inner: Vec::new(),
            pieces: Pieces::default(),
            aligned: Aligned::default(),
        }
    }

    /// Gives back what a long text took.
    fn shrink(&mut self) {
        const KEPT: usize = 1 << 20;
        self.room.front.clear();
        self.room.back.clear();
        self.room.front.trim_to(KEPT);
        self.room.back.trim_to(KEPT);
        self.pieces.shrink(KEPT);
        self.parts.clear();
        self.inner.clear();
        self.parts.trim_to(KEPT / 32);
        self.inner.trim_to(KEPT / 32);
        self.aligned.clear();
        self.aligned.text.trim_to(KEPT);
        self.aligned.places.trim_to(KEPT / 8);
    }
}
