//! The row in which a hot row is summed.

use tokenbed_memory::zeroed;

/// Elements in a line of the first-level cache.
const LINE: usize = 64 / size_of::<f32>();

/// Memory for one row that begins with a line of the cache. A sum of many rows loads and stores this row again and
/// again: vectors of 64 bytes that cross lines would make it take up to twice as long, and where an allocator puts a
/// row is luck.
pub struct ScratchRow {
    memory: Vec<f32>,
    from: usize,
    len: usize,
}

impl ScratchRow {
    /// A row of `len` zeros.
    pub fn new(len: usize) -> Self {
        let memory: Vec<f32> = zeroed(len + LINE - 1);
        let from = memory.as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE - 1);
        Self { memory, from, len }
    }

    /// The row.
    pub fn row(&mut self) -> &mut [f32] {
        &mut self.memory[self.from..self.from + self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_begins_with_a_line() {
        for len in [0, 1, 15, 16, 17, 64, 768] {
            let mut scratch = ScratchRow::new(len);
            assert_eq!(scratch.row().len(), len);
            assert_eq!(scratch.row().as_ptr() as usize % 64, 0);
            assert!(scratch.row().iter().all(|&element| element == 0.0));
        }
    }
}
