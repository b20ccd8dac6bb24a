// Stochastic gradient descent.

import type { Tensor } from '../tensor/tensor.js'
import { UsageError } from '../base/errors.js'
import { checkBoolean, isObject } from '../base/validate.js'
import type { ParamGroup } from './group.js'
import { Optimizer } from './optimizer.js'
import { checkRate, type Rule } from './rule.js'

export interface SGDOptions {
  /** The learning rate. */
  lr: number
  /** What is kept of the velocity; default 0: there is none. */
  momentum: number
  /** Whether steps look ahead, as Nesterov's; default false. */
  nesterov: boolean
  /** Times the parameter, added to the gradient; default 0. */
  weightDecay: number
}

const RULE: Rule<SGDOptions> = {
  kind: 0,
  numbers: ({ lr, momentum, nesterov, weightDecay }) => [lr, momentum, nesterov ? 1 : 0, weightDecay],
  state: ({ momentum }) => (momentum === 0 ? [] : ['momentumBuffer']),
}

/** There is no learning rate that suits most: it is its user's to choose. */
function withRate<O extends { lr: number }>(options: O): O {
  if (options === undefined || options === null || (isObject(options) && options.lr === undefined)) throw new UsageError('SGD: lr is missing: give the learning rate, as { lr: 0.1 }')
  return options
}

function check({ lr, momentum, nesterov, weightDecay }: SGDOptions, where: string): void {
  checkRate(lr, `${where}: lr`)
  checkRate(momentum, `${where}: momentum`)
  checkRate(weightDecay, `${where}: weightDecay`)
  if (checkBoolean(nesterov, `${where}: nesterov`) && momentum === 0) throw new UsageError(`${where}: nesterov needs a momentum`)
}

/**
 * Stochastic gradient descent, with momentum as Sutskever et al. 2013 have it. `torch.optim.SGD` with dampening 0.
 *
 * Without momentum and weight decay, a step touches only the rows of a table that got a gradient: they are summed and
 * stepped in one pass, with the bits of a step on the dense gradient. With either, all rows move, whatever kind of
 * gradient the table has.
 */
export class SGD extends Optimizer<SGDOptions> {
  /** @throws UsageError for parameters that do not learn and numbers that cannot be; DTypeError for 16-bit parameters. */
  constructor(params: Tensor[] | ParamGroup<SGDOptions>[], options: { lr: number } & Partial<SGDOptions>) {
    super('SGD', params, withRate(options), { lr: NaN, momentum: 0, nesterov: false, weightDecay: 0 }, check, RULE)
  }
}
