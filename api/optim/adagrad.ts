// Adagrad.

import type { Tensor } from '../tensor/tensor.js'
import type { ParamGroup } from './group.js'
import { Optimizer } from './optimizer.js'
import { checkRate, type Rule } from './rule.js'

export interface AdagradOptions {
  /** The learning rate; default 0.01. */
  lr: number
  /** Added to the denominator; default 1e-10. */
  eps: number
  /** Times the parameter, added to the gradient; default 0. */
  weightDecay: number
  /** What the sums of squares begin with; default 0. */
  initialAccumulatorValue: number
}

const RULE: Rule<AdagradOptions> = {
  kind: 4,
  numbers: ({ lr, eps, weightDecay }) => [lr, eps, weightDecay],
  state: () => ['sum'],
  initial: ({ initialAccumulatorValue }) => initialAccumulatorValue,
}

function check({ lr, eps, weightDecay, initialAccumulatorValue }: AdagradOptions, where: string): void {
  checkRate(lr, `${where}: lr`)
  checkRate(eps, `${where}: eps`)
  checkRate(weightDecay, `${where}: weightDecay`)
  checkRate(initialAccumulatorValue, `${where}: initialAccumulatorValue`)
}

/**
 * Adagrad. Duchi, Hazan, Singer 2011; `torch.optim.Adagrad` with a learning rate that does not decay by itself.
 *
 * Without weight decay, a step touches only the rows of a table that got a gradient, with the bits of a step on the dense
 * gradient. (PyTorch's sparse path rounds in other places than its dense one, and refuses weight decay.)
 */
export class Adagrad extends Optimizer<AdagradOptions> {
  /** @throws UsageError for parameters that do not learn and numbers that cannot be; DTypeError for 16-bit parameters. */
  constructor(params: Tensor[] | ParamGroup<AdagradOptions>[], options?: Partial<AdagradOptions>) {
    super('Adagrad', params, options, { lr: 0.01, eps: 1e-10, weightDecay: 0, initialAccumulatorValue: 0 }, check, RULE)
  }
}
