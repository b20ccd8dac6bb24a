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
} as const satisfies Record<string, Fields>
