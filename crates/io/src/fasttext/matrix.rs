//! A matrix of the file: rows of f32, or codes of sub-vectors. Its numbers have any alignment, so that they are read
//! byte by byte.

use super::Wrong;
use super::header::Numbers;

/// Number of centroids that a code chooses from.
const CENTROIDS: usize = 256;

/// Where the numbers of a matrix are.
#[derive(Debug)]
pub struct Matrix {
    /// Number of rows.
    pub rows: usize,
    /// Length of a row.
    pub dim: usize,
    form: Form,
}

/// How rows are stored.
#[derive(Debug)]
enum Form {
    /// f32, row after row, from this byte on.
    Dense(usize),
    /// Each part of a row is one of 256 centroids.
    Quantized(Codes),
}

/// A quantized matrix.
#[derive(Debug)]
struct Codes {
    /// The byte at which the codes begin, `parts` for each row.
    codes: usize,
    /// The byte at which the centroids begin: those of the first part, then those of the next.
    centroids: usize,
    parts: usize,
    /// Length of a part; the last one may be shorter.
    width: usize,
    /// The bytes at which a code for each row's norm and the 256 norms begin, if norms are stored apart.
    norms: Option<(usize, usize)>,
}

/// Number of bytes of a dense matrix with its sizes.
pub(super) fn dense_bytes(rows: usize, dim: usize) -> Option<usize> {
    rows.checked_mul(dim)?.checked_mul(size_of::<f32>())?.checked_add(16)
}

/// Number of bytes of a quantized matrix with its sizes.
pub(super) fn quantized_bytes(rows: usize, dim: usize, width: usize, has_norms: bool) -> Option<usize> {
    let codes = rows.checked_mul(dim.div_ceil(width))?;
    let norms = if has_norms { rows.checked_add(16 + CENTROIDS * size_of::<f32>())? } else { 0 };
    let centroids = dim.checked_mul(CENTROIDS * size_of::<f32>())?;
    codes.checked_add(norms)?.checked_add(centroids)?.checked_add(1 + 16 + 4 + 16)
}

impl Matrix {
    /// Reads the sizes of a matrix, which must be those that are expected, and returns it with the byte behind it.
    pub(super) fn read(
        bytes: &[u8],
        start: usize,
        is_quantized: bool,
        (rows, dim): (usize, usize),
        what: &str,
    ) -> Result<(Self, usize), Wrong> {
        let mut numbers = Numbers::new(bytes, start);
        let has_norms = is_quantized && numbers.flag("the mark of quantized norms")?;
        let at = numbers.at;
        let sizes = (numbers.i64("the size of a matrix")?, numbers.i64("the size of a matrix")?);
        if sizes != (rows as i64, dim as i64) {
            let message =
                format!("{what} has the sizes {} x {}, where the header wants {rows} x {dim}", sizes.0, sizes.1);
            return Err((at, message));
        }
        let cut = |wanted: Option<usize>| {
            let wanted = wanted.map_or("more than any memory has".into(), |wanted| wanted.to_string());
            (bytes.len(), format!("{what} needs {wanted} bytes, and the file ends before: cut short"))
        };
        if !is_quantized {
            let elements = dense_bytes(rows, dim).map(|all| all - 16);
            let end = elements.and_then(|all| numbers.at.checked_add(all)).filter(|&end| end <= bytes.len());
            let end = end.ok_or_else(|| cut(elements))?;
            return Ok((Self { rows, dim, form: Form::Dense(numbers.at) }, end));
        }
        let at = numbers.at;
        let size = numbers.i32("the number of codes")?;
        let size = usize::try_from(size).map_err(|_| (at, format!("{what} has {size} codes: damaged")))?;
        let codes = numbers.at;
        numbers.at = codes.checked_add(size).filter(|&end| end <= bytes.len()).ok_or_else(|| cut(Some(size)))?;
        let at = numbers.at;
        let said = sizes_of_parts(&mut numbers)?;
        let [all, parts, width, last] = said;
        let fits = all == dim
            && (1..=dim).contains(&width)
            && parts == dim.div_ceil(width)
            && last == dim - (parts - 1) * width
            && rows.checked_mul(parts) == Some(size);
        if !fits {
            let message =
                format!("{what} has {size} codes and parts of the sizes {said:?}, which do not fit {rows} x {dim}");
            return Err((at, message));
        }
        let centroids = numbers.at;
        let floats = |count: usize| count.checked_mul(CENTROIDS * size_of::<f32>());
        let all = floats(dim);
        let end = all.and_then(|all| centroids.checked_add(all)).filter(|&end| end <= bytes.len());
        numbers.at = end.ok_or_else(|| cut(all))?;
        let mut norms = None;
        if has_norms {
            let of_rows = numbers.at;
            let end = of_rows.checked_add(rows).filter(|&end| end <= bytes.len());
            numbers.at = end.ok_or_else(|| cut(Some(rows)))?;
            let at = numbers.at;
            let said = sizes_of_parts(&mut numbers)?;
            if said != [1; 4] {
                return Err((
                    at,
                    format!("the norms of {what} have parts of the sizes {said:?}, and not of one number"),
                ));
            }
            norms = Some((of_rows, numbers.at));
            let end = floats(1).and_then(|all| numbers.at.checked_add(all)).filter(|&end| end <= bytes.len());
            numbers.at = end.ok_or_else(|| cut(floats(1)))?;
        }
        let form = Form::Quantized(Codes { codes, centroids, parts, width, norms });
        Ok((Self { rows, dim, form }, numbers.at))
    }

    /// Whether rows are stored as codes.
    pub fn is_quantized(&self) -> bool {
        matches!(self.form, Form::Quantized(_))
    }

    /// Number of bytes of a row.
    pub fn row_bytes(&self) -> usize {
        match &self.form {
            Form::Dense(_) => self.dim * size_of::<f32>(),
            Form::Quantized(codes) => codes.parts,
        }
    }

    /// The byte at which the matrix begins, for errors.
    pub fn start(&self) -> usize {
        match &self.form {
            Form::Dense(start) => *start,
            Form::Quantized(codes) => codes.codes,
        }
    }

    /// sum[d] += row[d], in f32. `bytes` is the file, and `row` is below the number of rows.
    #[inline]
    pub fn add_row(&self, bytes: &[u8], row: usize, sum: &mut [f32]) {
        match &self.form {
            Form::Dense(start) => {
                let width = self.dim * size_of::<f32>();
                let from = start + row * width;
                let (numbers, _) = bytes[from..from + width].as_chunks::<4>();
                for (sum, number) in sum.iter_mut().zip(numbers) {
                    *sum += f32::from_le_bytes(*number);
                }
            }
            Form::Quantized(codes) => {
                let norm = codes.norm(bytes, row);
                for (part, sum) in sum.chunks_mut(codes.width).enumerate() {
                    let centroid = codes.centroid(bytes, row, part, sum.len());
                    for (sum, number) in sum.iter_mut().zip(centroid) {
                        *sum += norm * f32::from_le_bytes(*number);
                    }
                }
            }
        }
    }

    /// The product of a row and a vector, summed from the first element to the last in f32, as fastText does it.
    #[inline]
    pub fn dot_row(&self, bytes: &[u8], row: usize, vector: &[f32]) -> f32 {
        let [dot] = self.dots(bytes, [row], vector);
        dot
    }

    /// [`Matrix::dot_row`] of several rows. The sums go on side by side: each waits for its own last addition alone.
    #[inline]
    pub fn dots<const N: usize>(&self, bytes: &[u8], rows: [usize; N], vector: &[f32]) -> [f32; N] {
        let mut sums = [0.0f32; N];
        match &self.form {
            Form::Dense(start) => {
                let width = self.dim * size_of::<f32>();
                let numbers = rows.map(|row| bytes[start + row * width..][..width].as_chunks::<4>().0);
                for (d, x) in vector.iter().enumerate() {
                    for (sum, numbers) in sums.iter_mut().zip(&numbers) {
                        *sum += f32::from_le_bytes(numbers[d]) * x;
                    }
                }
            }
            Form::Quantized(codes) => {
                for (part, vector) in vector.chunks(codes.width).enumerate() {
                    let centroids = rows.map(|row| codes.centroid(bytes, row, part, vector.len()));
                    for (d, x) in vector.iter().enumerate() {
                        for (sum, centroid) in sums.iter_mut().zip(&centroids) {
                            *sum += x * f32::from_le_bytes(centroid[d]);
                        }
                    }
                }
                for (sum, row) in sums.iter_mut().zip(rows) {
                    *sum *= codes.norm(bytes, row);
                }
            }
        }
        sums
    }
}

impl Codes {
    /// The number by which a row is multiplied.
    #[inline]
    fn norm(&self, bytes: &[u8], row: usize) -> f32 {
        let Some((codes, norms)) = self.norms else { return 1.0 };
        let at = norms + usize::from(bytes[codes + row]) * size_of::<f32>();
        bytes[at..].first_chunk().map_or(0.0, |number| f32::from_le_bytes(*number))
    }

    /// The centroid of a part of a row, of which `len` numbers are wanted: those of a whole part, or of the last one.
    #[inline]
    fn centroid<'a>(&self, bytes: &'a [u8], row: usize, part: usize, len: usize) -> &'a [[u8; 4]] {
        let code = usize::from(bytes[self.codes + row * self.parts + part]);
        let at = self.centroids + (part * CENTROIDS * self.width + code * len) * size_of::<f32>();
        bytes[at..at + len * size_of::<f32>()].as_chunks::<4>().0
    }
}

/// The length of rows, the number of parts, their length, and that of the last one.
fn sizes_of_parts(numbers: &mut Numbers<'_>) -> Result<[usize; 4], Wrong> {
    let mut sizes = [0; 4];
    for size in &mut sizes {
        let at = numbers.at;
        let said = numbers.i32("the sizes of a quantized matrix")?;
        *size = usize::try_from(said).map_err(|_| (at, format!("{said} as a size of a quantized matrix: damaged")))?;
    }
    Ok(sizes)
}
