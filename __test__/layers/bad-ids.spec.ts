import test, { type ExecutionContext } from 'ava'
import { Embedding, tensor, TokenPositionEmbedding, zeros, type Ids } from '../../index.js'
import { detached, resizable, shrunk } from '../support/buffers.js'
import { digest } from '../support/compare.js'
import { refuses } from '../support/errors.js'

type Code = 'USAGE' | 'SHAPE' | 'DTYPE' | 'TOKEN_INDEX'

/** The fault, the ids, and the class and text of the error. Both layers have 8 rows. */
const BAD: [string, () => unknown, Code, ...string[]][] = [
  ['a negative id', () => [0, -1], 'TOKEN_INDEX', 'id -1 at [1] is out of range for a table of 8 rows'],
  ['an id of V', () => [0, 8], 'TOKEN_INDEX', 'id 8 at [1] is out of range for a table of 8 rows'],
  [
    'several bad ids',
    () => [
      [0, 8],
      [9, 10],
    ],
    'TOKEN_INDEX',
    'id 8 at [0, 1] is out of range for a table of 8 rows (2 more)',
  ],
  ['2^32', () => [2 ** 32], 'TOKEN_INDEX', 'id 4294967296 at [0]'],
  ['2^53 - 1', () => [2 ** 53 - 1], 'TOKEN_INDEX', 'id 9007199254740991 at [0]'],
  ['a negative Int8', () => Int8Array.of(-128), 'TOKEN_INDEX', 'id -128 at [0]'],
  ['a large Uint32', () => Uint32Array.of(1, 2 ** 32 - 1), 'TOKEN_INDEX', 'id 4294967295 at [1]'],
  ['a large BigInt64', () => BigInt64Array.of(2n ** 40n), 'TOKEN_INDEX', 'id 1099511627776 at [0]'],
  ['the smallest BigInt64', () => BigInt64Array.of(-(2n ** 63n)), 'TOKEN_INDEX', 'id -9223372036854775808 at [0]'],
  ['the largest BigUint64', () => BigUint64Array.of(2n ** 64n - 1n), 'TOKEN_INDEX', 'id 18446744073709551615 at [0]'],
  ['a bigint of 64 bits', () => [2n ** 63n - 1n], 'TOKEN_INDEX', 'id 9223372036854775807 at [0]'],
  ['a bigint beyond int64', () => [1n, 2n ** 63n], 'USAGE', 'id 9223372036854775808n at [1]'],
  ['a bad id in a tensor', () => tensor([[1], [99]], { dtype: 'int64' }), 'TOKEN_INDEX', 'id 99 at [1, 0]'],
  ['a fraction', () => [1, 1.5], 'USAGE', 'id 1.5 at [1]'],
  ['NaN', () => [NaN], 'USAGE', 'id NaN at [0]'],
  ['Infinity', () => [[1], [Infinity]], 'USAGE', 'id Infinity at [1, 0]'],
  ['-Infinity', () => [-Infinity], 'USAGE', 'id -Infinity'],
  ['2^53', () => [2 ** 53], 'USAGE', 'id 9007199254740992'],
  ['null', () => [1, null], 'USAGE', 'id null at [1]'],
  ['undefined', () => [undefined], 'USAGE', '[0]', 'undefined'],
  ['a string', () => ['1'], 'USAGE', "id '1' at [0]"],
  ['a boolean', () => [true], 'USAGE', 'id true at [0]'],
  ['an object', () => [{}], 'USAGE', 'id {} at [0]'],
  ['a symbol', () => [Symbol('id')], 'USAGE', 'Symbol(id)'],
  ['a typed array in an array', () => [Int32Array.of(1)], 'USAGE', 'Int32Array'],
  ['a tensor in an array', () => [tensor(1, { dtype: 'int32' })], 'USAGE', 'tensor'],
  ['a hole', () => [1, , 2], 'USAGE', '[1]', 'undefined'], // eslint-disable-line no-sparse-arrays
  ['many holes', () => new Array(2 ** 32 - 1), 'USAGE', '[0]', 'undefined'],
  ['ragged rows', () => [[1, 2], [3]], 'SHAPE', '[1]', 'an array of length 1', 'arrays of length 2'],
  ['a number among rows', () => [[1, 2], 3], 'SHAPE', '[1]'],
  ['a row among numbers', () => [1, [2, 3]], 'SHAPE', '[1]'],
  ['an array that contains itself', itself, 'SHAPE', 'nested'],
  ['a float32 tensor', () => zeros([2]), 'DTYPE', 'float32', "to('int32')"],
  ['a bool tensor', () => zeros([2], { dtype: 'bool' }), 'DTYPE', 'bool'],
  ['a Float32Array', () => Float32Array.of(1), 'DTYPE', 'Float32Array', 'Int32Array'],
  ['a Float64Array', () => Float64Array.of(1), 'DTYPE', 'Float64Array'],
  ['a DataView', () => new DataView(new ArrayBuffer(8)), 'DTYPE', 'DataView'],
  ['an ArrayBuffer', () => new ArrayBuffer(8), 'USAGE', 'ArrayBuffer'],
  ['a plain object', () => ({ length: 1, 0: 1 }), 'USAGE', 'ids must be'],
  ['null itself', () => null, 'USAGE', 'null'],
  ['nothing', () => undefined, 'USAGE', 'undefined'],
  ['a number', () => 3, 'USAGE', '3'],
  ['a string itself', () => '123', 'USAGE', "'123'"],
  ['a set', () => new Set([1]), 'USAGE', 'Set'],
  ['a detached array', () => detached(Int32Array.of(1, 2)), 'USAGE', 'transferred or shrunk'],
  ['a detached BigInt64Array', () => detached(BigInt64Array.of(1n)), 'USAGE', 'transferred or shrunk'],
  ['an array on a shrunk buffer', () => shrunk(4), 'USAGE', 'transferred or shrunk'],
  ['a detached resizable buffer', () => detached(new Int32Array(resizable(8))), 'USAGE', 'transferred or shrunk'],
  ['a disposed tensor', disposed, 'USAGE', 'disposed'],
  ['a tensor whose buffer was transferred', transferred, 'USAGE', 'transferred'],
]

function itself(): unknown {
  const ids: unknown[] = []
  ids.push(ids)
  return ids
}

function disposed(): Ids {
  const ids = tensor([1, 2], { dtype: 'int32' })
  ids.dispose()
  return ids
}

function transferred(): Ids {
  const ids = tensor([1, 2], { dtype: 'int32' })
  detached(ids.data)
  return ids
}

const embedding = new Embedding(8, 4)
const renormalised = new Embedding(8, 4, { maxNorm: 0.5 })
const layer = new TokenPositionEmbedding({ vocabSize: 8, contextLength: 4, dim: 4 })

/** Checks that tables are unchanged and the next call works. */
function unchanged<T>(t: ExecutionContext, run: () => T): T {
  const tables = [embedding.weight, renormalised.weight, ...layer.parameters()]
  const before = tables.map(digest)
  const result = run()
  t.deepEqual(tables.map(digest), before)
  t.deepEqual(embedding.forward([[7], [0]]).shape, [2, 1, 4])
  t.deepEqual(layer.forward([7, 0]).shape, [2, 4])
  return result
}

for (const [what, make, code, ...parts] of BAD) {
  test(`${what} is a ${code} error`, (t) => {
    unchanged(t, () => refuses(t, () => embedding.forward(make() as Ids), code, ...parts))
    unchanged(t, () => refuses(t, () => renormalised.forward(make() as Ids), code, ...parts))
    unchanged(t, () => refuses(t, () => layer.forward(make() as Ids), code, ...parts))
  })
}

test('the error about a bad id has its value, its place, the number of rows and how many more there are', (t) => {
  const error = refuses(
    t,
    () =>
      embedding.forward([
        [1, 2, 3],
        [4, 50, -6],
      ]),
    'TOKEN_INDEX',
  )
  const { position, value, size, count, message } = error
  t.deepEqual({ position, value, size, count }, { position: [1, 1], value: 50, size: 8, count: 2 })
  t.is(message, 'id 50 at [1, 1] is out of range for a table of 8 rows (1 more)')
  const one = refuses(t, () => embedding.forward(tensor(9, { dtype: 'int32' })), 'TOKEN_INDEX')
  t.deepEqual(one.position, [])
  t.is(one.message, 'id 9 at [] is out of range for a table of 8 rows')
  const shaped = refuses(t, () => embedding.forward(Int32Array.of(1, 2, 3, 9), { shape: [2, 1, 2] }), 'TOKEN_INDEX')
  t.deepEqual(shaped.position, [1, 0, 1])
})

test('finds a bad id at the end of very many', (t) => {
  for (const length of [15, 16, 17, 64, 100_003]) {
    for (const make of [Int32Array, Uint32Array, BigInt64Array, Uint8Array, Int16Array]) {
      const ids = new make(length)
      ids[length - 1] = (make === BigInt64Array ? 8n : 8) as never
      const error = refuses(t, () => embedding.forward(ids), 'TOKEN_INDEX')
      t.deepEqual([error.position, error.value, error.count], [[length - 1], 8, 1])
    }
  }
})

test('rejects invalid shapes', (t) => {
  const ids = [1, 2, 3, 4]
  refuses(t, () => embedding.forward(ids, { shape: [3] }), 'SHAPE', '4 ids', '[3]')
  refuses(t, () => embedding.forward(ids, { shape: [2, -2] }), 'USAGE', '-2')
  refuses(t, () => embedding.forward(ids, { shape: [0.5, 8] }), 'USAGE', '0.5')
  refuses(t, () => embedding.forward(ids, { shape: '22' as never }), 'USAGE', "'22'")
  refuses(t, () => embedding.forward(ids, { shape: new Array(2) }), 'USAGE', 'undefined')
  refuses(t, () => embedding.forward(ids, { shape: [[2], [2]] as never }), 'USAGE', '[ 2 ]')
  t.deepEqual(embedding.forward(ids, { shape: [2, 2] }).shape, [2, 2, 4])
})
