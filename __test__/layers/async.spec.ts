import test, { type ExecutionContext } from 'ava'
import { getEventListeners } from 'node:events'
import {
  AbortedError,
  Embedding,
  EmbeddingBag,
  EmbeddingBagCollection,
  manualSeed,
  noGrad,
  quantize,
  randn,
  scope,
  SparseGrad,
  tensor,
  type TokenIndexError,
  TokenPositionEmbedding,
  UsageError,
  zeros,
  type Ids,
  type Tensor,
} from '../../index.js'
import { digest } from '../support/compare.js'
import { runScript, scenario } from '../support/child.js'

const SCRIPT = 'lifetime/async.js'
const MB = 2 ** 20

/** Asserts that the promise rejects with an error like the one that `run` throws. */
async function rejectsAs(
  t: ExecutionContext,
  promise: Promise<unknown>,
  run: () => unknown,
  what: string,
): Promise<void> {
  const wanted = t.throws(run, { any: true }, what) as Error
  const found = (await t.throwsAsync(promise, { any: true }, what)) as Error
  t.is(found.constructor, wanted.constructor, what)
  t.deepEqual({ ...found }, { ...wanted }, what)
  // Only the name of the method differs.
  t.is(found.message.replace('forwardAsync', 'forward'), wanted.message, what)
}

async function isSame(t: ExecutionContext, found: Promise<Tensor>, wanted: Tensor, what?: string): Promise<void> {
  const result = await found
  t.deepEqual(result.shape, wanted.shape, what)
  t.is(result.dtype, wanted.dtype)
  t.is(digest(result), digest(wanted), what)
  t.is(result.requiresGrad, wanted.requiresGrad)
}

const IDS: [string, Ids, number[] | undefined][] = [
  [
    'nested arrays',
    [
      [1, 2, 3],
      [4, 5, 49],
    ],
    undefined,
  ],
  ['a tensor', tensor([7, 8], { dtype: 'int64' }), undefined],
  ['a typed array', Uint8Array.of(9, 9, 0), undefined],
  ['a typed array with a shape', BigUint64Array.of(3n, 4n), [2, 1, 1]],
  ['16 bits', Int16Array.of(30, 49), undefined],
  ['one id', tensor(5, { dtype: 'int32' }), undefined],
  ['none', new Int32Array(0), [3, 0]],
  ['shared memory', new Int32Array(new SharedArrayBuffer(8)), undefined],
]

for (const [name, ids, shape] of IDS) {
  test(`${name}: forwardAsync gives what forward gives`, async (t) => {
    for (const dim of [1, 17, 256]) {
      const embedding = new Embedding(50, dim)
      await isSame(t, embedding.forwardAsync(ids, { shape }), embedding.forward(ids, { shape }))
    }
  })
}

test('token + position: forwardAsync gives what forward gives, wherever the ids are stored', async (t) => {
  // 96 sequences span several blocks.
  for (const [batch, length, dim] of [
    [2, 3, 5],
    [96, 8, 500],
    [1, 8, 40_000],
    [0, 4, 3],
    [3, 0, 3],
  ]) {
    const layer = new TokenPositionEmbedding({ vocabSize: 50, contextLength: 12, dim })
    const ids = Int32Array.from({ length: batch * length }, (_, i) => (i * 37) % 50)
    const shape = [batch, length]
    const explicit = ids.map((id) => id % 12)
    for (const options of [
      {},
      { positionOffset: 4 },
      { positions: tensor(explicit, { shape }) },
      { positions: explicit.subarray(0, length) },
    ]) {
      if (options.positions && batch * length === 0) continue
      await isSame(
        t,
        layer.forwardAsync(ids, { shape, ...options }),
        layer.forward(ids, { shape, ...options }),
        `${shape} x ${dim}`,
      )
    }
  }
})

test("forwardAsync handles scale, segments and normalization, in native memory and in V8's", async (t) => {
  for (const moved of [false, true]) {
    const layer = new TokenPositionEmbedding({
      vocabSize: 9,
      contextLength: 6,
      dim: 700,
      segments: 3,
      layerNorm: { eps: 1e-3 },
      scale: 2.5,
    })
    if (moved) layer.token.weight = randn([9, 700], { requiresGrad: true })
    if (moved) layer.segment!.weight = randn([3, 700])
    const ids = Int32Array.from({ length: 600 }, (_, i) => (i * 5) % 9)
    const shape = [100, 6]
    const segments = Uint8Array.from(ids, (id) => id % 3)
    // First with memory as forward left it, then after it moved.
    const wanted = layer.forward(ids, { shape, segments: tensor(segments, { shape }) })
    for (let i = 0; i < 2; i++)
      await isSame(t, layer.forwardAsync(ids, { shape, segments: tensor(segments, { shape }) }), wanted)
    t.is(digest(layer.forward(ids, { shape, segments: tensor(segments, { shape }) })), digest(wanted))
    const options = { segments: [0, 1, 2], positions: [5, 0, 3] }
    await isSame(
      t,
      layer.forwardAsync(
        [
          [1, 2, 3],
          [4, 5, 6],
        ],
        options,
      ),
      layer.forward(
        [
          [1, 2, 3],
          [4, 5, 6],
        ],
        options,
      ),
    )
    await rejectsAs(
      t,
      layer.forwardAsync([1], { segments: [3] }),
      () => layer.forward([1], { segments: [3] }),
      'a bad segment',
    )
    const pending = layer.forwardAsync([1])
    for (const part of layer.parameters())
      t.throws(() => part.set([1]), { instanceOf: UsageError, message: /forwardAsync/ })
    await pending
    layer.layerNorm!.bias.set([5])
    await isSame(t, layer.forwardAsync([1]), layer.forward([1]))
  }
})

test('forwardAsync gives what forward gives for bags and quantized tables', async (t) => {
  const ids = Int32Array.from({ length: 5000 }, (_, i) => (i * 7) % 40)
  const table = randn([40, 300])
  for (const kind of ['float32', 'float16', 'bfloat16', 'int8', 'int4', 'int2', 'float8'] as const) {
    const rows = kind === 'float32' ? table : quantize(table, kind)
    const layer = Embedding.fromPretrained(rows)
    for (const dtype of [undefined, 'float16', 'float32'] as const) {
      await isSame(
        t,
        layer.forwardAsync(ids, { shape: [50, 100], dtype }),
        layer.forward(ids, { shape: [50, 100], dtype }),
        kind,
      )
    }
    await rejectsAs(t, layer.forwardAsync([[1, 40]]), () => layer.forward([[1, 40]]), kind)
    for (const mode of ['sum', 'mean', 'max'] as const) {
      const bag = EmbeddingBag.fromPretrained(rows, { mode, paddingIdx: 3 })
      const square = tensor(ids, { shape: [1000, 5] })
      await isSame(t, bag.forwardAsync(square), bag.forward(square), `${kind} ${mode}`)
      const offsets = [0, 0, 7, 4000, 5000]
      await isSame(
        t,
        bag.forwardAsync(ids, offsets, { dtype: 'bfloat16' }),
        bag.forward(ids, offsets, { dtype: 'bfloat16' }),
      )
      await isSame(t, bag.forwardAsync({ values: ids, offsets }), bag.forward({ values: ids, offsets }))
      await rejectsAs(t, bag.forwardAsync(ids, [0, 9, 8]), () => bag.forward(ids, [0, 9, 8]), 'offsets')
      await rejectsAs(t, bag.forwardAsync([1, -1], [0]), () => bag.forward([1, -1], [0]), 'a bad id')
      if (mode !== 'sum') continue
      const perSampleWeights = randn([5000], { requiresGrad: true })
      await isSame(
        t,
        bag.forwardAsync(ids, offsets, { perSampleWeights }),
        bag.forward(ids, offsets, { perSampleWeights }),
      )
    }
  }
  await t.throwsAsync(new EmbeddingBag(3, 2).forwardAsync([[1]], undefined, { signal: AbortSignal.abort() }), {
    instanceOf: AbortedError,
  })
})

test('forwardAsync gives what forward gives for collections', async (t) => {
  const kinds = quantize(randn([40, 8]), 'int8')
  const make = () => {
    manualSeed(5)
    return new EmbeddingBagCollection([
      { name: 'items', numEmbeddings: 900, embeddingDim: 33, features: ['seen', 'bought'], maxNorm: 3 },
      { name: 'kinds', bag: EmbeddingBag.fromPretrained(kinds, { mode: 'mean' }) },
      { name: 'places', numEmbeddings: 70, embeddingDim: 64, mode: 'max', paddingIdx: 3, features: ['seen'] },
    ])
  }
  const bags = (length: number, rows: number) =>
    Array.from({ length: 3000 }, (_, i) => Array.from({ length: (i % 4) * length }, (_, k) => (i * 7 + k) % rows))
  const features = { seen: bags(2, 70), bought: bags(1, 900), kinds: bags(1, 40) }
  for (const dtype of [undefined, 'float16', 'bfloat16'] as const) {
    const tables = make()
    const pending = tables.forwardAsync(features, { dtype })
    // A table of two features is read by one call.
    t.throws(() => tables.tables.items.weight.set([0]), { message: /a forwardAsync still reads/ })
    await isSame(t, pending, make().forward(features, { dtype }), dtype)
  }
  const seen = randn([features.seen.flat().length], { requiresGrad: true })
  const own = new EmbeddingBagCollection([
    { name: 'a', numEmbeddings: 70, embeddingDim: 5, features: ['seen'] },
    { name: 'b', numEmbeddings: 900, embeddingDim: 2, features: ['bought'], sparse: true },
  ])
  const two = { seen: features.seen, bought: features.bought }
  const gradients = async (run: () => Tensor | Promise<Tensor>) => {
    for (const one of [...own.parameters(), seen]) one.grad = null
    const result = await run()
    result.mul(result).sum().backward()
    return [...own.parameters(), seen].map(({ grad }) => digest(grad instanceof SparseGrad ? grad.toDense() : grad!))
  }
  t.deepEqual(
    await gradients(() => own.forwardAsync(two, { perSampleWeights: { seen } })),
    await gradients(() => own.forward(two, { perSampleWeights: { seen } })),
  )
  // Ids are copied at the call.
  const ids = Int32Array.from(two.bought.flat())
  const offsets = new Int32Array(two.bought.length + 1)
  for (const [i, bag] of two.bought.entries()) offsets[i + 1] = offsets[i] + bag.length
  const wanted = own.forward({ seen: two.seen, bought: { values: ids, offsets } })
  const pending = own.forwardAsync({ seen: two.seen, bought: { values: ids, offsets } })
  ids.fill(0)
  offsets.fill(0)
  await isSame(t, pending, wanted)
  for (const [what, given] of [
    ['a bad id', { seen: [[1], [70]], bought: [[1], [2]] }],
    ['another number of bags', { seen: [[1]], bought: [[1], [2]] }],
    ['a missing feature', { seen: [[1]] }],
    ['offsets', { seen: [[1]], bought: { values: [1, 2], offsets: [2] } }],
  ] as const)
    await rejectsAs(t, own.forwardAsync(given as never), () => own.forward(given as never), what)
  await t.throwsAsync(own.forwardAsync(two, { signal: AbortSignal.abort() }), { instanceOf: AbortedError })
  await t.throwsAsync(own.forwardAsync(two, { out: zeros([3000, 7]) } as never), { instanceOf: UsageError })
})

test('bad ids are replaced, or rejected with the synchronous error', async (t) => {
  const bad = [
    [1, -1, 3],
    [3, 50, 1],
  ]
  const options = [{}, { onBadId: 'clamp' }, { onBadId: 'padding', paddingIdx: 2 }] as const
  for (const option of options) {
    const embedding = new Embedding(3, 4, option)
    if ('onBadId' in option) await isSame(t, embedding.forwardAsync(bad), embedding.forward(bad))
    else await rejectsAs(t, embedding.forwardAsync(bad), () => embedding.forward(bad), 'a bad id')
  }
  const layer = new TokenPositionEmbedding({ vocabSize: 3, contextLength: 4, dim: 2 })
  await rejectsAs(t, layer.forwardAsync(bad), () => layer.forward(bad), 'a bad token')
  await rejectsAs(
    t,
    layer.forwardAsync([0, 1], { positions: [0, 4] }),
    () => layer.forward([0, 1], { positions: [0, 4] }),
    'a bad position',
  )
  const error = await t.throwsAsync<TokenIndexError>(new Embedding(9, 1).forwardAsync(BigInt64Array.of(2n ** 60n)))
  t.deepEqual([error.position, error.value, error.size, error.count], [[0], 2 ** 60, 9, 1])
  await rejectsAs(t, new Embedding(0, 2).forwardAsync([0]), () => new Embedding(0, 2).forward([0]), 'no rows')
})

test('wrong use rejects the promise and never throws', async (t) => {
  const embedding = new Embedding(3, 4)
  const layer = new TokenPositionEmbedding({ vocabSize: 3, contextLength: 2, dim: 2 })
  const calls: [string, (method: 'forward' | 'forwardAsync') => unknown][] = [
    ['floats', (method) => embedding[method](new Float32Array(1) as never)],
    ['a shape that does not fit', (method) => embedding[method]([1, 2], { shape: [3] })],
    ['ragged', (method) => embedding[method]([[1], [1, 2]])],
    ['too long', (method) => layer[method]([0, 1, 2])],
    ['three dimensions', (method) => layer[method]([[[0]]])],
    ['two positions', (method) => layer[method]([0], { positions: [0], positionOffset: 0 })],
  ]
  for (const [what, run] of calls)
    await rejectsAs(t, run('forwardAsync') as Promise<unknown>, () => run('forward'), what)
  for (const signal of [5, {}, { aborted: false }, null]) {
    await t.throwsAsync(embedding.forwardAsync([1], { signal: signal as never }), {
      instanceOf: UsageError,
      message: /signal must be an AbortSignal/,
    })
  }
  await t.throwsAsync(embedding.forwardAsync([1], { out: zeros([1, 4]) } as never), {
    instanceOf: UsageError,
    message: /no option "out"/,
  })
  embedding.weight.dispose()
  await t.throwsAsync(embedding.forwardAsync([1]), { instanceOf: UsageError, message: /disposed/ })
})

test('ids are copied when forwardAsync is called', async (t) => {
  const layer = new TokenPositionEmbedding({ vocabSize: 9, contextLength: 4, dim: 2 })
  const [ids, positions] = [Int32Array.of(1, 2, 3), Uint8Array.of(3, 2, 1)]
  const wanted = layer.forward(ids, { positions })
  const pending = layer.forwardAsync(ids, { positions })
  ids.fill(99)
  positions.fill(99)
  await isSame(t, pending, wanted)
})

test('each of hundreds of concurrent lookups gives its own result', async (t) => {
  const embedding = new Embedding(1000, 64)
  const wanted = Array.from({ length: 400 }, (_, i) =>
    Int32Array.from({ length: 1 + ((i * 7) % 90) }, (_, k) => (i * 31 + k * 17) % 1000),
  )
  const results = await Promise.all(wanted.map((ids) => embedding.forwardAsync(ids)))
  for (const [i, ids] of wanted.entries()) t.is(digest(results[i]), digest(embedding.forward(ids)))
})

test('a result is an ordinary tensor that can be written, shared and disposed', async (t) => {
  const embedding = new Embedding(4, 3)
  const result = await embedding.forwardAsync([1, 2])
  const { data } = result
  data[0] = 5
  result.set([6], 1)
  scope(() => {
    t.deepEqual([...result.reshape(6).narrow(0, 0, 2).data], [5, 6])
    t.is(result.add(1).data[0], 6)
    embedding.forward([0], { out: result.narrow(0, 0, 1) })
    t.deepEqual(result.toArray()[0], embedding.forward([0]).toArray()[0])
  })
  const part = result.narrow(0, 1, 1)
  result.dispose()
  t.is(data.length, 6)
  part.dispose()
  t.is(data.length, 0)
  t.throws(() => result.data, { instanceOf: UsageError })
})

test('a result belongs to no scope, and an unrecorded one does not learn', async (t) => {
  for (const embedding of [new Embedding(4, 3), shown()]) {
    let pending: Promise<Tensor> | undefined
    scope(() => void (pending = embedding.forwardAsync([1])))
    const result = await pending!
    t.false(result.disposed)
    t.true(result.requiresGrad)
    noGrad(() => void (pending = embedding.forwardAsync([1])))
    t.false((await pending!).requiresGrad)
  }
})

/** A layer over a table in V8's memory whose data was looked at. */
function shown(): Embedding {
  const embedding = Embedding.fromPretrained(randn([4, 3]), { freeze: false })
  void embedding.weight.data
  return embedding
}

test("a table in V8's memory moves to native memory with every tensor that shares it", async (t) => {
  manualSeed(1)
  const table = randn([600, 50])
  const before = digest(table.clone())
  const part = table.narrow(0, 1, 2)
  const embedding = Embedding.fromPretrained(table)
  await isSame(t, embedding.forwardAsync([1, 2]), embedding.forward([1, 2]))
  table.set([7], 50)
  t.is(part.data[0], 7)
  t.is(embedding.forward([1]).data[0], 7)
  part.data[1] = 8
  t.is((await embedding.forwardAsync([1])).data[1], 8)
  table.set([0, 0], 50)
  t.not(digest(table), before)
  for (const x of [table, part, embedding.weight]) x.dispose()
  t.throws(() => embedding.forward([1]), { instanceOf: UsageError })
})

test('a table whose data was looked at does not move', async (t) => {
  const table = tensor([
    [1, 2],
    [3, 4],
  ])
  const { data } = table
  const embedding = Embedding.fromPretrained(table)
  t.deepEqual((await embedding.forwardAsync([1])).toArray(), [[3, 4]])
  t.is(data.length, 4)
  data[2] = 9
  t.deepEqual((await embedding.forwardAsync([1])).toArray(), [[9, 4]])
  await rejectsAs(t, embedding.forwardAsync([2]), () => embedding.forward([2]), 'a bad id')
})

test('the API refuses to change a table while it is read', async (t) => {
  const embedding = new Embedding(4, 3, { maxNorm: 100 })
  const layer = new TokenPositionEmbedding({ vocabSize: 4, contextLength: 2, dim: 3 })
  const values = embedding.weight.toArray()
  const pending = [embedding.forwardAsync([1]), layer.forwardAsync([1]), layer.forwardAsync([2])]
  const changes: (() => unknown)[] = [
    () => embedding.weight.set([1]),
    () => embedding.weight.narrow(0, 3, 1).set(zeros([3])),
    () => embedding.loadStateDict({ weight: zeros([4, 3]) }),
    () => embedding.forward([1]),
    () => new Embedding(2, 3).forward([1], { out: embedding.weight.narrow(0, 0, 1) }),
    () => layer.position.weight.set([1]),
    () => layer.loadStateDict({ 'token.weight': zeros([4, 3]), 'position.weight': zeros([2, 3]) }),
  ]
  for (const change of changes)
    t.throws(change, { instanceOf: UsageError, message: /forwardAsync still reads? this tensor/ }, String(change))
  await t.throwsAsync(embedding.forwardAsync([1]), { instanceOf: UsageError, message: /maxNorm/ })
  t.deepEqual(embedding.weight.toArray(), values)
  await Promise.all(pending)
  for (const change of changes) t.notThrows(change, String(change))
})

test('a lookup that failed or was refused no longer blocks changes', async (t) => {
  const embedding = new Embedding(4, 3)
  await t.throwsAsync(embedding.forwardAsync([4]))
  await t.throwsAsync(embedding.forwardAsync([1], { signal: AbortSignal.abort() }))
  t.notThrows(() => embedding.weight.set([1]))
})

test('maxNorm rescales the rows when forwardAsync is called', async (t) => {
  const [a, b] = [7, 7].map((seed) => {
    manualSeed(seed)
    return new Embedding(20, 8, { maxNorm: 0.5, normType: 1 })
  })
  const pending = a.forwardAsync([3, 4])
  t.is(digest(a.weight), digest((b.forward([3, 4]), b.weight)))
  await isSame(t, pending, b.forward([3, 4]))
})

test('a table may be disposed while it is read, and the lookup succeeds', async (t) => {
  const embedding = new Embedding(30_000, 64)
  const ids = Int32Array.from({ length: 20_000 }, (_, i) => (i * 7919) % 30_000)
  const wanted = digest(embedding.forward(ids))
  const { data } = embedding.weight
  const pending = Array.from({ length: 8 }, () => embedding.forwardAsync(ids))
  embedding.weight.dispose()
  t.is(data.length, 0)
  for (const result of await Promise.all(pending)) t.is(digest(result), wanted)
})

test('an aborted signal rejects at once with its reason', async (t) => {
  const embedding = new Embedding(4, 3)
  const reason = new Error('enough')
  const error = await t.throwsAsync<AbortedError>(embedding.forwardAsync([1], { signal: AbortSignal.abort(reason) }))
  t.true(error instanceof AbortedError)
  t.is(error.code, 'ABORTED')
  t.is(error.cause, reason)
  t.true(error.message.includes('Embedding.forwardAsync'), error.message)
  const standard = await t.throwsAsync<AbortedError>(shown().forwardAsync([1], { signal: AbortSignal.abort() }))
  t.is((standard.cause as Error).name, 'AbortError')
})

test('a signal ends queued and running lookups, and no others', async (t) => {
  const embedding = new Embedding(100, 768)
  const ids = new Int32Array(20_000)
  const [ending, going] = [new AbortController(), new AbortController()]
  const heard: string[] = []
  ending.signal.onabort = () => void heard.push('onabort')
  ending.signal.addEventListener('abort', () => heard.push('listener'))
  const order: string[] = []
  const lookup = (name: string, { signal }: AbortController) =>
    embedding.forwardAsync(ids, { signal }).then(
      (result) => (order.push(name), result.dispose(), 'done'),
      (error: AbortedError) => (order.push(name), error.code === 'ABORTED' && error.cause),
    )
  const ended = Array.from({ length: 40 }, () => lookup('ended', ending))
  const others = Array.from({ length: 4 }, () => lookup('other', going))
  const after = embedding.forwardAsync(ids)
  t.is(getEventListeners(ending.signal, 'abort').length, 3)
  ending.abort('why')
  t.deepEqual(new Set(await Promise.all(ended)), new Set(['why']))
  t.deepEqual(await Promise.all(others), ['done', 'done', 'done', 'done'])
  t.deepEqual((await after).shape, [20_000, 768])
  t.deepEqual(heard, ['onabort', 'listener'])
  t.is(getEventListeners(ending.signal, 'abort').length, 2, "the user's own")
  t.is(getEventListeners(going.signal, 'abort').length, 0)
  // Queued lookups are rejected without waiting for their turn.
  t.deepEqual(
    order.slice(0, 30),
    Array.from({ length: 30 }, () => 'ended'),
  )
  t.notThrows(() => embedding.weight.set([1]))
})

test('a signal can be used again, and an abort after the end does nothing', async (t) => {
  const embedding = new Embedding(4, 3)
  const controller = new AbortController()
  const { signal } = controller
  const first = await embedding.forwardAsync([1], { signal })
  t.is(getEventListeners(signal, 'abort').length, 0)
  const second = await embedding.forwardAsync([2], { signal })
  controller.abort()
  t.deepEqual([first.disposed, second.disposed], [false, false])
  await t.throwsAsync(embedding.forwardAsync([1], { signal }), { instanceOf: AbortedError })
})

test('an abort in the same turn as the result wins', async (t) => {
  const embedding = new Embedding(4, 3)
  for (let i = 0; i < 200; i++) {
    const controller = new AbortController()
    const pending = embedding.forwardAsync([1], { signal: controller.signal })
    setImmediate(() => controller.abort())
    const outcome = await pending.then(
      (result) => result.size,
      (error: AbortedError) => error.code,
    )
    t.true(outcome === 3 || outcome === 'ABORTED')
  }
})

test.serial('memory of results is reused, and bounded without dispose', async (t) => {
  const { disposed, dropped, unseen, reused } = await scenario(SCRIPT, 'bounded')
  t.log(
    `${(disposed / MB).toFixed(1)} MiB disposed, ${(dropped / MB).toFixed(1)} MiB dropped, ${(unseen / MB).toFixed(1)} MiB never looked at`,
  )
  t.is(reused, 1)
  t.true(disposed < 60 * MB, `${disposed}`)
  t.true(dropped < 500 * MB, `${dropped}`)
  t.true(unseen < 700 * MB, `${unseen}`)
})

test.serial('hundreds of pending lookups hold only their results, and memoryUsage counts them', async (t) => {
  const { held, results, after, left } = await scenario(SCRIPT, 'inFlight')
  t.true(Math.abs(results - held) < 0.05 * held, `${results} of ${held}`)
  // The garbage collector frees the ids, and the copies of them that wait for backward.
  t.true(after <= results && left < 1.5 * MB, `${after}, ${left}`)
})

test.serial('aborted lookups leak nothing', async (t) => {
  const { results, tables, ended } = await scenario(SCRIPT, 'aborted')
  t.true(ended > 0 && ended <= 300, `${ended}`)
  t.true(results < MB && tables === 0, `${results} ${tables}`)
})

test.serial('a table disposed while it is read is freed when the lookup ends', async (t) => {
  const { during, after } = await scenario(SCRIPT, 'disposed')
  t.true(during > 7 * MB)
  t.is(after, 0)
})

test.serial('V8 is told about external memory of results, and told when it is freed', async (t) => {
  const steps = await scenario(SCRIPT, 'external')
  for (const [name, bytes] of Object.entries(steps)) t.true(Math.abs(bytes) < 4096, `${name}: ${bytes}`)
})

test.serial("where external buffers are forbidden, results are in V8's memory and their data is live", async (t) => {
  const found = await scenario<object>(SCRIPT, 'copies', { TOKENBED_LIVE_DATA: '0' })
  t.deepEqual(found, { live: false, same: true, written: 5, length: 0, results: 0 })
})

test.serial('lookups cause no warning about listeners and do not keep the process alive', async (t) => {
  const { warnings, ended } = await scenario<{ warnings: string[]; ended: number }>(SCRIPT, 'oneSignal')
  t.deepEqual(warnings, [])
  t.is(ended, 200)
})

test.serial('a process may exit during lookups', async (t) => {
  const { code, stderr } = await runScript(SCRIPT, ['exits'])
  t.deepEqual([code, stderr], [7, ''])
})

test.serial('a panic on another thread and arguments that slip through the checks reject the promise', async (t) => {
  const { codes, works } = await scenario<{ codes: unknown[]; works: number }>(SCRIPT, 'unchecked')
  // Work that is queued a second time has nothing left to do.
  t.deepEqual(codes, ['INTERNAL', 'SHAPE', 'USAGE', 'DTYPE', 'done', 'ABORTED', false])
  t.is(works, 2)
})
