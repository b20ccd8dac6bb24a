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
  '[一-龥\u3040-ゟ゠-ヿ]+',
  String.raw`[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_` +
    '`' +
    String.raw`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
]
const CJK = '[一-龥ࠀ-一가-\ud7ff]+'
const BLOOM = String.raw` ?[^(\s|.,!?…。，、।۔،)]+`
const DIGIT = String.raw`\p{N}`
const LETTERS_OF_DEEPSEEK =
  'A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤ\u2126ℨ\u212a-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃'

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
        String.raw`\s?[!-/:-~！-／：-～‘-‟\u3000-。]+`.replace('\\u3000', '\u3000'),
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
