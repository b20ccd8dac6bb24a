// What a trainer is made of: its checked options and corpus, and what a checkpoint keeps of them.

import { FormatError, UsageError } from '../base/errors.js'
import { isArray } from '../base/validate.js'
import type { Source } from '../text/source.js'
import { Tokenizer } from '../text/tokenizer.js'
import { checkCorpus } from './corpus.js'
import { beyondBounds, keptOptions, type CheckedOptions } from './options.js'
import { checkStart, checkStartFits, isOfWords, START, type Start, type StartOptions } from './start.js'

/** Checked options and corpus, with what a checkpoint adds to them. */
export class Kept {
  readonly source: Source
  readonly options: CheckedOptions
  readonly tokenizer: Tokenizer | null
  readonly start: Start | null
  readonly losses: [number, number][]
  readonly seconds: number

  constructor(source: Source, found: KeptParts, where: string) {
    checkCorpus(source, found.checked, found.tokenizer, where)
    if (found.start !== null) checkStartFits(found.start, isOfWords(source.kind, found.tokenizer), where)
    this.start = found.start
    this.source = source
    this.options = found.checked
    this.tokenizer = found.tokenizer
    this.losses = found.losses ?? []
    this.seconds = found.seconds ?? 0
  }
}

interface KeptParts {
  readonly checked: CheckedOptions
  readonly tokenizer: Tokenizer | null
  readonly start: Start | null
  readonly losses?: [number, number][]
  readonly seconds?: number
}

/** The part of a checkpoint besides the tables. */
export interface Config {
  options: CheckedOptions
  /** The tokenizer of the corpus; its name is null if it was read from a file. */
  tokenizer: { name: string | null; vocabSize: number } | null
  /** The options that are no numbers and must be given again. */
  start?: string[]
  losses: [number, number][]
  seconds: number
}

/** The names of the options that a training begins with. */
export function startNames(start: Start | null): string[] {
  return START.filter((name) => start?.[name] !== null && start?.[name] !== undefined)
}

/** Reads what a checkpoint keeps of its trainer. */
export function keptIn(
  file: string,
  text: string,
  tokenizer: Tokenizer | undefined,
  given: StartOptions,
  where: string,
): KeptParts {
  let config: Config
  try {
    config = JSON.parse(text) as Config
  } catch (cause) {
    throw new UsageError(`${file}: it is not a checkpoint of a Trainer: its config is not JSON`, { cause })
  }
  const { tokenizer: said, losses, seconds } = config ?? {}
  const options = keptOptions(config?.options)
  const isWhole =
    options !== null &&
    isArray(losses) &&
    typeof seconds === 'number' &&
    (said === null || typeof said?.vocabSize === 'number')
  if (!isWhole)
    throw new UsageError(
      `${file}: it is not a checkpoint of a Trainer: its config lacks the options, losses or tokenizer`,
    )
  const beyond = beyondBounds(options)
  if (beyond !== null) throw new FormatError(`${file}: it is damaged: ${beyond}`, file, 0)
  if (said === null && tokenizer !== undefined)
    throw new UsageError(`${where}: ${file} was made without a tokenizer: leave the option tokenizer out`)
  if (said?.name === null && tokenizer === undefined)
    throw new UsageError(`${where}: ${file} was made with a tokenizer from a file: give it as the option tokenizer`)
  const found = said === null ? null : (tokenizer ?? Tokenizer.load(said.name as 'gpt2'))
  if (found !== null && found.vocabSize !== said!.vocabSize) {
    throw new UsageError(
      `${where}: ${file} was made with a tokenizer of ${said!.vocabSize} tokens, not the ${found.vocabSize} of ${found.name}`,
    )
  }
  const start = checkStart(given, options, where)
  const [before, now] = [config.start ?? [], startNames(start)]
  if (!isArray(before) || before.join() !== now.join())
    throw new UsageError(
      `${where}: ${file} was made with ${isArray(before) && before.length > 0 ? before.join(', ') : 'no from, pretrained or lockFactor'}, but ${now.length > 0 ? now.join(', ') : 'none of from, pretrained and lockFactor'} was given: give them as they were`,
    )
  return { checked: options, tokenizer: found, start, losses, seconds }
}
