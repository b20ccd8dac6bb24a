//! What Oniguruma's names for sets of characters mean, as classes of the regex crate.
//!
//! Both have the tables of Unicode 16: of the names that both know the sets are the same, but where it is written here.
//! That is tested for every name and every character.

use regex_syntax::Parser;
use regex_syntax::hir::{Class, ClassUnicode, HirKind};

/// `\w` inside of brackets, and `[[:word:]]`.
pub(super) const WORD_IN_CLASS: &str = r"[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]";
/// `\w` by itself, and what `\b` looks for: below U+0100 another table is asked, in which superscripts and fractions are
/// words, too.
pub(super) const WORD: &str = r"[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{b2}\x{b3}\x{b9}\x{bc}-\x{be}]";

/// `\h`.
pub(super) const HEXADECIMAL: &str = "[0-9A-Fa-f]";

/// No character at all.
pub(super) const NONE: &str = r"[^\x{0}-\x{10ffff}]";

/// The set of a POSIX bracket's name.
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
        // Of these two the brackets' name means more.
        "punct" => return Ok(r"\p{P}".into()),
        "cs" | "surrogate" => return Ok(NONE.into()),
        "unknown" | "zzzz" | "incb" => return Err("is a property whose characters are not known here"),
        _ => {}
    }
    if let Some(set) = posix(&plain) {
        return Ok(set.into());
    }
    // Forms of the regex crate that Oniguruma does not have.
    let is_name = plain.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.') && !plain.starts_with("is");
    let set = [r"\p{", &plain, "}"].concat();
    if is_name && set_of(&set).is_some() {
        return Ok(set);
    }
    Err(if plain.starts_with("in") {
        "is a block: ranges of code points are supported, names of blocks are not"
    } else {
        "is no property that is known"
    })
}

/// The characters of a class as the regex crate writes it.
pub(super) fn set_of(class: &str) -> Option<ClassUnicode> {
    match Parser::new().parse(class).ok()?.into_kind() {
        HirKind::Class(Class::Unicode(set)) => Some(set),
        // One character is no class to it.
        HirKind::Literal(literal) => {
            let c = std::str::from_utf8(&literal.0).ok()?.chars().next()?;
            Some(ClassUnicode::new([regex_syntax::hir::ClassUnicodeRange::new(c, c)]))
        }
        HirKind::Class(Class::Bytes(bytes)) => bytes.to_unicode_class(),
        _ => None,
    }
}
