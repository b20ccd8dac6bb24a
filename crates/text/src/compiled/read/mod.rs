//! Reads a `tokenizer.json` in one pass: large tables become compact at once, small parts become JSON values.
