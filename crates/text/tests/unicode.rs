//! Characters of all of Unicode in the surroundings that patterns care about.

mod common;

use common::{encode, naive_encode};

/// All of ASCII and one in 61 of the rest; that the classes of all characters are right is tested beside their table.
#[test]
fn characters_between_letters_digits_spaces_and_punctuation() {
    let sample = (0..0x80).chain((0x80..0x11_0000).step_by(61)).filter_map(char::from_u32);
    for char in sample {
        let text = format!("a{char}a1{char}1 {char}{char}  {char}!{char}! \n{char}");
        assert_eq!(encode(&text), naive_encode(&text), "U+{:04X}", char as u32);
    }
}
