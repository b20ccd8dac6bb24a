// What encoding, decoding and the reading of tokenizers can be told.

import { UsageError } from '../base/errors.js'
import { checkNumber, checkOptions, checkSize, show } from '../base/validate.js'

/** Which special tokens are recognised in a text, and whether tokens are added around it. */
export interface EncodeOptions {
  /** Special tokens that become their id if they stand in the text; default none, for a tokenizer from a file all. */
  allowedSpecial?: ReadonlySet<string> | 'all'
  /**
   * Special tokens that are an error if they stand in the text; default: all that are not allowed. With an empty set
   * tokens that are not allowed count as plain text.
   */
  disallowedSpecial?: ReadonlySet<string> | 'all'
  /**
   * Whether the tokens that the file puts around texts are added, such as `[CLS]` and `[SEP]`; default true. An
   * encoding, or a file without a post-processor, has none and adds nothing either way.
   */
  addSpecialTokens?: boolean
}

/** Texts that are cut into words already. */
export interface PretokenizedOptions {
  /**
   * Whether a text is an array of its words, each of which is encoded alone, as the library does with
   * `is_pretokenized`; default false.
   */
  pretokenized?: boolean
}

/** How asynchronous work is ended. */
export interface Abortable {
  /** Ends the work, which then rejects with an AbortedError whose cause is the signal's reason. */
  signal?: AbortSignal
}

/** Which special tokens are recognised in a text. */
export type SpecialOptions = Omit<EncodeOptions, 'addSpecialTokens'>

/** The ids of a text, and where the token of each stands in it. */
export interface LocatedIds {
  /** The ids, as `encode` gives them. */
  ids: Uint32Array
  /** For each id the index in the text, in UTF-16 code units, at which its token begins. */
  starts: Uint32Array
  /** For each id the index at which its token ends: `text.slice(starts[i], ends[i])` is the text of the token. */
  ends: Uint32Array
  /**
   * For each id the number of its word, as the file's pre-tokenizer or the encoding's pattern cuts the text; -1 for
   * tokens that are put around the text. `Encoding.word_ids`.
   */
  wordIds: Int32Array
}

export interface PairOptions extends EncodeOptions {
  /** The largest number of ids, counting those around the texts; longer texts are cut. By default none is cut. */
  maxLength?: number
  /** Which of the two texts is cut: the longer one, then both alike (the default), or one of them alone. */
  truncation?: 'longestFirst' | 'onlyFirst' | 'onlySecond'
  /** The end at which long texts are cut; default 'right', or what the tokenizer's file says. */
  truncationSide?: 'right' | 'left'
}

/** Two texts as one list of ids. */
export interface EncodedPair extends LocatedIds {
  /** The type of each id, as a model's segment ids: mostly 0 for the first text and 1 for the second. */
  typeIds: Uint32Array
  /** For each id the text that it belongs to, 0 or 1, in which its place and word count; -1 for tokens around them. */
  sequenceIds: Int8Array
}

export interface DecodeOptions {
  /** Whether special tokens are left out; default false. */
  skipSpecialTokens?: boolean
}

/**
 * Limits for a `tokenizer.json`. A file from an untrusted source may be made to use all memory, or to run forever.
 * Ordinary tokenizers stay far below the limits.
 */
export interface TokenizerLimits {
  /**
   * How many bytes each byte of a text, or of decoded tokens, may become, beyond 64 KB that every text may; default 40.
   */
  maxGrowth?: number
  /** How many steps a pattern may backtrack for one match; default 1,000,000. */
  maxPatternSteps?: number
  /**
   * Seconds of processor time for each megabyte of a text; a text shorter than a tenth of a megabyte counts as a tenth.
   * Default 20.
   */
  maxSecondsPerMegabyte?: number
}

export interface FromFileOptions {
  limits?: TokenizerLimits
  /**
   * For a `.tiktoken` file, which does not say it: how a text is cut into pieces, as an expression in Oniguruma's
   * syntax (in which a possessive `{1,3}+` is written `(?>...{1,3})`), or by the name of an encoding.
   */
  pattern?: string
  /**
   * For files other than a `tokenizer.json`: the special tokens and their ids, or, for tokens that the vocabulary has,
   * their names. Default: those that `tokenizer_config.json` beside the file names, and common ones of the vocabulary.
   */
  specialTokens?: Readonly<Record<string, number>> | readonly string[]
  /**
   * For a `vocab.txt`: whether texts are made lower case; default what `tokenizer_config.json` beside it says, or true.
   */
  lowercase?: boolean
}

const LIMITS = ['maxGrowth', 'maxPatternSteps', 'maxSecondsPerMegabyte']

/** Checks limits. @internal */
export function checkLimits(given: TokenizerLimits | undefined, where: string): TokenizerLimits {
  if (given !== undefined && (typeof given !== 'object' || given === null))
    throw new UsageError(`${where} must be an object, not ${show(given)}`)
  const { maxGrowth, maxPatternSteps, maxSecondsPerMegabyte } = checkOptions(given, LIMITS, where)
  if (maxGrowth !== undefined) checkSize(maxGrowth, `${where}.maxGrowth`, 1)
  if (maxPatternSteps !== undefined) checkSize(maxPatternSteps, `${where}.maxPatternSteps`, 1)
  const seconds = maxSecondsPerMegabyte
  if (seconds !== undefined && checkNumber(seconds, `${where}.maxSecondsPerMegabyte`) <= 0) {
    throw new UsageError(`${where}.maxSecondsPerMegabyte must be more than 0, not ${show(seconds)}`)
  }
  return { maxGrowth, maxPatternSteps, maxSecondsPerMegabyte }
}
