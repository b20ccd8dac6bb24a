import test from 'ava'
import { randn, Tensor, tensor, Embedding, UsageError, zeros, type SharedTable } from '../../index.js'
import { refuses } from '../support/errors.js'
import { digest } from '../support/compare.js'
import { runScript, scenario } from '../support/child.js'

const SCRIPT = 'lifetime/sharing.js'
const { fromShared } = Tensor

test('a handle is a plain object that can be cloned', (t) => {
  const table = new Embedding(4, 3).weight
  const handle = table.share()
  t.deepEqual(structuredClone(handle), handle)
  t.deepEqual(JSON.parse(JSON.stringify(handle)), handle)
  t.deepEqual([handle.dtype, handle.shape], ['float32', [4, 3]])
  t.deepEqual(table.share(), handle, 'shared once')
  t.is(table.narrow(0, 1, 2).share().id, handle.id)
})

test('an opened tensor shares the memory, whole or in part, for any type', (t) => {
  for (const dtype of ['float32', 'float64', 'float16', 'int8', 'int64', 'bool'] as const) {
    const table = zeros([5, 3], { dtype })
    const opened = fromShared(table.share())
    t.deepEqual([opened.dtype, opened.shape], [dtype, [5, 3]])
    table.set([1], 4)
    t.is(digest(opened), digest(table))
    const part = fromShared(table.narrow(0, 1, 2).reshape(6).share())
    t.deepEqual(part.shape, [6])
    part.set([1], 5)
    t.is(digest(part), digest(table.narrow(0, 1, 2)))
    t.is(String(opened), String(table))
  }
  t.deepEqual(fromShared(zeros([0, 3]).share()).shape, [0, 3])
  t.false(fromShared(randn([2], { requiresGrad: true }).share()).requiresGrad)
})

test("V8's memory moves when it is shared: older arrays become empty, newer ones are live", (t) => {
  const table = tensor([
    [1, 2],
    [3, 4],
  ])
  const view = table.reshape(4)
  const before = table.data
  const opened = fromShared(table.share())
  t.is(before.length, 0)
  table.data[0] = 5
  t.deepEqual([...opened.data, ...view.data], [5, 2, 3, 4, 5, 2, 3, 4])
  t.deepEqual(Embedding.fromPretrained(opened).forward([1]).toArray(), [[3, 4]])
})

test('in one thread, the opened tensor shares memory with the original', async (t) => {
  const table = tensor(
    Float32Array.from({ length: 12 }, (_, i) => i),
    { shape: [6, 2] },
  )
  const opened = fromShared(table.share())
  // Overlapping parts of the same memory.
  table.set(opened.narrow(0, 0, 3), 2)
  t.deepEqual([...opened.data.subarray(0, 8)], [0, 1, 0, 1, 2, 3, 4, 5])
  const embedding = Embedding.fromPretrained(table, { maxNorm: 1 })
  refuses(t, () => embedding.forward([1], { out: opened.narrow(0, 1, 1) }), 'USAGE', 'shares memory')
  t.deepEqual([...opened.data.subarray(2, 4)], [0, 1], 'nothing was rescaled')
  for (const [read, written] of [
    [table, opened],
    [opened, table],
  ]) {
    const pending = Embedding.fromPretrained(read).forwardAsync([1])
    refuses(t, () => written.set([1]), 'USAGE', 'forwardAsync')
    await pending
    t.notThrows(() => written.set([0]))
  }
})

test('forwardAsync reads a shared table like any other', async (t) => {
  const embedding = Embedding.fromPretrained(fromShared(randn([6, 4]).share()))
  const pending = embedding.forwardAsync([1, 5])
  t.throws(() => embedding.weight.set([1]), { instanceOf: UsageError, message: /forwardAsync/ })
  t.is(digest(await pending), digest(embedding.forward([1, 5])))
})

test('a handle is valid until unshare', (t) => {
  const table = randn([3])
  table.unshare()
  const handle = table.share()
  const opened = fromShared(handle)
  opened.unshare()
  refuses(t, () => fromShared(handle), 'USAGE', 'no longer shared')
  opened.set([7])
  t.is(table.data[0], 7)
  const again = table.share()
  t.not(again.id, handle.id)
  t.is(fromShared(again).data[0], 7)
  refuses(t, () => fromShared(handle), 'USAGE', 'no longer shared')
})

test('a handle is valid until the last tensor of its thread is disposed', (t) => {
  const table = randn([3])
  const handle = table.share()
  const opened = fromShared(handle)
  const { data } = opened
  table.dispose()
  fromShared(handle).dispose()
  opened.dispose()
  t.is(data.length, 0)
  refuses(t, () => fromShared(handle), 'USAGE', 'no longer shared')
  refuses(t, () => opened.share(), 'USAGE', 'disposed')
  refuses(t, () => opened.unshare(), 'USAGE', 'disposed')
})

test('rejects values that are not handles', (t) => {
  const table = randn([4, 2])
  const handle = table.share()
  const bad: [unknown, string][] = [
    [undefined, 'a result of share()'],
    [null, 'a result of share()'],
    [5, 'a result of share()'],
    [structuredClone({ shape: table.shape, dtype: table.dtype }), 'a result of share()'],
    [table, 'a result of share()'],
    [{ ...handle, id: -1 }, 'a result of share()'],
    [{ ...handle, shape: [4, 0.5] }, 'a result of share()'],
    [{ ...handle, process: 'x' }, 'another process'],
    [{ ...handle, id: 2 ** 40 }, 'no longer shared'],
    [{ ...handle, shape: [5, 2] }, 'post handles unchanged'],
    [{ ...handle, offset: 4 }, 'post handles unchanged'],
    [{ ...handle, offset: 2, shape: [1] }, 'post handles unchanged'],
    [{ ...handle, shape: [2 ** 52, 2 ** 52] }, 'post handles unchanged'],
    [{ ...handle, dtype: 'float64' }, 'post handles unchanged'],
  ]
  for (const [one, part] of bad) refuses(t, () => fromShared(one as SharedTable), 'USAGE', part)
  refuses(t, () => fromShared({ ...handle, dtype: 'float8' as never }), 'DTYPE', 'float8')
})

test.serial("workers use one table without a copy and see each other's writes", async (t) => {
  const found = await scenario<Record<string, unknown>>(SCRIPT, 'oneTable')
  t.deepEqual(found, {
    same: true,
    tables: [1, 1, 1, 1],
    grown: false,
    written: [100, 101, 102, 103],
    data: 32_000 * 512,
    after: 0,
  })
})

test.serial('memory is shared even where live data is forbidden', async (t) => {
  const found = await scenario<Record<string, unknown>>(SCRIPT, 'oneTable', { TOKENBED_LIVE_DATA: '0' })
  t.deepEqual(found, {
    same: true,
    tables: [1, 1, 1, 1],
    grown: false,
    written: [100, 101, 102, 103],
    data: 32_000 * 512,
    after: 0,
  })
})

test.serial('a mapped table is shared, and unmapped with the last tensor of all threads', async (t) => {
  t.deepEqual(await scenario<object>(SCRIPT, 'mapped'), { row: [4, 5], disposed: 'USAGE', mapped: true, after: 0 })
})

test.serial("a worker's table lives as long as the worker or as another thread that opened it", async (t) => {
  t.deepEqual(await scenario<object>(SCRIPT, 'fromWorker'), {
    before: [1, 2, 3],
    late: 'USAGE',
    kept: [1, 2, 3],
    tables: 12,
    after: 0,
  })
})

test.serial('a handle of another process is rejected', async (t) => {
  const handle = randn([3]).share()
  t.deepEqual(await scenario<object>(SCRIPT, 'foreign', { HANDLE: JSON.stringify(handle) }), {
    code: 'USAGE',
    other: true,
  })
})

test.serial('ending workers at any moment of their lookups is safe', async (t) => {
  const { started, tables, results, pool, works, grown } = await scenario<Record<string, number>>(SCRIPT, 'terminated')
  t.is(started, 200)
  t.deepEqual([tables, works], [0, 1])
  // If a buffer was collected just before its worker ended, its memory is not freed, because the buffer may have been
  // moved to another thread. Each worker has at most a few such results of 3 MB, and most have none.
  t.true(results <= 32 * 2 ** 20, `${results}`)
  t.true(pool <= 256 * 2 ** 20)
  t.log(`${(grown / 2 ** 20).toFixed(1)} MiB grown`)
  t.true(grown < 200 * 2 ** 20, `${grown}`)
})

test.serial('memory that a worker moves to another thread outlives the worker', async (t) => {
  const { code, stdout, stderr } = await runScript('../../scripts/release/smoke/moved.mjs')
  t.deepEqual([code, stdout], [0, 'whole\n'], stderr)
})
