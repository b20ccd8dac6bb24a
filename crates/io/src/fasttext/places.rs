//! Where the matrices are.
//!
//! The dictionary before them ends where its last word ends, and to find that would take a look at every word. But the
//! sizes of the matrices follow from the header, so that their places can be told from the end of the file; what stands
//! there must be what the header wants. Where that fails, the file is read from its beginning, which says what is
//! wrong.

use super::header::{Header, Numbers};
use super::matrix::{Matrix, dense_bytes, quantized_bytes};
use super::{Wrong, dictionary};

/// The places of what follows the dictionary.
#[derive(Debug)]
pub(super) struct Places {
    /// The byte at which the dictionary's entries end, and pairs of rows begin that pruning kept.
    pub entries_end: usize,
    pub input: Matrix,
    pub output: Matrix,
}

/// Output matrices that are tried at most. One fits, unless somebody makes more of them on purpose.
const MOST_TRIED: usize = 4;

/// Finds the matrices of a file.
pub(super) fn find(bytes: &[u8], header: &Header) -> Result<Places, Wrong> {
    from_end(bytes, header).map_or_else(|| from_start(bytes, header), Ok)
}

/// Number of bytes of the pairs that pruning left.
fn pairs_bytes(header: &Header) -> usize {
    header.pruned.unwrap_or(0) * 8
}

/// Tells the places from the end of the file; `None` if what stands there does not fit.
fn from_end(bytes: &[u8], header: &Header) -> Option<Places> {
    let sizes = (header.output_rows(), header.dim);
    let outputs = starts(bytes.len(), sizes, header.is_marked).filter_map(|(start, is_quantized)| {
        let (output, end) = Matrix::read(bytes, start, is_quantized, sizes, "the output matrix").ok()?;
        (end == bytes.len()).then_some((start, output))
    });
    outputs.take(MOST_TRIED).find_map(|(start, output)| before(bytes, header, start, output))
}

/// The places of all, if the output matrix is this one.
fn before(bytes: &[u8], header: &Header, output_start: usize, output: Matrix) -> Option<Places> {
    let marks = usize::from(header.is_marked);
    // The mark in front of a matrix; files that do not say their version have none.
    let mark = |start: usize| {
        let at = start.checked_sub(marks)?;
        let mark = if header.is_marked { *bytes.get(at)? } else { 0 };
        (mark <= 1).then_some((at, mark == 1))
    };
    let (input_end, output_mark) = mark(output_start)?;
    let sizes = (header.input_rows(), header.dim);
    let (entries_end, input) = starts(input_end, sizes, header.is_marked).find_map(|(start, is_quantized)| {
        let (at, input_mark) = mark(start).filter(|&(_, mark)| mark == is_quantized)?;
        let (input, end) = Matrix::read(bytes, start, is_quantized, sizes, "the input matrix").ok()?;
        let entries_end = at.checked_sub(pairs_bytes(header)).filter(|&at| at >= header.end && end == input_end)?;
        // The mark of the output counts only where the input is quantized.
        let agrees = output.is_quantized() == (input_mark && output_mark);
        (agrees && (input_mark || header.pruned.is_none())).then_some((entries_end, input))
    })?;
    Some(Places { entries_end, input, output })
}

/// The bytes at which a matrix may begin that ends at `end`, and whether it is quantized. The width of parts and
/// whether there are norms of their own are not known, so that there are two places for each width.
fn starts(end: usize, (rows, dim): (usize, usize), may_be_quantized: bool) -> impl Iterator<Item = (usize, bool)> {
    let dense = dense_bytes(rows, dim).map(|bytes| (bytes, false));
    let widest = if may_be_quantized { dim } else { 0 };
    let quantized = (1..=widest).flat_map(move |width| {
        [true, false].into_iter().filter_map(move |norms| Some((quantized_bytes(rows, dim, width, norms)?, true)))
    });
    dense.into_iter().chain(quantized).filter_map(move |(bytes, quantized)| Some((end.checked_sub(bytes)?, quantized)))
}

/// Reads the file from its beginning, as fastText does.
fn from_start(bytes: &[u8], header: &Header) -> Result<Places, Wrong> {
    let entries_end = dictionary::pass(bytes, header)?;
    let pairs = pairs_bytes(header);
    let input_at = entries_end.checked_add(pairs).filter(|&end| end <= bytes.len());
    let mut numbers = Numbers::new(
        bytes,
        input_at.ok_or_else(|| {
            (bytes.len(), format!("pruning kept {pairs} bytes of rows, and the file ends before: cut short"))
        })?,
    );
    let at = numbers.at;
    let quantized = header.is_marked && numbers.flag("the mark of a quantized input matrix")?;
    if header.pruned.is_some() && !quantized {
        let message = "a model that was pruned and is not quantized, which old versions wrote wrongly: fastText refuses it, \
                       too; take a newer file of the model";
        return Err((at, message.into()));
    }
    let sizes = (header.input_rows(), header.dim);
    let (input, end) = Matrix::read(bytes, numbers.at, quantized, sizes, "the input matrix")?;
    numbers.at = end;
    let marked = header.is_marked && numbers.flag("the mark of a quantized output matrix")?;
    let sizes = (header.output_rows(), header.dim);
    let (output, end) = Matrix::read(bytes, numbers.at, quantized && marked, sizes, "the output matrix")?;
    if end != bytes.len() {
        return Err((end, format!("{} bytes follow the last matrix: damaged", bytes.len() - end)));
    }
    Ok(Places { entries_end, input, output })
}

#[cfg(test)]
mod tests {
    use super::super::header;
    use super::*;

    /// Both ways must find the same places in every file of fastText's.
    #[test]
    fn the_end_tells_the_same_as_the_beginning() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/golden/fasttext");
        let mut files = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if !path.extension().is_some_and(|ending| ending == "bin" || ending == "ftz") {
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            let header = header::read(&bytes).unwrap();
            let (end, start) = (from_end(&bytes, &header).unwrap(), from_start(&bytes, &header).unwrap());
            assert_eq!(format!("{end:?}"), format!("{start:?}"), "{}", path.display());
            files += 1;
        }
        assert!(files >= 12, "{files}");
    }
}
