// Changes of vocabularies: compared with plain arrays over random plans; which layers stay tied; wrong use.

import test, { type ExecutionContext } from 'ava'
import {
  Adagrad,
  Adam,
  AdamW,
  Embedding,
  EmbeddingBag,
  Generator,
  loadModel,
  manualSeed,
  ones,
  quantize,
  randn,
  resizeVocabulary,
  RowWiseAdagrad,
  saveModel,
  setNumThreads,
  SGD,
  type Tensor,
  tensor,
  TokenPositionEmbedding,
  zeros,
  type DType,
  type NewToken,
  type OptimizerStateLike,
  type VocabularyPlan,
} from '../../index.js'
import { refuses } from '../support/errors.js'
import { pick, seeded, type Draw } from '../support/random-text.js'
import { temporaryFolder } from '../support/temporary.js'

type Rows = number[][]
const rowsOf = (t: Tensor): Rows =>
  t.shape.length === 1 ? (t.toArray() as number[]).map((x) => [x]) : (t.toArray() as Rows)

/** The rows that a plan keeps and adds, in float64 and plain loops; null for rows that are drawn. */
function reference(rows: Rows, kept: number[], added: readonly NewToken[], padding?: number): (number[] | null)[] {
  const mean = (ids: number[]) => rows[0].map((_, d) => ids.reduce((sum, id) => sum + rows[id][d] / ids.length, 0))
  const made = added.map(({ from = 'mean' }) => {
    if (from === 'zeros') return rows[0].map(() => 0)
    if (from === 'mean') return mean(kept.filter((id) => id !== padding))
    return 'pieces' in from ? mean(Array.from(from.pieces)) : null
  })
  return [...kept.map((id) => rows[id]), ...made]
}

function close(t: ExecutionContext, made: Rows, wanted: (number[] | null)[], epsilon: number, what: string): void {
  t.is(made.length, wanted.length, what)
  wanted.forEach((row, i) =>
    row?.forEach((x, d) =>
      t.true(
        Math.abs(made[i][d] - x) <= epsilon * Math.max(1, Math.abs(x)),
        `${what} [${i}, ${d}]: ${made[i][d]} is not ${x}`,
      ),
    ),
  )
}

const EPSILON: Partial<Record<DType, number>> = {
  float64: 1e-14,
  float32: 2 ** -23,
  float16: 2 ** -10,
  bfloat16: 2 ** -7,
}

function randomPlan(
  draw: Draw,
  size: number,
  withWords: boolean,
  counts: number[],
): { plan: VocabularyPlan; kept: number[]; added: NewToken[] } {
  const all = Array.from({ length: size }, (_, id) => id)
  const shuffled = all
    .map((id) => [draw(1000), id])
    .sort(([a], [b]) => a - b)
    .map(([, id]) => id)
  const some = shuffled.slice(0, 1 + draw(size))
  const minCount = draw(6)
  const [plan, kept]: [VocabularyPlan, number[]] = pick(draw, [
    [{}, all],
    [{ keep: some }, some],
    [{ keep: Int32Array.from(some) }, some],
    [{ remove: some.slice(1) }, all.filter((id) => !some.slice(1).includes(id))],
    [{ minCount }, all.filter((id) => counts[id] >= minCount)],
  ] as [VocabularyPlan, number[]][])
  const sources: NewToken['from'][] = [
    'zeros',
    { pieces: [draw(size), draw(size)] },
    { normal: { std: 0.5 } },
    ...(kept.length > 1 ? (['mean', undefined] as const) : []),
  ]
  const added = Array.from({ length: draw(4) }, (_, i): NewToken => ({
    ...(withWords ? { word: `new${i}` } : {}),
    ...(draw(2) ? { count: draw(9) } : {}),
    from: pick(draw, sources),
  }))
  return { plan: { ...plan, add: added, generator: new Generator(5) }, kept, added }
}

test.serial('means have the bits of plain loops in the order of the rows, on any number of threads', (t) => {
  const mean = (rows: Rows, ids: number[]) => {
    const sum = rows[0].map(() => 0)
    for (const id of ids.sort((a, b) => a - b)) rows[id].forEach((x, d) => (sum[d] += x * (1 / ids.length)))
    return sum
  }
  try {
    for (const [size, dim] of [
      [3, 1],
      [50, 7],
      [3000, 200],
    ]) {
      for (const dtype of ['float32', 'bfloat16'] as const) {
        const table = randn([size, dim], { generator: new Generator(size) }).to(dtype)
        const rows = rowsOf(table)
        const keep = Array.from({ length: size }, (_, id) => size - 1 - id).filter((id) => id % 5 !== 1)
        const pieces = [size - 1, 0, 0, size >> 1]
        const wanted = tensor([mean(rows, [...keep]), mean(rows, [...pieces])], { dtype: 'float64' }).to(dtype)
        for (const threads of [1, 2, 5]) {
          setNumThreads(threads)
          const { tables } = resizeVocabulary({ tables: { table } }, { keep, add: [{}, { from: { pieces } }] })
          t.deepEqual(
            tables.table.narrow(0, keep.length, 2).toArray(),
            wanted.toArray(),
            `${size} x ${dim} ${dtype}, ${threads} threads`,
          )
        }
      }
    }
  } finally {
    setNumThreads(1)
  }
})

test('any plan gives the rows of plain loops, for tables of any type and shape', (t) => {
  const draw = seeded(1)
  for (let round = 0; round < 150; round++) {
    const size = 2 + draw(12)
    const dim = 1 + draw(5)
    const dtype = pick(draw, ['float32', 'float64', 'float16', 'bfloat16'] as const)
    const generator = new Generator(round)
    const given = {
      table: randn([size, dim], { generator }).to(dtype),
      bias: randn([size], { generator }).to(dtype),
      cube: randn([size, 2, dim], { generator }).to(dtype),
    }
    const before = Object.values(given).map((one) => one.toArray())
    const words = Array.from({ length: size }, (_, id) => `w${id}`)
    const counts = words.map(() => draw(6))
    const { plan, kept, added } = randomPlan(draw, size, true, counts)
    const what = `round ${round}: ${JSON.stringify({ ...plan, generator: undefined })}`
    const after = resizeVocabulary({ tables: given, words, counts }, plan)
    t.is(after.size, kept.length + added.length)
    t.deepEqual([...after.oldIds], [...kept, ...added.map(() => -1)], what)
    t.deepEqual(
      [...after.newIds],
      words.map((_, id) => kept.indexOf(id)),
      what,
    )
    t.deepEqual(after.words, [...kept.map((id) => words[id]), ...added.map(({ word }) => word!)])
    t.deepEqual([...after.counts], [...kept.map((id) => counts[id]), ...added.map(({ count }) => count ?? 0)])
    t.deepEqual(
      Object.values(given).map((one) => one.toArray()),
      before,
      'nothing that was given has changed',
    )
    const { table, bias, cube } = after.tables
    for (const one of [table, bias, cube]) t.is(one.dtype, dtype)
    t.deepEqual(cube.shape, [after.size, 2, dim])
    close(t, rowsOf(table), reference(rowsOf(given.table), kept, added), EPSILON[dtype]!, what)
    // Only tables are drawn. A table of one number per token gets the mean.
    const plain = added.map((token) =>
      typeof token.from === 'object' && 'normal' in token.from ? { ...token, from: 'mean' as const } : token,
    )
    if (kept.length > 0) close(t, rowsOf(bias), reference(rowsOf(given.bias), kept, plain), EPSILON[dtype]!, what)
    close(
      t,
      rowsOf(cube.reshape(after.size, 2 * dim)),
      reference(rowsOf(given.cube.reshape(size, 2 * dim)), kept, added),
      EPSILON[dtype]!,
      what,
    )
    // Kept rows have the same bits.
    kept.forEach((id, i) =>
      t.deepEqual(table.narrow(0, i, 1).data, given.table.narrow(0, id, 1).data.slice() as never, what),
    )
    // The inverse plan restores the table.
    const back = resizeVocabulary({ tables: { table } }, { keep: Array.from({ length: kept.length }, (_, i) => i) })
    t.deepEqual(back.tables.table.toArray(), resizeVocabulary({ tables: given }, { keep: kept }).tables.table.toArray())
  }
})

test('layers keep their options, and paddingIdx follows its row', (t) => {
  const token = new Embedding(6, 4, { paddingIdx: 4, maxNorm: 3, normType: 1, onBadId: 'padding' })
  const bag = new EmbeddingBag(6, 2, { mode: 'sum', includeLastOffset: true, onBadId: 'clamp', requiresGrad: false })
  const { tables } = resizeVocabulary({ tables: { token, bag } }, { keep: [4, 0, 5], add: [{}, { from: 'zeros' }] })
  t.true(tables.token instanceof Embedding && tables.bag instanceof EmbeddingBag)
  t.is(tables.token.numEmbeddings, 5)
  t.deepEqual([tables.token.weight.requiresGrad, tables.bag.weight.requiresGrad], [true, false])
  t.deepEqual([tables.bag.mode, tables.bag.includeLastOffset], ['sum', true])
  // An id without a row is treated as padding, now row 0; the bag clamps it to the nearest row.
  t.deepEqual(tables.token.forward([99]).toArray(), [[0, 0, 0, 0]])
  t.deepEqual(tables.bag.forward([[99]]).toArray(), [[0, 0]])
  // The padding row does not count in a mean.
  const [w0, w5] = [0, 5].map((id) => rowsOf(token.weight)[id])
  close(t, rowsOf(tables.token.weight).slice(3, 4), [w0.map((x, d) => (x + w5[d]) / 2)], 2 ** -23, 'mean')
  t.deepEqual(rowsOf(token.weight)[4], [0, 0, 0, 0])
  refuses(
    t,
    () => resizeVocabulary({ tables: { token, bag } }, { remove: [4] }),
    'USAGE',
    'row 4',
    'padding row of "token"',
  )
})

test('tied layers stay tied', (t) => {
  const token = new Embedding(5, 3)
  const head = token.weight
  const other = token.weight.detach()
  const bias = zeros([5], { requiresGrad: true })
  const { tables } = resizeVocabulary({ tables: { head, token, other, again: bias, bias } }, { keep: [2, 1], add: 2 })
  t.is(tables.head, tables.token.weight, 'one and the same tensor')
  t.is(tables.again, tables.bias)
  t.true(tables.head.requiresGrad && tables.bias.requiresGrad && !tables.other.requiresGrad)
  tables.head.set([7, 8, 9], 0)
  t.deepEqual(tables.token.forward([0]).toArray(), [[7, 8, 9]])
  t.deepEqual((tables.other.toArray() as Rows)[0], [7, 8, 9], 'one memory')
  t.not(tables.head, head)
  const part = randn([6, 2])
  refuses(
    t,
    () => resizeVocabulary({ tables: { a: part.narrow(0, 0, 5), b: part.narrow(0, 1, 5) } }, { add: 1 }),
    'USAGE',
    '"b"',
    '"a"',
    'clone()',
  )
})

test('an input layer changes its tokens and keeps the rest', (t) => {
  const ids = [
    [4, 0, 5],
    [5, 4, 4],
  ]
  for (const preset of ['gpt2', 'bert', 'gemma'] as const) {
    const layer = TokenPositionEmbedding.preset(preset as 'gpt2', {
      vocabSize: 6,
      contextLength: 3,
      dim: 4,
      dropout: 0.5,
      generator: new Generator(3),
    }).eval()
    const optimizer = new AdamW(layer.parameters(), { lr: 0.1 })
    const learn = (input: typeof layer, by: AdamW, batch: number[][]) => {
      input.forward(batch).mul(input.forward(batch)).sum().backward()
      by.step()
      by.zeroGrad()
    }
    learn(layer, optimizer, ids)
    const head = layer.token.weight
    const before = layer.forward(ids).toArray()
    const after = resizeVocabulary({ tables: { layer, head }, optimizer }, { keep: [5, 4, 0], add: 2 })
    const made = after.tables.layer
    t.true(made instanceof TokenPositionEmbedding)
    t.is(made.token.weight, after.tables.head, 'tied')
    t.deepEqual([made.token.numEmbeddings, made.scale, made.dropout, made.training], [5, layer.scale, 0.5, false])
    t.deepEqual(Object.keys(made.stateDict()), Object.keys(layer.stateDict()))
    for (const [name, tensor] of Object.entries(made.stateDict()))
      if (name !== 'token.weight') t.is(tensor, layer.stateDict()[name], name)
    const renamed = ids.map((row) => row.map((id) => after.newIds[id]))
    t.deepEqual(made.forward(renamed).toArray(), before, preset)
    t.throws(() => made.forward([[5]]), { code: 'TOKEN_INDEX' })
    t.throws(() => made.forward([[0, 0, 0, 0]]), { code: 'SHAPE' })
    // One step of each gives the same result, because their states are equal.
    const resumed = new AdamW(after.groups as { params: Tensor[] }[]).loadStateDict(after.optimizerState)
    const rest = layer
      .parameters()
      .slice(1)
      .map((tensor) => tensor.clone())
    learn(layer, optimizer, ids)
    layer
      .parameters()
      .slice(1)
      .forEach((tensor, i) => tensor.set(rest[i]))
    learn(made, resumed, renamed)
    t.deepEqual(
      rowsOf(made.token.weight).slice(0, 3),
      [5, 4, 0].map((id) => rowsOf(layer.token.weight)[id]),
      preset,
    )
  }
  const roberta = TokenPositionEmbedding.preset('roberta', { vocabSize: 6, contextLength: 9, dim: 4 })
  const { tables } = resizeVocabulary({ tables: { roberta } }, { remove: [4], add: 3 })
  t.deepEqual(tables.roberta.forward([[5, 1, 0]]).shape, [1, 3, 4])
  refuses(
    t,
    () => resizeVocabulary({ tables: { roberta } }, { remove: [0] }),
    'USAGE',
    '"roberta"',
    'padding row 1',
    'row 0',
  )
})

/** An optimizer's state in the form in which it is returned. */
function optimizer(params: Tensor[], groups: OptimizerStateLike['groups'], state: Record<string, unknown>) {
  let asked = 0
  return {
    groups: groups.map(({ params: numbers }: { params: number[] }) => ({ params: numbers.map((i) => params[i]) })),
    stateDict: () => (asked++, { state, groups }),
    asked: () => asked,
  }
}

test('the state of an optimizer follows its rows', (t) => {
  const token = new Embedding(4, 2)
  const bias = zeros([4], { requiresGrad: true })
  const position = randn([9, 2], { requiresGrad: true })
  const rows = (base: number) =>
    tensor(
      Float32Array.from({ length: 8 }, (_, i) => base + i),
      { shape: [4, 2] },
    )
  const state = {
    0: { step: 7, expAvg: zeros([9, 2]), expAvgSq: ones([9, 2]) },
    1: { step: 7, expAvg: rows(0), expAvgSq: rows(100) },
    2: { step: 3, sum: tensor([1, 2, 3, 4]) },
  }
  const groups = [
    { lr: 0.1, betas: [0.9, 0.99], params: [0, 1] },
    { lr: 0.2, initialAccumulatorValue: 0.5, params: [2] },
  ]
  const given = optimizer([position, token.weight, bias], groups, state)
  const after = resizeVocabulary({ tables: { token, bias }, optimizer: given }, { keep: [3, 1], add: 1 })
  t.is(given.asked(), 1)
  t.deepEqual(
    after.groups.map(({ params, ...options }) => options),
    [
      { lr: 0.1, betas: [0.9, 0.99] },
      { lr: 0.2, initialAccumulatorValue: 0.5 },
    ],
  )
  t.is(after.groups[0].params[0], position, 'what has no row a token stays')
  t.is(after.groups[0].params[1], after.tables.token.weight)
  t.is(after.groups[1].params[0], after.tables.bias)
  const { state: made, groups: numbers } = after.optimizerState
  t.deepEqual(numbers, groups)
  t.is(made[0], state[0])
  t.is(made[1].step, 7)
  t.deepEqual(made[1].expAvg.toArray(), [
    [6, 7],
    [2, 3],
    [0, 0],
  ])
  t.deepEqual(made[1].expAvgSq.toArray(), [
    [106, 107],
    [102, 103],
    [0, 0],
  ])
  t.deepEqual(made[2].sum.toArray(), [4, 2, 0.5], 'what Adagrad begins with')
  t.deepEqual(state[1].expAvg.toArray(), rows(0).toArray())
  // Tied layers have a single parameter with a single state.
  const tied = resizeVocabulary(
    {
      tables: { head: token.weight, token },
      optimizer: optimizer([token.weight], [{ params: [0] }], { 0: { step: 1, sum: tensor([1, 2, 3, 4]) } }),
    },
    { remove: [0] },
  )
  t.is(tied.groups[0].params[0], tied.tables.head)
  t.deepEqual(tied.optimizerState.state[0].sum.toArray(), [2, 3, 4], 'one number a row')
})

const OPTIMIZERS = {
  SGD: (params: never) => new SGD(params, { lr: 0.1, momentum: 0.9 }),
  Adam: (params: never) => new Adam(params, { lr: 0.01 }),
  AdamW: (params: never) => new AdamW(params, { lr: 0.01, weightDecay: 0.1 }),
  Adagrad: (params: never) => new Adagrad(params, { lr: 0.1, initialAccumulatorValue: 0.3 }),
  RowWiseAdagrad: (params: never) => new RowWiseAdagrad(params, { lr: 0.1 }),
}

for (const [name, make] of Object.entries(OPTIMIZERS)) {
  for (const sparse of [false, true]) {
    test(`kept rows train as if nothing had changed: ${name}${sparse ? ' on sparse rows' : ''}`, (t) => {
      const token = new Embedding(6, 3, { sparse, generator: new Generator(4) })
      const position = randn([2, 3], { generator: new Generator(5), requiresGrad: true })
      const optimizer = make([position, token.weight] as never)
      /** Gradients that depend only on the row, not on its id. */
      const step = (layer: Embedding, its: typeof optimizer, ids: number[], gradient: number) => {
        its.zeroGrad()
        layer
          .forward(ids)
          .add(position.narrow(0, 0, 1))
          .backward(tensor(ids.map((_, i) => [gradient, -i, 0.5])))
        its.step()
      }
      step(token, optimizer, [0, 3, 5, 1], 1)
      step(token, optimizer, [3, 2, 4, 0], -2)
      const before = position.clone()
      const after = resizeVocabulary({ tables: { token }, optimizer }, { keep: [5, 3, 0, 2], add: 2 })
      const next = make(after.groups as never).loadStateDict(after.optimizerState)
      t.true(next.groups[0].params.includes(after.tables.token.weight))
      step(token, optimizer, [0, 3, 2], 3)
      const moved = position.clone()
      position.set(before)
      step(after.tables.token, next, [2, 1, 3], 3)
      t.deepEqual(position.toArray(), moved.toArray(), 'what has no row a token goes on, too')
      step(token, optimizer, [5, 0], 4)
      position.set(moved)
      step(after.tables.token, next, [0, 2], 4)
      optimizer.flush()
      next.flush()
      const [old, fresh] = [rowsOf(token.weight), rowsOf(after.tables.token.weight)]
      t.deepEqual(
        fresh.slice(0, 4),
        [5, 3, 0, 2].map((id) => old[id]),
      )
    })
  }
}

test('new rows are drawn from the generator, table by table', (t) => {
  const make = (generator?: Generator) =>
    resizeVocabulary(
      { tables: { a: zeros([2, 40]), b: zeros([2, 3]) } },
      { add: [{ from: { normal: { mean: 1, std: 0.5 } } }, { from: { normal: {} } }], generator },
    )
  manualSeed(5)
  const drawn = make()
  const generator = new Generator(5)
  const wanted = [
    randn([40], { generator }).mul(0.5).add(1),
    randn([40], { generator }),
    randn([3], { generator }).mul(0.5).add(1),
    randn([3], { generator }),
  ]
  t.deepEqual(
    (drawn.tables.a.toArray() as Rows).slice(2),
    wanted.slice(0, 2).map((row) => row.toArray()),
  )
  t.deepEqual(
    (drawn.tables.b.toArray() as Rows).slice(2),
    wanted.slice(2).map((row) => row.toArray()),
  )
  t.deepEqual(make(new Generator(5)).tables.a.toArray(), drawn.tables.a.toArray())
})

test('adds words to a model', (t) => {
  const folder = temporaryFolder()
  const words = ['whale', 'boat', 'rare']
  saveModel(folder, {
    objective: 'skip-gram',
    tensors: {
      'token.weight': tensor([
        [1, 0],
        [0, 1],
        [5, 5],
      ]),
    },
    vocabulary: words,
    counts: [9, 8, 1],
  })
  const model = loadModel(folder)
  const {
    tables,
    words: vocabulary,
    counts,
  } = resizeVocabulary(
    { tables: { 'token.weight': model.weight }, words: model.words!, counts: model.counts! },
    { minCount: 5, add: [{ word: 'whaleboat', from: { pieces: [0, 1] } }] },
  )
  saveModel(folder, { objective: model.objective, tensors: tables, vocabulary, counts })
  const after = loadModel(folder)
  t.deepEqual(after.words, ['whale', 'boat', 'whaleboat'])
  t.deepEqual([...after.vectors.vector('whaleboat')], [0.5, 0.5])
  t.deepEqual([...after.counts!], [9, 8, 0])
})

test('handles tables without rows, empty plans and large tables', (t) => {
  const none = resizeVocabulary({ tables: { a: zeros([0, 3]) } }, { add: [{ from: 'zeros' }] })
  t.deepEqual(none.tables.a.toArray(), [[0, 0, 0]])
  t.deepEqual(resizeVocabulary({ tables: { a: ones([2, 3]) } }, { remove: [0, 1] }).tables.a.shape, [0, 3])
  const large = randn([30_000, 32], { generator: new Generator(1) })
  const { tables, newIds } = resizeVocabulary(
    { tables: { large } },
    { keep: Array.from({ length: 30_000 }, (_, id) => 29_999 - id) },
  )
  t.deepEqual(tables.large.narrow(0, 29_999, 1).toArray(), large.narrow(0, 0, 1).toArray())
  t.is(newIds[0], 29_999)
})

test('wrong use changes nothing', (t) => {
  const token = new Embedding(4, 2)
  const before = token.weight.toArray()
  const words = ['a', 'b', 'c', 'd']
  const counts = [4, 3, 2, 1]
  const refused = (plan: unknown, code: 'USAGE' | 'SHAPE' | 'DTYPE', ...parts: string[]) =>
    refuses(t, () => resizeVocabulary({ tables: { token }, words, counts }, plan as VocabularyPlan), code, ...parts)
  refused({ keep: [0, 0] }, 'USAGE', 'keep[1]', 'id 0 appears twice')
  refused({ keep: [4] }, 'USAGE', 'keep[0] is 4', '4 rows')
  refused({ remove: [-1] }, 'USAGE', 'remove[0] is -1')
  refused({ remove: [1.5] }, 'USAGE', 'remove[0] is 1.5')
  refused({ remove: ['1'] }, 'USAGE', "remove[0] is '1'")
  refused({ remove: 1 }, 'USAGE', 'remove', 'array')
  refused({ keep: [1], remove: [2] }, 'USAGE', 'keep and remove')
  refused({ minCount: -1 }, 'USAGE', 'minCount')
  refused({ kep: [1] }, 'USAGE', '"kep"')
  refused({ add: -1 }, 'USAGE', 'add')
  refused({ add: 1 }, 'USAGE', 'add[0]', 'word is missing')
  refused({ add: [{ word: 'a' }] }, 'USAGE', "'a' is already in the vocabulary")
  refused({ add: [{ word: 'x' }, { word: 'x' }] }, 'USAGE', 'add[1]', "'x'")
  refused({ add: [{ word: '' }] }, 'USAGE', 'empty')
  refused({ add: [{ word: 'x', count: 1.5 }] }, 'USAGE', 'count')
  refused({ add: [{ word: 'x', from: 'ones' }] }, 'USAGE', "'ones'")
  refused({ add: [{ word: 'x', from: { pieces: [] } }] }, 'USAGE', 'must name at least one row')
  refused({ add: [{ word: 'x', from: { pieces: [4] } }] }, 'USAGE', 'pieces[0] is 4')
  refused({ add: [{ word: 'x', from: { normal: { std: -1 } } }] }, 'USAGE', 'std')
  refused({ add: [{ word: 'x', from: { normal: {}, pieces: [1] } }] }, 'USAGE', 'either')
  refused({ add: [{ word: 'x', form: 'mean' }] }, 'USAGE', '"form"')
  refused({ remove: [0, 1, 2, 3], add: [{ word: 'x' }] }, 'USAGE', 'no rows stay')
  refused({ generator: 5 }, 'USAGE', 'generator')
  // Words that were removed may be added again.
  t.deepEqual(resizeVocabulary({ tables: { token }, words }, { remove: [0], add: [{ word: 'a' }] }).words, [
    'b',
    'c',
    'd',
    'a',
  ])
  refuses(t, () => resizeVocabulary({ tables: { token } }, { minCount: 1 }), 'USAGE', 'needs counts')
  refuses(
    t,
    () => resizeVocabulary({ tables: { token } }, { add: [{ word: 'x' }] }),
    'USAGE',
    'the vocabulary has no words',
  )
  refuses(
    t,
    () => resizeVocabulary({ tables: { token } }, { add: [{ count: 1 }] }),
    'USAGE',
    'the vocabulary has no counts',
  )
  refuses(
    t,
    () => resizeVocabulary({ tables: { token, head: zeros([3, 2]) } }, {}),
    'SHAPE',
    '"token" has 4 rows',
    '"head" has 3 rows',
  )
  refuses(t, () => resizeVocabulary({ tables: { token }, words: ['a'] }, {}), 'SHAPE', '1 words')
  refuses(t, () => resizeVocabulary({ tables: { token }, counts: [1] }, {}), 'SHAPE', '1 counts')
  refuses(t, () => resizeVocabulary({ tables: {} }, {}), 'USAGE', 'at least one table')
  refuses(t, () => resizeVocabulary({ tables: { a: zeros([4], { dtype: 'int32' }) } }, {}), 'DTYPE', 'int32')
  refuses(t, () => resizeVocabulary({ tables: { a: tensor(1) } }, {}), 'SHAPE', 'no rows')
  refuses(
    t,
    () => resizeVocabulary({ tables: { a: Embedding.fromPretrained(quantize(zeros([4, 4]), 'int8')) } }, {}),
    'DTYPE',
    'dequantize()',
  )
  refuses(t, () => resizeVocabulary({ tables: { a: [[1]] as never } }, {}), 'USAGE', '"a"')
  refuses(t, () => resizeVocabulary({ tables: { token }, optimizer: {} as never }, {}), 'USAGE', 'optimizer')
  const nan = tensor([
    [1, 2],
    [NaN, 3],
    [4, 5],
  ])
  refuses(
    t,
    () => resizeVocabulary({ tables: { nan } }, { add: 1 }),
    'USAGE',
    '"nan"',
    'row 1 has elements that are not finite',
  )
  refuses(t, () => resizeVocabulary({ tables: { nan } }, { add: [{ from: { pieces: [1, 2] } }] }), 'USAGE', 'row 1')
  t.deepEqual(resizeVocabulary({ tables: { nan } }, { remove: [1], add: 1 }).tables.nan.toArray(), [
    [1, 2],
    [4, 5],
    [2.5, 3.5],
  ])
  const gone = zeros([4, 2])
  gone.dispose()
  refuses(t, () => resizeVocabulary({ tables: { token, gone } }, {}), 'USAGE', 'disposed')
  t.deepEqual(token.weight.toArray(), before)
})
