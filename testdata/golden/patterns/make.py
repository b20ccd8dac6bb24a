"""Writes patterns.json.gz: the matches of regular expressions in the library, which runs them with Oniguruma.

    python testdata/golden/patterns/make.py

Needs tokenizers (made with 0.23.3, whose wheel has onig 6.5.3 and Oniguruma 6.9.10 with the tables of Unicode 16).

- sets: for each named property and class, a digest of the ranges of its characters.
- every: patterns in use, and each kind of class and anchor, over a text of nearly every character: a digest of the text
  in which a vertical bar replaces each match.
- cases: patterns, with texts that they split and replace. First patterns in use, then random ones from a grammar. A
  pattern that the library refuses has no texts.
- cased: each letter that has cases, and each group of letters that equals one letter in some case, over a text of all.
"""

import gzip
import hashlib
import json
import random
import unicodedata
from pathlib import Path

from tokenizers import Regex, normalizers, pre_tokenizers

HERE = Path(__file__).resolve().parent
EVERY = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
# In ranges of thousands of characters that are all alike, the first and the last suffice.
ALIKE = [(0x3410, 0x4DB0), (0x4E10, 0x9FE0), (0xAC40, 0xD790), (0xE010, 0xF8F0), (0x17010, 0x187E0), (0x20010, 0xE0000), (0xE0200, 0x10FFF0)]
MANY = [c for c in EVERY if not any(low <= ord(c) < high for low, high in ALIKE)]

POSIX = ["alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word", "xdigit"]
PROPERTIES = POSIX + """
Any Assigned C Cc Cf Cn Co Cs L LC Ll Lm Lo Lt Lu M Mc Me Mn N Nd Nl No P Pc Pd Pe Pf Pi Po Ps S Sc Sk Sm So Z Zl Zp Zs
Letter Cased_Letter Uppercase_Letter Lowercase_Letter Titlecase_Letter Modifier_Letter Other_Letter Mark Nonspacing_Mark
Spacing_Mark Enclosing_Mark Number Decimal_Number Letter_Number Other_Number Punctuation Connector_Punctuation
Dash_Punctuation Open_Punctuation Close_Punctuation Initial_Punctuation Final_Punctuation Other_Punctuation Symbol
Math_Symbol Currency_Symbol Modifier_Symbol Other_Symbol Separator Space_Separator Line_Separator Paragraph_Separator
Other Control Format Surrogate Private_Use Unassigned Combining_Mark
ASCII_Hex_Digit Alphabetic Bidi_Control Case_Ignorable Cased Changes_When_Casefolded Changes_When_Casemapped
Changes_When_Lowercased Changes_When_Titlecased Changes_When_Uppercased Dash Default_Ignorable_Code_Point Deprecated
Diacritic Emoji Emoji_Component Emoji_Modifier Emoji_Modifier_Base Emoji_Presentation Extended_Pictographic Extender
Grapheme_Base Grapheme_Extend Grapheme_Link Hex_Digit Hyphen IDS_Binary_Operator IDS_Trinary_Operator ID_Continue ID_Start
Ideographic Join_Control Logical_Order_Exception Lowercase Math Noncharacter_Code_Point Other_Alphabetic
Other_Default_Ignorable_Code_Point Other_Grapheme_Extend Other_ID_Continue Other_ID_Start Other_Lowercase Other_Math
Other_Uppercase Pattern_Syntax Pattern_White_Space Prepended_Concatenation_Mark Quotation_Mark Radical Regional_Indicator
Sentence_Terminal Soft_Dotted Terminal_Punctuation Unified_Ideograph Uppercase Variation_Selector White_Space XID_Continue
XID_Start
Adlam Ahom Arabic Armenian Avestan Balinese Bamum Batak Bengali Bopomofo Brahmi Braille Buginese Buhid Canadian_Aboriginal
Carian Chakma Cham Cherokee Common Coptic Cuneiform Cypriot Cyrillic Deseret Devanagari Egyptian_Hieroglyphs Ethiopic
Georgian Glagolitic Gothic Greek Gujarati Gurmukhi Han Hangul Hanunoo Hebrew Hiragana Inherited Inscriptional_Pahlavi
Javanese Kaithi Kannada Katakana Kawi Kayah_Li Kharoshthi Khmer Khojki Lao Latin Lepcha Limbu Linear_A Linear_B Lisu
Malayalam Mandaic Meetei_Mayek Mongolian Myanmar Nko Ogham Ol_Chiki Old_Italic Oriya Osage Osmanya Phoenician Rejang Runic
Samaritan Saurashtra Sharada Shavian Sinhala Sundanese Syloti_Nagri Syriac Tagalog Tagbanwa Tai_Le Tai_Tham Tai_Viet Takri
Tamil Tangut Telugu Thaana Thai Tibetan Tifinagh Tirhuta Ugaritic Vai Wancho Yi Latn Grek Cyrl Hani Hira Kana Arab Hebr Thai
Age_1_1 Age_15.0 Script_Extensions In_Greek_and_Coptic In_CJK_Unified_Ideographs InThai Nonsense IsGreek gc=Lu Zzzz
""".split()  # fmt: skip

FAMILIES = {
    "gpt2": r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "llama3": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "qwen2": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "o200k": r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "deepseek": r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "deepseek, scripts": "[一-龥぀-ゟ゠-ヿ]+",
    "numbers": r"\p{N}{1,3}",
    "bloom": r" ?[^(\s|[.,!?…。，、।۔،])]+",
    "clip": r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+",
    "falcon": "[0-9][0-9][0-9]",
}  # fmt: skip
KINDS = [
    r"\w", r"\W", r"\d", r"\D", r"\s", r"\S", r"\h", r"\H", r"\b", r"\B", "^", "$", r"\A", r"\z", r"\Z", ".", "(?m:.)", r"\R",
    r"\N", r"\O", r"\X", r"\y", r"\Y", r"[\w]", r"[^\w]", r"[\W]", r"\w+|[^\w\s]+", r"[^\S\n]+|$", "(?i)ss", "(?i)k", "(?i)[k]",
    "(?i)[^k]", r"(?i)\p{Lu}", r"(?i)[\p{Lu}]", r"\p{Word}", r"\P{Word}", "(?i)[[:lower:]]",
]  # fmt: skip
# Each is the smallest example of something in which engines differ, or which files in use have.
PEOPLE = [
    (r"\w+|[^\w\s]+", ["a\u200db", "½ 1²", "e\u0301 \u0301"]), (r"\w+", ["½", "x½y", "\u200c"]), (r"[^\S\n]+|$", ["a\n", "a \n b\n"]),
    (r"[[:punct:]]", ["…", "$+<", "a-b_c"]), ("(?i)ss", ["ß", "ẞ", "ſs", "Ss s"]), (r"\X", ["e\u0301x", "🇩🇪🇫🇷🇩", "👩\u200d👩\u200d👧", "\r\n\n"]),
    (r"\R", ["\r\n\n\r\u2028\x85\x0b", "\n\r"]), (r"a|^", ["\na\n\n"]), (r"(?i)ﬁ|ŉ|ǰ", ["fi FI ﬁ ʼn J\u030c"]), (r"\pL+", ["pL pLL L"]),
    (r"a(?i)b|c", ["ab aB aC c C"]), (r"(?m).+", ["a\nb"]), (r"(?x) a b # c", ["ab", "a b"]), (r"a{,2}b{2}?", ["aaabbb", "bb"]),
    (r"a{3,1}a", ["aaaa aaa"]), (r"x++x|y?+", ["xxx y"]), (r"(?<=a|bc)d", ["ad bcd cd"]), (r"(?<!\w)\w", ["ab ½c \u200dd"]),
    (r"(a|b)\1", ["aabbab"]), (r"(?<n>a|b)(c)\k<n>", ["acabcb"]), (r"[a-z&&[^aeiou]]+", ["hello world"]), (r"[]a]+[^]]", ["]a]b"]),
    (r"[\w-]+", []), (r"(?~abc)", []), (r"\K", []), (r"(?s).", []), (r"(?<=a*)b", ["aab b"]), (r"\xc3\xa9|\101|\x{e9 e8}", []),
    (r"\xc3\xa9|\101|\x{e8}", ["éAè"]), (r"[[:^alpha:]]+", ["a1½b"]), (r"[\R\X]", ["RX\n"]), (r"\Ga", ["aab a"]), (r"(?=b)|\Gb", ["abab"]),
    (r"\b.+", ["  ab"]), (r"(?:a*)*b", ["aab"]), (r"(a*)*b", ["aab"]), (r"\p{^L}\P{^N}", ["!1 a1"]), (r"^", ["\n", "a\nb\n"]), (r"\Z", ["a\n"]),
    (r" ?(?:[^\s\w]|_)+|\d{1,3}(?=(?:\d{3})*\b)", ["1234567 _- a"]), (r"\s+(?!\S)|\s", ["a   b  "]), (r"(?i:'s|'T)", ["'ſ 'S 't"]),
]  # fmt: skip

ATOMS = ["a", "b", "s", "ss", "ß", "ſ", "k", "İ", "é", "½", "\u200d", " ", r"\n", ".", r"\w", r"\W", r"\d", r"\s", r"\S", r"\h", r"\b", r"\B", "^",
         "$", r"\A", r"\z", r"\Z", r"\R", r"\N", r"\O", r"\X", r"\y", r"\Y", r"\x{73}", r"\u00e9", r"\p{L}", r"\p{Lu}", r"\p{^N}", r"\P{Word}", "[ab]", "[^a]",
         "[a-z&&[^s]]", r"[\w]", r"[^\w\s]", r"[^\S\n]", "[[:alpha:]]", "[[:^punct:]]", "[[:space:]]", "[ß]", "[^ß]", "[-a]", r"\.", r"\k", "{", "a{,2}", "a{2}?",
         "b{1,2}?", "a{3,1}", "ﬁ", "ff", "\u0301", "🇩", r"\G", "(?#c)", "ŉ"]  # fmt: skip
PLACES = {r"\b", r"\B", "^", "$", r"\A", r"\z", r"\Z", r"\y", r"\Y", r"\G"}
QUANTIFIERS = [""] * 8 + ["*", "+", "?", "*?", "+?", "??", "++", "?+", "{2}", "{1,2}", "{2,}", "{,3}", "{2}+"]
GROUPS = ["(?:%s)", "(?:%s)", "(%s)", "(?=%s)", "(?!%s)", "(?<=%s)", "(?<!%s)", "(?>%s)", "(?i:%s)", "(?m:%s)", "(?i)%s", "(?x: %s )"]
LETTERS = "aabsSstßẞſkKiİ\u0307éÉ½²\u200d \n\r\u00a0\u20281٣.…$_-ﬁf\u0301🇩🇪👍🏽\u1100\u1161ʼnŉAL{]\t\0\u0600❤"


def expression(draw, depth):
    out = ""
    for _ in range(draw.randint(1, 3)):
        if depth == 0 or draw.random() < 0.6:
            atom = draw.choice(ATOMS)
        else:
            inner = expression(draw, depth - 1)
            if draw.random() < 0.5:
                inner += "|" + expression(draw, depth - 1)
            atom = draw.choice(GROUPS) % inner
        is_place = atom in PLACES or atom.startswith(("(?=", "(?!", "(?<"))
        out += atom + ("" if is_place else draw.choice(QUANTIFIERS))
    return out


def regex(pattern):
    try:
        return Regex(pattern)
    except Exception:
        return None


def ranges(chars):
    out, codes = [], sorted(map(ord, chars))
    for code in codes:
        # The gap of the surrogates does not end a range.
        if out and code - out[-1][1] == 1 or out and out[-1][1] == 0xD7FF and code == 0xE000:
            out[-1][1] = code
        else:
            out.append([code, code])
    return ",".join(f"{a:x}-{b:x}" for a, b in out)


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def replaced(pattern, text):
    return normalizers.Replace(pattern, "|").normalize_str(text)


BEHAVIORS = ["removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"]


def case(pattern, texts, draw):
    compiled = regex(pattern)
    behavior, invert = draw.choice(BEHAVIORS), draw.random() < 0.3
    rows = []
    for text in texts if compiled else []:
        split = pre_tokenizers.Split(Regex(pattern), behavior, invert).pre_tokenize_str(text)
        rows.append([text, replaced(compiled, text), [piece for piece, _ in split]])
    return [pattern, behavior, invert, rows]


def main():
    draw = random.Random(7)
    every = "".join(EVERY)
    sets = {}
    for name in [f"\\p{{{name}}}" for name in PROPERTIES] + [f"[[:{name}:]]" for name in POSIX] + [r"\w", r"\d", r"\s", r"\h"]:
        compiled = regex(name)
        left = normalizers.Replace(compiled, "").normalize_str(every) if compiled else None
        sets[name] = None if left is None else digest(ranges(set(EVERY) - set(left)))
    texts = ["".join(f"{c}\v{c}{c}\va{c}b\v" for c in MANY[i : i + 4096]) for i in range(0, len(MANY), 4096)]
    patterns = [*FAMILIES.values(), *KINDS]
    found = [[pattern, digest("".join(replaced(Regex(pattern), text) for text in texts))] for pattern in patterns]
    cases = [case(pattern, texts, draw) for pattern, texts in PEOPLE]
    while len(cases) < 2200:
        text = lambda: "".join(draw.choice(LETTERS) for _ in range(draw.randint(1, 7)))
        cases.append(case(expression(draw, 2), [text() for _ in range(3)], draw))
    cased = [c for c in EVERY if c.lower() != c or c.upper() != c or c.casefold() != c]
    several = sorted({c.casefold() for c in cased if len(c.casefold()) > 1})
    all_cased = ".".join(cased + several + [text.upper() for text in several])
    folded = [[letter, digest(replaced(Regex("(?i)" + letter), all_cased) + replaced(Regex(f"(?i)[{letter}]"), all_cased))] for letter in cased[::7] + several]
    data = {"unicode": unicodedata.unidata_version, "alike": ALIKE, "sets": sets, "every": found, "cases": cases, "all_cased": all_cased, "cased": folded}
    packed = gzip.compress(json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode(), 9, mtime=0)
    (HERE / "patterns.json.gz").write_bytes(packed)
    print(len(packed), "bytes;", sum(not rows for *_, rows in cases), "refused;", [name for name, found in sets.items() if found is None])


main()
