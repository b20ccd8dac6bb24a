// The tasks by which two builds are compared: `lookup`, `backward`, `optim`, `ops`, `tokenizer` and `train`, on sizes
// that take from a microsecond to some tens of milliseconds. They use only what has been in the package for long.

import type { Tensor } from '../../index.js'
import { documents, KINDS } from '../texts.js'

type Package = typeof import('../../index.js')
type Run = () => unknown
/** Makes what a task works on, when it is first asked for, and returns what runs it once. */
export type Task = () => Run

const VOCABULARY = 50257

/** All tasks by name. The first word is the suite. */
export function tasksOf(tb: Package): Record<string, Task> {
  return { ...lookups(tb), ...gradients(tb), ...steps(tb), ...ops(tb), ...texts(tb), ...training(tb) }
}

/** Lists of ids that take turns, so that many rows of the table do. */
function idsOf(count: number, length: number, rows: number): () => Int32Array {
  const lists = Array.from({ length: count }, (_, k) =>
    Int32Array.from({ length }, (_, i) => (k * 7919 + i * 104729) % rows),
  )
  let next = 0
  return () => lists[next++ % count]
}

function lookups(tb: Package): Record<string, Task> {
  const [rows, dim] = [4000, 64]
  const table = once(() => new tb.Embedding(rows, dim))
  const layer = once(() => new tb.TokenPositionEmbedding({ vocabSize: rows, dim, contextLength: dim }))
  const bag = once(() => new tb.EmbeddingBag(rows, dim))
  const large = once(() => new tb.Embedding(VOCABULARY, 768))
  const small = (length: number, run: (ids: Int32Array) => unknown): Task => {
    return () => {
      const ids = idsOf(512, length, rows)
      return () => run(ids())
    }
  }
  const bags = Int32Array.of(0, 8, 16, 24)
  const out = new Map([1, 4, 32].map((length) => [length, once(() => tb.zeros([length, dim]))]))
  return {
    'lookup: 1 id, out': small(1, (ids) => table().forward(ids, { out: out.get(1)!() })),
    'lookup: 1 id, disposed': small(1, (ids) => table().forward(ids).dispose()),
    'lookup: 1 id, fresh': small(1, (ids) => table().forward(ids)),
    'lookup: 32 ids, out': small(32, (ids) => table().forward(ids, { out: out.get(32)!() })),
    'lookup: 32 ids, disposed': small(32, (ids) => table().forward(ids).dispose()),
    'lookup: 32 ids, fresh': small(32, (ids) => table().forward(ids)),
    'lookup: 32 ids, input layer, out': small(32, (ids) => layer().forward(ids, { out: out.get(32)!() })),
    'lookup: 32 ids, input layer, disposed': small(32, (ids) => layer().forward(ids).dispose()),
    'lookup: bags of (4, 8), out': small(32, (ids) => bag().forward(ids, bags, { out: out.get(4)!() })),
    'lookup: 16384 ids of 768, disposed': () => {
      const ids = idsOf(8, 16384, VOCABULARY)
      return () => large().forward(ids()).dispose()
    },
  }
}

/** Forward and backward of tables, whose gradient is read and dropped. */
function gradients(tb: Package): Record<string, Task> {
  const way = (length: number, dim: number, sparse: boolean): Task => {
    return () => {
      const layer = new tb.Embedding(VOCABULARY, dim, { sparse })
      const ids = idsOf(16, length, VOCABULARY)
      const given = tb.ones([length, dim])
      return () => {
        const out = layer.forward(ids())
        out.backward(given)
        void layer.weight.grad
        layer.weight.grad = null
        out.dispose()
      }
    }
  }
  return {
    'backward: 32 ids of 256, rows': way(32, 256, true),
    'backward: 4096 ids of 64, rows': way(4096, 64, true),
    'backward: 4096 ids of 768, rows': way(4096, 768, true),
    'backward: 4096 ids of 64, dense': way(4096, 64, false),
  }
}

/** Steps of optimizers on the gradient of a table. */
function steps(tb: Package): Record<string, Task> {
  const step = (make: (weight: Tensor) => { step(): void }, sparse: boolean): Task => {
    return () => {
      const [rows, dim, length] = [5000, 256, 2048]
      const layer = new tb.Embedding(rows, dim, { sparse })
      layer.forward(idsOf(1, length, rows)()).backward(tb.ones([length, dim]))
      const optimizer = make(layer.weight)
      return () => optimizer.step()
    }
  }
  return {
    'optim: SGD, rows': step((p) => new tb.SGD([p], { lr: 1e-3 }), true),
    'optim: SparseAdam, rows': step((p) => new tb.SparseAdam([p], { lr: 1e-3 }), true),
    'optim: Adagrad, rows': step((p) => new tb.Adagrad([p], { lr: 1e-3 }), true),
    'optim: RowWiseAdagrad, rows': step((p) => new tb.RowWiseAdagrad([p], { lr: 1e-3 }), true),
    'optim: Adam, dense': step((p) => new tb.Adam([p], { lr: 1e-3 }), false),
    'optim: AdamW, dense': step((p) => new tb.AdamW([p], { lr: 1e-3 }), false),
    'optim: SGD, momentum, dense': step((p) => new tb.SGD([p], { lr: 1e-3, momentum: 0.9 }), false),
  }
}

function ops(tb: Package): Record<string, Task> {
  const given = once(() => ({
    x: tb.randn([1024, 768]),
    row: tb.randn([768]),
    square: tb.randn([256, 256]),
    logits: tb.randn([64, 8192]),
    learning: tb.randn([512, 768], { requiresGrad: true }),
    targets: Int32Array.from({ length: 64 }, (_, i) => i * 100),
    tiny: tb.randn([4, 8]),
  }))
  type Given = ReturnType<typeof given>
  const all: Record<string, (given: Given) => unknown> = {
    'add of (4, 8)': ({ tiny }) => tiny.add(tiny),
    'sum of (4, 8)': ({ tiny }) => tiny.sum(),
    'softmax of (4, 8)': ({ tiny }) => tiny.softmax(1),
    add: ({ x }) => x.add(x),
    'add a row': ({ x, row }) => x.add(row),
    mul: ({ x }) => x.mul(x),
    gelu: ({ x }) => x.gelu(),
    tanh: ({ x }) => x.tanh(),
    relu: ({ x }) => x.relu(),
    sigmoid: ({ x }) => x.sigmoid(),
    sum: ({ x }) => x.sum(),
    'sum by dimension': ({ x }) => x.sum(0),
    mean: ({ x }) => x.mean(1),
    transpose: ({ x }) => x.transpose(0, 1).clone(),
    softmax: ({ logits }) => logits.softmax(1),
    matmul: ({ square }) => square.matmul(square),
    'cross-entropy': ({ logits, targets }) => tb.crossEntropy(logits, targets),
    'layer norm': ({ x }) => tb.layerNorm(x),
    clone: ({ x }) => x.clone(),
    concat: ({ x }) => tb.concat([x, x], 0),
    'gelu and back': ({ learning }) => back(learning, (x) => x.gelu()),
    'softmax and back': ({ learning }) => back(learning, (x) => x.softmax(1)),
    'matmul and back': ({ learning }) => back(learning, (x) => x.matmul(x.transpose(0, 1))),
  }
  const back = (x: Tensor, make: (x: Tensor) => Tensor) => {
    make(x).sum().backward()
    x.grad = null
  }
  const task = (run: (given: Given) => unknown) => () => {
    // A scope would dispose what is made in it.
    const its = given()
    return () => tb.scope(() => void run(its))
  }
  return Object.fromEntries(Object.entries(all).map(([name, run]) => [`ops: ${name}`, task(run)]))
}

function texts(tb: Package): Record<string, Task> {
  const tasks: Record<string, Task> = {}
  for (const name of ['gpt2', 'cl100k_base', 'o200k_base'] as const) {
    const tokenizer = once(() => tb.Tokenizer.load(name))
    for (const kind of KINDS) {
      const all = once(() => documents(kind))
      tasks[`tokenizer: ${name}, ${kind}, documents`] = () => () => all().forEach((text) => tokenizer().encode(text))
      tasks[`tokenizer: ${name}, ${kind}, batch`] = () => () => tokenizer().encodeBatch(all())
    }
    tasks[`tokenizer: ${name}, decode`] = () => {
      const ids = tokenizer().encode(documents('English').join(''))
      return () => tokenizer().decode(ids)
    }
  }
  return tasks
}

function training(tb: Package): Record<string, Task> {
  const run = (options: Parameters<typeof makeTrainer>[1], more?: { steps: number }): Task => {
    return () => {
      const text = documents('English').join('\n').slice(0, 300_000)
      return () => makeTrainer(text, options).run(more)
    }
  }
  const makeTrainer = (text: string, options: ConstructorParameters<Package['Trainer']>[1]) =>
    new tb.Trainer({ texts: [text] }, options)
  return {
    'train: skip-gram': run({ objective: 'skip-gram', dim: 100, minCount: 2, epochs: 1 }),
    'train: cbow': run({ objective: 'cbow', dim: 100, minCount: 2, epochs: 1 }),
    'train: next token': run({ objective: 'next-token', dim: 32 }, { steps: 20 }),
  }
}

/** Calls `make` at the first call, and gives that result at each. */
function once<T>(make: () => T): () => T {
  let made: { it: T } | null = null
  return () => (made ??= { it: make() }).it
}
