//! Patterns in the syntax of Oniguruma, which the Python package of the library runs, for the engine of this crate.
//!
//! Both write regular expressions almost alike and mean different things: what `\w` is, where `^` stands, what an option
//! in the middle of an alternative reaches, whether `\pL` is a property. A pattern is read here as Oniguruma reads it
//! (`parse`: its default syntax, 6.9.10, no options), its classes and letters of either case become sets of characters
//! (`class`, `names`, `fold`), and it is written down again for fancy-regex so that nothing is left to that engine's own
//! reading (`write`). What cannot be given the same meaning is refused, with its place in the pattern.

mod class;
mod cluster;
mod fold;
mod names;
mod parse;
mod quirks;
mod reader;
mod repeat;
mod write;

/// Bytes that the patterns of a file may become, at most: letters of either case and classes are written out.
const MOST_WRITTEN: usize = 256 << 10;
/// Ends of words and of clusters in all patterns of a file, at most: each costs half a megabyte.
const MOST_ENDS: usize = 64;

/// What the patterns of a file have come to.
#[derive(Default)]
pub(super) struct Spent {
    written: usize,
    ends: usize,
}

/// Why a pattern is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    /// The number of the character at fault, from 0 on.
    at: usize,
    /// What stands there, and what is wrong with it.
    why: String,
}

impl Refused {
    fn new<T>(at: usize, why: impl Into<String>) -> Result<T, Self> {
        Err(Self { at, why: why.into() })
    }

    /// As part of an error about a file.
    pub(super) fn explain(&self, pattern: &str) -> String {
        format!("the pattern {pattern:?} cannot be used: at its character {}: {}", self.at, self.why)
    }
}

/// The pattern as fancy-regex writes it, with the matches that Oniguruma finds.
pub(super) fn translate(pattern: &str, spent: &mut Spent) -> Result<String, Refused> {
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
