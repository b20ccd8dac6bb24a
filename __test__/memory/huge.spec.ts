import test, { type ExecutionContext } from 'ava'
import { constants } from 'node:buffer'
import { join } from 'node:path'
import {
  capabilities,
  concat,
  Embedding,
  loadSafetensors,
  scope,
  type Tensor,
  TokenPositionEmbedding,
  UsageError,
  zeros,
} from '../../index.js'
import { digest } from '../support/compare.js'
import { scenario } from '../support/child.js'
import { writeSparse } from '../support/sparse.js'
import { temporaryFolder } from '../support/temporary.js'

// An odd number, so that rows straddle the boundaries: 2^31 and 2^32 bytes, 2^31 and 2^32 elements.
const [ROWS, DIM] = [4_203_000, 1023]
const BOUNDARIES = [2 ** 31 / 4, 2 ** 32 / 4, 2 ** 31, 2 ** 32].map((element) => Math.floor(element / DIM))
const KNOWN = [0, 1, ...BOUNDARIES.flatMap((row) => [row - 1, row, row + 1]), ROWS - 2, ROWS - 1]

/** The expected contents of a written row; all others are 0. */
const rowOf = (row: number) => Float32Array.from({ length: DIM }, (_, i) => (row % 8191) + i / 1024 + 1)

const folder = temporaryFolder()
const path = join(folder, 'huge.safetensors')
const missing = writeSparse(
  path,
  'F32',
  [ROWS, DIM],
  ROWS * DIM * 4,
  KNOWN.map((row) => ({ at: row * DIM * 4, bytes: rowOf(row) })),
)

function load(t: ExecutionContext, file = path): Tensor | null {
  if (missing === null) return loadSafetensors(file).get('x')!
  t.log(`skipped: ${missing}`)
  t.pass()
  return null
}

const wanted = concat(KNOWN.map((row) => zeros([1, DIM]).set(rowOf(row))))

test('looks up rows around 2^31 and 2^32 bytes and elements', async (t) => {
  const table = load(t)
  if (table === null) return
  t.is(table.size, ROWS * DIM)
  t.true(table.size > 2 ** 32)
  const embedding = Embedding.fromPretrained(table)
  for (const ids of [Int32Array.from(KNOWN), BigInt64Array.from(KNOWN, BigInt), Uint32Array.from(KNOWN), [...KNOWN]]) {
    t.is(digest(embedding.forward(ids)), digest(wanted))
    t.is(digest(await embedding.forwardAsync(ids)), digest(wanted))
  }
  t.deepEqual(embedding.forward([2_000_000]).toArray(), zeros([1, DIM]).toArray(), 'between them nothing')
  const error = t.throws(() => embedding.forward([ROWS]))
  t.is(error?.message, `id ${ROWS} at [0] is out of range for a table of ${ROWS} rows`)
})

test('a huge table of tokens works together with positions', async (t) => {
  const table = load(t)
  if (table === null) return
  const layer = new TokenPositionEmbedding({ vocabSize: 1, contextLength: KNOWN.length, dim: DIM })
  const sum = wanted.add(layer.position.weight)
  // A table of this shape could not be drawn.
  Object.defineProperty(layer, 'token', { value: Embedding.fromPretrained(table) })
  t.is(digest(layer.forward(KNOWN)), digest(sum))
  t.is(digest(await layer.forwardAsync(KNOWN)), digest(sum))
})

test('a huge table of positions works', async (t) => {
  const table = load(t)
  if (table === null) return
  const layer = new TokenPositionEmbedding({ vocabSize: 2, contextLength: 1, dim: DIM })
  Object.defineProperty(layer, 'position', { value: Embedding.fromPretrained(table) })
  const ids = KNOWN.map(() => 1)
  const sum = wanted.add(layer.token.weight.narrow(0, 1, 1))
  t.is(digest(layer.forward(ids, { positions: KNOWN })), digest(sum))
  t.is(digest(await layer.forwardAsync(ids, { positions: KNOWN })), digest(sum))
  for (const row of BOUNDARIES) {
    const three = scope(() =>
      layer.token.weight
        .narrow(0, 1, 1)
        .add(concat([row - 1, row, row + 1].map((at) => wanted.narrow(0, KNOWN.indexOf(at), 1)))),
    )
    t.is(digest(layer.forward([1, 1, 1], { positionOffset: row - 1 })), digest(three))
    t.is(digest(await layer.forwardAsync([1, 1, 1], { positionOffset: row - 1 })), digest(three))
  }
})

test('maxNorm rescales rows at any place, in this process only', (t) => {
  const table = load(t)
  if (table === null) return
  const small = Embedding.fromPretrained(wanted.clone(), { maxNorm: 1 })
  const large = Embedding.fromPretrained(table, { maxNorm: 1 })
  t.is(digest(large.forward(KNOWN)), digest(small.forward(KNOWN.map((_, i) => i))))
  t.is(digest(Embedding.fromPretrained(load(t)!).forward(KNOWN)), digest(wanted))
})

test('parts along dimension 0 share the memory, for reading and writing', (t) => {
  const table = load(t)
  if (table === null) return
  for (const row of KNOWN) {
    const part = table.narrow(0, row, 1)
    t.deepEqual(part.data, rowOf(row))
    t.is(part.data, part.data)
    part.data[1] = 50
    t.is(table.narrow(0, row, 1).data[1], 50)
    part.set([60], DIM - 1)
    table.set([70], row * DIM)
    t.deepEqual([...part.data.subarray(0, 2), part.data[DIM - 1]], [70, 50, 60])
    t.deepEqual([...Embedding.fromPretrained(table).forward([row]).data.subarray(0, 2)], [70, 50])
  }
  const flat = table.reshape(-1)
  t.is(flat.narrow(0, flat.size - 1, 1).item(), 60)
  t.true(String(table).startsWith('tensor([[7.0000e+01, 5.0000e+01, 1.0020e+00,  ...'), String(table))
  const [first, last] = [table.narrow(0, 0, 1), table.narrow(0, ROWS - 1, 1)].map((part) => part.clone())
  t.is(first.data[1], last.data[1])
})

test('an array over a huge table is made if Node can make one, and refused with a clear error otherwise', (t) => {
  const table = load(t)
  if (table === null) return
  if (table.size * 4 <= constants.MAX_LENGTH) {
    const data = table.data
    t.is(data.length, ROWS * DIM)
    t.is(data[data.length - 1], rowOf(ROWS - 1)[DIM - 1])
    return
  }
  for (const run of [() => table.data, () => table.toArray(), () => table.narrow(0, 1, ROWS - 1).data]) {
    t.throws(run, { instanceOf: UsageError, message: /longer than the \d+ bytes that this Node allows: use narrow/ })
  }
  for (const run of [() => table.clone(), () => table.add(1), () => table.to('float64'), () => table.transpose(0, 1)]) {
    t.throws(run, { instanceOf: UsageError, message: /the most that an array holds|this machine has/ })
  }
})

test('parts of a disposed table are empty', (t) => {
  const table = load(t)
  if (table === null) return
  const parts = KNOWN.slice(0, 6).map((row) => table.narrow(0, row, 2))
  const arrays = parts.map((part) => part.data)
  const others = parts.map((part) => part.narrow(0, 0, 1).data)
  table.dispose()
  parts.forEach((part) => part.dispose())
  if (!capabilities().liveData) return t.pass()
  // Parts of parts still hold the memory.
  t.true(arrays.every((array) => array.length === 2 * DIM) && others.every((array) => array.length === DIM))
  const [x, y] = scope(() => {
    const again = load(t)!
    return [again.narrow(0, 3, 2).data, again.narrow(0, 3, 3).data]
  })
  t.deepEqual([x.length, y.length], [0, 0])
})

test('looks up ids that need all 32 bits', async (t) => {
  const table = load(t)
  if (table === null) return
  const rows = 2 ** 32 - 1
  const column = Embedding.fromPretrained(table.reshape(-1, 1).narrow(0, 0, rows))
  const at = (id: number) => (KNOWN.includes(Math.floor(id / DIM)) ? rowOf(Math.floor(id / DIM))[id % DIM] : 0)
  const ids = [0, 2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1, 2 ** 32 - 3, 2 ** 32 - 2]
  for (const batch of [Uint32Array.from(ids), BigUint64Array.from(ids, BigInt), ids]) {
    t.deepEqual([...column.forward(batch).data], ids.map(at))
    t.deepEqual([...(await column.forwardAsync(batch)).data], ids.map(at))
  }
  t.true(at(2 ** 31) > 0 && at(2 ** 32 - 2) > 0)
  t.throws(() => column.forward(Uint32Array.of(rows)), { message: /out of range/ })
  t.throws(() => Embedding.fromPretrained(table.reshape(-1, 1)), {
    instanceOf: UsageError,
    message: /at most 4294967295 rows/,
  })
})

test('supports more than 2^32 elements of one byte', (t) => {
  const bytes = 2 ** 32 + 5
  const file = join(folder, 'bytes.safetensors')
  const ends = [0, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, bytes - 1]
  const skipped =
    missing ??
    writeSparse(
      file,
      'I8',
      [bytes],
      bytes,
      ends.map((at, i) => ({ at, bytes: Int8Array.of(-1 - i) })),
    )
  if (skipped !== null) return t.pass(skipped)
  const table = loadSafetensors(file).get('x')!
  for (const [i, at] of ends.entries()) {
    t.is(table.narrow(0, at, 1).item(), -1 - i)
    t.is(table.set([i], at).narrow(0, at, 1).data[0], i)
  }
  t.is(
    table
      .narrow(0, 2 ** 32 - 1, 6)
      .to('float32')
      .toArray()[1],
    4,
  )
})

test.serial('a worker opens a table longer than the longest array', async (t) => {
  if (missing !== null) return t.pass(missing)
  const found = await scenario<Record<string, unknown>>('lifetime/sharing.js', 'huge', {
    HUGE: path,
    ROW: String(BOUNDARIES[3]),
  })
  t.deepEqual(found, { row: [...rowOf(BOUNDARIES[3]).subarray(0, 2)] })
})

test('parts are copies where arrays are copies', async (t) => {
  if (missing !== null) return t.pass(missing)
  const found = await scenario<Record<string, unknown>>('lifetime/sharing.js', 'huge', {
    HUGE: path,
    ROW: String(ROWS - 1),
    TOKENBED_LIVE_DATA: '0',
  })
  t.deepEqual(found, { row: [...rowOf(ROWS - 1).subarray(0, 2)] })
})
