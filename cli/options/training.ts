// Written by scripts/options.mjs from what crates/train defines: change it there.

import type { Objective } from '../../index.js'

/** An option of `tokenbed train`. */
export interface TrainingOption {
  readonly name: string
  readonly flags: string
  readonly kind: 'flag' | 'size' | 'number' | 'betas'
  /** The least that a number may be. */
  readonly least?: number
  readonly help: string
  /** The objectives that have it: where it stands among their options, and its default. */
  readonly of: Partial<Readonly<Record<Objective, { readonly path: readonly string[]; readonly usual?: unknown }>>>
}

/** What can be learned. */
export const OBJECTIVES: readonly Objective[] = ['skip-gram', 'cbow', 'next-token', 'classify']

export const TRAINING: readonly TrainingOption[] = [
  {
    name: 'dim',
    flags: '--dim <n>',
    kind: 'size',
    least: 1,
    help: 'elements of a vector (default: 100; of next-token 64)',
    of: {
      'skip-gram': { path: ['dim'], usual: 100 },
      cbow: { path: ['dim'], usual: 100 },
      'next-token': { path: ['dim'], usual: 64 },
      classify: { path: ['dim'], usual: 100 },
    },
  },
  {
    name: 'epochs',
    flags: '--epochs <n>',
    kind: 'size',
    least: 1,
    help: 'how often the corpus is gone through (default: 5; of next-token 1)',
    of: {
      'skip-gram': { path: ['epochs'], usual: 5 },
      cbow: { path: ['epochs'], usual: 5 },
      'next-token': { path: ['epochs'], usual: 1 },
      classify: { path: ['epochs'], usual: 5 },
    },
  },
  {
    name: 'minCount',
    flags: '--min-count <n>',
    kind: 'size',
    least: 0,
    help: 'tokens that come less often are left out (default: 5; of next-token and classify 1)',
    of: {
      'skip-gram': { path: ['minCount'], usual: 5 },
      cbow: { path: ['minCount'], usual: 5 },
      'next-token': { path: ['minCount'], usual: 1 },
      classify: { path: ['minCount'], usual: 1 },
    },
  },
  {
    name: 'seed',
    flags: '--seed <n>',
    kind: 'size',
    least: 0,
    help: 'the seed of all draws (default: 1)',
    of: {
      'skip-gram': { path: ['seed'], usual: 1 },
      cbow: { path: ['seed'], usual: 1 },
      'next-token': { path: ['seed'], usual: 1 },
      classify: { path: ['seed'], usual: 1 },
    },
  },
  {
    name: 'lr',
    flags: '--lr <x>',
    kind: 'number',
    least: 0,
    help: 'the first learning rate (default: 0.025; of next-token 0.001, of classify 0.1)',
    of: {
      'skip-gram': { path: ['alpha'], usual: 0.025 },
      cbow: { path: ['alpha'], usual: 0.025 },
      'next-token': { path: ['lr'], usual: 0.001 },
      classify: { path: ['lr'], usual: 0.1 },
    },
  },
  {
    name: 'nsExponent',
    flags: '--ns-exponent <x>',
    kind: 'number',
    least: -Infinity,
    help: 'skip-gram, cbow, next-token: samples are drawn by frequency to this power (default: 0.75)',
    of: {
      'skip-gram': { path: ['nsExponent'], usual: 0.75 },
      cbow: { path: ['nsExponent'], usual: 0.75 },
      'next-token': { path: ['softmax', 'nsExponent'], usual: 0.75 },
    },
  },
  {
    name: 'window',
    flags: '--window <n>',
    kind: 'size',
    least: 1,
    help: 'skip-gram, cbow: the most tokens that count as neighbours, on each side (default: 5)',
    of: {
      'skip-gram': { path: ['window'], usual: 5 },
      cbow: { path: ['window'], usual: 5 },
    },
  },
  {
    name: 'shrinkWindows',
    flags: '--no-shrink-windows',
    kind: 'flag',
    help: 'skip-gram, cbow: turn off: each center has a window of its own, from 1 to `window`',
    of: {
      'skip-gram': { path: ['shrinkWindows'], usual: true },
      cbow: { path: ['shrinkWindows'], usual: true },
    },
  },
  {
    name: 'sample',
    flags: '--sample <x>',
    kind: 'number',
    least: 0,
    help: 'skip-gram, cbow: tokens that make up more of the corpus than this are left out at times; 0 for never (default: 0.001)',
    of: {
      'skip-gram': { path: ['sample'], usual: 0.001 },
      cbow: { path: ['sample'], usual: 0.001 },
    },
  },
  {
    name: 'negative',
    flags: '--negative <n>',
    kind: 'size',
    least: 1,
    help: 'skip-gram, cbow: tokens that are no neighbours, for each center (default: 5)',
    of: {
      'skip-gram': { path: ['negative'], usual: 5 },
      cbow: { path: ['negative'], usual: 5 },
    },
  },
  {
    name: 'minAlpha',
    flags: '--min-alpha <x>',
    kind: 'number',
    least: 0,
    help: 'skip-gram, cbow: the last learning rate (default: 0.0001)',
    of: {
      'skip-gram': { path: ['minAlpha'], usual: 0.0001 },
      cbow: { path: ['minAlpha'], usual: 0.0001 },
    },
  },
  {
    name: 'cbowMean',
    flags: '--no-cbow-mean',
    kind: 'flag',
    help: 'cbow: turn off: the mean of the neighbours is taken, not their sum',
    of: {
      cbow: { path: ['cbowMean'], usual: true },
    },
  },
  {
    name: 'betas',
    flags: '--betas <x,y>',
    kind: 'betas',
    help: 'next-token: what is kept of the moments (default: 0.9,0.999)',
    of: {
      'next-token': { path: ['betas'], usual: [0.9, 0.999] },
    },
  },
  {
    name: 'eps',
    flags: '--eps <x>',
    kind: 'number',
    least: 0,
    help: 'next-token: added to the denominator (default: 1e-8)',
    of: {
      'next-token': { path: ['eps'], usual: 1e-8 },
    },
  },
  {
    name: 'weightDecay',
    flags: '--weight-decay <x>',
    kind: 'number',
    least: 0,
    help: 'next-token: how much weights decay (default: 0.01)',
    of: {
      'next-token': { path: ['weightDecay'], usual: 0.01 },
    },
  },
  {
    name: 'finalLr',
    flags: '--final-lr <x>',
    kind: 'number',
    least: 0,
    help: 'next-token: the last learning rate (default: --lr)',
    of: {
      'next-token': { path: ['finalLr'] },
    },
  },
  {
    name: 'contextLength',
    flags: '--context-length <n>',
    kind: 'size',
    least: 1,
    help: 'next-token: positions of a window (default: 64)',
    of: {
      'next-token': { path: ['contextLength'], usual: 64 },
    },
  },
  {
    name: 'stride',
    flags: '--stride <n>',
    kind: 'size',
    least: 1,
    help: 'next-token: from the start of one window to that of the next (default: --context-length)',
    of: {
      'next-token': { path: ['stride'] },
    },
  },
  {
    name: 'batchSize',
    flags: '--batch-size <n>',
    kind: 'size',
    least: 1,
    help: 'next-token: windows of a batch (default: 16)',
    of: {
      'next-token': { path: ['batchSize'], usual: 16 },
    },
  },
  {
    name: 'initStd',
    flags: '--init-std <x>',
    kind: 'number',
    least: 0,
    help: 'next-token: tables are drawn from the normal distribution of mean 0 and this standard deviation (default: 0.02)',
    of: {
      'next-token': { path: ['initStd'], usual: 0.02 },
    },
  },
  {
    name: 'tied',
    flags: '--tied',
    kind: 'flag',
    help: 'next-token: the head is the token table',
    of: {
      'next-token': { path: ['tied'], usual: false },
    },
  },
  {
    name: 'samples',
    flags: '--samples <n>',
    kind: 'size',
    least: 1,
    help: 'next-token: a softmax over so many other tokens and the next one, not over all',
    of: {
      'next-token': { path: ['softmax', 'samples'] },
    },
  },
]
