// Optimizers: groups, saved states, gradients in rows, and wrong use.

import test from 'ava'
import {
  Adafactor,
  Adagrad,
  Adam,
  AdamW,
  clipGradNorm,
  clipGradValue,
  Embedding,
  Generator,
  LRSchedule,
  Muon,
  randn,
  RowWiseAdagrad,
  SGD,
  SparseAdam,
  tensor,
} from '../../index.js'
import { DTypeError, getNumThreads, setNumThreads, UsageError, type Optimizer, type Tensor } from '../../index.js'
import { digest } from '../support/compare.js'
import { refuses } from '../support/errors.js'
import { rowsOf } from '../support/rows-gradient.js'

const SHAPE = [40, 24]

const MAKERS: Record<string, (params: Tensor[]) => Optimizer<any>> = {
  SGD: (params) => new SGD(params, { lr: 0.1 }),
  momentum: (params) => new SGD(params, { lr: 0.1, momentum: 0.9, weightDecay: 0.01 }),
  Adam: (params) => new Adam(params, { lr: 0.01, weightDecay: 0.1 }),
  AdamW: (params) => new AdamW(params, { lr: 0.01, weightDecay: 0.1 }),
  SparseAdam: (params) => new SparseAdam(params, { lr: 0.01 }),
  Adagrad: (params) => new Adagrad(params, { lr: 0.1 }),
  RowWiseAdagrad: (params) => new RowWiseAdagrad(params, { lr: 0.1 }),
  Adafactor: (params) => new Adafactor(params, { lr: 0.1, weightDecay: 0.1 }),
  Muon: (params) => new Muon(params, { lr: 0.1 }),
}

function learned(generator: Generator, shape = SHAPE): Tensor {
  const drawn = randn(shape, { generator })
  drawn.requiresGrad = true
  return drawn
}

/** The rows of a step. Some rows come often, some rarely and some never. */
const idsOf = (step: number) =>
  [...new Set([0, 1 + (step % 3), 5 + (step % 7), 12 + ((step * step) % 23)])].sort((a, b) => a - b)

/** A dense gradient that is nonzero only in these rows. */
function gradient(generator: Generator, ids: readonly number[]): Tensor {
  const drawn = randn(SHAPE, { generator })
  const data = drawn.data as Float32Array
  for (let row = 0; row < SHAPE[0]; row++) if (!ids.includes(row)) data.fill(0, row * SHAPE[1], (row + 1) * SHAPE[1])
  return drawn
}

/** A dense gradient, rows for a dense layer, or rows for a layer made with `sparse: true`. */
type Kind = 'dense' | 'rows' | 'sparse'

function give(param: Tensor, grad: Tensor, ids: readonly number[], how: Kind): void {
  param.grad = null
  if (how === 'dense') param.grad = grad
  else param.collect(rowsOf(grad, ids, how === 'sparse'))
}

/** Performs this many steps and returns the parameter. */
function walked(name: string, how: Kind, steps = 60): { param: Tensor; optimizer: Optimizer<any> } {
  const generator = new Generator(4)
  const param = learned(generator)
  const optimizer = MAKERS[name]([param])
  for (let step = 1; step <= steps; step++) {
    const ids = idsOf(step)
    give(param, gradient(generator, ids), ids, how)
    optimizer.step()
  }
  return { param, optimizer }
}

for (const name of Object.keys(MAKERS)) {
  test(`${name}: gradients in rows give the same bits as dense ones`, (t) => {
    const kinds: Kind[] = name === 'SparseAdam' ? ['sparse'] : ['dense', 'rows', 'sparse']
    const all = kinds.map((how) => walked(name, how))
    for (const { param, optimizer } of all) {
      t.is(digest(param), digest(all[0].param))
      const { state } = optimizer.stateDict()
      const wanted = all[0].optimizer.stateDict().state
      for (const [key, value] of Object.entries(state['0'] ?? {})) {
        if (typeof value !== 'number') t.is(digest(value), digest(wanted['0'][key] as Tensor), key)
      }
    }
  })

  test(`${name}: resuming from a state gives the same bits`, (t) => {
    const kinds: Kind[] = name === 'SparseAdam' ? ['sparse'] : ['dense', 'sparse']
    for (const kind of kinds) {
      const wanted = walked(name, kind)
      const generator = new Generator(4)
      const first = learned(generator)
      const before = MAKERS[name]([first])
      let [param, optimizer] = [first, before]
      for (let step = 1; step <= 60; step++) {
        if (step === 31) {
          param = tensor(Float32Array.from(first.data as Float32Array), { shape: SHAPE, requiresGrad: true })
          optimizer = MAKERS[name]([param]).loadStateDict(before.stateDict())
          before.dispose()
        }
        const ids = idsOf(step)
        give(param, gradient(generator, ids), ids, kind)
        optimizer.step()
      }
      t.is(digest(param), digest(wanted.param), kind)
    }
  })
}

test('steps give the same bits on 1, 2 and 8 threads', (t) => {
  const threads = getNumThreads()
  const run = (make: (params: Tensor[]) => Optimizer<any>, n: number) => {
    setNumThreads(n)
    const generator = new Generator(2)
    const param = learned(generator, [1500, 900])
    const optimizer = make([param])
    for (let step = 0; step < 2; step++) {
      param.grad = randn([1500, 900], { generator })
      clipGradNorm([param], 1)
      optimizer.step()
    }
    return digest(param)
  }
  try {
    for (const [name, make] of Object.entries(MAKERS)) {
      if (name === 'SparseAdam') continue
      const one = run(make, 1)
      for (const n of [2, 8]) t.is(run(make, n), one, `${name} on ${n}`)
    }
  } finally {
    setNumThreads(threads)
  }
})

test('clipping gives the same result for dense gradients and rows', (t) => {
  const ids = [0, 3, 17, 39]
  const clip = (how: 'dense' | 'rows', run: (params: Tensor[]) => unknown) => {
    const generator = new Generator(1)
    const param = learned(generator)
    give(param, gradient(generator, ids), ids, how)
    const result = run([param])
    new SGD([param], { lr: 0.5 }).step()
    return [result, digest(param)]
  }
  for (const run of [
    (params: Tensor[]) => clipGradNorm(params, 0.7),
    (params: Tensor[]) => clipGradValue(params, 0.3),
  ]) {
    t.deepEqual(clip('rows', run), clip('dense', run))
  }
  t.is(clipGradNorm([learned(new Generator(1))], 1), 0)
})

test('reading rows that are behind brings them up to date', (t) => {
  const readers: Record<string, (layer: Embedding, param: Tensor) => Float32Array> = {
    flush: (_, param) => param.data as Float32Array,
    data: (_, param) => param.data as Float32Array,
    toArray: (_, param) => Float32Array.from(param.toArray().flat()),
    op: (_, param) => param.add(0).data as Float32Array,
    detached: (_, param) => param.detach().data as Float32Array,
    lookup: (layer) => layer.forward(Int32Array.from({ length: SHAPE[0] }, (_, i) => i)).data as Float32Array,
    clone: (_, param) => param.clone().data as Float32Array,
  }
  const wanted = walked('AdamW', 'dense').param.data as Float32Array
  for (const [name, read] of Object.entries(readers)) {
    const { param, optimizer } = walked('AdamW', 'sparse')
    const layer = Embedding.fromPretrained(param, { freeze: false })
    if (name === 'flush') optimizer.flush()
    t.deepEqual(read(layer, param), wanted, name)
  }
})

test('a lookup between steps reads the rows that dense steps would give', async (t) => {
  const run = async (how: 'dense' | 'sparse', later: boolean) => {
    const generator = new Generator(9)
    const param = learned(generator)
    const layer = Embedding.fromPretrained(param, { freeze: false })
    const optimizer = new AdamW([layer.weight], { lr: 0.02, weightDecay: 0.2 })
    const schedule = new LRSchedule(optimizer, { type: 'cosine', warmupSteps: 5, totalSteps: 80 })
    const seen: string[] = []
    for (let step = 1; step <= 80; step++) {
      const ids = idsOf(step)
      const looked = Int32Array.of(...ids, 39, step % 40)
      const vectors = later && step % 8 === 0 ? await layer.forwardAsync(looked) : layer.forward(looked)
      seen.push(digest(vectors))
      give(layer.weight, gradient(generator, ids), ids, how)
      optimizer.step()
      schedule.step()
    }
    seen.push(digest(layer.weight))
    return seen
  }
  const wanted = await run('dense', false)
  t.deepEqual(await run('sparse', false), wanted)
  t.deepEqual(await run('sparse', true), wanted)
})

test('dense and sparse gradients may alternate, and two optimizers may share a table', (t) => {
  const run = (sparse: boolean) => {
    const generator = new Generator(6)
    const param = learned(generator)
    const optimizers = [new AdamW([param], { lr: 0.02 }), new Adam([param], { lr: 0.01 })]
    for (let step = 1; step <= 60; step++) {
      const ids = idsOf(step)
      give(param, gradient(generator, ids), ids, sparse && step % 5 !== 0 ? 'sparse' : 'dense')
      optimizers[step % 7 === 0 ? 1 : 0].step()
    }
    return digest(param)
  }
  t.is(run(true), run(false))
})

test('each group has its own options, which may change', (t) => {
  const [a, b] = [learned(new Generator(1)), learned(new Generator(2))]
  const optimizer = new AdamW([{ params: [a] }, { params: [b], lr: 1, weightDecay: 0 }], { lr: 0.1 })
  t.is(optimizer.lr, 0.1)
  t.deepEqual(
    optimizer.groups.map(({ lr }) => lr),
    [0.1, 1],
  )
  t.deepEqual(optimizer.groups[1].options, {
    lr: 1,
    betas: [0.9, 0.999],
    eps: 1e-8,
    weightDecay: 0,
    amsgrad: false,
    maximize: false,
  })
  optimizer.lr = 0.5
  t.deepEqual(
    optimizer.groups.map(({ lr }) => lr),
    [0.5, 0.5],
  )
  optimizer.groups[1].set({ lr: 0.2, weightDecay: 0.3 })
  t.is(optimizer.groups[1].options.weightDecay, 0.3)
  refuses(t, () => (optimizer.lr = NaN), 'USAGE', 'lr')
  refuses(t, () => optimizer.groups[0].set({ betas: [1, 0] }), 'USAGE', 'betas')
  refuses(t, () => optimizer.groups[0].set({ momentum: 1 } as any), 'USAGE', 'momentum')
  t.deepEqual(
    optimizer.groups.map(({ lr }) => lr),
    [0.5, 0.2],
  )
})

test('zeroGrad drops gradients, and parameters without a gradient do not change', (t) => {
  const [a, b] = [learned(new Generator(1)), learned(new Generator(2))]
  const optimizer = new Adam([a, b])
  a.grad = randn(SHAPE, { generator: new Generator(3) })
  const before = [digest(a), digest(b)]
  optimizer.step()
  t.not(digest(a), before[0])
  t.is(digest(b), before[1])
  optimizer.zeroGrad()
  t.true(a.grad === null && b.grad === null)
  t.deepEqual(Object.keys(optimizer.stateDict().state), ['0'])
})

test('a step counts as a change in place', (t) => {
  const param = learned(new Generator(1), [2, 2])
  const loss = param.mul(param)
  param.grad = randn([2, 2], { generator: new Generator(3) })
  new SGD([param], { lr: 0.1 }).step()
  refuses(t, () => loss.backward(randn([2, 2], { generator: new Generator(3) })), 'USAGE', 'changed in place')
})

test('rejects parameters that cannot be trained', (t) => {
  const good = learned(new Generator(1))
  const make =
    (params: any, options: any = { lr: 0.1 }) =>
    () =>
      new SGD(params, options)
  refuses(t, make([]), 'USAGE', 'no parameters')
  refuses(t, make([{ params: [] }]), 'USAGE', 'no parameters')
  refuses(t, make(good), 'USAGE', 'array')
  refuses(t, make([good, 3]), 'USAGE', 'group')
  refuses(t, make([good, good]), 'USAGE', 'parameter 1', 'twice')
  refuses(t, make([{ params: [good] }, { params: [good] }]), 'USAGE', 'group 1: parameter 0', 'twice')
  refuses(t, make([randn([2])]), 'USAGE', 'requiresGrad')
  refuses(t, make([good.mul(2)]), 'USAGE', 'MulBackward', 'leaves')
  refuses(t, make([{ params: [good], momentu: 1 }]), 'USAGE', 'momentu')
  const half = new Embedding(3, 4, { dtype: 'bfloat16' }).weight
  t.true(refuses(t, make([half]), 'DTYPE', 'bfloat16', 'float32') instanceof DTypeError)
  const gone = learned(new Generator(1))
  gone.dispose()
  refuses(t, make([gone]), 'USAGE', 'disposed')
})

test('rejects options out of range', (t) => {
  const params = [learned(new Generator(1))]
  for (const lr of [NaN, -1, Infinity, '1', null] as unknown[]) {
    refuses(t, () => new SGD(params, { lr: lr as number }), 'USAGE', 'SGD: lr')
    refuses(t, () => new AdamW(params, { lr: lr as number }), 'USAGE', 'AdamW: lr')
  }
  refuses(t, () => new SGD(params, {} as any), 'USAGE', 'lr is missing')
  refuses(t, () => new SGD(params, { lr: 1, nesterov: true }), 'USAGE', 'momentum')
  refuses(t, () => new SGD(params, { lr: 1, momentum: -0.1 }), 'USAGE', 'momentum')
  refuses(t, () => new Adam(params, { eps: -1e-8 }), 'USAGE', 'eps')
  refuses(t, () => new SparseAdam(params, { weightDecay: 0 } as any), 'USAGE', 'weightDecay')
  for (const betas of [[1, 0.9], [0.9, 1], [-0.1, 0.9], [0.9], [NaN, 0.9], 0.9]) {
    refuses(t, () => new Adam(params, { betas: betas as any }), 'USAGE', 'betas')
  }
  refuses(t, () => new Adagrad(params, { initialAccumulatorValue: -1 }), 'USAGE', 'initialAccumulatorValue')
  refuses(t, () => clipGradNorm(params, NaN), 'USAGE', 'maxNorm')
  refuses(t, () => clipGradValue(params, -1), 'USAGE', 'limit')
  refuses(t, () => clipGradNorm([1] as any, 1), 'USAGE', 'tensor')
})

test('rejects invalid schedules', (t) => {
  const optimizer = new SGD([learned(new Generator(1))], { lr: 0.1 })
  const make = (options: any) => () => new LRSchedule(optimizer, options)
  refuses(t, make({ type: 'step' }), 'USAGE', 'type')
  refuses(t, make({ type: 'linear' }), 'USAGE', 'totalSteps')
  refuses(
    t,
    make({ type: 'linear', totalSteps: 5, warmupSteps: 5 }),
    'USAGE',
    'warmupSteps 5 must be less than totalSteps 5',
  )
  refuses(t, make({ type: 'constant', totalSteps: 5 }), 'USAGE', 'constant')
  refuses(t, make({ type: 'cosine', totalSteps: 5, minLr: 0.2 }), 'USAGE', 'minLr')
  refuses(t, () => new LRSchedule({} as any, { type: 'constant' }), 'USAGE', 'optimizer')
  t.is(optimizer.lr, 0.1)
  const schedule = new LRSchedule(optimizer, { type: 'linear', warmupSteps: 2, totalSteps: 10 })
  for (let i = 0; i < 4; i++) schedule.step()
  const state = JSON.parse(JSON.stringify(schedule.stateDict()))
  const other = new SGD([learned(new Generator(1))], { lr: 0.7 })
  const resumed = new LRSchedule(other, { type: 'linear', warmupSteps: 2, totalSteps: 10 }).loadStateDict(state)
  t.is(resumed.current, 4)
  t.is(other.lr, optimizer.lr)
  refuses(t, () => resumed.loadStateDict({ step: 1, baseLrs: [1, 2] }), 'USAGE', 'baseLrs')
})

test('a failed step changes nothing', async (t) => {
  const [a, b] = [learned(new Generator(1)), learned(new Generator(2))]
  const generator = new Generator(3)
  const sgd = new SGD([a, b], { lr: 0.1 })
  a.grad = randn(SHAPE, { generator })
  b.grad = randn(SHAPE, { generator })
  const before = digest(a)
  const layer = Embedding.fromPretrained(b, { freeze: false })
  const under = layer.forwardAsync([[1, 2, 3]])
  refuses(t, () => sgd.step(), 'USAGE', 'forwardAsync')
  t.is(digest(a), before)
  await under
  b.dispose()
  refuses(t, () => sgd.step(), 'USAGE', 'disposed')
  t.is(digest(a), before)
  const error = refuses(
    t,
    () => {
      const adam = new SparseAdam([a])
      adam.step()
    },
    'USAGE',
    'dense',
    'sparse: true',
  )
  t.true(error instanceof UsageError)
  t.is(digest(a), before)
})

test('loading a state that does not fit changes nothing', (t) => {
  const make = (shape = SHAPE) => {
    const param = learned(new Generator(1), shape)
    const optimizer = new AdamW([param])
    param.grad = randn(shape, { generator: new Generator(3) })
    optimizer.step()
    return optimizer
  }
  const optimizer = make()
  const before = digest(optimizer.stateDict().state['0'].expAvg as Tensor)
  const good = () => make().stateDict()
  const load = (change: (state: any) => void) => () => {
    const state = good()
    change(state)
    optimizer.loadStateDict(state)
  }
  refuses(
    t,
    load((s) => (s.groups = [])),
    'USAGE',
    'groups',
  )
  refuses(
    t,
    load((s) => (s.groups[0].params = [0, 1])),
    'USAGE',
    'group 0',
  )
  refuses(
    t,
    load((s) => delete s.groups[0].eps),
    'USAGE',
    'missing options: eps',
  )
  refuses(
    t,
    load((s) => (s.groups[0].lr = -1)),
    'USAGE',
    'lr',
  )
  refuses(
    t,
    load((s) => (s.state['1'] = s.state['0'])),
    'USAGE',
    "parameter '1'",
  )
  refuses(
    t,
    load((s) => delete s.state['0'].expAvg),
    'USAGE',
    'expAvg',
  )
  refuses(
    t,
    load((s) => (s.state['0'].sum = s.state['0'].expAvg)),
    'USAGE',
    'sum',
  )
  refuses(
    t,
    load((s) => (s.state['0'].step = -1)),
    'USAGE',
    'step',
  )
  refuses(
    t,
    load((s) => (s.state['0'].expAvg = s.state['0'].expAvg.to('float64'))),
    'DTYPE',
    'expAvg',
  )
  refuses(t, () => optimizer.loadStateDict(make([3, 4]).stateDict()), 'SHAPE', 'expAvg')
  refuses(t, () => optimizer.loadStateDict(null as any), 'USAGE', 'options must be an object')
  t.is(digest(optimizer.stateDict().state['0'].expAvg as Tensor), before)
  t.is(optimizer.lr, 1e-3)
})

test('an optimizer prints its name and options', (t) => {
  const optimizer = new SGD([learned(new Generator(1))], { lr: 0.1 })
  t.is(
    require('node:util').inspect(optimizer),
    'SGD({ params: 1, lr: 0.1, momentum: 0, nesterov: false, weightDecay: 0, dampening: 0, maximize: false })',
  )
})
