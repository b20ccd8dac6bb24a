//! Grapheme clusters: `\X`, `\y` and `\Y`, as what stands on both sides of a place.

/// Where no cluster ends: rules GB3 to GB13 of UAX 29 but GB9c, as Oniguruma has them.
fn inside() -> String {
    // Names of Grapheme_Cluster_Break, as the regex crate has them.
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
        // As many before as make pairs, and one.
        between(&format!("(?:\\A|[^{regional}]){regional}(?:{regional}{regional})*"), &regional),
    ];
    ["(?:", &pairs.join("|"), ")"].concat()
}

/// `\X`: a character and those behind it that belong to it.
pub(super) fn cluster() -> String {
    format!("(?>(?s:.)(?:{}(?s:.))*)", inside())
}

/// `\y` where a cluster ends, or `\Y` where none does.
pub(super) fn boundary(ends: bool) -> String {
    // An empty text, of which nothing is asked, would be the only one to differ.
    if ends { format!("(?!{})", inside()) } else { inside() }
}
