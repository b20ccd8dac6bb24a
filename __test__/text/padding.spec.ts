import test from 'ava'
import { join } from 'node:path'
import {
  Embedding,
  setNumThreads,
  Tokenizer,
  type PaddedBatch,
  type PaddingOptions,
  type TruncationOptions,
} from '../../index.js'
import { refuses } from '../support/errors.js'
import { readGolden, root } from '../support/golden.js'

type Expected = Required<Pick<TruncationOptions & PaddingOptions, 'maxLength' | 'truncationSide' | 'paddingSide'>> & {
  ids: number[][]
  mask: number[][]
}
const { texts, truncated } = readGolden<{ texts: string[]; truncated: Expected[] }>('hf/cases.json')
const file = (name: string) => Tokenizer.fromFile(join(root, `testdata/golden/hf/${name}.json`))
const gpt2 = Tokenizer.load('gpt2')

const rows = ({ ids, mask, lengths }: PaddedBatch) => ({
  ids: ids.toArray(),
  mask: mask.toArray(),
  lengths: [...lengths],
})

test('rows are truncated and padded as in the library', (t) => {
  const tokenizer = file('wordpiece')
  t.is(truncated.length, 10)
  for (const { ids, mask, ...options } of truncated) {
    const batch = tokenizer.encodeBatch(texts.slice(0, ids.length), { padding: 'maxLength', ...options })
    t.deepEqual(rows(batch), {
      ids,
      mask: mask.map((row) => row.map(Boolean)),
      lengths: mask.map((row) => row.reduce((sum, n) => sum + n, 0)),
    })
    // The same rows without padding.
    const { maxLength, truncationSide } = options
    const { ids: flat, offsets } = tokenizer.encodeBatch(texts.slice(0, ids.length), { maxLength, truncationSide })
    for (const [i, row] of ids.entries())
      t.deepEqual(
        [...flat.subarray(offsets[i], offsets[i + 1])],
        row.filter((_, k) => mask[i][k]),
      )
  }
})

test('pads to the longest text with the end-of-text token', (t) => {
  const batch = gpt2.encodeBatch(['Hello', '', 'do you like tea?'], { padding: 'longest' })
  t.deepEqual([batch.ids.dtype, batch.mask.dtype, batch.ids.shape, batch.mask.shape], ['int32', 'bool', [3, 5], [3, 5]])
  const E = 50256
  t.deepEqual(rows(batch), {
    ids: [
      [15496, E, E, E, E],
      [E, E, E, E, E],
      [4598, 345, 588, 8887, 30],
    ],
    mask: [
      [true, false, false, false, false],
      [false, false, false, false, false],
      [true, true, true, true, true],
    ],
    lengths: [1, 0, 5],
  })
  t.true(batch.lengths instanceof Uint32Array)
  const left = gpt2.encodeBatch(['Hello', 'do you like tea?'], {
    padding: 'longest',
    maxLength: 2,
    paddingSide: 'left',
    truncationSide: 'left',
    paddingId: 0,
  })
  t.deepEqual(rows(left), {
    ids: [
      [0, 15496],
      [8887, 30],
    ],
    mask: [
      [false, true],
      [true, true],
    ],
    lengths: [1, 2],
  })
})

test('padded rows go straight into a layer with a row for padding', (t) => {
  const layer = new Embedding(gpt2.vocabSize, 3)
  t.deepEqual(layer.forward(gpt2.encodeBatch(['Hello', 'do you'], { padding: 'longest' }).ids).shape, [2, 2, 3])
  t.deepEqual(layer.forward(gpt2.encodeBatch([], { padding: 'longest' }).ids).shape, [0, 0, 3])
})

test('handles no texts, empty texts and rows of one id', (t) => {
  t.deepEqual(gpt2.encodeBatch([], { padding: 'longest' }).ids.shape, [0, 0])
  t.deepEqual(gpt2.encodeBatch([], { padding: 'maxLength', maxLength: 4 }).mask.shape, [0, 4])
  t.deepEqual(gpt2.encodeBatch(['', ''], { padding: 'longest' }).ids.shape, [2, 0])
  t.deepEqual(rows(gpt2.encodeBatch(['do you', ''], { padding: 'maxLength', maxLength: 1, paddingId: 7 })), {
    ids: [[4598], [7]],
    mask: [[true], [false]],
    lengths: [1, 0],
  })
  const { ids, offsets } = gpt2.encodeBatch(['do you', ''], { maxLength: 1 })
  t.deepEqual([[...ids], [...offsets]], [[4598], [0, 1, 1]])
  const empty = file('wordpiece').encodeBatch([''], { padding: 'longest' })
  t.deepEqual(rows(empty), { ids: [[2, 3]], mask: [[true, true]], lengths: [2] })
})

test('special tokens that a file adds around a text need room', (t) => {
  const tokenizer = file('wordpiece')
  refuses(
    t,
    () => tokenizer.encodeBatch(['a'], { maxLength: 1 }),
    'USAGE',
    'maxLength 1',
    '2 tokens',
    'addSpecialTokens: false',
  )
  t.deepEqual([...tokenizer.encodeBatch(['some words'], { maxLength: 2 }).ids], [2, 3])
  t.is(tokenizer.encodeBatch(['some words'], { maxLength: 1, addSpecialTokens: false }).ids.length, 1)
})

test('many texts on many threads give the rows of each alone', (t) => {
  const many = Array.from({ length: 3000 }, (_, i) => texts[i % texts.length])
  for (const tokenizer of [gpt2, file('unigram')]) {
    const options = { allowedSpecial: 'all', padding: 'maxLength', maxLength: 9, truncationSide: 'left' } as const
    const all = tokenizer.encodeBatch(many, options)
    for (const i of [0, 1, 77, 1500, 2999]) {
      const one = tokenizer.encodeBatch([many[i]], options)
      t.deepEqual(all.ids.narrow(0, i, 1).toArray(), one.ids.toArray())
      t.is(all.lengths[i], one.lengths[0])
    }
  }
})

test.serial('gives the same rows on any number of threads', (t) => {
  const many = Array.from({ length: 2000 }, (_, i) => `${texts[i % texts.length]} ${i}`)
  const options = { allowedSpecial: 'all', padding: 'longest', paddingSide: 'left' } as const
  try {
    for (const tokenizer of [gpt2, file('unigram')]) {
      const found = [1, 2, 3, 7].map((threads) => {
        setNumThreads(threads)
        const { ids, mask, lengths } = tokenizer.encodeBatch(many, { ...options, paddingId: 1 })
        const flat = tokenizer.encodeBatch(many, { allowedSpecial: 'all' })
        return [ids.shape, ids.data, mask.data, lengths, flat.ids, flat.offsets]
      })
      // Comparing such long arrays as bytes is faster.
      const bytes = (array: ArrayBufferView) => Buffer.from(array.buffer, array.byteOffset, array.byteLength)
      for (const other of found.slice(1)) {
        t.deepEqual(other[0], found[0][0])
        other
          .slice(1)
          .forEach((array, i) =>
            t.true(bytes(array as Int32Array).equals(bytes(found[0][i + 1] as Int32Array)), `array ${i}`),
          )
      }
      const [[, length], ids, mask, lengths, flat, offsets] = found[0] as [
        number[],
        Int32Array,
        Uint8Array,
        Uint32Array,
        Uint32Array,
        Uint32Array,
      ]
      const expected = {
        ids: new Int32Array(ids.length).fill(1),
        mask: new Uint8Array(ids.length),
        lengths: new Uint32Array(many.length),
      }
      many.forEach((_, i) => {
        const row = flat.subarray(offsets[i], offsets[i + 1])
        expected.ids.set(row, (i + 1) * length - row.length)
        expected.mask.fill(1, (i + 1) * length - row.length, (i + 1) * length)
        expected.lengths[i] = row.length
      })
      t.true(bytes(ids).equals(bytes(expected.ids)) && bytes(mask).equals(bytes(expected.mask)))
      t.deepEqual(lengths, expected.lengths)
    }
  } finally {
    setNumThreads(1)
  }
})

test('rejects options that contradict each other', (t) => {
  const given = (options: object) => () => gpt2.encodeBatch(['a'], options as PaddingOptions)
  refuses(t, given({ padding: 'maxLength' }), 'USAGE', 'needs maxLength')
  refuses(t, given({ padding: 'short' }), 'USAGE', "'short'", '"longest"')
  refuses(t, given({ padding: true }), 'USAGE', 'true')
  refuses(t, given({ truncationSide: 'left' }), 'USAGE', 'truncationSide', 'maxLength')
  refuses(t, given({ padding: 'longest', truncationSide: 'left' }), 'USAGE', 'truncationSide', 'maxLength')
  refuses(t, given({ paddingSide: 'left' }), 'USAGE', 'paddingSide', "padding: 'longest'")
  refuses(t, given({ paddingId: 0 }), 'USAGE', 'paddingId', "padding: 'longest'")
  refuses(t, given({ padding: 'longest', paddingSide: 'up' }), 'USAGE', "'up'")
  for (const maxLength of [0, -1, 1.5, '4', NaN]) refuses(t, given({ maxLength }), 'USAGE', 'maxLength')
  for (const paddingId of [-1, 1.5, 2 ** 31, '0'])
    refuses(t, given({ padding: 'longest', paddingId }), 'USAGE', 'paddingId')
  refuses(t, given({ padding: 'maxLength', maxLength: 2 ** 50 }), 'USAGE', 'GiB')
  refuses(t, given({ addSpecialTokens: 1 }), 'USAGE', 'addSpecialTokens')
  refuses(t, () => file('llama').encodeBatch(['a'], { padding: 'longest' }), 'USAGE', 'no padding token', 'paddingId')
  t.deepEqual(file('llama').encodeBatch(['a', ''], { padding: 'longest', paddingId: 0 }).lengths.length, 2)
})
