//! The border with Node: exports run in it, and it borrows arguments and hands out results.

pub mod borrow;
pub mod borrowed_text;
pub mod borrowed_word;
pub mod buffers;
pub mod external;
#[cfg(feature = "failing-allocator")]
pub mod failing_allocator;
pub mod guard;
pub mod leaving;
pub mod options;
pub mod process;
pub mod sharing;
pub mod work;
