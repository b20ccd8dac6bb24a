import test from 'ava'
import {
  arange,
  concat,
  Embedding,
  full,
  ones,
  tensor,
  Tensor,
  zeros,
  type DType,
  type TypedArray,
} from '../../index.js'
import { refuses } from '../support/errors.js'

const TYPES: DType[] = ['float32', 'float64', 'float16', 'bfloat16', 'int8', 'uint8', 'int32', 'int64', 'bool']

test('numbers in arrays become float32', (t) => {
  const x = tensor([
    [1, 2.5, -3],
    [4, 5, 6],
  ])
  t.is(x.dtype, 'float32')
  t.deepEqual(x.shape, [2, 3])
  t.is(x.size, 6)
  t.true(x.data instanceof Float32Array)
  t.deepEqual(x.toArray(), [
    [1, 2.5, -3],
    [4, 5, 6],
  ])
})

test('a number becomes a tensor without dimensions', (t) => {
  t.deepEqual(tensor(7).shape, [])
  t.is(tensor(7).item(), 7)
  t.is(tensor(7).toArray(), 7)
})

const KINDS: [TypedArray, DType][] = [
  [Float32Array.of(1.5, 2), 'float32'],
  [Float64Array.of(0.1, 2), 'float64'],
  [Int32Array.of(-1, 2), 'int32'],
  [BigInt64Array.of(-1n, 2n ** 60n), 'int64'],
  [Int8Array.of(-1, 2), 'int8'],
  [Uint8Array.of(255, 2), 'uint8'],
]

for (const [array, dtype] of KINDS) {
  test(`a ${array.constructor.name} becomes ${dtype} in new memory`, (t) => {
    const kept = array.slice()
    const x = tensor(array)
    t.is(x.dtype, dtype)
    t.deepEqual(x.data, kept)
    new Uint8Array(array.buffer).fill(7)
    t.deepEqual(x.data, kept)
  })
}

test('a Uint16Array holds the bits of the dtype that is given', (t) => {
  const bits = Uint16Array.of(0x3c00, 0xc000, 0x7c00)
  t.deepEqual(tensor(bits, { dtype: 'float16' }).toArray(), [1, -2, Infinity])
  t.deepEqual(tensor(Uint16Array.of(0x3f80, 0xc000), { dtype: 'bfloat16' }).toArray(), [1, -2])
  refuses(t, () => tensor(bits), 'DTYPE', 'Uint16Array', "'float16' or 'bfloat16'")
  t.deepEqual(tensor(Uint16Array.of(1, 65535), { dtype: 'int32' }).toArray(), [1, 65535])
})

test('other arrays need a dtype', (t) => {
  refuses(t, () => tensor(Uint32Array.of(1) as never), 'DTYPE', 'Uint32Array')
  refuses(t, () => tensor(BigUint64Array.of(1n) as never), 'DTYPE', 'BigUint64Array')
  t.deepEqual(tensor(Uint32Array.of(1, 7) as never, { dtype: 'int64' }).data, BigInt64Array.of(1n, 7n))
  refuses(t, () => tensor(new DataView(new ArrayBuffer(8)) as never), 'USAGE', 'DataView')
})

test('booleans become bool, and every number except 0 is true', (t) => {
  t.is(tensor([true, false] as never).dtype, 'bool')
  t.deepEqual(tensor([0, 2, -1, 0.5], { dtype: 'bool' }).toArray(), [false, true, true, true])
  t.deepEqual(tensor([0, 2], { dtype: 'bool' }).data, Uint8Array.of(0, 1))
})

for (const dtype of TYPES) {
  test(`${dtype}: creates, reads, writes and clones`, (t) => {
    const x = tensor(
      [
        [0, 1],
        [1, 0],
      ],
      { dtype },
    )
    const values =
      dtype === 'bool'
        ? [
            [false, true],
            [true, false],
          ]
        : [
            [0, 1],
            [1, 0],
          ]
    t.deepEqual(x.toArray(), values)
    t.deepEqual(x.clone().toArray(), values)
    t.deepEqual(zeros([2], { dtype }).toArray().map(Number), [0, 0])
    t.deepEqual(ones([2], { dtype }).toArray().map(Number), [1, 1])
    t.deepEqual(x.set([1], 3).toArray().flat().map(Number), [0, 1, 1, 1])
    t.deepEqual(zeros([4], { dtype }).set(x.reshape(4)).toArray().map(Number), [0, 1, 1, 1])
    t.is(tensor([1], { dtype }).item(), 1)
  })
}

test('values that the type cannot hold are rejected, never truncated', (t) => {
  refuses(t, () => tensor([1, 300], { dtype: 'int8' }), 'DTYPE', 'element 1', '300', 'int8')
  refuses(t, () => tensor([-1], { dtype: 'uint8' }), 'DTYPE', '-1')
  refuses(t, () => tensor([1.5], { dtype: 'int32' }), 'DTYPE', '1.5')
  refuses(t, () => tensor([NaN], { dtype: 'int64' }), 'DTYPE', 'NaN')
  refuses(t, () => tensor([2n ** 63n] as never, { dtype: 'int64' }), 'DTYPE', '9223372036854775808')
  refuses(t, () => full([2], 256, { dtype: 'uint8' }), 'DTYPE', '256')
  refuses(t, () => tensor([1], { dtype: 'float8' as never }), 'DTYPE', 'float8', 'known: float32, float64')
  const x = tensor([1, 2], { dtype: 'int8' })
  refuses(t, () => x.set([5, 1000]), 'DTYPE', 'element 1')
  t.deepEqual(x.toArray(), [1, 2])
})

test('elements that are not numbers are errors with their place', (t) => {
  refuses(t, () => tensor([1, '2'] as never), 'USAGE', 'element 1', "'2'")
  refuses(t, () => tensor([[1, null]] as never), 'USAGE', 'null')
  refuses(t, () => tensor([1, , 3] as never), 'USAGE', '[1]', 'undefined') // eslint-disable-line no-sparse-arrays
  refuses(t, () => tensor({} as never), 'USAGE', '{}')
  refuses(t, () => tensor(undefined as never), 'USAGE', 'undefined')
})

test('ragged nesting is an error with its place', (t) => {
  refuses(t, () => tensor([[1, 2], [3]]), 'SHAPE', '[1]', 'an array of length 1', 'arrays of length 2')
  refuses(t, () => tensor([[1, 2], 3]), 'SHAPE', '[1]')
  refuses(t, () => tensor([1, [2]]), 'SHAPE', '[1]')
  const itself: never[] = []
  itself.push(itself as never)
  refuses(t, () => tensor(itself), 'SHAPE', 'nested')
})

test('shape arranges flat data and must fit', (t) => {
  t.deepEqual(tensor([1, 2, 3, 4], { shape: [2, 2] }).toArray(), [
    [1, 2],
    [3, 4],
  ])
  t.deepEqual(tensor(Int8Array.of(1, 2), { shape: [2, 1] }).shape, [2, 1])
  refuses(t, () => tensor([1, 2, 3], { shape: [2, 2] }), 'SHAPE', '3 elements', '[2, 2]')
  const given = [2]
  const x = tensor([1, 2], { shape: given })
  given[0] = 9
  t.deepEqual(x.shape, [2])
  t.throws(() => ((x.shape as number[])[0] = 5), { instanceOf: TypeError })
})

test('sizes must be integers that fit in memory, and are checked before allocation', (t) => {
  for (const shape of [[-1], [1.5], [NaN], ['2'], [2n], new Array(2), [Infinity]]) {
    refuses(t, () => zeros(shape as number[]), 'USAGE', 'size 0')
  }
  const before = process.memoryUsage().rss
  refuses(t, () => zeros([1e12, 1e6]), 'USAGE', '[1000000000000, 1000000]', 'GiB')
  refuses(t, () => full([1e12, 1e6], 1), 'USAGE', 'GiB')
  refuses(t, () => arange(1e15), 'USAGE', 'GiB')
  t.true(process.memoryUsage().rss - before < 2 ** 24)
})

test('rejects unknown options', (t) => {
  refuses(t, () => tensor([1], { type: 'int8' } as never), 'USAGE', '"type"', 'dtype, requiresGrad, shape')
  refuses(t, () => zeros([1], { shape: [1] } as never), 'USAGE', '"shape"')
  refuses(t, () => ones([1], 'int8' as never), 'USAGE', "'int8'")
  refuses(t, () => full([1], 1, null as never), 'USAGE', 'null')
  refuses(t, () => arange(3, { step: 1 } as never), 'USAGE', '"step"')
  refuses(t, () => full([1], '1' as never), 'USAGE', "'1'")
})

test('creates empty tensors', (t) => {
  t.deepEqual(tensor([]).shape, [0])
  t.deepEqual(tensor([[], []]).shape, [2, 0])
  t.deepEqual(tensor([[], []]).toArray(), [[], []])
  t.deepEqual(zeros([0, 3]).sum(0).toArray(), [0, 0, 0])
  t.deepEqual(zeros([0]).add(1).toArray(), [])
  t.deepEqual(concat([zeros([0, 2]), ones([1, 2])]).toArray(), [[1, 1]])
  t.is(zeros([0]).data.length, 0)
})

test('arange counts in int32 by default, or in a given dtype', (t) => {
  t.deepEqual(arange(4).data, Int32Array.of(0, 1, 2, 3))
  t.deepEqual(arange(2, 5).toArray(), [2, 3, 4])
  t.deepEqual(arange(5, 0, -2).toArray(), [5, 3, 1])
  t.deepEqual(arange(3, 3).shape, [0])
  t.deepEqual(arange(5, 3).shape, [0])
  t.deepEqual(arange(0, 1, 0.25, { dtype: 'float32' }).toArray(), [0, 0.25, 0.5, 0.75])
  t.deepEqual(arange(3, { dtype: 'int64' }).data, BigInt64Array.of(0n, 1n, 2n))
  t.is(arange(10_000).sum().item(), 49_995_000)
  refuses(t, () => arange(0, 1, 0.25), 'DTYPE', '0.25')
  refuses(t, () => arange(0, 1, 0), 'USAGE', 'step')
  refuses(t, () => arange(NaN), 'USAGE', 'NaN')
  refuses(t, () => arange('3' as never), 'USAGE')
  refuses(t, () => arange(200, { dtype: 'int8' }), 'DTYPE', '199')
})

test('set writes from an offset on, and writes nothing if the values do not fit', (t) => {
  const x = zeros([2, 3])
  t.is(x.set([1, 2], 4), x)
  t.deepEqual(x.toArray(), [
    [0, 0, 0],
    [0, 1, 2],
  ])
  x.set(tensor([7, 8], { dtype: 'int64' }))
  t.deepEqual(x.toArray(), [
    [7, 8, 0],
    [0, 1, 2],
  ])
  x.set({ length: 1, 0: 9 })
  t.is(x.data[0], 9)
  refuses(t, () => x.set([1, 2], 5), 'SHAPE', '2 values from offset 5')
  refuses(t, () => x.set([1], -1), 'USAGE', '-1')
  refuses(t, () => x.set([1], 0.5), 'USAGE', '0.5')
  refuses(t, () => x.set(null as never), 'USAGE')
  refuses(t, () => x.set([1, 'a'] as never), 'USAGE', 'element 1')
  t.deepEqual(x.toArray(), [
    [9, 8, 0],
    [0, 1, 2],
  ])
})

test('set copies overlapping memory as it was before', (t) => {
  const bytes = arange(6).to('uint8')
  bytes.set(Buffer.from(bytes.data.buffer, 0, 4), 2)
  t.deepEqual(bytes.toArray(), [0, 1, 0, 1, 2, 3])
  for (const x of [arange(6), new Embedding(6, 1).weight.set([0, 1, 2, 3, 4, 5])]) {
    t.deepEqual(x.set(x).toArray().flat(), [0, 1, 2, 3, 4, 5])
    t.deepEqual(
      x
        .set(x.narrow(0, 0, 4), 2)
        .toArray()
        .flat(),
      [0, 1, 0, 1, 2, 3],
    )
    t.deepEqual(
      x
        .set(x.narrow(0, 2, 4))
        .toArray()
        .flat(),
      [0, 1, 2, 3, 2, 3],
    )
  }
})

test('int64 values beyond 2^53 are read as bigint', (t) => {
  const x = tensor(BigInt64Array.of(5n, 2n ** 53n + 1n, -(2n ** 63n)))
  t.deepEqual(x.toArray(), [5, 2n ** 53n + 1n, -(2n ** 63n)])
})

test('item requires one element', (t) => {
  t.is(tensor([[3]]).item(), 3)
  t.is(tensor([[true]] as never).item(), 1)
  refuses(t, () => tensor([1, 2]).item(), 'SHAPE', '[2]')
  refuses(t, () => zeros([0]).item(), 'SHAPE', '[0]')
})

test('reshape infers one size', (t) => {
  const x = arange(6)
  t.deepEqual(x.reshape(2, 3).toArray(), [
    [0, 1, 2],
    [3, 4, 5],
  ])
  t.deepEqual(x.reshape(-1, 2).shape, [3, 2])
  t.deepEqual(x.reshape(3, -1, 1).shape, [3, 2, 1])
  t.deepEqual(tensor([4]).reshape().shape, [])
  t.deepEqual(zeros([0, 2]).reshape(2, 0).shape, [2, 0])
  refuses(t, () => x.reshape(4, 2), 'SHAPE', '[6]', '[4, 2]')
  refuses(t, () => x.reshape(4, -1), 'SHAPE', '[4, -1]')
  refuses(t, () => x.reshape(-1, -1), 'USAGE')
  refuses(t, () => zeros([0]).reshape(0, -1), 'SHAPE')
})

test('narrow works along every dimension', (t) => {
  const x = arange(24).reshape(2, 3, 4)
  t.deepEqual(x.narrow(0, 1, 1).toArray(), [
    [
      [12, 13, 14, 15],
      [16, 17, 18, 19],
      [20, 21, 22, 23],
    ],
  ])
  t.deepEqual(x.narrow(1, 1, 2).narrow(2, 3, 1).toArray(), [
    [[7], [11]],
    [[19], [23]],
  ])
  t.deepEqual(x.narrow(-1, -2, 1).toArray(), [
    [[2], [6], [10]],
    [[14], [18], [22]],
  ])
  t.deepEqual(x.narrow(0, 2, 0).shape, [0, 3, 4])
  refuses(t, () => x.narrow(0, 1, 2), 'SHAPE', 'start 1 and length 2')
  refuses(t, () => x.narrow(3, 0, 1), 'SHAPE', 'dimension 3')
  refuses(t, () => x.narrow(0, 0.5, 1), 'USAGE', '0.5')
  refuses(t, () => x.narrow(0, 0, -1), 'USAGE', '-1')
})

test('transpose swaps two dimensions', (t) => {
  const x = arange(6).reshape(1, 2, 3)
  t.deepEqual(x.transpose(1, 2).toArray(), [
    [
      [0, 3],
      [1, 4],
      [2, 5],
    ],
  ])
  t.deepEqual(x.transpose(0, -1).shape, [3, 2, 1])
  t.deepEqual(x.transpose(1, 1).toArray(), x.toArray())
  refuses(t, () => x.transpose(0, 3), 'SHAPE', 'dimension 3')
})

test('concat works along every dimension, in the common type of the parts', (t) => {
  const [a, b] = [arange(4).reshape(2, 2), tensor([[9.5, 8]])]
  t.deepEqual(concat([a, b]).toArray(), [
    [0, 1],
    [2, 3],
    [9.5, 8],
  ])
  t.is(concat([a, b]).dtype, 'float32')
  t.deepEqual(concat([a, a], 1).toArray(), [
    [0, 1, 0, 1],
    [2, 3, 2, 3],
  ])
  t.deepEqual(concat([a, a], -1).shape, [2, 4])
  t.deepEqual(concat([a]).toArray(), a.toArray())
  refuses(t, () => concat([a, b], 1), 'SHAPE', '[2, 2]', '[1, 2]')
  refuses(t, () => concat([]), 'USAGE')
  refuses(t, () => concat([a, 3] as never), 'USAGE')
  refuses(t, () => concat([a], 2), 'SHAPE')
})

test('rejects shapes that do not fit together', (t) => {
  refuses(t, () => zeros([2, 3]).add(zeros([2])), 'SHAPE', '[2, 3]', '[2]')
  refuses(t, () => zeros([2, 3]).matmul(zeros([2, 3])), 'SHAPE', 'the first has 3 columns, the second 2 rows')
  refuses(t, () => zeros([2]).matmul(tensor(1)), 'SHAPE')
  refuses(t, () => zeros([2]).sum(1), 'SHAPE', 'dimension 1')
  refuses(t, () => zeros([2]).softmax(2), 'SHAPE', 'dimension 2')
  refuses(t, () => zeros([2]).add('1' as never), 'USAGE', "'1'")
  refuses(t, () => zeros([2]).matmul(2 as never), 'USAGE')
  refuses(t, () => arange(2).softmax(0), 'DTYPE', 'int32')
  refuses(t, () => arange(2).mean(), 'DTYPE', "to('float32')")
})

test('prints a sum as PyTorch does', (t) => {
  const sum = tensor([0.5, -0.2, 0.1]).add(tensor([0.1, 0.3, -0.1]))
  t.is(String(sum), 'tensor([0.6000, 0.1000, 0.0000])')
})

test('only floats may require gradients, and gradients flow through ops', (t) => {
  const x = ones([2], { requiresGrad: true })
  t.true(x.add(1).requiresGrad)
  t.true(x.reshape(2, 1).requiresGrad)
  t.false(x.detach().requiresGrad)
  t.false(x.to('int32').requiresGrad)
  t.is(String(x), 'tensor([1., 1.], requiresGrad=true)')
  refuses(t, () => arange(2, { requiresGrad: true } as never), 'USAGE', 'requiresGrad')
  refuses(t, () => zeros([2], { dtype: 'int32', requiresGrad: true }), 'DTYPE', 'int32')
  refuses(t, () => void (x.requiresGrad = 1 as never), 'USAGE')
})

test('tensors cannot be made by the constructor', (t) => {
  refuses(t, () => new (Tensor as never as new () => Tensor)(), 'USAGE', 'tensor(), zeros()')
  t.throws(() => (Tensor as never as () => void)(), { instanceOf: TypeError })
})

test("numbers outside an integer type's range are rejected, and no argument is ignored", (t) => {
  refuses(t, () => arange(3).add(1e30), 'DTYPE')
  refuses(t, () => (arange as (...args: number[]) => Tensor)(0, 10, 1, 5), 'USAGE')
  t.deepEqual(zeros([-0]).shape, [0])
})
