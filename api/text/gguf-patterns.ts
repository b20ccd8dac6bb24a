// How byte-level tokenizers of GGUF files cut a text into words, by the name in `tokenizer.ggml.pre`.

const WORDS = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
const CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
const REST = String.raw` ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
const LLAMA3 = String.raw`${CONTRACTIONS}|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|${REST}`
const QWEN2 = String.raw`${CONTRACTIONS}|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|${REST}`
const UPPER = String.raw`[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`
const LOWER = String.raw`[\p{Ll}\p{Lm}\p{Lo}\p{M}]`
const BEFORE = String.raw`[^\r\n\p{L}\p{N}]?`
const REST_OF_O200K = String.raw` ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
const TEKKEN = String.raw`${BEFORE}${UPPER}*${LOWER}+|${BEFORE}${UPPER}+${LOWER}*|\p{N}|${REST_OF_O200K}`
const GPT4O = String.raw`${BEFORE}${UPPER}*${LOWER}+${CONTRACTIONS}?|${BEFORE}${UPPER}+${LOWER}*${CONTRACTIONS}?|\p{N}{1,3}|${REST_OF_O200K}`
const DEEPSEEK_3 = [
  String.raw`\p{N}{1,3}`,
  '[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+',
  String.raw`[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_` +
    '`' +
    String.raw`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
]
const CJK = '[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+'
const BLOOM = ' ?[^(\\s|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)]+'
const DIGIT = String.raw`\p{N}`
/** The letters that DeepSeek's first pattern for words takes: those of alphabets with upper and lower case. */
const LETTERS_OF_DEEPSEEK = [
  'A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-\u02af\u0370-\u0373',
  '\u0376\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03f5\u03f7-\u0481\u048a-\u052f',
  '\u0531-\u0556\u10a0-\u10c5\u13a0-\u13f5\u13f8-\u13fd\u1c90-\u1cba\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77',
  '\u1d79-\u1d9a\u1e00-\u1f15\u1f18-\u1f1d\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b\u1f5d\u1f5f-',
  '\u1f7d\u1f80-\u1fb4\u1fb6-\u1fbc\u1fbe\u1fc2-\u1fc4\u1fc6-\u1fcc\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-\u1fec',
  '\u1ff2-\u1ff4\u1ff6-\u1ffc\u2102\u2107\u210a-\u2113\u2115\u2119-\u211d\u2124\u2126\u2128\u212a-\u212d\u212f-',
  '\u2134\u2139\u213c-\u213f\u2145-\u2149\u214e\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4\u2ceb-\u2cee\u2cf2\u2cf3',
  '\ua640-\ua66d\ua680-\ua69b\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e\uab70-\uabbf\ufb00-\ufb06\ufb13-\ufb17',
  '\uff21-\uff3a\uff41-\uff5a\u{10400}-\u{1044f}\u{104b0}-\u{104d3}\u{104d8}-\u{104fb}\u{10c80}-\u{10cb2}',
  '\u{10cc0}-\u{10cf2}\u{118a0}-\u{118df}\u{1e900}-\u{1e943}',
].join('')

/** The patterns by which a text is cut, one after the other; what lies between matches is cut on by the next. */
interface Cutting {
  readonly patterns: readonly string[]
  /** Whether a whole word that is a token is one, whatever the merges would make of it. */
  readonly ignoreMerges?: boolean
  /** Whether a text begins with the token of the beginning, where the file does not say. */
  readonly begins?: boolean
}

const families: readonly (readonly [names: string, cutting: Cutting])[] = [
  [
    'llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2',
    { patterns: [LLAMA3], ignoreMerges: true, begins: true },
  ],
  ['dbrx smaug-bpe glm4 chatglm-bpe', { patterns: [LLAMA3] }],
  ['qwen2 deepseek-r1-qwen stablelm2 megrez hunyuan', { patterns: [QWEN2] }],
  [
    'gpt-2 phi-2 jina-es jina-de gigachat jina-v2-es jina-v2-de a.x-4.0 mellum exaone4 mpt olmo jais trillion jina-v1-en jina-v2-code roberta-bpe',
    { patterns: [WORDS] },
  ],
  ['starcoder refact command-r smollm codeshell exaone minerva-7b', { patterns: [DIGIT, WORDS] }],
  ['falcon', { patterns: ['[\\p{P}\\$\\+<=>\\^~\\|`]+', WORDS, '[0-9][0-9][0-9]'] }],
  [
    'deepseek-llm',
    {
      patterns: [
        String.raw`[\r\n]`,
        String.raw`\s?[${LETTERS_OF_DEEPSEEK}]+`,
        '\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+',
        String.raw`\s+$`,
        CJK,
        String.raw`\p{N}+`,
      ],
    },
  ],
  ['deepseek-coder', { patterns: [String.raw`[\r\n]`, String.raw`\s?\p{L}+`, String.raw`\s?\p{P}+`, CJK, DIGIT] }],
  ['deepseek-v3 hunyuan-dense', { patterns: DEEPSEEK_3 }],
  ['tekken', { patterns: [TEKKEN], ignoreMerges: true, begins: true }],
  ['gpt-4o llama4', { patterns: [GPT4O] }],
  ['poro-chat bloom gpt3-finnish', { patterns: [BLOOM] }],
  ['viking', { patterns: [BLOOM, DIGIT] }],
  [
    'bailingmoe',
    {
      patterns: [
        String.raw`'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+`,
      ],
    },
  ],
  [
    'seed-coder',
    {
      patterns: [
        String.raw`${CONTRACTIONS}|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+`,
      ],
    },
  ],
  ['default', { patterns: [String.raw`[\p{P}\$\+<=>\^~\|]+`, WORDS, String.raw`\p{N}+`, '[0-9][0-9][0-9]'] }],
]

/** How texts are cut, by the name in a file. @internal */
export const CUTTINGS: ReadonlyMap<string, Cutting> = new Map(
  families.flatMap(([names, cutting]) => names.split(' ').map((name) => [name, cutting] as const)),
)

/** How the encodings cut texts, by their names. @internal */
export const NAMED_PATTERNS: Readonly<Record<string, string>> = {
  gpt2: WORDS,
  r50k_base: WORDS,
  p50k_base: WORDS,
  cl100k_base: LLAMA3,
  o200k_base: GPT4O,
}
