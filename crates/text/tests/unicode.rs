//! Characters of all of Unicode, in surroundings that matter to patterns.

mod common;

/// Tests all of ASCII and one in 61 of the rest. The classes of all characters are tested beside their table.
#[test]
fn characters_between_letters_digits_spaces_and_punctuation() {
    let sample = (0..0x80).chain((0x80..0x11_0000).step_by(61)).filter_map(char::from_u32);
    for char in sample {
        let common = format!("a{char}a1{char}1 {char}{char}  {char}!{char}! \n{char}");
        let cased = format!("{char}A{char}Ab{char} {char}'s'{char}'l{char} \r\n{char}/\n{char}\u{5d0}A\u{301}{char}");
        for it in common::all() {
            for text in [&common, &cased] {
                assert_eq!(it.encode(text), it.naive_encode(text), "{} U+{:04X}", it.name(), char as u32);
            }
        }
    }
}

/// Tests every character that `(?i:...)` might accept as a letter of a contraction, besides ASCII capitals.
#[test]
fn contractions_of_any_letters() {
    for char in (0..0x11_0000).filter_map(char::from_u32).filter(|char| char.is_alphabetic()) {
        // The letter x shows where the contraction ends: without one it would continue the piece.
        let texts = [format!("a'{char}x"), format!("'{char}{char}x"), format!("'{char}ex"), format!("'v{char}x")];
        for it in &common::all()[1..] {
            for text in &texts {
                assert_eq!(it.encode(text), it.naive_encode(text), "{} U+{:04X}", it.name(), char as u32);
            }
        }
    }
}
