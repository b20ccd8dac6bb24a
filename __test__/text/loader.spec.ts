import test from 'ava'
import {
  createDataLoader,
  DataLoader,
  Generator,
  manualSeed,
  memoryUsage,
  Tokenizer,
  type Batch,
  type IntArray,
  type LoaderOptions,
} from '../../index.js'
import { defaultGenerator } from '../../api/tensor/random.js'
import { detached } from '../support/buffers.js'
import { refuses } from '../support/errors.js'

const numbers = (n: number) => Int32Array.from({ length: n }, (_, i) => i)
const small = { batchSize: 2, maxLength: 4, stride: 4 }
const rows = ({ inputs, targets }: Batch) => [inputs.toArray(), targets.toArray()]

test('yields 250 windows over the ids 0 to 1000 in order', (t) => {
  const loader = createDataLoader(numbers(1001), { ...small, shuffle: false })
  t.is(loader.length, 125)
  const batches = [...loader]
  t.is(batches.length, 125)
  t.deepEqual(rows(batches[0]), [
    [
      [0, 1, 2, 3],
      [4, 5, 6, 7],
    ],
    [
      [1, 2, 3, 4],
      [5, 6, 7, 8],
    ],
  ])
  t.deepEqual(batches[124].inputs.toArray(), [
    [992, 993, 994, 995],
    [996, 997, 998, 999],
  ])
  t.deepEqual(batches[124].targets.toArray(), [
    [993, 994, 995, 996],
    [997, 998, 999, 1000],
  ])
})

test('yields the expected last batch, shuffled after manualSeed(123)', (t) => {
  manualSeed(123)
  const batches = [...createDataLoader(numbers(1001), small)]
  t.deepEqual(batches[124].inputs.toArray(), [
    [880, 881, 882, 883],
    [112, 113, 114, 115],
  ])
  t.deepEqual(batches[124].targets.toArray(), [
    [881, 882, 883, 884],
    [113, 114, 115, 116],
  ])
})

test('batches are fresh int32 tensors that belong to the caller', (t) => {
  const loader = createDataLoader(numbers(100), { ...small, shuffle: false })
  const [first, second] = loader
  t.deepEqual(
    [first.inputs.dtype, first.inputs.shape, first.targets.dtype, first.targets.shape],
    ['int32', [2, 4], 'int32', [2, 4]],
  )
  first.inputs.data.fill(7 as never)
  t.deepEqual(second.inputs.toArray()[0], [8, 9, 10, 11])
  t.deepEqual([...loader][0].inputs.toArray()[0], [0, 1, 2, 3])
  for (const { inputs, targets } of loader) {
    inputs.dispose()
    targets.dispose()
  }
  t.is(loader.ids[0], 0)
})

/** The definition of windows, as plain loops. */
function naive(
  n: number,
  options: Required<Pick<LoaderOptions, 'batchSize' | 'maxLength' | 'stride' | 'dropLast'>>,
): number[][] {
  const { batchSize, maxLength, stride, dropLast } = options
  const starts: number[] = []
  for (let start = 0; start < n - maxLength; start += stride) starts.push(start)
  const batches: number[][] = []
  for (let at = 0; at < starts.length; at += batchSize) batches.push(starts.slice(at, at + batchSize))
  return dropLast ? batches.filter((batch) => batch.length === batchSize) : batches
}

test('windows agree with their definition for many sizes', (t) => {
  let cases = 0
  for (const n of [2, 3, 5, 8, 17, 40, 64]) {
    for (const maxLength of [1, 2, 3, 7, 16]) {
      for (const stride of [1, 2, 3, 5, 16, 100]) {
        for (const batchSize of [1, 2, 3, 8]) {
          for (const dropLast of [true, false]) {
            if (n <= maxLength) continue
            cases++
            const options = { maxLength, stride, batchSize, dropLast }
            const loader = createDataLoader(numbers(n), { ...options, shuffle: false })
            const expected = naive(n, options)
            const found = [...loader]
            t.is(loader.length, expected.length)
            const at = (shift: number) =>
              expected.map((batch) => batch.map((start) => [...numbers(maxLength)].map((i) => start + i + shift)))
            t.deepEqual(
              found.map(({ inputs }) => inputs.toArray()),
              at(0),
            )
            t.deepEqual(
              found.map(({ targets }) => targets.toArray()),
              at(1),
            )
          }
        }
      }
    }
  }
  t.true(cases > 900)
})

test('a shuffled epoch yields every window once, each time in another order', (t) => {
  const loader = createDataLoader(numbers(101), { batchSize: 3, maxLength: 1, stride: 1, dropLast: false })
  const orders = [0, 1].map(() => [...loader].flatMap(({ inputs }) => [...(inputs.data as Int32Array)]))
  for (const order of orders)
    t.deepEqual(
      [...order].sort((a, b) => a - b),
      [...numbers(100)],
    )
  t.notDeepEqual(orders[0], orders[1])
})

test('an explicit generator and the default one do not affect each other', (t) => {
  manualSeed(1)
  const before = defaultGenerator().getState()
  const generator = new Generator(4)
  void [...createDataLoader(numbers(50), { ...small, generator })]
  t.deepEqual(defaultGenerator().getState(), before)
  const own = generator.getState()
  void [...createDataLoader(numbers(50), small)]
  t.deepEqual(generator.getState(), own)
})

const SOURCES: [string, IntArray | number[]][] = [
  ['an array', [5, 6, 7, 8]],
  ['an Int32Array', Int32Array.of(5, 6, 7, 8)],
  ['a Uint32Array', Uint32Array.of(5, 6, 7, 8)],
  ['a Uint8Array', Uint8Array.of(5, 6, 7, 8)],
  ['an Int16Array', Int16Array.of(5, 6, 7, 8)],
  ['a BigInt64Array', BigInt64Array.of(5n, 6n, 7n, 8n)],
  ['a BigUint64Array', BigUint64Array.of(5n, 6n, 7n, 8n)],
  ['a part of an array', Int32Array.of(1, 5, 6, 7, 8, 1).subarray(1, 5)],
  ['an array on a SharedArrayBuffer', new Int32Array(new SharedArrayBuffer(16)).fill(0).map((_, i) => i + 5)],
]

for (const [name, source] of SOURCES) {
  test(`accepts ids as ${name}`, (t) => {
    const [batch] = createDataLoader(source, { batchSize: 1, maxLength: 3, shuffle: false })
    t.deepEqual(rows(batch), [[[5, 6, 7]], [[6, 7, 8]]])
  })
}

test('32-bit ids are stored once, without conversion, whatever the overlap', (t) => {
  const ids = new Int32Array(4_000_000)
  const before = process.memoryUsage().arrayBuffers
  const { tables } = memoryUsage()
  const loader = createDataLoader(ids, { maxLength: 1024, stride: 1, shuffle: false })
  t.is(loader.ids, ids)
  t.true(process.memoryUsage().arrayBuffers - before < 2 ** 20)
  t.is(loader.length, Math.floor((4_000_000 - 1024) / 4))
  t.true(memoryUsage().tables <= tables)
})

test('encodes a text with the tokenizer', (t) => {
  const text = 'In the sunlit terraces of some unknown place. '.repeat(4)
  const tokenizer = Tokenizer.load('gpt2')
  const loader = createDataLoader(text, { tokenizer, maxLength: 4, stride: 2, batchSize: 2, shuffle: false })
  t.deepEqual(loader.ids, tokenizer.encode(text))
  t.deepEqual(createDataLoader(text, { maxLength: 4 }).ids, loader.ids)
  refuses(t, () => createDataLoader('a <|endoftext|> b', { maxLength: 1 }), 'USAGE', '<|endoftext|>')
  t.true([...createDataLoader('a <|endoftext|> b', { maxLength: 1, allowedSpecial: 'all' }).ids].includes(50256))
  t.true(
    [
      ...createDataLoader('a <|endoftext|> b', { maxLength: 1, allowedSpecial: new Set(['<|endoftext|>']) }).ids,
    ].includes(50256),
  )
})

test('too few ids for a window and its targets are an error with both numbers', (t) => {
  refuses(t, () => createDataLoader('Hello', { maxLength: 4 }), 'USAGE', '1 ids', '5')
  refuses(t, () => createDataLoader('', { maxLength: 1 }), 'USAGE', '0 ids')
  refuses(t, () => createDataLoader([1, 2, 3, 4], { maxLength: 4 }), 'USAGE', '4 ids', '5')
  refuses(t, () => createDataLoader([1, 2]), 'USAGE', '2 ids', '257')
  t.is([...createDataLoader([1, 2, 3, 4, 5], { maxLength: 4, batchSize: 1 })].length, 1)
  t.is([...createDataLoader([1, 2, 3, 4, 5], { maxLength: 4 })].length, 0)
})

test('rejects sources that are not ids', (t) => {
  const make = (source: unknown) => () => createDataLoader(source as number[], { maxLength: 1 })
  refuses(t, make([1, -2, 3]), 'USAGE', 'id -2 at [1]')
  refuses(t, make([1, 2 ** 31]), 'USAGE', 'id 2147483648 at [1]')
  refuses(t, make(Uint32Array.of(1, 2 ** 31)), 'USAGE', '2147483648')
  refuses(t, make(BigUint64Array.of(2n ** 63n, 1n)), 'USAGE', '9223372036854775808')
  refuses(t, make([1, 1.5]), 'USAGE', '1.5')
  refuses(t, make(Float32Array.of(1, 2)), 'DTYPE', 'Float32Array')
  refuses(t, make(detached(Int32Array.of(1, 2, 3))), 'USAGE', 'transferred')
})

test('checks options', (t) => {
  const make = (options: object) => () => createDataLoader(numbers(100), options)
  for (const name of ['batchSize', 'maxLength', 'stride']) {
    for (const size of [0, -1, 1.5, NaN, '4', null, 2n]) refuses(t, make({ [name]: size }), 'USAGE', name)
  }
  refuses(t, make({ shuffle: 1 }), 'USAGE', 'shuffle')
  refuses(t, make({ dropLast: 'no' }), 'USAGE', 'dropLast')
  refuses(t, make({ generator: 5 }), 'USAGE', 'Generator')
  refuses(t, make({ tokenizer: 'gpt2' }), 'USAGE', 'Tokenizer', "'gpt2'")
  refuses(t, make({ batchsize: 2 }), 'USAGE', '"batchsize"', 'batchSize, maxLength')
  refuses(t, () => createDataLoader('text', { maxLength: 1, allowedSpecial: ['a'] as never }), 'USAGE', 'Set')
  t.throws(() => (DataLoader as never as () => void)(), { instanceOf: TypeError })
})

test('windows larger than memory are rejected when a batch is made, not before', (t) => {
  const loader = createDataLoader(numbers(100), {
    batchSize: 2 ** 50,
    maxLength: 4,
    stride: 1,
    dropLast: false,
    shuffle: false,
  })
  t.deepEqual([...loader][0].inputs.shape, [96, 4])
})
