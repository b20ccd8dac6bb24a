//! Settings of a file that do not change how texts are encoded.

use tokenizers::{
    Encoding, PaddingDirection, PaddingParams, PostProcessor, PostProcessorWrapper, Token, TruncationDirection,
    TruncationParams,
};

use super::{Frame, Habits, PairFrame};
use crate::offsets::Trims;
use crate::padding::Side;
use crate::panics::caught;
use tokenbed_memory::Slice;

/// Common names of padding tokens, for files that do not say which it is.
const PADDING: [&str; 3] = ["[PAD]", "<pad>", "<|pad|>"];

/// An id that stands for the text, to see what is put around it.
const MARK: u32 = u32::MAX;
/// The same for a second text.
const SECOND: u32 = u32::MAX - 1;
/// Marks for two texts that are none of these.
const OTHERS: [u32; 2] = [u32::MAX - 2, u32::MAX - 3];

/// What the file's post-processor takes off the places of tokens.
pub(super) fn trims(post_processor: Option<&PostProcessorWrapper>) -> Result<Trims, String> {
    let written = post_processor.map(serde_json::to_value).transpose().map_err(|error| error.to_string())?;
    Ok(written.as_ref().map(Trims::of).unwrap_or_default())
}

/// Defaults for rectangular batches. `added` gives the id of an added token.
pub(super) fn habits(
    padding: Option<&PaddingParams>,
    truncation: Option<&TruncationParams>,
    added: impl Fn(&str) -> Option<u32>,
) -> Habits {
    let left = matches!(padding.map(|padding| &padding.direction), Some(PaddingDirection::Left));
    let cut_left = matches!(truncation.map(|it| it.direction), Some(TruncationDirection::Left));
    let side = |left| if left { Side::Left } else { Side::Right };
    Habits {
        padding_id: padding.map(|padding| padding.pad_id).or_else(|| PADDING.iter().find_map(|&name| added(name))),
        padding_side: side(left),
        truncation_side: side(cut_left),
        truncation_length: truncation.map(|it| it.max_length),
    }
}

/// What the file puts around a text, found by running its post-processor.
pub(super) fn frame(post_processor: Option<&PostProcessorWrapper>) -> Result<Frame, String> {
    let Some(post_processor) = post_processor else { return Ok(Frame::default()) };
    let around = |mark| {
        let marked = Encoding::from_tokens(Vec::from([Token::new(mark, String::new(), (0, 0))]), 0);
        // A template that mentions a second text relies on having one, and panics.
        let framed = caught(|| post_processor.process(marked, None, true));
        let framed = framed.map_err(|_| "it does not work for one text alone")?.map_err(|error| error.to_string())?;
        let ids = framed.get_ids();
        match ids.iter().filter(|&&id| id == mark).count() {
            1 => {}
            count => return Err(format!("it takes the text {count} times, once is supported")),
        }
        let at = ids.iter().position(|&id| id == mark).unwrap_or(0);
        Ok(Frame { before: ids[..at].to_list(), after: ids[at + 1..].to_list() })
    };
    // A file that has an id of its own equal to a mark shows it with the other one.
    around(SECOND)?;
    around(MARK)
}

/// What the file makes of two texts, found by running its post-processor.
pub(super) fn pair(post_processor: Option<&PostProcessorWrapper>, framed: bool) -> Result<PairFrame, String> {
    let Some(post_processor) = post_processor else { return Ok(PairFrame::plain()) };
    let text = |mark, kind| Encoding::from_tokens(Vec::from([Token::new(mark, String::new(), (0, 0))]), kind);
    let both = |marks: [u32; 2]| {
        let [first, second] = marks;
        let made = caught(|| post_processor.process(text(first, 0), Some(text(second, 1)), framed));
        let made = made.map_err(|_| "it does not work for two texts")?.map_err(|error| error.to_string())?;
        let place = |mark| match made.get_ids().iter().filter(|&&id| id == mark).count() {
            1 => Ok(made.get_ids().iter().position(|&id| id == mark).unwrap_or(0)),
            count => Err(format!("it takes a text of two {count} times, once is supported")),
        };
        let (first, second) = (place(first)?, place(second)?);
        Ok(PairFrame { ids: made.get_ids().to_list(), types: made.get_type_ids().to_list(), first, second })
    };
    // A file that has ids of its own equal to the marks shows them with others.
    both(OTHERS)?;
    both([MARK, SECOND])
}
