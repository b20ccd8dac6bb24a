// Adagrad with one number a row.

import type { Tensor } from '../tensor/tensor.js'
import type { ParamGroup } from './group.js'
import { Optimizer } from './optimizer.js'
import { checkRate, type Rule } from './rule.js'

export interface RowWiseAdagradOptions {
  /** The learning rate; default 0.01. */
  lr: number
  /** Added to the denominator; default 1e-8. */
  eps: number
}

const RULE: Rule<RowWiseAdagradOptions> = {
  kind: 5,
  numbers: ({ lr, eps }) => [lr, eps],
  state: () => ['sum'],
  byRow: true,
}

function check({ lr, eps }: RowWiseAdagradOptions, where: string): void {
  checkRate(lr, `${where}: lr`)
  checkRate(eps, `${where}: eps`)
}

/**
 * Adagrad with one sum of squares for each row, a mean over its columns: `h += mean(g^2)`, `p -= lr / (sqrt(h) + eps) * g`.
 * FBGEMM's `EXACT_ROWWISE_ADAGRAD`. Its state is a column instead of a table, and its step the cheapest that adapts. Rows
 * are along dimension 0; in one dimension each element is one.
 */
export class RowWiseAdagrad extends Optimizer<RowWiseAdagradOptions> {
  /** @throws UsageError for parameters that do not learn and numbers that cannot be; DTypeError for 16-bit parameters. */
  constructor(params: Tensor[] | ParamGroup<RowWiseAdagradOptions>[], options?: Partial<RowWiseAdagradOptions>) {
    super('RowWiseAdagrad', params, options, { lr: 0.01, eps: 1e-8 }, check, RULE)
  }
}
