//! The two files of TensorBoard's projector: vectors as tab separated numbers, and a name for each.

use super::{check_shape, number};
use crate::atomic;
use std::io::Write;
use std::path::Path;
use tokenbed_core::Result;
use tokenbed_memory::Text;

/// Writes `vectors.tsv` and `metadata.tsv` into a folder, each whole or not at all ([`atomic::write`]). There is no
/// line with the name of the only column, because the projector would take it for a vector's.
///
/// # Errors
/// [`Error::File`](tokenbed_core::Error::File) if a file cannot be written;
/// [`Error::Shape`](tokenbed_core::Error::Shape) if the numbers of words and vectors differ.
pub fn save(folder: &Path, words: &[String], table: &[f32], dim: usize) -> Result<()> {
    check_shape(words, table, dim)?;
    atomic::write(&folder.join("vectors.tsv"), |file| {
        let mut text = Vec::new();
        for vector in table.chunks_exact(dim) {
            for (column, &x) in vector.iter().enumerate() {
                text.clear();
                number::write(x, &mut text)?;
                file.write_all(if column == 0 { b"" } else { b"\t" })?;
                file.write_all(&text)?;
            }
            file.write_all(b"\n")?;
        }
        Ok(())
    })?;
    atomic::write(&folder.join("metadata.tsv"), |file| {
        words.iter().try_for_each(|word| {
            file.write_all(name(word).as_bytes())?;
            file.write_all(b"\n")
        })
    })
}

/// A word as a line of its own. What would end the line or the column, and white space at the ends, which readers take
/// away, is written as in a string of JavaScript.
fn name(word: &str) -> String {
    let mut name = String::new();
    let inner = word.trim().len();
    let first = word.len() - word.trim_start().len();
    for (at, char) in word.char_indices() {
        let outside = at < first || at >= first + inner;
        match char {
            '\t' => name.put_str("\\t"),
            '\n' => name.put_str("\\n"),
            '\r' => name.put_str("\\r"),
            '\u{2028}' | '\u{2029}' | '\u{feff}' => name.put_str(&format!("\\u{:04x}", u32::from(char))),
            char if char.is_control() || (outside && char.is_whitespace()) => {
                name.put_str(&format!("\\u{:04x}", u32::from(char)));
            }
            char => name.put_char(char),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_line_of_one_column() {
        for (word, line) in [
            ("whale", "whale"),
            ("New York", "New York"),
            (" the", "\\u0020the"),
            ("\t", "\\t"),
            ("a\tb\nc\r", "a\\tb\\nc\\r"),
            ("\u{3000}", "\\u3000"),
            ("a\u{2028}\u{0}b", "a\\u2028\\u0000b"),
            ("鯨", "鯨"),
        ] {
            assert_eq!(name(word), line, "{word:?}");
        }
    }
}
