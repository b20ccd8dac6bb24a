//! Paths without a folder. This test has a process of its own, because all tests of a process share the current folder.

#![allow(clippy::expect_used, reason = "helpers of tests")]

#[allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]
mod common;

use common::{folder, names};
use std::io::Write;
use std::path::Path;
use tokenbed_io::atomic;

#[test]
fn a_path_without_a_folder_is_in_the_current_one() {
    let (folder, _) = folder();
    std::env::set_current_dir(folder.path()).expect("the folder is there");
    for name in ["plain", "./dotted", "plain"] {
        atomic::write(Path::new(name), |file| file.write_all(b"here")).expect("a good call");
    }
    assert_eq!(names(folder.path()), ["dotted", "plain"]);
    // Some systems do not let the current folder be removed.
    std::env::set_current_dir(std::env::temp_dir()).expect("the folder is there");
}
