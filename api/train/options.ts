// What is learned and how: options of a trainer, their defaults, and what the native side takes.

import { UsageError } from '../base/errors.js'
import type { native } from '../native/native.js'
import { Tokenizer } from '../text/tokenizer.js'
import type { Json } from '../models/json.js'
import { checkBoolean, checkNumber, checkOptions, checkSize, checkWord, isArray, isObject, show, MOST_DIM } from '../base/validate.js'

/** What a table can learn from. */
export type Objective = 'skip-gram' | 'cbow' | 'next-token' | 'classify'
export const OBJECTIVES = ['skip-gram', 'cbow', 'next-token', 'classify'] as const

interface CommonOptions {
  /** What gives ids to text; without one, words are what stands between spaces, and a line is a sentence. */
  tokenizer?: Tokenizer
  /** Of a corpus of ids: how many there may be. Default: that of the tokenizer. */
  vocabSize?: number
  /** Elements of a vector; default 100, of next-token 64. */
  dim?: number
  /** How often the corpus is gone through; default 5, of next-token 1. */
  epochs?: number
  /** Tokens that come less often are left out; default 5, of next-token and classify 1. */
  minCount?: number
  /** Of every draw: the same seed, corpus and options give the same bits, at any number of threads. Default 1. */
  seed?: number
  /** What happens to bytes of a file that are not UTF-8: an error (`throw`, the default), or U+FFFD (`replace`). */
  invalidUtf8?: 'throw' | 'replace'
  /** Bytes of text that each byte of a `.gz` or `.zst` file may become, beside 16 MB that any may; default 200. */
  maxRatio?: number
}

/** Vectors from neighbours, by negative sampling: gensim's names and defaults. */
export interface PairTrainerOptions extends CommonOptions {
  objective: 'skip-gram' | 'cbow'
  /** The most tokens that count as neighbours, on each side; default 5. */
  window?: number
  /** Whether each center has a window of its own, from 1 to that; default true. */
  shrinkWindows?: boolean
  /** Tokens that make up more of the corpus than this are left out at times; 0 for never. Default 1e-3. */
  sample?: number
  /** Tokens that are no neighbours, for each center; default 5. They are shared by its window. */
  negative?: number
  /** They are drawn by frequency to this power; default 0.75. */
  nsExponent?: number
  /** The first learning rate; default 0.025. */
  alpha?: number
  /** The last; default 1e-4. Between them it falls evenly from sentence to sentence, however long they are. */
  minAlpha?: number
  /** Of cbow: the mean of the neighbours, not their sum; default true. */
  cbowMean?: boolean
}

/** The next token from token + position vectors and a linear head, by AdamW. */
export interface NextTokenTrainerOptions extends CommonOptions {
  objective: 'next-token'
  /** Positions of a window; default 64. */
  contextLength?: number
  /** From the start of one window to that of the next; default: contextLength. */
  stride?: number
  /** Windows of a batch; default 16. */
  batchSize?: number
  /** The first learning rate; default 1e-3. */
  lr?: number
  /** The last; in between it falls evenly. Default: lr. */
  finalLr?: number
  /** Default [0.9, 0.999]. */
  betas?: readonly [number, number]
  /** Default 1e-8. */
  eps?: number
  /** Default 0.01. */
  weightDecay?: number
  /** Tables are drawn from N(0, initStd); default 0.02. */
  initStd?: number
  /** Whether the head is the token table; default false. */
  tied?: boolean
  /** The softmax over all tokens (`full`, the default), or over the next one and a sample of others. */
  softmax?: 'full' | { samples: number; /** default 0.75 */ nsExponent?: number }
}

/**
 * A class for each text, from the mean of its tokens' vectors: fastText's supervised mode without n-grams. Special tokens of
 * a tokenizer are plain text here.
 */
export interface ClassifyTrainerOptions extends CommonOptions {
  objective: 'classify'
  /** The first learning rate; the last is 0. Default 0.1. */
  lr?: number
}

export type TrainerOptions = PairTrainerOptions | NextTokenTrainerOptions | ClassifyTrainerOptions

/** Options with their defaults, as they are kept with a checkpoint. */
export type CheckedOptions = Omit<Required<Parameters<typeof native.trainerNew>[1]>, 'objective'> & { objective: Objective; invalidUtf8: 'throw' | 'replace'; maxRatio: number }

/** As the native side has it. */
const MAX_RATIO = 200

const COMMON = ['objective', 'tokenizer', 'vocabSize', 'dim', 'epochs', 'minCount', 'seed', 'invalidUtf8', 'maxRatio']
const OWN: Record<Objective, readonly string[]> = {
  'skip-gram': ['window', 'shrinkWindows', 'sample', 'negative', 'nsExponent', 'alpha', 'minAlpha'],
  cbow: ['window', 'shrinkWindows', 'sample', 'negative', 'nsExponent', 'alpha', 'minAlpha', 'cbowMean'],
  'next-token': ['contextLength', 'stride', 'batchSize', 'lr', 'finalLr', 'betas', 'eps', 'weightDecay', 'initStd', 'tied', 'softmax'],
  classify: ['lr'],
}

/** What each option is called by users, and the least and the most that it may be. */
const SIZES = {
  vocabulary: ['vocabSize', 0, 2 ** 31 - 1],
  minCount: ['minCount', 0, Number.MAX_SAFE_INTEGER],
  dim: ['dim', 1, MOST_DIM],
  epochs: ['epochs', 1, 2 ** 31 - 1],
  seed: ['seed', 0, Number.MAX_SAFE_INTEGER],
  // No sentence is longer.
  window: ['window', 1, 10_000],
  negative: ['negative', 1, 2 ** 16],
  context: ['contextLength', 1, 2 ** 31 - 1],
  stride: ['stride', 1, 2 ** 31 - 1],
  batch: ['batchSize', 1, 2 ** 31 - 1],
  samples: ['softmax: samples', 1, 2 ** 20],
  maxRatio: ['maxRatio', 1, Number.MAX_SAFE_INTEGER],
} as const

/** Options of a trainer, all of them checked. */
export function checkTrainer(options: TrainerOptions, where: string): { checked: CheckedOptions; tokenizer: Tokenizer | null } {
  const objective = checkWord((isObject(options) ? options : undefined)?.objective, OBJECTIVES, `${where}: objective`)
  const given = checkOptions<TrainerOptions>(options, [...COMMON, ...OWN[objective]], `${where} of ${objective}`) as Record<string, unknown>
  const named = (name: string) => `${where}: ${name}`
  const size = (option: keyof typeof SIZES, otherwise: number) => {
    const [name, least, most] = SIZES[option]
    return checkSize(given[name] ?? otherwise, named(name), least, most)
  }
  const flag = (name: string, otherwise: boolean) => checkBoolean(given[name] ?? otherwise, named(name))
  const number = (name: string, otherwise: number, least = 0) => atLeast(checkNumber(given[name] ?? otherwise, named(name)), least, named(name))
  const tokenizer = checkTokenizer(given.tokenizer, where)
  const isNext = objective === 'next-token'
  const isPair = objective === 'skip-gram' || objective === 'cbow'
  const contextLength = size('context', 64)
  const lr = isPair ? number('alpha', 0.025) : number('lr', isNext ? 1e-3 : 0.1)
  const [beta1, beta2] = checkBetas(given.betas ?? [0.9, 0.999], named('betas'))
  const softmax = checkSoftmax(given.softmax ?? 'full', named('softmax'))
  const checked: CheckedOptions = {
    objective,
    vocabulary: size('vocabulary', tokenizer?.vocabSize ?? 0),
    minCount: size('minCount', isPair ? 5 : 1),
    dim: size('dim', isNext ? 64 : 100),
    epochs: size('epochs', isNext ? 1 : 5),
    seed: size('seed', 1),
    invalidUtf8: checkWord((given.invalidUtf8 as 'throw' | undefined) ?? 'throw', ['throw', 'replace'], named('invalidUtf8')),
    maxRatio: size('maxRatio', MAX_RATIO),
    lr,
    finalLr: isPair ? number('minAlpha', 1e-4) : isNext ? number('finalLr', lr) : 0,
    window: size('window', 5),
    shrinkWindows: flag('shrinkWindows', true),
    sample: number('sample', 1e-3),
    negative: size('negative', 5),
    nsExponent: isNext ? softmax.nsExponent : number('nsExponent', 0.75, -Infinity),
    cbowMean: flag('cbowMean', true),
    context: contextLength,
    stride: size('stride', contextLength),
    batch: size('batch', 16),
    betas: [beta1, beta2],
    eps: number('eps', 1e-8),
    weightDecay: number('weightDecay', 0.01),
    initStd: number('initStd', 0.02),
    tied: flag('tied', false),
    samples: softmax.samples,
  }
  return { checked, tokenizer }
}

function atLeast(value: number, least: number, where: string): number {
  if (value >= least) return value
  throw new UsageError(`${where} must be a number of at least ${least}, not ${show(value)}`)
}

function checkTokenizer(tokenizer: unknown, where: string): Tokenizer | null {
  if (tokenizer === undefined) return null
  if (tokenizer instanceof Tokenizer) return tokenizer
  throw new UsageError(`${where}: tokenizer must be a Tokenizer, not ${show(tokenizer)}`)
}

function checkBetas(betas: unknown, where: string): [number, number] {
  const isBeta = (beta: unknown) => typeof beta === 'number' && beta >= 0 && beta < 1
  if (isArray(betas) && betas.length === 2 && betas.every(isBeta)) return [betas[0], betas[1]]
  throw new UsageError(`${where} must be two numbers from 0 to below 1, not ${show(betas)}`)
}

function checkSoftmax(softmax: unknown, where: string): { samples: number; nsExponent: number } {
  if (softmax === 'full') return { samples: 0, nsExponent: 0.75 }
  if (!isObject(softmax)) throw new UsageError(`${where} must be "full" or { samples }, not ${show(softmax)}`)
  const { samples, nsExponent = 0.75 } = checkOptions<{ samples: number; nsExponent?: number }>(softmax as { samples: number }, ['samples', 'nsExponent'], where)
  return { samples: checkSize(samples, `${where}: samples`, 1, SIZES.samples[2]), nsExponent: checkNumber(nsExponent, `${where}: nsExponent`) }
}

/** Options as a checkpoint keeps them; null where they are none. */
export function keptOptions(kept: unknown): CheckedOptions | null {
  const objective = (kept as CheckedOptions | null | undefined)?.objective
  if (!OBJECTIVES.includes(objective as Objective)) return null
  const { checked: usual } = checkTrainer({ objective: objective! }, '')
  const given = kept as Record<string, unknown>
  const isLike = (value: unknown, like: unknown): boolean =>
    isArray(like) ? isArray(value) && value.length === like.length && value.every((one, i) => isLike(one, like[i]))
    : typeof like === 'number' ? typeof value === 'number' && Number.isFinite(value)
    : typeof value === typeof like
  const all = { ...given, invalidUtf8: given.invalidUtf8 ?? 'throw', maxRatio: given.maxRatio ?? MAX_RATIO }
  return Object.entries(usual).every(([name, like]) => isLike(all[name as keyof typeof all], like)) ? (all as unknown as CheckedOptions) : null
}

/** What is beyond the bounds of such options, which nobody can have given; null where nothing is. */
export function beyondBounds(kept: CheckedOptions): string | null {
  for (const [option, [name, least, most]] of Object.entries(SIZES) as [keyof typeof SIZES, readonly [string, number, number]][]) {
    const value = kept[option]
    // 0 samples are the softmax over all.
    const isSize = Number.isSafeInteger(value) && value >= (option === 'samples' ? 0 : least) && value <= most
    if (!isSize) return `its config says ${name} ${show(value)}: a whole number of at least ${least} and at most ${most}`
  }
  return null
}

/** What a user said of the objective, for an account of how a model came to be. */
export function hyperParameters(checked: CheckedOptions): Record<string, Json> {
  const { objective, dim, epochs, minCount, seed, lr, finalLr } = checked
  const common = { dim, epochs, minCount, seed }
  if (objective === 'classify') return { ...common, lr }
  if (objective === 'next-token') {
    const { context, stride, batch, betas, eps, weightDecay, initStd, tied, samples, nsExponent } = checked
    const softmax = samples === 0 ? 'full' : { samples, nsExponent }
    return { ...common, contextLength: context, stride, batchSize: batch, lr, finalLr, betas, eps, weightDecay, initStd, tied, softmax }
  }
  const { window, shrinkWindows, sample, negative, nsExponent, cbowMean } = checked
  const pairs = { ...common, window, shrinkWindows, sample, negative, nsExponent, alpha: lr, minAlpha: finalLr }
  return objective === 'cbow' ? { ...pairs, cbowMean } : pairs
}
