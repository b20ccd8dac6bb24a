// Adam, and with decoupled weight decay.

import type { Tensor } from '../tensor/tensor.js'
import type { ParamGroup } from './group.js'
import { Optimizer } from './optimizer.js'
import { checkBetas, checkRate, type Rule } from './rule.js'

export interface AdamOptions {
  /** The learning rate; default 0.001. */
  lr: number
  /** What is kept of the moments; default [0.9, 0.999]. */
  betas: [number, number]
  /** Added to the denominator; default 1e-8. */
  eps: number
  /** How much weights decay; default 0, of AdamW 0.01. */
  weightDecay: number
}

const DEFAULTS: AdamOptions = { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0 }

function rule(kind: number): Rule<AdamOptions> {
  return {
    kind,
    numbers: ({ lr, betas, eps, weightDecay }) => [lr, ...betas, eps, weightDecay],
    state: () => ['expAvg', 'expAvgSq'],
    catchesUp: true,
  }
}

const [ADAM, ADAMW] = [rule(1), rule(2)]

function check({ lr, betas, eps, weightDecay }: AdamOptions, where: string): void {
  checkRate(lr, `${where}: lr`)
  checkBetas(betas, where)
  checkRate(eps, `${where}: eps`)
  checkRate(weightDecay, `${where}: weightDecay`)
}

/**
 * Adam. Kingma, Ba 2015; `torch.optim.Adam`. Weight decay goes into the gradient; AdamW is where it does not.
 *
 * A table of a layer made with `sparse: true` is stepped as AdamW says.
 */
export class Adam extends Optimizer<AdamOptions> {
  /** @throws UsageError for parameters that do not learn and numbers that cannot be; DTypeError for 16-bit parameters. */
  constructor(params: Tensor[] | ParamGroup<AdamOptions>[], options?: Partial<AdamOptions>) {
    super('Adam', params, options, DEFAULTS, check, ADAM)
  }
}

/**
 * Adam with decoupled weight decay. Loshchilov, Hutter 2019; `torch.optim.AdamW`.
 *
 * Every row of a table moves at every step: by its decay, and by moments that fade. For the table of a layer made with
 * `sparse: true`, rows without a gradient are left behind instead, and take the steps that they missed when they are next
 * needed: by a lookup of their ids, by whatever reads the table as a whole (`data`, `toArray`, an op, a file), or by
 * `flush()`. The values are those of the dense steps, to the bit, with learning rates that change, too; PyTorch refuses
 * sparse gradients here. An array that `data` gave before shows rows as they were left: take it anew, or `flush()`.
 *
 * That pays where a batch names few of a table's rows: a tenth of the time with 32 of 50,000, half with 1000; from one row
 * in ten on, `sparse: false` is as fast. `flush()` takes the time that was saved on rows seen lately: some tens of steps.
 */
export class AdamW extends Optimizer<AdamOptions> {
  /** @throws UsageError for parameters that do not learn and numbers that cannot be; DTypeError for 16-bit parameters. */
  constructor(params: Tensor[] | ParamGroup<AdamOptions>[], options?: Partial<AdamOptions>) {
    super('AdamW', params, options, { ...DEFAULTS, weightDecay: 0.01 }, check, ADAMW)
  }
}
