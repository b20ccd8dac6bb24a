// Optimizers, options, schedules and norms that optim-goldens.spec.ts lacks, compared with PyTorch.

import test, { type ExecutionContext } from 'ava'
import {
  Adagrad,
  Adam,
  AdamW,
  ChainedScheduler,
  clipGradNorm,
  CosineAnnealingWarmRestarts,
  ExponentialLR,
  LambdaLR,
  Lion,
  manualSeed,
  MultiStepLR,
  OneCycleLR,
  PolynomialLR,
  randn,
  ReduceLROnPlateau,
  RMSprop,
  SGD,
  StepLR,
  tensor,
  UsageError,
  zeros,
  type Optimizer,
  type Tensor,
} from '../../index.js'
import { isGolden } from '../support/compare.js'
import { fromGolden, readGolden, type Golden } from '../support/golden.js'

interface Trajectory {
  optimizer: keyof typeof CLASSES
  seed: number
  dtype: 'float32' | 'float64'
  options: any
  mkl: Record<string, Golden>
  exact: Record<string, Golden>
}

interface Schedule {
  schedule: string
  options: any
  base: number
  momentum: number
  metrics: number[] | null
  rates: number[]
  momenta: number[]
}

const CLASSES = { SGD, Adam, AdamW, Adagrad, RMSprop }
const SCHEDULES = {
  StepLR,
  MultiStepLR,
  ExponentialLR,
  PolynomialLR,
  CosineAnnealingWarmRestarts,
  OneCycleLR,
  ReduceLROnPlateau,
}
const STEPS = 60
const SHAPE = [5, 7]

const golden = readGolden<{
  trajectories: Trajectory[]
  lion: { seed: number; options: any; params: Record<string, Golden> }[]
  schedules: Schedule[]
  norms: { kind: number | string; grads: Golden[]; norm: number; clipped: Golden[] }[]
}>('optim/more.json')

function near(t: ExecutionContext, found: Tensor, wanted: Golden, tolerance: number, what: string): void {
  const theirs = wanted.v.map(Number)
  const largest = Math.max(1, ...theirs.map(Math.abs))
  const bad = theirs.findIndex((x, i) => !(Math.abs(Number(found.data[i]) - x) <= tolerance * largest))
  t.is(bad, -1, `${what}: element ${bad} is ${found.data[bad]}, far from ${theirs[bad]}`)
}

function walk(
  seed: number,
  dtype: 'float32' | 'float64',
  make: (param: Tensor) => Optimizer<any>,
  each: (step: number, param: Tensor) => void,
): void {
  manualSeed(seed)
  const param = randn(SHAPE).to(dtype)
  param.requiresGrad = true
  const optimizer = make(param)
  for (let step = 1; step <= STEPS; step++) {
    param.grad = randn(SHAPE).to(dtype)
    optimizer.step()
    each(step, param)
  }
}

for (const { optimizer, seed, dtype, options, mkl, exact } of golden.trajectories) {
  test(`equals PyTorch: ${optimizer} ${JSON.stringify(options)} ${dtype}`, (t) => {
    walk(
      seed,
      dtype,
      (param) => new CLASSES[optimizer]([param], options),
      (step, param) => {
        if (!(step in exact)) return
        isGolden(t, param, exact[step], `step ${step}`)
        near(t, param, mkl[step], dtype === 'float32' ? 1e-5 : 1e-13, `step ${step}, with the roots of MKL`)
      },
    )
  })
}

for (const { seed, options, params } of golden.lion) {
  test(`Lion ${JSON.stringify(options)} takes the steps of its paper`, (t) => {
    walk(
      seed,
      'float64',
      (param) => new Lion([param], options),
      (step, param) => step in params && near(t, param, params[step], 1e-13, `step ${step}`),
    )
  })
}

for (const { schedule: name, options, base, momentum, metrics, rates, momenta } of golden.schedules) {
  test(`${name} ${JSON.stringify(options)} has PyTorch's rates`, (t) => {
    const optimizer = new SGD([zeros(1, { requiresGrad: true })], { lr: base, momentum })
    const make = () => {
      if (name === 'LambdaLR') return new LambdaLR(optimizer, (epoch) => 0.95 ** epoch)
      if (name === 'ChainedScheduler')
        return new ChainedScheduler([
          new StepLR(optimizer, { stepSize: 4, gamma: 0.5 }),
          new ExponentialLR(optimizer, { gamma: 0.95 }),
        ])
      return new SCHEDULES[name as keyof typeof SCHEDULES](optimizer, options)
    }
    const schedule = make()
    rates.forEach((rate, step) => {
      t.true(Math.abs(optimizer.lr - rate) <= 1e-15 * Math.abs(rate), `step ${step}: ${optimizer.lr}, not ${rate}`)
      const now = optimizer.groups[0].options.momentum
      t.true(Math.abs(now - momenta[step]) <= 1e-15, `step ${step}: momentum ${now}, not ${momenta[step]}`)
      ;(schedule as { step(metric?: number): void }).step(...((metrics === null ? [] : [metrics[step]]) as []))
    })
  })
}

test('a schedule continues from its state', (t) => {
  const made = () => {
    const optimizer = new SGD([zeros(1, { requiresGrad: true })], { lr: 1 })
    return { optimizer, schedule: new StepLR(optimizer, { stepSize: 3, gamma: 0.5 }) }
  }
  const [a, b] = [made(), made()]
  for (let i = 0; i < 4; i++) a.schedule.step()
  b.optimizer.loadStateDict(a.optimizer.stateDict())
  b.schedule.loadStateDict(JSON.parse(JSON.stringify(a.schedule.stateDict())))
  for (const { schedule } of [a, b]) for (let i = 0; i < 5; i++) schedule.step()
  t.is(b.optimizer.lr, a.optimizer.lr)
  t.is(b.optimizer.lr, 0.125)
  t.throws(() => b.schedule.loadStateDict({ step: 1 }), { instanceOf: UsageError })
})

for (const { kind, grads, norm, clipped } of golden.norms) {
  test(`clipGradNorm by the ${kind}-norm equals PyTorch's`, (t) => {
    const params = grads.map((grad) => {
      const param = zeros(grad.s, { requiresGrad: true })
      param.grad = fromGolden(grad)
      return param
    })
    const found = clipGradNorm(params, 1.5, { normType: Number(kind) })
    t.true(Math.abs(found - norm) <= 1e-5 * norm, `${found}, not ${norm}`)
    params.forEach((param, i) => near(t, param.grad as Tensor, clipped[i], 1e-6, 'the clipped gradient'))
  })
}

test('clipGradNorm refuses norms that are not finite where it is asked to', (t) => {
  const param = zeros(2, { requiresGrad: true })
  param.grad = tensor([1, Infinity])
  t.throws(() => clipGradNorm([param], 1, { errorIfNonfinite: true }), { instanceOf: UsageError })
  t.deepEqual(param.grad.toArray(), [1, Infinity])
  t.throws(() => clipGradNorm([param], 1, { normType: 0 }), { instanceOf: UsageError })
})

test('groups are added later, and state has the names of PyTorch', (t) => {
  const [a, b] = [zeros(2, { requiresGrad: true }), zeros(3, { requiresGrad: true })]
  const optimizer = new Adam([a], { lr: 0.1, amsgrad: true })
  optimizer.addParamGroup({ params: [b], lr: 0.5 })
  t.deepEqual(
    optimizer.groups.map(({ lr, options }) => [lr, options.amsgrad]),
    [
      [0.1, true],
      [0.5, true],
    ],
  )
  t.throws(() => optimizer.addParamGroup({ params: [a] }), { instanceOf: UsageError })
  for (const param of [a, b]) param.grad = tensor(new Float32Array(param.size).fill(1))
  optimizer.step()
  const { tensors, metadata } = optimizer.torchStateDict()
  t.deepEqual(Object.keys(tensors).sort().slice(0, 4), [
    'state.0.exp_avg',
    'state.0.exp_avg_sq',
    'state.0.max_exp_avg_sq',
    'state.0.step',
  ])
  t.is((JSON.parse(metadata.param_groups) as { weight_decay: number }[])[1].weight_decay, 0)
  const [p, q] = [zeros(2, { requiresGrad: true }), zeros(3, { requiresGrad: true })]
  const other = new Adam([{ params: [p] }, { params: [q] }])
  other.loadTorchStateDict({ tensors: new Map(Object.entries(tensors)), metadata })
  t.deepEqual(other.groups[1].options, optimizer.groups[1].options)
  for (const param of [p, q]) param.grad = tensor(new Float32Array(param.size).fill(1))
  p.set(a)
  q.set(b)
  other.step()
  optimizer.step()
  t.deepEqual(p.data, a.data)
  t.throws(() => other.loadTorchStateDict({ tensors: { weight: p } }), { instanceOf: UsageError })
})

test('options that exclude each other, and steps that climb', (t) => {
  const param = tensor([1, -2], { requiresGrad: true })
  t.throws(() => new SGD([param], { lr: 1, momentum: 0.9, nesterov: true, dampening: 0.1 }), { instanceOf: UsageError })
  param.grad = tensor([1, 1])
  new SGD([param], { lr: 0.5, maximize: true }).step()
  t.deepEqual(param.toArray(), [1.5, -1.5])
})
