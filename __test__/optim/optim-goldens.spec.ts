// Optimizers, schedules and clipping, compared with PyTorch and Transformers.

import test, { type ExecutionContext } from 'ava'
import {
  Adagrad,
  Adam,
  AdamW,
  clipGradNorm,
  clipGradValue,
  LRSchedule,
  manualSeed,
  randn,
  RowWiseAdagrad,
  SGD,
  SparseAdam,
  tensor,
  zeros,
} from '../../index.js'
import type { Optimizer, Tensor } from '../../index.js'
import { isGolden } from '../support/compare.js'
import { readGolden, type Golden } from '../support/golden.js'
import { rowsOf } from '../support/rows-gradient.js'

interface Trajectory {
  optimizer: keyof typeof CLASSES
  seed: number
  dtype: 'float32' | 'float64'
  sparse: boolean
  options: any
  rates: number[] | null
  mkl: Record<string, Golden>
  exact: { params: Record<string, Golden>; state: Record<string, Golden> }
}

const CLASSES = { SGD, Adam, AdamW, SparseAdam, Adagrad }
const STATE: Record<string, string> = {
  momentum_buffer: 'momentumBuffer',
  exp_avg: 'expAvg',
  exp_avg_sq: 'expAvgSq',
  sum: 'sum',
}
const STEPS = 100
const SHAPE = [5, 7]

const golden = readGolden<{
  ids: Record<string, number[]>
  trajectories: Trajectory[]
  rowWise: { seed: number; options: { lr: number; eps: number }; params: Record<string, Golden>; sum: Golden }[]
  schedules: { options: any; lr: number; rates: number[] }[]
  clipped: { seed: number; shapes: number[][]; limit: number; norm: number; byNorm: Golden[]; byValue: Golden[] }[]
}>('optim/optim.json')

/** Steps with the numbers that the script draws; `each` gets the gradient and performs the step. */
function walk(
  seed: number,
  dtype: 'float32' | 'float64',
  make: (param: Tensor) => Optimizer<any>,
  each: (step: number, param: Tensor, grad: Tensor, optimizer: Optimizer<any>) => void,
): Optimizer<any> {
  manualSeed(seed)
  const param = randn(SHAPE).to(dtype)
  param.requiresGrad = true
  const optimizer = make(param)
  for (let step = 1; step <= STEPS; step++) each(step, param, randn(SHAPE).to(dtype), optimizer)
  return optimizer
}

/** PyTorch's sparse Adagrad rounds in other places than its dense one; ours rounds like the dense one. */
const isOtherwise = ({ optimizer, sparse }: Trajectory) => optimizer === 'Adagrad' && sparse

for (const one of golden.trajectories) {
  const { optimizer: name, seed, dtype, sparse, options, rates, mkl, exact } = one
  test(`equals PyTorch: ${name} ${JSON.stringify(options)} ${dtype}${sparse ? ' in rows' : ''}`, (t) => {
    const optimizer = walk(
      seed,
      dtype,
      (param) => new CLASSES[name]([param], options),
      (step, param, grad, it) => {
        if (rates !== null) it.lr = rates[(step - 1) % rates.length]
        if (sparse) {
          param.grad = null
          param.collect(rowsOf(grad, golden.ids[step]))
        } else param.grad = grad
        it.step()
        if (!(step in mkl)) return
        if (isOtherwise(one)) near(t, param, exact.params[step], 1e-6)
        else isGolden(t, param, exact.params[step], `step ${step}`)
        // The last bits of MKL's square roots are wrong, and the error grows with each step.
        near(t, param, mkl[step], dtype === 'float32' ? 1e-5 : 1e-13)
      },
    )
    const { state } = optimizer.stateDict()
    for (const [theirs, wanted] of Object.entries(exact.state)) {
      const ours = state['0'][STATE[theirs]] as Tensor
      if (isOtherwise(one)) near(t, ours, wanted, 1e-6)
      else isGolden(t, ours, wanted, theirs)
    }
  })
}

/** Asserts that elements are close, relative to the largest. */
function near(t: ExecutionContext, found: Tensor, wanted: Golden, tolerance: number): void {
  const theirs = wanted.v as number[]
  const largest = Math.max(1, ...theirs.map(Math.abs))
  const ours = found.data as Float32Array
  t.is(ours.length, theirs.length)
  for (let i = 0; i < theirs.length; i++)
    t.true(Math.abs(ours[i] - theirs[i]) <= tolerance * largest, `${ours[i]} is far from ${theirs[i]}`)
}

for (const { seed, options, params, sum } of golden.rowWise) {
  test(`RowWiseAdagrad equals its reference: ${JSON.stringify(options)}`, (t) => {
    for (const dtype of ['float64', 'float32'] as const) {
      for (const inRows of dtype === 'float32' ? [false, true] : [false]) {
        const tolerance = dtype === 'float32' ? 2e-6 : 1e-14
        const optimizer = walk(
          seed,
          dtype,
          (param) => new RowWiseAdagrad([param], options),
          (step, param, grad, it) => {
            param.grad = null
            param.collect(inRows ? rowsOf(grad, [0, 1, 2, 3, 4], false) : grad)
            it.step()
            if (step in params) near(t, param, params[step], tolerance)
          },
        )
        near(t, optimizer.stateDict().state['0'].sum as Tensor, sum, tolerance)
      }
    }
  })
}

const decayed = readGolden<{
  shape: number[]
  param: number[]
  steps: { ids: number[]; grad: number[] }[]
  cases: { options: object; params: Record<string, number[]>; sum: number[] }[]
}>('optim/row-decay.json')

for (const { options, params, sum } of decayed.cases) {
  test(`RowWiseAdagrad decays rows as FBGEMM does: ${JSON.stringify(options)}`, (t) => {
    const param = tensor(decayed.param, { shape: decayed.shape, requiresGrad: true })
    const optimizer = new RowWiseAdagrad([param], options)
    const wanted = (v: number[], s: number[]): Golden => ({ t: 'float32', s, v })
    decayed.steps.forEach(({ ids, grad }, i) => {
      const dense = zeros(decayed.shape)
      ids.forEach((row, at) =>
        (dense.data as Float32Array).set(grad.slice(at * 7, at * 7 + 7).map(Math.fround), row * 7),
      )
      param.grad = null
      param.collect(rowsOf(dense, ids, false))
      optimizer.step()
      const kept = params[i + 1]
      if (kept !== undefined) near(t, param, wanted(kept, decayed.shape), 2e-6)
    })
    near(t, optimizer.stateDict().state['0'].sum as Tensor, wanted(sum, [decayed.shape[0]]), 2e-6)
  })
}

test('decay of rows is refused where it is nothing', (t) => {
  const make = (options: object) => () => new RowWiseAdagrad([tensor([[1]], { requiresGrad: true })], options)
  t.throws(make({ decoupled: true }), { code: 'USAGE', message: /weightDecay/ })
  t.throws(make({ weightDecay: -1 }), { code: 'USAGE', message: /weightDecay/ })
})

for (const { options, lr, rates } of golden.schedules) {
  test(`schedule equals Transformers: ${JSON.stringify(options)}`, (t) => {
    const param = tensor([0], { requiresGrad: true })
    const optimizer = new SGD([{ params: [param] }], { lr })
    const schedule = new LRSchedule(optimizer, options)
    rates.forEach((rate, step) => {
      t.true(Math.abs(optimizer.lr - rate) <= 1e-15, `${optimizer.lr} is not ${rate} at ${step}`)
      t.is(schedule.at(step), optimizer.lr)
      schedule.step()
    })
  })
}

for (const { seed, shapes, limit, norm, byNorm, byValue } of golden.clipped) {
  test(`gradients clipped to ${limit} equal PyTorch's`, (t) => {
    const grads = () => {
      manualSeed(seed)
      return shapes.map((shape) => randn(shape))
    }
    const params = shapes.map((shape) =>
      tensor(new Float32Array(shape.reduce((a, b) => a * b)), { shape, requiresGrad: true }),
    )
    grads().forEach((grad, i) => (params[i].grad = grad))
    const found = clipGradNorm(params, limit)
    t.true(Math.abs(found - norm) <= 1e-6 * norm, `${found} is not ${norm}`)
    byNorm.forEach((wanted, i) => near(t, params[i].grad as Tensor, wanted, 1e-6))
    grads().forEach((grad, i) => (params[i].grad = grad))
    clipGradValue(params, limit)
    byValue.forEach((wanted, i) => isGolden(t, params[i].grad as Tensor, wanted, `clipped to ${limit}`))
  })
}
