//! Grapheme clusters: `\X`, `\y` and `\Y`, expressed by what stands on both sides of a place.

/// A place where no cluster ends: rules GB3 to GB13 of UAX 29 without GB9c, as in Oniguruma.
fn inside() -> String {
    // These are the regex crate's names for Grapheme_Cluster_Break.
    let set =
        |names: &[&str]| names.iter().fold(String::from("["), |set, name| [&set, r"\p{gcb=", name, "}"].concat()) + "]";
    let between = |before: &str, after: &str| format!("(?<={before})(?={after})");
    let (control, pictograph) = (set(&["CR", "LF", "Control"]), r"\p{Extended_Pictographic}");
    let regional = set(&["Regional_Indicator"]);
    let pairs = [
        between(r"\x{d}", r"\x{a}"),
        between(&set(&["L"]), &set(&["L", "V", "LV", "LVT"])),
        between(&set(&["LV", "V"]), &set(&["V", "T"])),
        between(&set(&["LVT", "T"]), &set(&["T"])),
        between(&["[^", &control, "]"].concat(), &set(&["Extend", "ZWJ", "SpacingMark"])),
        between(&set(&["Prepend"]), &["[^", &control, "]"].concat()),
        between(&[pictograph, &set(&["Extend"]), "*", &set(&["ZWJ"])].concat(), pictograph),
        // An odd number of regional indicators stands before: pairs, and one more.
        between(&format!("(?:\\A|[^{regional}]){regional}(?:{regional}{regional})*"), &regional),
    ];
    ["(?:", &pairs.join("|"), ")"].concat()
}

/// `\X`: a character and those after it that belong to it.
pub(super) fn cluster() -> String {
    format!("(?>(?s:.)(?:{}(?s:.))*)", inside())
}

/// `\y` where a cluster ends, or `\Y` where none does.
pub(super) fn boundary(ends: bool) -> String {
    // Only an empty text would differ, and patterns are not applied to one.
    if ends { format!("(?!{})", inside()) } else { inside() }
}
