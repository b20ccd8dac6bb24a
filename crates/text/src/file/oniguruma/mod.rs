//! Translates patterns from the syntax of Oniguruma, which the library's Python package runs, for the engine of this
//! crate.
//!
//! Both engines have almost the same syntax but differ in meaning: what `\w` is, where `^` matches, how far an option
//! in the middle of an alternative reaches, whether `\pL` is a property. A pattern is read as Oniguruma reads it
//! (`parse`: its default syntax, 6.9.10, no options). Its classes and case-insensitive letters become sets of
//! characters (`class`, `names`, `fold`). Then it is written for fancy-regex so that nothing is left to that engine's
//! own interpretation (`write`). What cannot be given the same meaning is refused, with its place in the pattern.

mod class;
mod cluster;
mod fold;
mod names;
mod parse;
mod quirks;
mod reader;
mod repeat;
mod write;

/// Largest number of bytes that the patterns of a file may become, since case-insensitive letters and classes are
/// written out.
const MOST_WRITTEN: usize = 256 << 10;
/// Largest number of boundaries of words and clusters in all patterns of a file. Each costs half a megabyte.
const MOST_ENDS: usize = 64;

/// Totals over the patterns of a file.
#[derive(Default)]
pub(crate) struct Spent {
    written: usize,
    ends: usize,
}

/// Why a pattern is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Index of the character at fault, from 0.
    at: usize,
    /// The text there, and what is wrong with it.
    why: String,
}

impl Refused {
    fn new<T>(at: usize, why: impl Into<String>) -> Result<T, Self> {
        Err(Self { at, why: why.into() })
    }

    /// The message for an error about a file.
    pub(crate) fn explain(&self, pattern: &str) -> String {
        format!("the pattern {pattern:?} cannot be used: at its character {}: {}", self.at, self.why)
    }
}

/// Translates a pattern to fancy-regex, with the matches that Oniguruma finds.
pub(crate) fn translate(pattern: &str, spent: &mut Spent) -> Result<String, Refused> {
    let tree = parse::parse(pattern)?;
    spent.ends += tree.ends;
    if spent.ends > MOST_ENDS {
        return Refused::new(
            0,
            format!("the patterns of the file have more than {MOST_ENDS} of \\b, \\B, \\X, \\y and \\Y"),
        );
    }
    let written = write::write(&tree)?;
    spent.written += written.len();
    if spent.written > MOST_WRITTEN {
        return Refused::new(
            0,
            format!("with all that they stand for the patterns have more than {MOST_WRITTEN} bytes"),
        );
    }
    Ok(written)
}

#[cfg(test)]
mod tests;
