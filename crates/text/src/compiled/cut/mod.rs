//! Pre-tokenizers: a section of a text becomes pieces.
