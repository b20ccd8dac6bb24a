//! White space between the other pieces, which the patterns treat almost alike.

use super::classes::{Class, Classes, Set};

/// `\s++$|\s+(?!\S)|\s`: the whole run at the end of the text, else the run up to its last character, which may be
/// the space of the next piece; at least one character.
#[cold]
pub(crate) fn end_of_run(classes: &Classes, text: &[u8], start: usize) -> usize {
    let run = Run::at(classes, text, start);
    if run.end < text.len() && run.last > start { run.last } else { run.end }
}

/// `\s*[\r\n]|\s+(?!\S)|\s`: up to the run's last line break if it has one, else like [`end_of_run`].
pub(crate) fn end_of_lines(classes: &Classes, text: &[u8], start: usize) -> usize {
    let run = Run::at(classes, text, start);
    match run.line_end {
        Some(end) => end,
        None if run.end < text.len() && run.last > start => run.last,
        None => run.end,
    }
}

/// `\s++$|\s*[\r\n]|\s+(?!\S)|\s`: like [`end_of_lines`], but the whole run at the end of the text.
pub(crate) fn end_of_lines_or_text(classes: &Classes, text: &[u8], start: usize) -> usize {
    let run = Run::at(classes, text, start);
    match run.line_end {
        _ if run.end == text.len() => run.end,
        Some(end) => end,
        None if run.last > start => run.last,
        None => run.end,
    }
}

/// A run of white space.
struct Run {
    /// Start of its last character.
    last: usize,
    /// End of its last `[\r\n]`.
    line_end: Option<usize>,
    end: usize,
}

impl Run {
    fn at(classes: &Classes, text: &[u8], start: usize) -> Self {
        let mut run = Self { last: start, line_end: None, end: start };
        while let Some((class, after)) = classes.at(text, run.end) {
            if !Set::SPACES.has(class) {
                break;
            }
            if class == Class::Newline {
                run.line_end = Some(after);
            }
            (run.last, run.end) = (run.end, after);
        }
        run
    }
}
