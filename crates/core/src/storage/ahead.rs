//! Rows of a mapped table are asked for before a lookup reads them.
//!
//! A lookup that finds pages absent waits for the disk page by page, because each fault is answered before the next one
//! happens. Asked for all pages at once, the disk answers many at a time.

use super::torn::is_mapped;
use tokenbed_memory::List;

/// The most rows that are looked at to see whether the pages are in memory already.
const LOOKED_AT: usize = 16;

/// Asks the system for the rows of a table that `ids` name, if the table is in a mapped file and some of its pages are
/// not in memory. It returns at once, and the system reads while other work goes on. A row beyond the table is ignored.
///
/// On systems other than Linux, and for files that belong to another user and cannot be written, nothing is asked:
/// there the system does not say what is in memory.
pub fn ask_ahead(table: &[u8], row_bytes: usize, ids: &[u32]) {
    if ids.len() > 1 && row_bytes > 0 && is_mapped(table) {
        system::ask(table, row_bytes, ids);
    }
}

/// The pages of the rows as ranges of addresses, each page once. `None` if memory for them is wanting.
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "nothing is asked there"))]
fn pages_of(table: &[u8], row_bytes: usize, ids: &[u32], page: usize) -> Option<Vec<(usize, usize)>> {
    let start = table.as_ptr() as usize;
    let mut ranges = Vec::new();
    ranges.try_reserve_exact(ids.len()).ok()?;
    for &id in ids {
        let from = (id as usize).saturating_mul(row_bytes);
        if let Some(end) = from.checked_add(row_bytes).filter(|&end| end <= table.len()) {
            ranges.put(((start + from) / page * page, (start + end).next_multiple_of(page)));
        }
    }
    ranges.sort_unstable();
    ranges.dedup_by(|next, last| {
        let joins = next.0 <= last.1;
        if joins {
            last.1 = last.1.max(next.1);
        }
        joins
    });
    Some(ranges)
}

#[cfg(target_os = "linux")]
mod system {
    use super::{LOOKED_AT, pages_of};

    pub(super) fn ask(table: &[u8], row_bytes: usize, ids: &[u32]) {
        // SAFETY: this reads a constant of the system.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) }.max(1) as usize;
        let few = ids.len().div_ceil(LOOKED_AT);
        let mut looked_at = ids.iter().step_by(few);
        let is_absent = |&id: &u32| {
            let Some(row) = table.get((id as usize).saturating_mul(row_bytes)..) else { return false };
            let mut resident = 1u8;
            let address = (row.as_ptr() as usize / page * page) as *mut libc::c_void;
            // SAFETY: the page exists, because a byte of the table is in it or follows it, and the answer for one page
            // is one byte.
            let done = !row.is_empty() && unsafe { libc::mincore(address, 1, &mut resident) } == 0;
            done && resident & 1 == 0
        };
        if !looked_at.any(is_absent) {
            return;
        }
        for (from, end) in pages_of(table, row_bytes, ids, page).unwrap_or_default() {
            // SAFETY: the range lies in pages of the mapped file; the advice changes no contents. Its failure changes
            // nothing but the time that the lookup takes.
            unsafe { libc::madvise(from as *mut libc::c_void, end - from, libc::MADV_WILLNEED) };
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    pub(super) fn ask(_table: &[u8], _row_bytes: usize, _ids: &[u32]) {}
}

#[cfg(test)]
mod tests {
    use super::super::tests::alone;
    use super::*;

    #[test]
    fn each_page_is_named_once() {
        let table = vec![0u8; 64 * 1024];
        let base = table.as_ptr() as usize;
        let page = 4096;
        let ranges = pages_of(&table, 256, &[255, 0, 1, 0, 17, 200, 256, u32::MAX], page).unwrap();
        let mut wanted: Vec<usize> = [255usize, 0, 1, 17, 200]
            .iter()
            .flat_map(|row| [(base + row * 256) / page, (base + row * 256 + 255) / page])
            .collect();
        wanted.sort_unstable();
        wanted.dedup();
        let named: Vec<usize> = ranges.iter().flat_map(|&(from, end)| from / page..end / page).collect();
        assert_eq!(named, wanted);
        assert!(ranges.windows(2).all(|pair| pair[0].1 < pair[1].0), "neighbours are joined: {ranges:?}");
    }

    #[test]
    fn memory_that_is_no_file_is_left_alone() {
        ask_ahead(&[0; 4096], 16, &[1, 2, 3]);
        ask_ahead(&[], 0, &[1, 2, 3]);
    }

    /// The system must accept all ranges of a real mapping, and the bytes stay what they are.
    #[test]
    fn rows_of_a_mapped_file_are_asked_for() {
        let _alone = alone();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table");
        let bytes: Vec<u8> = (0..1 << 20).map(|i| (i / 7) as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        let file = super::super::MappedFile::open(&path).unwrap();
        let storage = super::super::Storage::of_file(&file, 64, (1 << 20) - 64).unwrap();
        let part = super::super::Part::new(&std::sync::Arc::new(storage), 0, (1 << 20) - 64).unwrap();
        let table: &[u8] = part.elements().unwrap();
        ask_ahead(table, 1000, &[0, 5, 1047, 1048, u32::MAX]);
        assert_eq!(table, &bytes[64..]);
    }
}
