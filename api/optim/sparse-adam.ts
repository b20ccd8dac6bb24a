// Adam on rows alone.

import type { Tensor } from '../tensor/tensor.js'
import type { AdamOptions } from './adam.js'
import type { ParamGroup } from './group.js'
import { Optimizer } from './optimizer.js'
import { checkBetas, checkRate, type Rule } from './rule.js'

export type SparseAdamOptions = Omit<AdamOptions, 'weightDecay'>

const RULE: Rule<SparseAdamOptions> = {
  kind: 3,
  numbers: ({ lr, betas, eps }) => [lr, ...betas, eps],
  state: () => ['expAvg', 'expAvgSq'],
  rowsAlone: true,
}

function check({ lr, betas, eps }: SparseAdamOptions, where: string): void {
  checkRate(lr, `${where}: lr`)
  checkBetas(betas, where)
  checkRate(eps, `${where}: eps`)
}

/**
 * Adam that leaves rows without a gradient as they are, their moments too. `torch.optim.SparseAdam`: for tables of
 * layers made with `sparse: true`; a dense gradient is a UsageError. It is not what Adam computes: a rare row keeps the
 * moments of its last visit. AdamW on such tables is exact.
 */
export class SparseAdam extends Optimizer<SparseAdamOptions> {
  /** @throws UsageError for parameters that do not learn and numbers that cannot be; DTypeError for 16-bit parameters. */
  constructor(params: Tensor[] | ParamGroup<SparseAdamOptions>[], options?: Partial<SparseAdamOptions>) {
    super('SparseAdam', params, options, { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8 }, check, RULE)
  }
}
