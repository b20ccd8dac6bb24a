// Optimizers on sparse layers, whose rows catch up later, compared with dense steps over whole training runs.

import test from 'ava'
import {
  Adagrad,
  Adam,
  AdamW,
  clipGradNorm,
  Embedding,
  EmbeddingBag,
  Generator,
  getNumThreads,
  LRSchedule,
  randn,
  RowWiseAdagrad,
  saveSafetensors,
  setNumThreads,
  SGD,
  SparseAdam,
  TokenPositionEmbedding,
} from '../../index.js'
import { loadSafetensors, type Optimizer, type Tensor } from '../../index.js'
import { join } from 'node:path'
import { digest } from '../support/compare.js'
import { temporaryFolder } from '../support/temporary.js'

const ROWS = 500
const DIM = 24

/** Ids with the frequencies of a text. */
function zipf(generator: Generator, count: number): Int32Array {
  const uniform = randn([count], { generator }).data as Float32Array
  return Int32Array.from(uniform, (x) => Math.min(ROWS - 1, Math.floor(ROWS ** ((Math.abs(x) / 3) % 1) - 1)))
}

interface Learner {
  forward(ids: Int32Array): Tensor
  parameters(): Tensor[]
}

const LEARNERS: Record<string, (sparse: boolean) => Learner> = {
  Embedding: (sparse) => {
    const layer = new Embedding(ROWS, DIM, { sparse, paddingIdx: 3, generator: new Generator(1) })
    return { forward: (ids) => layer.forward(ids), parameters: () => layer.parameters() }
  },
  'Embedding with maxNorm': (sparse) => {
    const layer = new Embedding(ROWS, DIM, { sparse, maxNorm: 4, generator: new Generator(1) })
    return { forward: (ids) => layer.forward(ids), parameters: () => layer.parameters() }
  },
  EmbeddingBag: (sparse) => {
    const layer = new EmbeddingBag(ROWS, DIM, { sparse, mode: 'mean', generator: new Generator(1) })
    return { forward: (ids) => layer.forward(ids, Int32Array.of(0, 2, 9)), parameters: () => layer.parameters() }
  },
  'EmbeddingBag, max': (sparse) => {
    const layer = new EmbeddingBag(ROWS, DIM, { sparse, mode: 'max', generator: new Generator(1) })
    return { forward: (ids) => layer.forward(ids, Int32Array.of(0, 2, 9)), parameters: () => layer.parameters() }
  },
  TokenPositionEmbedding: (sparse) => {
    const layer = new TokenPositionEmbedding({
      vocabSize: ROWS,
      contextLength: 40,
      dim: DIM,
      layerNorm: true,
      segments: 2,
      sparse,
      generator: new Generator(1),
    })
    return {
      forward: (ids) => layer.forward(ids, { positionOffset: ids[0] % 20 }),
      parameters: () => layer.parameters(),
    }
  },
}

/** Trains with a schedule and clipping. Returns each result of forward, and the parameters at the end. */
function train(make: Learner, optimizerOf: (params: Tensor[]) => Optimizer<any>, steps: number): string[] {
  const generator = new Generator(7)
  const optimizer = optimizerOf(make.parameters())
  const schedule = new LRSchedule(optimizer, { type: 'cosine', warmupSteps: 10, totalSteps: steps })
  const seen: string[] = []
  for (let step = 0; step < steps; step++) {
    optimizer.zeroGrad()
    const out = make.forward(zipf(generator, 16))
    seen.push(digest(out))
    out.backward(randn(out.shape.slice(), { generator }))
    if (step % 3 === 0) clipGradNorm(make.parameters(), 5)
    optimizer.step()
    schedule.step()
  }
  optimizer.flush()
  return [...seen, ...make.parameters().map(digest)]
}

for (const [name, make] of Object.entries(LEARNERS)) {
  test(`${name}: AdamW on a sparse layer gives the same bits as on a dense one`, (t) => {
    for (const weightDecay of [0.1, 0]) {
      const of = (params: Tensor[]) => new AdamW(params, { lr: 0.02, weightDecay })
      t.deepEqual(train(make(true), of, 300), train(make(false), of, 300))
    }
    const l2 = (params: Tensor[]) => new Adam(params, { lr: 0.02, weightDecay: 0.01 })
    t.deepEqual(train(make(true), l2, 60), train(make(false), l2, 60))
  })
}

/** Here AdamW sees gradients that were looked at before the step, so nothing is fused. */
test('a fused sum and step gives the same bits as a step on a gradient that was looked at', (t) => {
  const makers: ((params: Tensor[]) => Optimizer<any>)[] = [
    (params) => new SGD(params, { lr: 0.1 }),
    (params) => new SGD(params, { lr: 0.1, momentum: 0.9, nesterov: true, weightDecay: 0.01 }),
    (params) => new Adagrad(params, { lr: 0.1 }),
    (params) => new RowWiseAdagrad(params, { lr: 0.1 }),
    (params) => new AdamW(params, { lr: 0.01 }),
    (params) => new SparseAdam(params, { lr: 0.01 }),
  ]
  for (const of of makers) {
    const run = (sparse: boolean, look: boolean) => {
      const generator = new Generator(3)
      const layer = new Embedding(ROWS, DIM, { sparse, generator: new Generator(1) })
      const optimizer = of([layer.weight])
      for (let step = 0; step < 20; step++) {
        optimizer.zeroGrad()
        const out = layer.forward(zipf(generator, 64))
        out.backward(randn([64, DIM], { generator }))
        if (look) void layer.weight.grad
        optimizer.step()
      }
      return digest(layer.weight)
    }
    const wanted = run(true, false)
    t.is(run(true, true), wanted)
    if (!(of([new Embedding(1, 1).weight]) instanceof SparseAdam))
      for (const look of [true, false]) t.is(run(false, look), wanted)
  }
})

test('rows that catch up have the same bits on 1, 2 and 8 threads', (t) => {
  const threads = getNumThreads()
  const run = (n: number) => {
    setNumThreads(n)
    const generator = new Generator(5)
    const layer = new Embedding(ROWS, 1024, { sparse: true, generator: new Generator(1) })
    const optimizer = new AdamW([layer.weight], { lr: 0.02, weightDecay: 0.1 })
    for (let step = 0; step < 12; step++) {
      optimizer.zeroGrad()
      layer.forward(zipf(generator, 3000)).backward(randn([3000, 1024], { generator }))
      optimizer.step()
    }
    return digest(layer.weight)
  }
  try {
    const one = run(1)
    t.is(run(2), one)
    t.is(run(8), one)
  } finally {
    setNumThreads(threads)
  }
})

test('a saved sparse table holds the result of dense steps', (t) => {
  const run = (sparse: boolean) => {
    const layer = new Embedding(ROWS, DIM, { sparse, generator: new Generator(1) })
    train(
      { forward: (ids) => layer.forward(ids), parameters: () => layer.parameters() },
      (params) => new AdamW(params, { lr: 0.1 }),
      30,
    )
    // After one more step, rows are behind when the table is written.
    const optimizer = new AdamW([layer.weight], { lr: 0.1 })
    layer.forward([[1, 2]]).backward(randn([1, 2, DIM], { generator: new Generator(8) }))
    optimizer.step()
    const path = join(temporaryFolder(), 'table.safetensors')
    saveSafetensors(path, layer.stateDict())
    return digest(loadSafetensors(path).get('weight')!)
  }
  t.is(run(true), run(false))
})

test('a disposed table or optimizer does no harm', (t) => {
  const layer = new Embedding(ROWS, DIM, { sparse: true, generator: new Generator(1) })
  const optimizer = new AdamW([layer.weight], { lr: 0.1, weightDecay: 0.5 })
  const step = () => {
    layer.forward([[1, 2]]).backward(randn([1, 2, DIM], { generator: new Generator(8) }))
    optimizer.step()
  }
  step()
  step()
  const behind = digest(layer.weight.clone())
  optimizer.dispose()
  t.is(digest(layer.weight), behind)
  step()
  const other = layer.weight.detach()
  layer.weight.dispose()
  t.not(digest(other), behind)
  optimizer.flush()
  optimizer.dispose()
  other.dispose()
})
