// Written by scripts/options.mjs from what crates/train defines: change it there.

import type { Fields } from '../base/fields.js'
import type { ReadingOptions } from './reading.js'
import type { StartOptions } from './start.js'

/** What a table can learn from. */
export type Objective = 'skip-gram' | 'cbow' | 'next-token' | 'classify'

export const OBJECTIVES = ['skip-gram', 'cbow', 'next-token', 'classify'] as const

export interface CommonOptions extends ReadingOptions {
  /** Of a corpus of ids: how many there may be. Default: that of the tokenizer. */
  vocabSize?: number
  /** Elements of a vector; default 100, of next-token 64. */
  dim?: number
  /** How often the corpus is gone through; default 5, of next-token 1. */
  epochs?: number
  /** Tokens that come less often are left out; default 5, of next-token and classify 1. */
  minCount?: number
  /**
   * The seed of all draws. The same seed, corpus and options give the same bits, at any number of threads. Default 1.
   */
  seed?: number
}

/** Vectors from neighbours, by negative sampling: gensim's names and defaults. */
export interface PairTrainerOptions extends CommonOptions, StartOptions {
  objective: 'skip-gram' | 'cbow'
  /** The most tokens that count as neighbours, on each side; default 5. */
  window?: number
  /** Whether each center has a window of its own, from 1 to `window`; default true. */
  shrinkWindows?: boolean
  /** Tokens that make up more of the corpus than this are left out at times; 0 for never. Default 0.001. */
  sample?: number
  /** Tokens that are no neighbours, for each center. They are shared by its window. Default 5. */
  negative?: number
  /** Samples are drawn by frequency to this power; default 0.75. */
  nsExponent?: number
  /** The first learning rate; default 0.025. */
  alpha?: number
  /**
   * The last learning rate. From the first to it the rate falls evenly from sentence to sentence, however long they
   * are. Default 0.0001.
   */
  minAlpha?: number
  /** Whether the mean of the neighbours is taken, not their sum; default true. */
  cbowMean?: boolean
}

/** The next token from token + position vectors and a linear head, by AdamW. */
export interface NextTokenTrainerOptions extends CommonOptions {
  objective: 'next-token'
  /** The learning rate; default 0.001. */
  lr?: number
  /** What is kept of the moments; default [0.9, 0.999]. */
  betas?: readonly [number, number]
  /** Added to the denominator; default 1e-8. */
  eps?: number
  /** How much weights decay; default 0.01. */
  weightDecay?: number
  /** The last learning rate. From the first to it the rate falls evenly. Default that of lr. */
  finalLr?: number
  /** Positions of a window; default 64. */
  contextLength?: number
  /** From the start of one window to that of the next; default that of contextLength. */
  stride?: number
  /** Windows of a batch; default 16. */
  batchSize?: number
  /** Tables are drawn from the normal distribution of mean 0 and this standard deviation; default 0.02. */
  initStd?: number
  /** Whether the head is the token table; default false. */
  tied?: boolean
  /** The softmax over all tokens, or over the next one and a sample of others; default 'full'. */
  softmax?:
    | 'full'
    | {
        /** A softmax over so many other tokens and the next one, not over all. */ samples: number
        /** Samples are drawn by frequency to this power; default 0.75. */ nsExponent?: number
      }
}

/**
 * A class for each text, from the mean of its tokens' vectors: fastText's supervised mode without n-grams. Special
 * tokens of a tokenizer are plain text here.
 */
export interface ClassifyTrainerOptions extends CommonOptions {
  objective: 'classify'
  /** The first learning rate; the last is 0. Default 0.1. */
  lr?: number
}

export type TrainerOptions = PairTrainerOptions | NextTokenTrainerOptions | ClassifyTrainerOptions

/** The options of every objective. */
export const FIELDS: Readonly<Record<Objective, Fields>> = {
  'skip-gram': {
    vocabSize: { kind: 'size', least: 0, most: 2147483647 },
    dim: { kind: 'size', least: 1, most: 1048576, usual: 100 },
    epochs: { kind: 'size', least: 1, most: 2147483647, usual: 5 },
    minCount: { kind: 'size', least: 0, most: 9007199254740991, usual: 5 },
    seed: { kind: 'size', least: 0, most: 9007199254740991, usual: 1 },
    window: { kind: 'size', least: 1, most: 10000, usual: 5 },
    shrinkWindows: { kind: 'flag', usual: true },
    sample: { kind: 'number', least: 0, usual: 0.001 },
    negative: { kind: 'size', least: 1, most: 65536, usual: 5 },
    nsExponent: { kind: 'number', usual: 0.75 },
    alpha: { kind: 'number', least: 0, usual: 0.025 },
    minAlpha: { kind: 'number', least: 0, usual: 0.0001 },
  },
  cbow: {
    vocabSize: { kind: 'size', least: 0, most: 2147483647 },
    dim: { kind: 'size', least: 1, most: 1048576, usual: 100 },
    epochs: { kind: 'size', least: 1, most: 2147483647, usual: 5 },
    minCount: { kind: 'size', least: 0, most: 9007199254740991, usual: 5 },
    seed: { kind: 'size', least: 0, most: 9007199254740991, usual: 1 },
    window: { kind: 'size', least: 1, most: 10000, usual: 5 },
    shrinkWindows: { kind: 'flag', usual: true },
    sample: { kind: 'number', least: 0, usual: 0.001 },
    negative: { kind: 'size', least: 1, most: 65536, usual: 5 },
    nsExponent: { kind: 'number', usual: 0.75 },
    alpha: { kind: 'number', least: 0, usual: 0.025 },
    minAlpha: { kind: 'number', least: 0, usual: 0.0001 },
    cbowMean: { kind: 'flag', usual: true },
  },
  'next-token': {
    vocabSize: { kind: 'size', least: 0, most: 2147483647 },
    dim: { kind: 'size', least: 1, most: 1048576, usual: 64 },
    epochs: { kind: 'size', least: 1, most: 2147483647, usual: 1 },
    minCount: { kind: 'size', least: 0, most: 9007199254740991, usual: 1 },
    seed: { kind: 'size', least: 0, most: 9007199254740991, usual: 1 },
    lr: { kind: 'number', least: 0, usual: 0.001 },
    betas: { kind: 'betas', usual: [0.9, 0.999] },
    eps: { kind: 'number', least: 0, usual: 1e-8 },
    weightDecay: { kind: 'number', least: 0, usual: 0.01 },
    finalLr: { kind: 'number', least: 0, usual: { like: 'lr' } },
    contextLength: { kind: 'size', least: 1, most: 2147483647, usual: 64 },
    stride: { kind: 'size', least: 1, most: 2147483647, usual: { like: 'contextLength' } },
    batchSize: { kind: 'size', least: 1, most: 2147483647, usual: 16 },
    initStd: { kind: 'number', least: 0, usual: 0.02 },
    tied: { kind: 'flag', usual: false },
    softmax: {
      kind: 'wordOr',
      word: 'full',
      options: { samples: { kind: 'size', least: 1, most: 1048576 }, nsExponent: { kind: 'number', usual: 0.75 } },
    },
  },
  classify: {
    vocabSize: { kind: 'size', least: 0, most: 2147483647 },
    dim: { kind: 'size', least: 1, most: 1048576, usual: 100 },
    epochs: { kind: 'size', least: 1, most: 2147483647, usual: 5 },
    minCount: { kind: 'size', least: 0, most: 9007199254740991, usual: 1 },
    seed: { kind: 'size', least: 0, most: 9007199254740991, usual: 1 },
    lr: { kind: 'number', least: 0, usual: 0.1 },
  },
}

/** Bytes of text that each byte of a compressed file may become, unless it is said. */
export const MAX_RATIO = 200
