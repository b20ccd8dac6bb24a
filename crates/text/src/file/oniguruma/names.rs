//! Oniguruma's names for sets of characters, as classes of the regex crate.
//!
//! Both have the tables of Unicode 16. For names that both know the sets are the same, except where this file says
//! otherwise. A test compares every name and every character.

use regex_syntax::Parser;
use regex_syntax::hir::{Class, ClassUnicode, HirKind};

/// `\w` inside brackets, and `[[:word:]]`.
pub(super) const WORD_IN_CLASS: &str = r"[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]";
/// `\w` outside of brackets, and the word characters of `\b`. Below U+0100 Oniguruma uses another table, in which
/// superscripts and fractions are word characters, too.
pub(super) const WORD: &str = r"[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{b2}\x{b3}\x{b9}\x{bc}-\x{be}]";

/// `\h`.
pub(super) const HEXADECIMAL: &str = "[0-9A-Fa-f]";

/// A set without characters.
pub(super) const NONE: &str = r"[^\x{0}-\x{10ffff}]";

/// The set of a name in POSIX brackets.
pub(super) fn posix(name: &str) -> Option<&'static str> {
    Some(match name {
        "alnum" => r"[\p{Alphabetic}\p{Nd}]",
        "alpha" => r"\p{Alphabetic}",
        "ascii" => r"[\x{0}-\x{7f}]",
        "blank" => r"[\t\p{Zs}]",
        "cntrl" => r"\p{Cc}",
        "digit" => r"\d",
        "graph" => r"[^\s\p{Cc}\p{Cn}]",
        "lower" => r"\p{Lowercase}",
        "print" => r"[[^\s\p{Cc}\p{Cn}]\p{Zs}]",
        "punct" => r"[\p{P}\p{S}]",
        "space" => r"\s",
        "upper" => r"\p{Uppercase}",
        "word" => WORD_IN_CLASS,
        "xdigit" => HEXADECIMAL,
        _ => return None,
    })
}

/// The set of a property's name, or why there is none.
pub(super) fn property(name: &str) -> Result<String, &'static str> {
    let plain: String = name.chars().filter(|c| !matches!(c, ' ' | '-' | '_')).fold(String::new(), |mut plain, c| {
        plain.push(c.to_ascii_lowercase());
        plain
    });
    match plain.as_str() {
        // For these two, the POSIX name means a larger set.
        "punct" => return Ok(r"\p{P}".into()),
        "cs" | "surrogate" => return Ok(NONE.into()),
        "unknown" | "zzzz" | "incb" => return Err("is a property whose characters are not known here"),
        _ => {}
    }
    if let Some(set) = posix(&plain) {
        return Ok(set.into());
    }
    // Excludes forms of the regex crate that Oniguruma does not have.
    let is_name = plain.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.') && !plain.starts_with("is");
    let set = [r"\p{", &plain, "}"].concat();
    if is_name && set_of(&set).is_some() {
        return Ok(set);
    }
    Err(if plain.starts_with("in") {
        "is a block: ranges of code points are supported, names of blocks are not"
    } else {
        "is not a known property"
    })
}

/// The characters of a class in the regex crate's syntax.
pub(super) fn set_of(class: &str) -> Option<ClassUnicode> {
    match Parser::new().parse(class).ok()?.into_kind() {
        HirKind::Class(Class::Unicode(set)) => Some(set),
        // The regex crate turns a class of one character into a literal.
        HirKind::Literal(literal) => {
            let c = std::str::from_utf8(&literal.0).ok()?.chars().next()?;
            Some(ClassUnicode::new([regex_syntax::hir::ClassUnicodeRange::new(c, c)]))
        }
        HirKind::Class(Class::Bytes(bytes)) => bytes.to_unicode_class(),
        _ => None,
    }
}
