//! What can go wrong, one variant a mistake, each with the numbers a user needs to mend it.

/// Every error of this crate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// No encoding has this name.
    #[error("unknown encoding {name:?}: the known ones are {known}")]
    UnknownEncoding {
        /// The name that was asked for.
        name: String,
        /// All known names, separated by commas.
        known: String,
    },

    /// The bytes are no vocabulary file, or one that was damaged.
    #[error("the vocabulary is not what its format says: {reason} (at byte {offset})")]
    Vocabulary {
        /// Where in the decompressed file.
        offset: usize,
        /// What is wrong there.
        reason: &'static str,
    },

    /// The vocabulary is sound, but it is another encoding's.
    #[error("encoding {encoding:?} needs a vocabulary of {expected} tokens, this one has {found}")]
    WrongVocabulary {
        /// Name of the encoding.
        encoding: String,
        /// Tokens that the encoding needs, special ones not counted.
        expected: usize,
        /// Tokens that were found.
        found: usize,
    },

    /// A special token of the encoding cannot be one.
    #[error("special token {token:?} with id {id} cannot be used: {reason}")]
    SpecialToken {
        /// The token's text.
        token: String,
        /// Its id.
        id: u32,
        /// What is wrong with it.
        reason: &'static str,
    },

    /// The text contains a special token that the policy forbids.
    #[error(
        "the text contains the special token {token:?} at position {utf16}: allow it to get its id, or take it out of \
         the disallowed ones to encode it as plain text"
    )]
    DisallowedSpecial {
        /// The token's text.
        token: String,
        /// Where it starts, in bytes of UTF-8.
        byte: usize,
        /// Where it starts, in UTF-16 code units: an index into a JavaScript string.
        utf16: usize,
    },

    /// No token has this id.
    #[error("id {value} at position {position} is no token: {}", why_unknown(*value, *vocab_size))]
    UnknownId {
        /// Index into the ids that were given.
        position: usize,
        /// The id found there.
        value: u32,
        /// One more than the largest id.
        vocab_size: usize,
    },

    /// Lengths and offsets are 32 bits wide.
    #[error("{what} is too long: {found}, at most {limit} can be taken")]
    TooLong {
        /// What is too long.
        what: &'static str,
        /// Its length.
        found: usize,
        /// The largest length that works.
        limit: usize,
    },

    /// The bytes are no `tokenizer.json`, or one that is not supported, or that takes more than its limits for a text.
    #[error("{reason} (at byte {offset})")]
    TokenizerFile {
        /// The file's path, or what else it is called.
        path: String,
        /// Where in the file.
        offset: usize,
        /// What is wrong there.
        reason: String,
    },

    /// The tokenizer's file has no tokens for this text.
    #[error("the text cannot be encoded: {reason}")]
    Unencodable {
        /// What its library says.
        reason: String,
    },

    /// More of a text would have to be held back, as nothing divides it, than may be.
    #[error(
        "{bytes} bytes of text follow that nothing divides (a word of an encoding, what a tokenizer's file takes as one), \
         more than the limit maxHeldBytes of {limit}: give a larger one if this is meant"
    )]
    HeldBack {
        /// Where they begin, in bytes of UTF-8.
        start: usize,
        /// How many there are so far.
        bytes: usize,
        /// How many there may be.
        limit: usize,
    },

    /// Rows have no room for what the file puts around each text.
    #[error(
        "maxLength {max_length} has no room for the {frame} tokens that the file puts around each text: give at least \
         {frame}, or addSpecialTokens: false"
    )]
    NoRoom {
        /// Ids in a row.
        max_length: usize,
        /// Ids around the text.
        frame: usize,
    },

    /// One text of a batch is wrong.
    #[error("text {index} of the batch: {source}")]
    InBatch {
        /// Which text.
        index: usize,
        /// What is wrong with it.
        source: Box<TextError>,
    },

    /// A size of the windows that must be at least 1 is 0.
    #[error("{name} must be at least 1")]
    ZeroSize {
        /// Which size.
        name: &'static str,
    },

    /// There are too few ids for a single window with its targets.
    #[error("the text has {ids} ids, and a window of {max_length} with its targets needs {needed}")]
    TooShort {
        /// Ids there are.
        ids: usize,
        /// Ids in a window.
        max_length: usize,
        /// `max_length + 1`: the last target is one id past the window.
        needed: usize,
    },

    /// Two lengths that must be equal are not.
    #[error("{what} has {found} elements, {expected} are needed")]
    Length {
        /// Which buffer.
        what: &'static str,
        /// Its length.
        found: usize,
        /// The length that is needed.
        expected: usize,
    },

    /// There is no window of this number.
    #[error("there is no window {value} (at {index}): the text has {count}")]
    NoWindow {
        /// Index into the numbers that were given.
        index: usize,
        /// The number found there.
        value: u32,
        /// How many windows there are.
        count: usize,
    },

    /// An id does not fit the 32-bit signed integers that batches are made of.
    #[error("id {value} at position {position} does not fit an int32")]
    IdTooLarge {
        /// Index into the ids.
        position: usize,
        /// The id found there.
        value: u32,
    },
}

/// Encodings may leave ids between their tokens and their special ones unused.
fn why_unknown(value: u32, vocab_size: usize) -> String {
    if (value as usize) < vocab_size {
        return "the encoding does not use it".to_owned();
    }
    format!("the vocabulary has {vocab_size}")
}

/// A length or offset as 32 bits.
pub(crate) fn fit_u32(what: &'static str, length: usize) -> Result<u32, TextError> {
    let limit = u32::MAX as usize - 1;
    if length > limit { Err(TextError::TooLong { what, found: length, limit }) } else { Ok(length as u32) }
}
