//! Codes and messages of errors.

use std::path::PathBuf;
use tokenbed_core::Error;

#[test]
fn every_error_has_its_code_and_a_message() {
    let path = || PathBuf::from("folder/file");
    let cases = [
        (
            Error::TokenIndex { flat: 5, value: -3, rows: 10, count: 2 },
            "TOKEN_INDEX",
            "id -3 at 5 is out of range for a table of 10 rows (2 in all)",
        ),
        (Error::Shape("a shape".into()), "SHAPE", "a shape"),
        (Error::DType("a dtype".into()), "DTYPE", "a dtype"),
        (Error::Usage("a usage".into()), "USAGE", "a usage"),
        (Error::Memory { bytes: 7, reason: "no".into() }, "MEMORY", "cannot allocate 7 bytes: no"),
        (Error::Format { path: path(), offset: 8, message: "bad".into() }, "FORMAT", "folder/file: bad (at byte 8)"),
        (
            Error::File { path: path(), action: "open", source: std::io::Error::other("gone") },
            "FILE",
            "cannot open folder/file: gone",
        ),
    ];
    for (error, code, message) in cases {
        assert_eq!((error.code(), error.to_string().as_str()), (code, message));
    }
}
