// Optimizers that step on whole parameters, compared with PyTorch.

import test, { type ExecutionContext } from 'ava'
import {
  Adafactor,
  Embedding,
  Generator,
  getNumThreads,
  Linear,
  manualSeed,
  Muon,
  randn,
  resizeVocabulary,
  setNumThreads,
  tensor,
  type Tensor,
} from '../../index.js'
import { digest } from '../support/compare.js'
import { refuses } from '../support/errors.js'
import { readGolden, type Golden } from '../support/golden.js'

interface Trajectory {
  optimizer: keyof typeof CLASSES
  seed: number
  shape: number[]
  dtype: 'float32' | 'float64'
  options: any
  rates: number[] | null
  params: Record<string, Golden>
  state: Record<string, Golden>
}

const CLASSES = { Adafactor, Muon }
const STATE = { row_var: 'rowVar', col_var: 'colVar', variance: 'variance', momentum_buffer: 'momentumBuffer' }
const STEPS = 40

const { trajectories } = readGolden<{ trajectories: Trajectory[] }>('optim/whole.json')

function near(t: ExecutionContext, found: Tensor, wanted: Golden, tolerance: number, what: string): void {
  t.deepEqual([...found.shape], wanted.s, what)
  const theirs = wanted.v.map(Number)
  const largest = Math.max(1, ...theirs.map(Math.abs))
  const bad = theirs.findIndex((x, i) => !(Math.abs(Number(found.data[i]) - x) <= tolerance * largest))
  t.is(bad, -1, `${what}: element ${bad} is ${found.data[bad]}, far from ${theirs[bad]}`)
}

for (const { optimizer: name, seed, shape, dtype, options, rates, params, state } of trajectories) {
  test(`equals PyTorch: ${name} ${JSON.stringify(options)} of ${shape} ${dtype}`, (t) => {
    manualSeed(seed)
    const param = randn(shape).to(dtype)
    param.requiresGrad = true
    const optimizer = new CLASSES[name]([param], options)
    // Where many numbers are summed in another order, some bfloat16 of the iteration is rounded the other way.
    const isLarge = name === 'Muon' && shape[0] * shape[1] > 100
    const tolerance = isLarge ? 1e-4 : dtype === 'float32' ? 2e-6 : 1e-13
    for (let step = 1; step <= STEPS; step++) {
      if (rates !== null) optimizer.lr = rates[(step - 1) % rates.length]
      param.grad = randn(shape).to(dtype)
      optimizer.step()
      if (step in params) near(t, param, params[step], tolerance, `step ${step}`)
    }
    const ours = optimizer.stateDict().state['0']
    for (const [theirName, ourName] of Object.entries(STATE)) {
      t.is(ourName in ours, theirName in state, ourName)
      if (theirName in state) near(t, ours[ourName] as Tensor, state[theirName], tolerance, ourName)
    }
    const { tensors } = optimizer.torchStateDict()
    for (const key of Object.keys(state)) t.true(`state.0.${key}` in tensors, key)
  })
}

/** A parameter after some steps, with gradients of a layer whose table has so many rows. */
function walked(rows: number, how: { sparse?: boolean; dense?: boolean }, threads: number): string {
  const before = getNumThreads()
  setNumThreads(threads)
  try {
    const layer = new Embedding(rows, 16, { sparse: how.sparse, generator: new Generator(3) })
    const optimizer = new Adafactor(layer.parameters(), { lr: 0.1 })
    const muon = new Muon(layer.parameters(), { lr: 0.01 })
    for (let step = 0; step < 4; step++) {
      optimizer.zeroGrad()
      const ids = Int32Array.from({ length: 50 }, (_, i) => (i * i + step * 7) % rows)
      layer.forward(ids).sum().backward()
      if (how.dense) layer.weight.grad = (layer.weight.grad as Tensor).clone()
      optimizer.step()
      muon.step()
    }
    return digest(layer.weight)
  } finally {
    setNumThreads(before)
  }
}

test('gradients in rows, sparse ones and any number of threads give the same bits', (t) => {
  const wanted = walked(9000, { dense: true }, 1)
  for (const how of [{}, { sparse: true }]) for (const threads of [1, 4]) t.is(walked(9000, how, threads), wanted)
})

test('a state is loaded again, and in PyTorch’s form', (t) => {
  for (const make of [
    (params: Tensor[]) => new Adafactor(params, { lr: 0.1, eps: [null, 0.01] }),
    (params: Tensor[]) => new Muon(params, { adjustLrFn: 'match_rms_adamw' }),
  ]) {
    const generator = new Generator(1)
    const param = randn([6, 5], { generator, requiresGrad: true })
    const optimizer = make([param])
    const step = (of: Tensor, by: { step(): void }, grad: Tensor) => {
      of.grad = grad
      by.step()
    }
    step(param, optimizer, randn([6, 5], { generator }))
    const copy = tensor(Float32Array.from(param.data as Float32Array), { shape: [6, 5], requiresGrad: true })
    const other = tensor(Float32Array.from(param.data as Float32Array), { shape: [6, 5], requiresGrad: true })
    const loaded = make([copy]).loadStateDict(optimizer.stateDict())
    const { tensors, metadata } = optimizer.torchStateDict()
    const groups = JSON.parse(metadata.param_groups) as Record<string, unknown>[]
    // What PyTorch's groups have besides.
    const theirs = JSON.stringify(groups.map((group) => ({ ...group, foreach: null })))
    const fromTorch = make([other]).loadTorchStateDict({ tensors, metadata: { param_groups: theirs } })
    const grad = randn([6, 5], { generator })
    step(param, optimizer, grad)
    step(copy, loaded, grad)
    step(other, fromTorch, grad)
    t.is(digest(copy), digest(param))
    t.is(digest(other), digest(param))
  }
})

test('no word for the rate’s adjustment is the first, as in PyTorch', (t) => {
  const results = [null, 'original' as const].map((adjustLrFn) => {
    const layer = new Linear(3, 5, { bias: false, generator: new Generator(2) })
    const optimizer = new Muon(layer.parameters(), { adjustLrFn, lr: 0.1 })
    layer.weight.grad = randn([5, 3], { generator: new Generator(4) })
    optimizer.step()
    return digest(layer.weight)
  })
  t.is(results[0], results[1])
})

test('a changed vocabulary keeps the state of rows and of columns', (t) => {
  for (const rows of [1, 4]) {
    const layer = new Embedding(rows, 3, { generator: new Generator(1) })
    const optimizer = new Adafactor(layer.parameters())
    layer.forward([0]).sum().backward()
    optimizer.step()
    const before = optimizer.stateDict().state['0']
    const resized = resizeVocabulary({ tables: { token: layer }, optimizer }, { add: [{}, {}] })
    const after = resized.optimizerState.state['0']
    t.deepEqual([...after.rowVar.shape], [rows + 2, 1])
    t.deepEqual([...after.colVar.data], [...(before.colVar as Tensor).data])
    t.deepEqual([...after.rowVar.data].slice(0, rows), [...(before.rowVar as Tensor).data])
  }
})

test('what they cannot take is said', (t) => {
  const matrix = () => randn([3, 2], { requiresGrad: true })
  const vector = () => randn([3], { requiresGrad: true })
  refuses(t, () => new Muon([vector()]), 'SHAPE', 'is no matrix')
  refuses(t, () => new Muon([matrix()]).addParamGroup({ params: [vector()] }), 'SHAPE', 'is no matrix')
  refuses(t, () => new Muon([matrix()], { nsSteps: 100 }), 'USAGE', 'nsSteps')
  refuses(t, () => new Muon([matrix()], { nsCoefficients: [1, 2] as any }), 'USAGE', 'three numbers')
  refuses(t, () => new Muon([matrix()], { adjustLrFn: 'other' as any }), 'USAGE', 'adjustLrFn')
  refuses(t, () => new Adafactor([matrix()], { d: 0.5 }), 'USAGE', 'at least 1')
  refuses(t, () => new Adafactor([matrix()], { beta2Decay: 0.5 }), 'USAGE', 'at most 0')
  for (const eps of [[-1, 1], [1], [1, null], 3, [NaN, 1]] as any[])
    refuses(t, () => new Adafactor([matrix()], { eps }), 'USAGE', 'eps')
})

test('empty parameters and gradients of zeros change nothing but the decay', (t) => {
  for (const shape of [
    [0, 3],
    [3, 0],
  ]) {
    const empty = randn(shape, { requiresGrad: true })
    for (const optimizer of [new Adafactor([empty]), new Muon([empty])]) {
      empty.grad = randn(shape)
      t.notThrows(() => optimizer.step())
    }
  }
  const param = randn([3, 4], { requiresGrad: true, generator: new Generator(1) })
  const before = [...param.data]
  for (const optimizer of [new Adafactor([param]), new Muon([param], { weightDecay: 0 })]) {
    param.grad = param.detach().mul(0)
    optimizer.step()
    t.deepEqual([...param.data], before)
  }
})
