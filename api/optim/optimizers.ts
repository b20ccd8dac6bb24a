// Written by scripts/options.mjs from what crates/nn/src/optim defines: change it there.

import type { Tensor } from '../tensor/tensor.js'
import type { ParamGroup } from './group.js'
import { Optimizer } from './optimizer.js'

export interface SGDOptions {
  /** The learning rate. */
  lr: number
  /** What is kept of the velocity; 0 for no velocity. Default 0. */
  momentum: number
  /** Whether steps look ahead, as Nesterov's; default false. */
  nesterov: boolean
  /** Times the parameter, added to the gradient; default 0. */
  weightDecay: number
  /** What is kept off the velocity, of every gradient but the first; default 0. */
  dampening: number
  /** Whether steps climb instead of descend: the gradient is negated first. Default false. */
  maximize: boolean
}

/**
 * Stochastic gradient descent, with momentum as Sutskever et al. 2013 have it. `torch.optim.SGD`.
 *
 * Without momentum and weight decay, a step touches only the rows of a table that got a gradient: they are summed
 * and stepped in one pass, with the bits of a step on the dense gradient. With either, all rows move, whatever
 * kind of gradient the table has.
 */
export class SGD extends Optimizer<SGDOptions> {
  /**
   * @throws UsageError for parameters that do not learn and numbers that cannot be; DTypeError for 16-bit parameters.
   */
  constructor(params: Tensor[] | ParamGroup<SGDOptions>[], options: { lr: number } & Partial<SGDOptions>) {
    super('SGD', params, options)
  }
}

export interface AdamOptions {
  /** The learning rate; default 0.001. */
  lr: number
  /** What is kept of the moments; default [0.9, 0.999]. */
  betas: [number, number]
  /** Added to the denominator; default 1e-8. */
  eps: number
  /** How much weights decay; default 0. */
  weightDecay: number
  /**
   * Whether the largest second moment so far takes the place of the present one (Reddi, Kale, Kumar 2018). All rows of
   * a table are then stepped at every step. Default false.
   */
  amsgrad: boolean
  /** Whether steps climb instead of descend: the gradient is negated first. Default false. */
  maximize: boolean
}

/**
 * Adam. Kingma, Ba 2015; `torch.optim.Adam`. Weight decay goes into the gradient; AdamW is where it does not.
 *
 * A table of a layer made with `sparse: true` is stepped as AdamW says.
 */
export class Adam extends Optimizer<AdamOptions> {
  /**
   * @throws UsageError for parameters that do not learn and numbers that cannot be; DTypeError for 16-bit parameters.
   */
  constructor(params: Tensor[] | ParamGroup<AdamOptions>[], options?: Partial<AdamOptions>) {
    super('Adam', params, options)
  }
}

export interface AdamWOptions {
  /** The learning rate; default 0.001. */
  lr: number
  /** What is kept of the moments; default [0.9, 0.999]. */
  betas: [number, number]
  /** Added to the denominator; default 1e-8. */
  eps: number
  /** How much weights decay; default 0.01. */
  weightDecay: number
  /**
   * Whether the largest second moment so far takes the place of the present one (Reddi, Kale, Kumar 2018). All rows of
   * a table are then stepped at every step. Default false.
   */
  amsgrad: boolean
  /** Whether steps climb instead of descend: the gradient is negated first. Default false. */
  maximize: boolean
}

/**
 * Adam with decoupled weight decay. Loshchilov, Hutter 2019; `torch.optim.AdamW`.
 *
 * Every row of a table moves at every step: by its decay, and by moments that fade. For the table of a layer made
 * with `sparse: true`, rows without a gradient are left behind instead, and take the steps that they missed when
 * they are next needed: by a lookup of their ids, by whatever reads the table as a whole (`data`, `toArray`, an
 * op, a file), or by `flush()`. The values are those of the dense steps, to the bit, with learning rates that
 * change, too; PyTorch refuses sparse gradients here. An array that `data` gave before shows rows as they were
 * left: take it anew, or `flush()`.
 *
 * That pays where a batch names few of a table's rows: a tenth of the time with 32 of 50,000, half with 1000; from
 * one row in ten on, `sparse: false` is as fast. `flush()` takes the time that was saved on rows seen lately: some
 * tens of steps.
 */
export class AdamW extends Optimizer<AdamWOptions> {
  /**
   * @throws UsageError for parameters that do not learn and numbers that cannot be; DTypeError for 16-bit parameters.
   */
  constructor(params: Tensor[] | ParamGroup<AdamWOptions>[], options?: Partial<AdamWOptions>) {
    super('AdamW', params, options)
  }
}

export interface SparseAdamOptions {
  /** The learning rate; default 0.001. */
  lr: number
  /** What is kept of the moments; default [0.9, 0.999]. */
  betas: [number, number]
  /** Added to the denominator; default 1e-8. */
  eps: number
  /** Whether steps climb instead of descend: the gradient is negated first. Default false. */
  maximize: boolean
}

/**
 * Adam that leaves rows without a gradient as they are, their moments too. `torch.optim.SparseAdam`: for tables of
 * layers made with `sparse: true`; a dense gradient is a UsageError. It is not what Adam computes: a rare row
 * keeps the moments of its last visit. AdamW on such tables is exact.
 */
export class SparseAdam extends Optimizer<SparseAdamOptions> {
  /**
   * @throws UsageError for parameters that do not learn and numbers that cannot be; DTypeError for 16-bit parameters.
   */
  constructor(params: Tensor[] | ParamGroup<SparseAdamOptions>[], options?: Partial<SparseAdamOptions>) {
    super('SparseAdam', params, options)
  }
}

export interface AdagradOptions {
  /** The learning rate; default 0.01. */
  lr: number
  /** Added to the denominator; default 1e-10. */
  eps: number
  /** Times the parameter, added to the gradient; default 0. */
  weightDecay: number
  /** What the sums of squares begin with; default 0. */
  initialAccumulatorValue: number
  /** How the rate falls with the steps: by `1 / (1 + (step - 1) * lrDecay)`. Default 0. */
  lrDecay: number
  /** Whether steps climb instead of descend: the gradient is negated first. Default false. */
  maximize: boolean
}

/**
 * Adagrad. Duchi, Hazan, Singer 2011; `torch.optim.Adagrad`.
 *
 * Without weight decay, a step touches only the rows of a table that got a gradient, with the bits of a step on
 * the dense gradient. (PyTorch's sparse path rounds in other places than its dense one, and refuses weight decay.)
 */
export class Adagrad extends Optimizer<AdagradOptions> {
  /**
   * @throws UsageError for parameters that do not learn and numbers that cannot be; DTypeError for 16-bit parameters.
   */
  constructor(params: Tensor[] | ParamGroup<AdagradOptions>[], options?: Partial<AdagradOptions>) {
    super('Adagrad', params, options)
  }
}

export interface RowWiseAdagradOptions {
  /** The learning rate; default 0.01. */
  lr: number
  /** Added to the denominator; default 1e-8. */
  eps: number
  /** Times the parameter, added to the gradient; FBGEMM's `WeightDecayMode.L2`. Default 0. */
  weightDecay: number
  /**
   * Whether weight decay shrinks the row by `lr * weightDecay` instead and is not part of the gradient; FBGEMM's
   * `WeightDecayMode.DECOUPLE`. Default false.
   */
  decoupled: boolean
}

/**
 * Adagrad with one sum of squares for each row, a mean over its columns: `h += mean(g^2)`,
 * `p -= lr / (sqrt(h) + eps) * g`. FBGEMM's `EXACT_ROWWISE_ADAGRAD`. Its state is a column instead of a table, and
 * its step the cheapest that adapts. Rows are along dimension 0; in one dimension each element is one.
 *
 * Weight decay reaches the rows that a gradient names, as FBGEMM's does: of a table's gradient in rows those of
 * the batch, of a dense one all.
 */
export class RowWiseAdagrad extends Optimizer<RowWiseAdagradOptions> {
  /**
   * @throws UsageError for parameters that do not learn and numbers that cannot be; DTypeError for 16-bit parameters.
   */
  constructor(params: Tensor[] | ParamGroup<RowWiseAdagradOptions>[], options?: Partial<RowWiseAdagradOptions>) {
    super('RowWiseAdagrad', params, options)
  }
}

export interface RMSpropOptions {
  /** The learning rate; default 0.01. */
  lr: number
  /** What is kept of the mean of squares; default 0.99. */
  alpha: number
  /** Added to the root of the mean of squares; default 1e-8. */
  eps: number
  /** Times the parameter, added to the gradient; default 0. */
  weightDecay: number
  /** What is kept of the velocity; 0 for no velocity. Default 0. */
  momentum: number
  /** Whether the square of the mean gradient is subtracted from the mean of squares; default false. */
  centered: boolean
  /** Whether steps climb instead of descend: the gradient is negated first. Default false. */
  maximize: boolean
}

/**
 * RMSprop. Hinton 2012, with the centered variant of Graves 2013; `torch.optim.RMSprop`.
 *
 * Every row of a table moves at every step, because its mean of squares fades.
 */
export class RMSprop extends Optimizer<RMSpropOptions> {
  /**
   * @throws UsageError for parameters that do not learn and numbers that cannot be; DTypeError for 16-bit parameters.
   */
  constructor(params: Tensor[] | ParamGroup<RMSpropOptions>[], options?: Partial<RMSpropOptions>) {
    super('RMSprop', params, options)
  }
}

export interface LionOptions {
  /** The learning rate; default 0.0001. */
  lr: number
  /** What is kept of the moment: for the direction of a step, and for the next step. Default [0.9, 0.99]. */
  betas: [number, number]
  /** How much weights decay; default 0. */
  weightDecay: number
  /** Whether steps climb instead of descend: the gradient is negated first. Default false. */
  maximize: boolean
}

/**
 * Lion: steps of one size, in the direction of the sign of a moment. Chen et al. 2023, "Symbolic Discovery of
 * Optimization Algorithms". It keeps one state where Adam keeps two; its rate is a third to a tenth of AdamW's,
 * and its weight decay larger by as much.
 *
 * Every row of a table moves at every step, because the sign of a moment that fades stays.
 */
export class Lion extends Optimizer<LionOptions> {
  /**
   * @throws UsageError for parameters that do not learn and numbers that cannot be; DTypeError for 16-bit parameters.
   */
  constructor(params: Tensor[] | ParamGroup<LionOptions>[], options?: Partial<LionOptions>) {
    super('Lion', params, options)
  }
}

export interface AdafactorOptions {
  /** The largest relative step; weights decay by it, too. Default 0.01. */
  lr: number
  /** The mean of squares keeps `1 - step ** beta2Decay` of what it was; default -0.8. */
  beta2Decay: number
  /**
   * The least root of a mean of squares (null: the distance from 1 to the next number of the parameter's type), and the
   * least size that a parameter counts as. Default [null, 0.001].
   */
  eps: [number | null, number]
  /**
   * The largest root mean square of an update, before the step's size: one that is larger is scaled down. Default 1.
   */
  d: number
  /** How much weights decay; default 0. */
  weightDecay: number
  /** Whether steps climb instead of descend: the gradient is negated first. Default false. */
  maximize: boolean
}

/**
 * Adafactor: of the squares of a matrix' gradients it keeps one number for each row and one for each column, where
 * Adam keeps two for each element. Shazeer, Stern 2018; `torch.optim.Adafactor`, with PyTorch's use of `lr` and
 * `eps`. Steps are relative to the size of the parameter.
 *
 * Of a parameter of more than two dimensions, the last two are rows and columns; of one with fewer, every element
 * has its own number (`variance`). Every row of a table moves at every step. Gradients in rows, which PyTorch's
 * refuses, are written out first, which takes the memory of another table for the length of a step.
 */
export class Adafactor extends Optimizer<AdafactorOptions> {
  /**
   * @throws UsageError for parameters that do not learn and numbers that cannot be; DTypeError for 16-bit parameters.
   */
  constructor(params: Tensor[] | ParamGroup<AdafactorOptions>[], options?: Partial<AdafactorOptions>) {
    super('Adafactor', params, options)
  }
}

export interface MuonOptions {
  /** The learning rate; default 0.001. */
  lr: number
  /** How much weights decay; default 0.1. */
  weightDecay: number
  /** What is kept of the momentum; default 0.95. */
  momentum: number
  /** Whether steps look ahead, as Nesterov's; default true. */
  nesterov: boolean
  /**
   * The polynomial of the iteration: `a * x + b * x^3 + c * x^5` of each singular value. Default [3.4445, -4.775,
   * 2.0315].
   */
  nsCoefficients: [number, number, number]
  /** The least norm that the momentum is divided by; default 1e-7. */
  eps: number
  /** Steps of the iteration; default 5. */
  nsSteps: number
  /**
   * How the rate follows the shape (A rows, B columns): `original` is times `sqrt(max(1, A / B))`; `match_rms_adamw` is
   * times `0.2 * sqrt(max(A, B))`, which lets rates and decay of AdamW be reused; `spectral_unclamped` is times
   * `sqrt(A / B)`. Default 'original'.
   */
  adjustLrFn: 'original' | 'match_rms_adamw' | 'spectral_unclamped' | null
}

/**
 * Muon: a momentum whose singular values are all brought near 1, by five steps of Newton's and Schulz' iteration.
 * Jordan 2024, "Muon: An optimizer for hidden layers in neural networks"; `torch.optim.Muon`.
 *
 * It is meant for the weights of hidden layers, such as those of a `Linear`, and takes matrices alone, of
 * two dimensions. PyTorch says of it that other parameters, such as biases and embeddings, should be
 * optimized by a standard method such as AdamW; a table is a matrix and is taken nevertheless. The iteration runs
 * in bfloat16, with sums in float32, as PyTorch's does.
 */
export class Muon extends Optimizer<MuonOptions> {
  /**
   * @throws UsageError for parameters that do not learn and numbers that cannot be; DTypeError for 16-bit parameters.
   */
  constructor(params: Tensor[] | ParamGroup<MuonOptions>[], options?: Partial<MuonOptions>) {
    super('Muon', params, options)
  }
}
