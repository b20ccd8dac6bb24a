//! The errors of this crate. Each variant is one mistake, with the numbers that a user needs to correct it.

/// Every error of this crate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// No encoding has this name.
    #[error("unknown encoding {name:?}; known: {known}")]
    UnknownEncoding {
        /// The name that was requested.
        name: String,
        /// All known names, separated by commas.
        known: String,
    },

    /// The bytes are not a vocabulary file, or the file is damaged.
    #[error("the vocabulary does not follow its format: {reason} (at byte {offset})")]
    Vocabulary {
        /// Byte offset in the decompressed file.
        offset: usize,
        /// What is wrong there.
        reason: &'static str,
    },

    /// The vocabulary is valid, but belongs to another encoding.
    #[error("encoding {encoding:?} needs a vocabulary of {expected} tokens, not {found}")]
    WrongVocabulary {
        /// Name of the encoding.
        encoding: String,
        /// Number of tokens that the encoding needs, without special ones.
        expected: usize,
        /// Number of tokens that were found.
        found: usize,
    },

    /// An encoding has a special token that cannot be used.
    #[error("special token {token:?} with id {id} cannot be used: {reason}")]
    SpecialToken {
        /// Text of the token.
        token: String,
        /// Id of the token.
        id: u32,
        /// What is wrong with it.
        reason: &'static str,
    },

    /// The text contains a special token that the policy forbids.
    #[error(
        "the text contains the special token {token:?} at position {utf16}: allow it to encode it as its id, or \
         remove it from the disallowed ones to encode it as plain text"
    )]
    DisallowedSpecial {
        /// Text of the token.
        token: String,
        /// Position of its first byte in UTF-8.
        byte: usize,
        /// Position of its first UTF-16 code unit: an index into a JavaScript string.
        utf16: usize,
    },

    /// No token has this id.
    #[error("id {value} at position {position} is not a token: {}", why_unknown(*value, *vocab_size))]
    UnknownId {
        /// Index into the given ids.
        position: usize,
        /// The id at that index.
        value: u32,
        /// The largest id plus one.
        vocab_size: usize,
    },

    /// A length or offset does not fit 32 bits.
    #[error("{what} is too long: its length must be at most {limit}, not {found}")]
    TooLong {
        /// What is too long.
        what: &'static str,
        /// Its length.
        found: usize,
        /// The largest length that is possible.
        limit: usize,
    },

    /// The bytes are not a supported `tokenizer.json`, or a text takes more than the file's limits.
    #[error("{reason} (at byte {offset})")]
    TokenizerFile {
        /// Path or other name of the file.
        path: String,
        /// Byte offset in the file.
        offset: usize,
        /// What is wrong there.
        reason: String,
    },

    /// The tokenizer's file has no tokens for this text.
    #[error("the text cannot be encoded: {reason}")]
    Unencodable {
        /// The reason that the library gives.
        reason: String,
    },

    /// More text than allowed would have to be held back, because nothing divides it.
    #[error(
        "{bytes} bytes of text follow that cannot be divided (one word, or what a tokenizer's file treats as one), \
         more than the limit maxHeldBytes of {limit}: give a larger one if this is intended"
    )]
    HeldBack {
        /// Byte offset of that text in UTF-8.
        start: usize,
        /// Number of bytes so far.
        bytes: usize,
        /// Largest number of bytes allowed.
        limit: usize,
    },

    /// The caller stopped the work.
    #[error("the texts were not encoded to the end, because the work was stopped")]
    Stopped,

    /// Rows have no room for the tokens that the file puts around each text.
    #[error(
        "maxLength {max_length} has no room for the {frame} tokens that the file puts around each text: give at least \
         {frame}, or addSpecialTokens: false"
    )]
    NoRoom {
        /// Number of ids in a row.
        max_length: usize,
        /// Number of ids around the text.
        frame: usize,
    },

    /// Rows that go on from one another repeat as much as they hold.
    #[error(
        "stride {overlap} leaves no room for new ids: it must be less than the {room} that maxLength leaves for the text"
    )]
    NoOverlap {
        /// Number of ids that a row repeats.
        overlap: usize,
        /// Number of ids of the text in a row.
        room: usize,
    },

    /// One text of a batch has an error.
    #[error("text {index} of the batch: {source}")]
    InBatch {
        /// Index of the text.
        index: usize,
        /// The error of the text.
        source: Box<TextError>,
    },

    /// A size of the windows is 0 and must be at least 1.
    #[error("{name} must be at least 1")]
    ZeroSize {
        /// Name of the size.
        name: &'static str,
    },

    /// There are too few ids for one window with its targets.
    #[error("the text has {ids} ids, but a window of {max_length} with its targets needs {needed}")]
    TooShort {
        /// Number of ids.
        ids: usize,
        /// Number of ids in a window.
        max_length: usize,
        /// `max_length + 1`, since the last target is one id past the window.
        needed: usize,
    },

    /// Two lengths that must be equal are not.
    #[error("{what} must have {expected} elements, not {found}")]
    Length {
        /// Name of the buffer.
        what: &'static str,
        /// Its length.
        found: usize,
        /// The length that is needed.
        expected: usize,
    },

    /// There is no window with this number.
    #[error("window {value} (at index {index}) is out of range: the text has {count} windows")]
    NoWindow {
        /// Index into the given numbers.
        index: usize,
        /// The number at that index.
        value: u32,
        /// Number of windows.
        count: usize,
    },

    /// An id does not fit the 32-bit signed integers of batches.
    #[error("id {value} at position {position} does not fit in an int32")]
    IdTooLarge {
        /// Index into the ids.
        position: usize,
        /// The id at that index.
        value: u32,
    },
}

/// Explains why an id is unknown. An encoding may leave ids between its tokens and its special tokens unused.
fn why_unknown(value: u32, vocab_size: usize) -> String {
    if (value as usize) < vocab_size {
        return "the encoding leaves this id unused".to_owned();
    }
    format!("the vocabulary has {vocab_size} ids")
}

/// A length or offset as 32 bits.
pub(crate) fn fit_u32(what: &'static str, length: usize) -> Result<u32, TextError> {
    let limit = u32::MAX as usize - 1;
    if length > limit { Err(TextError::TooLong { what, found: length, limit }) } else { Ok(length as u32) }
}
