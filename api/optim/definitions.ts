// Written by scripts/options.mjs from what crates/nn/src/optim defines: change it there.

import type { Fields } from '../base/fields.js'

/** The options of every optimizer. */
export const OPTIMIZERS = {
  SGD: {
    lr: { kind: 'number', least: 0, missing: 'the learning rate' },
    momentum: { kind: 'number', least: 0, usual: 0 },
    nesterov: { kind: 'flag', needs: 'momentum', usual: false },
    weightDecay: { kind: 'number', least: 0, usual: 0 },
  },
  Adam: {
    lr: { kind: 'number', least: 0, usual: 0.001 },
    betas: { kind: 'betas', usual: [0.9, 0.999] },
    eps: { kind: 'number', least: 0, usual: 1e-8 },
    weightDecay: { kind: 'number', least: 0, usual: 0 },
  },
  AdamW: {
    lr: { kind: 'number', least: 0, usual: 0.001 },
    betas: { kind: 'betas', usual: [0.9, 0.999] },
    eps: { kind: 'number', least: 0, usual: 1e-8 },
    weightDecay: { kind: 'number', least: 0, usual: 0.01 },
  },
  SparseAdam: {
    lr: { kind: 'number', least: 0, usual: 0.001 },
    betas: { kind: 'betas', usual: [0.9, 0.999] },
    eps: { kind: 'number', least: 0, usual: 1e-8 },
  },
  Adagrad: {
    lr: { kind: 'number', least: 0, usual: 0.01 },
    eps: { kind: 'number', least: 0, usual: 1e-10 },
    weightDecay: { kind: 'number', least: 0, usual: 0 },
    initialAccumulatorValue: { kind: 'number', least: 0, usual: 0 },
  },
  RowWiseAdagrad: {
    lr: { kind: 'number', least: 0, usual: 0.01 },
    eps: { kind: 'number', least: 0, usual: 1e-8 },
  },
} as const satisfies Record<string, Fields>
