// Written by scripts/options.mjs from what crates/nn/src/optim defines: change it there.

import type { Fields } from '../base/fields.js'

/** The options of every optimizer. */
export const OPTIMIZERS = {
  SGD: {
    lr: { kind: 'number', least: 0, missing: 'the learning rate' },
    momentum: { kind: 'number', least: 0, usual: 0 },
    nesterov: { kind: 'flag', needs: 'momentum', forbids: 'dampening', usual: false },
    weightDecay: { kind: 'number', least: 0, usual: 0 },
    dampening: { kind: 'number', usual: 0 },
    maximize: { kind: 'flag', usual: false },
  },
  Adam: {
    lr: { kind: 'number', least: 0, usual: 0.001 },
    betas: { kind: 'betas', usual: [0.9, 0.999] },
    eps: { kind: 'number', least: 0, usual: 1e-8 },
    weightDecay: { kind: 'number', least: 0, usual: 0 },
    amsgrad: { kind: 'flag', usual: false },
    maximize: { kind: 'flag', usual: false },
  },
  AdamW: {
    lr: { kind: 'number', least: 0, usual: 0.001 },
    betas: { kind: 'betas', usual: [0.9, 0.999] },
    eps: { kind: 'number', least: 0, usual: 1e-8 },
    weightDecay: { kind: 'number', least: 0, usual: 0.01 },
    amsgrad: { kind: 'flag', usual: false },
    maximize: { kind: 'flag', usual: false },
  },
  SparseAdam: {
    lr: { kind: 'number', least: 0, usual: 0.001 },
    betas: { kind: 'betas', usual: [0.9, 0.999] },
    eps: { kind: 'number', least: 0, usual: 1e-8 },
    maximize: { kind: 'flag', usual: false },
  },
  Adagrad: {
    lr: { kind: 'number', least: 0, usual: 0.01 },
    eps: { kind: 'number', least: 0, usual: 1e-10 },
    weightDecay: { kind: 'number', least: 0, usual: 0 },
    initialAccumulatorValue: { kind: 'number', least: 0, usual: 0 },
    lrDecay: { kind: 'number', least: 0, usual: 0 },
    maximize: { kind: 'flag', usual: false },
  },
  RowWiseAdagrad: {
    lr: { kind: 'number', least: 0, usual: 0.01 },
    eps: { kind: 'number', least: 0, usual: 1e-8 },
    weightDecay: { kind: 'number', least: 0, usual: 0 },
    decoupled: { kind: 'flag', needs: 'weightDecay', usual: false },
  },
  RMSprop: {
    lr: { kind: 'number', least: 0, usual: 0.01 },
    alpha: { kind: 'number', least: 0, usual: 0.99 },
    eps: { kind: 'number', least: 0, usual: 1e-8 },
    weightDecay: { kind: 'number', least: 0, usual: 0 },
    momentum: { kind: 'number', least: 0, usual: 0 },
    centered: { kind: 'flag', usual: false },
    maximize: { kind: 'flag', usual: false },
  },
  Lion: {
    lr: { kind: 'number', least: 0, usual: 0.0001 },
    betas: { kind: 'betas', usual: [0.9, 0.99] },
    weightDecay: { kind: 'number', least: 0, usual: 0 },
    maximize: { kind: 'flag', usual: false },
  },
  Adafactor: {
    lr: { kind: 'number', least: 0, usual: 0.01 },
    beta2Decay: { kind: 'number', most: 0, usual: -0.8 },
    eps: { kind: 'epsilons', usual: [null, 0.001] },
    d: { kind: 'number', least: 1, usual: 1 },
    weightDecay: { kind: 'number', least: 0, usual: 0 },
    maximize: { kind: 'flag', usual: false },
  },
  Muon: {
    lr: { kind: 'number', least: 0, usual: 0.001 },
    weightDecay: { kind: 'number', least: 0, usual: 0.1 },
    momentum: { kind: 'number', least: 0, usual: 0.95 },
    nesterov: { kind: 'flag', usual: true },
    nsCoefficients: { kind: 'triple', usual: [3.4445, -4.775, 2.0315] },
    eps: { kind: 'number', least: 0, usual: 1e-7 },
    nsSteps: { kind: 'size', least: 0, most: 99, usual: 5 },
    adjustLrFn: { kind: 'word', words: ['original', 'match_rms_adamw', 'spectral_unclamped'], usual: 'original' },
  },
} as const satisfies Record<string, Fields>
