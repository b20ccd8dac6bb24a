// Rows of files, of servers and of a cluster, behind a cache: what a lookup gives while rows change, servers are killed
// and places answer with something else.

import test, { type ExecutionContext } from 'ava'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import {
  AbortedError,
  Embedding,
  FileError,
  FormatError,
  randn,
  RowStore,
  RowStoreError,
  saveNpy,
  saveSafetensors,
  ShapeError,
  tensor,
  TokenIndexError,
  UsageError,
  zeros,
  type RowReader,
  type Tensor,
} from '../../index.js'
import { RedisServer, startCluster, withRedis } from '../support/servers.js'
import { temporaryFolder } from '../support/temporary.js'

const folder = mkdtempSync(join(temporaryFolder(), 'rows-'))
const [ROWS, DIM] = [3000, 16]
const table = randn([ROWS, DIM])
const layer = Embedding.fromPretrained(table)
const redis = new RedisServer()
const real = withRedis(test)

if (real !== test.skip) test.before(() => redis.start())

const place = (name: string) => ({ connection: redis.url, table: name, timeoutMs: 30_000 })
const drawn = (count: number, power = 1) =>
  Int32Array.from({ length: count }, () => Math.floor(Math.random() ** power * ROWS))

/** Compares a result with the rows of the table. */
function same(t: ExecutionContext, found: Tensor, ids: Int32Array, of = layer): void {
  t.deepEqual(found.toArray(), of.forward(ids).toArray())
}

/** Rows in this process: each is its id, and calls are counted. */
function reader(more: Partial<RowReader> = {}): RowReader & { asked: number[][] } {
  const asked: number[][] = []
  return {
    rows: 100,
    dim: 2,
    dtype: 'float32',
    asked,
    async read(ids) {
      asked.push([...ids])
      await setTimeout(5)
      return Array.from(ids, (id) => new Uint8Array(Float32Array.of(id, -id).buffer))
    },
    ...more,
  }
}

test('the rows of a file are those that a layer over it gives', async (t) => {
  const [npy, one, two] = ['a.npy', 'one.safetensors', 'two.safetensors'].map((name) => join(folder, name))
  saveNpy(npy, table)
  saveSafetensors(one, { weight: table })
  saveSafetensors(two, { weight: table.to('float16'), other: zeros([2, 2]) })
  for (const file of [npy, one]) {
    const store = await RowStore.open({ file }, { cacheBytes: 100_000 })
    t.deepEqual([store.numRows, store.dim, store.dtype, store.sha256], [ROWS, DIM, 'float32', null])
    for (let i = 0; i < 20; i++) {
      const ids = drawn(500, 3)
      same(t, await store.lookup(ids), ids)
    }
    const { hits, misses, bytes, rows, room } = store.stats
    t.is(hits + misses, 20 * 500)
    t.true(hits > 0 && bytes <= 100_000 && rows <= room)
    const nested = await store.lookup([
      [1, 2, 3],
      [3, 2, 1],
    ])
    t.deepEqual(nested.shape, [2, 3, DIM])
    t.deepEqual((await store.lookup(new Int32Array())).shape, [0, DIM])
    await t.throwsAsync(store.set([1], zeros([1, DIM])), { instanceOf: UsageError, message: /cannot be replaced/ })
    await store.close()
    await store.close()
    await t.throwsAsync(store.lookup([1]), { instanceOf: UsageError, message: /is closed/ })
  }
  const half = await RowStore.open({ file: two, tensor: 'weight' })
  t.is(half.dtype, 'float16')
  t.deepEqual((await half.lookup([7, 7])).toArray(), layer.forward([7, 7]).to('float16').toArray())
  await t.throwsAsync(RowStore.open({ file: two }), { message: /tensor must name one of/ })
  await t.throwsAsync(RowStore.open({ file: npy, tensor: 'x' }), { message: /names nothing/ })
  await t.throwsAsync(RowStore.open({ file: join(folder, 'missing.npy') }), { instanceOf: FileError })
  writeFileSync(join(folder, 'bad.npy'), 'no array')
  await t.throwsAsync(RowStore.open({ file: join(folder, 'bad.npy') }), { instanceOf: FormatError })
})

test('each row is read once, however often ids name it and however many lookups wait', async (t) => {
  const source = reader()
  const store = await RowStore.open(source)
  const [a, b, c] = await Promise.all([store.lookup([5, 3, 5, 5]), store.lookup([3, 5]), store.lookup([[3], [9]])])
  t.deepEqual(a.toArray(), [
    [5, -5],
    [3, -3],
    [5, -5],
    [5, -5],
  ])
  t.deepEqual(b.toArray(), [
    [3, -3],
    [5, -5],
  ])
  t.deepEqual(c.toArray(), [[[3, -3]], [[9, -9]]])
  t.deepEqual(source.asked, [[3, 5], [9]])
  t.like(store.stats, { hits: 0, misses: 8, fetched: 3, rows: 3, evicted: 0 })
  await store.lookup([9, 9, 3])
  t.like(store.stats, { hits: 3, misses: 8, fetched: 3 })
  t.is(source.asked.length, 2)
  // Without room nothing is kept, and a lookup is whole all the same.
  const none = await RowStore.open(source, { cacheBytes: 0 })
  t.deepEqual((await none.lookup([1, 1])).toArray(), (await none.lookup([1, 1])).toArray())
  t.like(none.stats, { hits: 0, misses: 4, fetched: 2, room: 0 })
})

test('rows are read again when they are too old, and when they are to be forgotten', async (t) => {
  let value = 1
  const source = reader({
    read: async (ids) => Array.from(ids, () => new Uint8Array(Float32Array.of(value, 0).buffer)),
  })
  const first = async (store: RowStore, id = 1) => (await store.lookup([id])).data[0]
  const [store, brief] = [
    await RowStore.open(source, { maxAgeMs: Infinity }),
    await RowStore.open(source, { maxAgeMs: 20 }),
  ]
  t.deepEqual([await first(store), await first(brief)], [1, 1])
  value = 2
  await setTimeout(30)
  t.deepEqual([await first(store), await first(brief)], [1, 2])
  store.invalidate([1])
  t.is(await first(store), 2)
  value = 3
  store.invalidate([7])
  t.is(await first(store), 2)
  store.invalidate([1])
  t.is(await first(store), 3)
  value = 4
  store.invalidate()
  t.is(await first(store), 4)
  t.throws(() => store.invalidate([100]), { instanceOf: TokenIndexError })
})

test('what was on its way while it was forgotten is not kept', async (t) => {
  let value = 1
  const source = reader({
    async read(ids) {
      const now = value
      await setTimeout(50)
      return Array.from(ids, () => new Uint8Array(Float32Array.of(now, 0).buffer))
    },
  })
  const store = await RowStore.open(source)
  const before = store.lookup([1])
  await setTimeout(10)
  value = 2
  store.invalidate([1])
  t.is((await store.lookup([1])).data[0], 2)
  t.is((await before).data[0], 1)
  t.is((await store.lookup([1])).data[0], 2)
})

test('lookups of many megabytes go through in pieces, and the event loop turns', async (t) => {
  const dim = 4096
  const wide = reader({
    rows: 1000,
    dim,
    read: async (ids) => Array.from(ids, (id) => new Uint8Array(new Float32Array(dim).fill(id).buffer)),
  })
  const store = await RowStore.open(wide, { cacheBytes: 4e6 })
  const ids = Int32Array.from({ length: 2000 }, (_, i) => (i * 7) % 1000)
  let turns = 0
  const timer = setInterval(() => turns++, 1)
  const promise = store.lookup(ids)
  const given = ids.slice()
  const found = (await promise).data
  clearInterval(timer)
  t.true(given.every((id, i) => found[i * dim] === id && found[(i + 1) * dim - 1] === id))
  t.true(turns > 2)
  t.is(store.stats.fetched, 1000)
})

test('a row that cannot be had is an error that names it, and others are kept', async (t) => {
  const lacking = reader({
    block: 10,
    async read(ids) {
      await setTimeout(5)
      if (ids[0] >= 50) throw new Error('the disk is gone')
      return Array.from(ids, (id) =>
        id === 3 ? null : new Uint8Array(new Float32Array(id === 4 ? 1 : 2).fill(id).buffer),
      )
    },
  })
  const store = await RowStore.open(lacking)
  const error = await t.throwsAsync<RowStoreError>(store.lookup([1, 3, 2]), { instanceOf: RowStoreError })
  t.deepEqual([error.reason, error.ids, error.code], ['missing', [3], 'ROWS'])
  t.regex(error.message, /there is no row of id 3/)
  t.like(await t.throwsAsync(store.lookup([3, 4]), { instanceOf: RowStoreError }), { reason: 'damaged', ids: [4] })
  t.is(store.stats.rows, 2)
  // A lookup that waits for the same block gets its row, and one of another block is not touched by it.
  const all = await Promise.allSettled([
    store.lookup([5, 3]),
    store.lookup([5]),
    store.lookup([12]),
    store.lookup([60]),
  ])
  t.deepEqual(
    all.map(({ status }) => status),
    ['rejected', 'fulfilled', 'fulfilled', 'rejected'],
  )
  t.regex(String((all[3] as PromiseRejectedResult).reason), /the disk is gone/)
  const out = await t.throwsAsync(store.lookup([[1], [100]]), { instanceOf: TokenIndexError })
  t.deepEqual(out.position, [1, 0])
  const few = await RowStore.open(reader({ read: async () => [] }))
  await t.throwsAsync(few.lookup([1]), { instanceOf: UsageError, message: /must give a list of 1 rows/ })
})

test('a signal ends the waiting of one lookup alone', async (t) => {
  const store = await RowStore.open(reader())
  const stop = new AbortController()
  const [left, stays] = [store.lookup([1], { signal: stop.signal }), store.lookup([1])]
  stop.abort()
  await t.throwsAsync(left, { instanceOf: AbortedError })
  t.deepEqual((await stays).toArray(), [[1, -1]])
  await t.throwsAsync(store.lookup([1], { signal: AbortSignal.abort() }), { instanceOf: AbortedError })
})

test('what cannot be used is refused before anything is reached', async (t) => {
  const refused = (place: unknown, message: RegExp, options?: object) =>
    t.throwsAsync(RowStore.open(place as never, options), { instanceOf: UsageError, message })
  await refused('table.npy', /rows must be \{ file \}/)
  await refused({}, /rows must be \{ file \}/)
  await refused(reader({ dtype: 'int8' as never }), /dtype must be one of/)
  await refused(reader({ dim: 0 }), /dim must be/)
  await refused(reader(), /cacheBytes must be/, { cacheBytes: -1 })
  await refused(reader(), /maxAgeMs must/, { maxAgeMs: -1 })
  await refused(reader(), /has no option "size"/, { size: 1 })
  const its = { connection: 'redis://127.0.0.1:1', table: 'x' }
  await refused({ ...its, table: 'a:b' }, /table must be a name/)
  await refused({ ...its, sha256: 5 }, /sha256 must be a string/)
  await refused({ ...its, timeoutMs: 0 }, /timeoutMs must be/)
  for (const connection of [5, 'localhost:6379', 'http://x', [], ['redis://a', 'x']])
    await refused({ ...its, connection }, /connection must be a URL that begins with redis:/)
  t.throws(() => Reflect.construct(RowStore, []), { instanceOf: UsageError, message: /RowStore.open/ })
  await t.throwsAsync(RowStore.save([1] as never, its), { instanceOf: UsageError, message: /must be a tensor/ })
  await t.throwsAsync(RowStore.save(zeros([2]), its), { instanceOf: ShapeError })
  await t.throwsAsync(RowStore.save(zeros([2, 2], { dtype: 'int32' }), its), { message: /dtype must be one of/ })
  const down = { connection: 'redis://user:secret@127.0.0.1:1', table: 'x', timeoutMs: 2000 }
  const error = await t.throwsAsync<RowStoreError>(RowStore.open(down), { instanceOf: RowStoreError })
  t.is(error.reason, 'unreachable')
  t.regex(error.message, /^(?!.*secret).*127\.0\.0\.1:1 did not answer in time for the table x: /)
})

real('a table on a server has its rows, and rows that are set are seen', async (t) => {
  const saved = await RowStore.save(table, place('whole'))
  t.like(saved, { rows: ROWS, dim: DIM, dtype: 'float32' })
  const [one, other] = [await RowStore.open(place('whole')), await RowStore.open(place('whole'), { maxAgeMs: 300 })]
  for (let i = 0; i < 20; i++) {
    const ids = drawn(400, 3)
    same(t, await one.lookup(ids), ids)
  }
  const { hits, misses } = one.stats
  t.log(`hit rate ${((100 * hits) / (hits + misses)).toFixed(0)} %`)
  t.true(hits > misses)
  await other.lookup([2999, 1])
  const rows = tensor([Array(DIM).fill(1), Array(DIM).fill(2), Array(DIM).fill(3)], { dtype: 'float32' })
  await one.set([2999, 1, 2999], rows)
  t.deepEqual((await one.lookup([1, 2999])).toArray(), [Array(DIM).fill(2), Array(DIM).fill(3)])
  await setTimeout(350)
  t.deepEqual((await other.lookup([1])).toArray(), [Array(DIM).fill(2)])
  await t.throwsAsync(one.set([1], zeros([1, 3])), { instanceOf: ShapeError })
  await t.throwsAsync(one.set([ROWS], zeros([1, DIM])), { instanceOf: TokenIndexError })
  await Promise.all([one.close(), other.close()])
})

real('a table of another digest is refused, and one that was replaced is an error', async (t) => {
  const { sha256 } = await RowStore.save(table, place('digest'))
  t.is((await RowStore.save(table, place('digest'))).sha256, sha256)
  const store = await RowStore.open({ ...place('digest'), sha256 }, { cacheBytes: 0 })
  const changed = table.add(1)
  await t.throwsAsync(RowStore.save(changed, place('digest')), { instanceOf: UsageError, message: /with force/ })
  const now = await RowStore.save(changed, place('digest'), { force: true })
  t.not(now.sha256, sha256)
  const refused = { instanceOf: RowStoreError, message: /has the SHA-256 \w+, and/ }
  t.like(await t.throwsAsync(RowStore.open({ ...place('digest'), sha256 }), refused), { reason: 'refused' })
  t.regex((await t.throwsAsync(store.lookup([1]), { instanceOf: RowStoreError })).message, /was replaced by another/)
  const other = await RowStore.open(place('digest'))
  same(t, await other.lookup(Int32Array.of(1, 2)), Int32Array.of(1, 2), Embedding.fromPretrained(changed))
  await Promise.all([store.close(), other.close()])
  t.like(await t.throwsAsync(RowStore.open(place('nowhere')), { instanceOf: RowStoreError }), { reason: 'missing' })
})

real('rows that are gone, cut or of another kind are errors that name them', async (t) => {
  const { sha256 } = await RowStore.save(table, place('bad'))
  const key = (block: number) => `tokenbed:bad:${sha256.slice(0, 16)}:${block}`
  await redis.command('hdel', key(0), '5')
  await redis.command('hset', key(0), '6', 'short')
  await redis.command('set', key(1), 'no hash')
  const store = await RowStore.open({ ...place('bad') })
  const failure = (ids: number[]) => t.throwsAsync<RowStoreError>(store.lookup(ids))
  t.like(await failure([5, 7]), { reason: 'missing', ids: [5] })
  t.like(await failure([6, 7]), { reason: 'damaged', ids: [6] })
  t.like(await failure([256, 7]), { reason: 'damaged', ids: [256] })
  same(t, await store.lookup(Int32Array.of(7, 8)), Int32Array.of(7, 8))
  for (const text of [
    '{',
    '[]',
    '{"format":"tokenbed.rows","version":9}',
    '{"format":"tokenbed.rows","version":1,"block":256}',
  ]) {
    await redis.command('set', 'tokenbed:bad', text)
    t.like(await t.throwsAsync(RowStore.open(place('bad')), { instanceOf: RowStoreError }), { reason: 'damaged' })
  }
  await store.close()
})

real('a server that is down is an error after its time, and lookups go on when it is back', async (t) => {
  const own = await new RedisServer().start()
  const its = { connection: own.url, table: 'down', timeoutMs: 1000 }
  await RowStore.save(table, its)
  const store = await RowStore.open(its, { maxAgeMs: Infinity })
  await store.lookup([1])
  await own.kill()
  same(t, await store.lookup(Int32Array.of(1)), Int32Array.of(1))
  t.like(await t.throwsAsync(store.lookup([1, 2]), { instanceOf: RowStoreError }), { reason: 'unreachable', ids: [2] })
  const waits = store.lookup([3])
  await own.start()
  same(t, await waits.catch(() => store.lookup([3])), Int32Array.of(3))
  await store.close()
})

real('a Redis that may drop rows is refused', async (t) => {
  const evicting = await new RedisServer('allkeys-lru').start()
  const its = { connection: evicting.url, table: 'x' }
  const refused = { instanceOf: RowStoreError, message: /maxmemory-policy allkeys-lru .* set .* to noeviction/ }
  t.like(await t.throwsAsync(RowStore.save(table, its), refused), { reason: 'refused' })
  await evicting.command('config', 'set', 'maxmemory-policy', 'noeviction')
  await RowStore.save(table, its)
  await evicting.command('config', 'set', 'maxmemory-policy', 'allkeys-lru')
  await t.throwsAsync(RowStore.open(its), refused)
})

real('a cluster: a master is killed while lookups go on, and nothing wrong is answered', async (t) => {
  const servers = await startCluster()
  const connection = servers.slice(1, 3).map(({ url }) => url)
  const its = { connection, table: 'cluster', timeoutMs: 60_000 }
  await RowStore.save(table, its)
  const store = await RowStore.open(its, { cacheBytes: 100_000 })
  // Replicas have what was written.
  await setTimeout(500)
  let [isOver, done, afterKill] = [false, 0, 0]
  const lookups = async () => {
    while (!isOver) {
      const ids = drawn(64, 3)
      const found = await store.lookup(ids)
      if (String(found.toArray()) !== String(layer.forward(ids).toArray())) throw new Error('a wrong answer')
      done++
      await setTimeout(1)
    }
  }
  const all = Promise.all([lookups(), lookups(), lookups()])
  await setTimeout(1000)
  await servers[0].kill()
  // Rows of the killed master are there once its replica has taken over.
  const ids = Int32Array.from({ length: ROWS }, (_, id) => id)
  store.invalidate()
  same(t, await store.lookup(ids), ids)
  afterKill = done
  await setTimeout(1000)
  isOver = true
  await all
  t.true(done > afterKill)
  const { hits, misses } = store.stats
  t.log(`${done} lookups, hit rate ${((100 * hits) / (hits + misses)).toFixed(0)} %`)
  t.true(hits > 0)
  await store.close()
})
