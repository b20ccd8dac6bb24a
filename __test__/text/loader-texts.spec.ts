// Windows that begin anew in each text, samplers, and streams that are shuffled through a buffer.

import test from 'ava'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import {
  createDataLoader,
  crossEntropy,
  Generator,
  multinomial,
  saveTokens,
  streamBatches,
  tensor,
  Tokenizer,
  zeros,
  type Batch,
  type DataLoader,
} from '../../index.js'
import { refuses } from '../support/errors.js'
import { readGolden } from '../support/golden.js'
import { temporaryFolder } from '../support/temporary.js'

const base = temporaryFolder()
const fresh = (name: string) => join(mkdtempSync(join(base, 'x-')), name)
const tokenizer = Tokenizer.load('gpt2')

interface Row {
  inputs: number[]
  targets: number[]
  mask: boolean[] | null
}

const rowsOf = ({ inputs, targets, mask }: Batch): Row[] => {
  const [ins, outs] = [inputs, targets].map((it) => it.toArray() as number[][])
  const masks = mask?.toArray() as boolean[][] | undefined
  return ins.map((row, i) => ({ inputs: row, targets: outs[i], mask: masks?.[i] ?? null }))
}
const allOf = (loader: DataLoader) => [...loader].flatMap(rowsOf)

async function streamed(batches: AsyncIterable<Batch>): Promise<Row[]> {
  const rows: Row[] = []
  for await (const batch of batches) rows.push(...rowsOf(batch))
  return rows
}

/** The windows as their definition has them. */
function wanted(texts: number[][], maxLength: number, stride: number, paddingId: number): Row[] {
  const rows: Row[] = []
  for (const ids of texts) {
    for (let start = 0; start < ids.length; start += stride) {
      const part = ids.slice(start, start + maxLength)
      const fill = <T>(list: T[], value: T) => [
        ...list,
        ...Array.from({ length: maxLength - list.length }, () => value),
      ]
      const next = ids.slice(start + 1, start + maxLength + 1)
      rows.push({
        inputs: fill(part, paddingId),
        targets: fill(next, -100),
        mask: fill(
          part.map(() => true),
          false,
        ),
      })
      if (start + maxLength >= ids.length) break
    }
  }
  return rows
}

const TEXTS = [5, 0, 1, 8, 9, 7, 4].map((length, text) => Array.from({ length }, (_, i) => 100 * text + i))

test('windows of each text cover all of it, and are filled up', async (t) => {
  for (const [maxLength, stride] of [
    [4, 4],
    [4, 2],
    [4, 1],
    [3, 3],
    [100, 7],
    [1, 1],
  ]) {
    const options = { maxLength, stride, batchSize: 3, perText: true, paddingId: 9999 }
    const rows = wanted(TEXTS, maxLength, stride, 9999)
    const loader = createDataLoader({ ids: TEXTS }, { ...options, shuffle: false })
    t.deepEqual(allOf(loader), rows, `${maxLength} ${stride}`)
    t.is(loader.windows, rows.length)
    t.is(loader.length, Math.ceil(rows.length / 3))
    t.deepEqual(await streamed(streamBatches({ ids: TEXTS }, options)), rows)
    t.deepEqual(
      allOf(createDataLoader({ ids: TEXTS }, { ...options, shuffle: false, dropLast: true })),
      rows.slice(0, 3 * Math.floor(rows.length / 3)),
    )
    const seen = new Set(rows.flatMap(({ inputs, mask }) => inputs.filter((_, i) => mask![i])))
    t.deepEqual(
      [...seen].sort((a, b) => a - b),
      TEXTS.flat().sort((a, b) => a - b),
    )
    const shuffled = createDataLoader({ ids: TEXTS }, { ...options, generator: new Generator(4) })
    const sorted = (list: Row[]) => list.map((row) => JSON.stringify(row)).sort()
    t.deepEqual(sorted(allOf(shuffled)), sorted(rows))
  }
})

test('every kind of source has its texts', async (t) => {
  const texts = ['Call me Ishmael. Some years ago', '', 'never mind how long precisely', 'It is a way I have']
  const ids = texts.map((text) => [...tokenizer.encode(text)])
  const options = { maxLength: 4, stride: 3, perText: true, tokenizer }
  const rows = wanted(ids, 4, 3, 0)
  const files = texts.map((text, i) => {
    const path = fresh(i === 2 ? 'a.txt.gz' : 'a.txt')
    writeFileSync(path, i === 2 ? gzipSync(text) : text)
    return path
  })
  const folder = fresh('ids')
  await saveTokens(folder, { texts }, { tokenizer })
  for (const source of [{ texts }, { files }, { folder }, { ids }]) {
    t.deepEqual(allOf(createDataLoader(source, { ...options, shuffle: false })), rows, Object.keys(source)[0])
    t.deepEqual(await streamed(streamBatches(source, options)), rows, Object.keys(source)[0])
  }
  const [text] = texts
  const one = wanted([ids[0]], 4, 3, 0)
  t.deepEqual(allOf(createDataLoader(text, { ...options, shuffle: false })), one)
  t.deepEqual(
    allOf(createDataLoader({ pieces: [text.slice(0, 9), text.slice(9)] }, { ...options, shuffle: false })),
    one,
  )
  t.deepEqual(await streamed(streamBatches({ pieces: [text.slice(0, 9), text.slice(9)] }, options)), one)
})

test('what is filled up counts for nothing in a loss', (t) => {
  const [batch] = createDataLoader({ ids: [[1, 2, 3]] }, { maxLength: 6, perText: true, shuffle: false })
  const loss = crossEntropy(zeros([6, 10]), batch.targets.reshape(6))
  t.true(Math.abs(loss.item() - Math.log(10)) < 1e-6)
})

test('a state of a loader of texts is continued', (t) => {
  const options = () => ({ maxLength: 3, stride: 2, batchSize: 2, perText: true, generator: new Generator(5) })
  const whole = createDataLoader({ ids: TEXTS }, options())
  const all = [...whole].map(rowsOf)
  const begun = createDataLoader({ ids: TEXTS }, options())
  const iterator = begun[Symbol.iterator]()
  const first = [iterator.next(), iterator.next()].map(({ value }) => rowsOf(value))
  const rest = createDataLoader({ ids: TEXTS }, options()).load(begun.state())
  t.deepEqual([...first, ...[...rest].map(rowsOf)], all)
})

test('weights sample as WeightedRandomSampler does', (t) => {
  const ids = Array.from({ length: 41 }, (_, i) => i)
  const weights = Array.from({ length: 10 }, (_, i) => (i === 3 ? 0 : i + 1))
  for (const replacement of [true, false]) {
    const samples = replacement ? 25 : 9
    const generator = new Generator(11)
    const loader = createDataLoader(ids, {
      maxLength: 4,
      stride: 4,
      batchSize: 4,
      dropLast: false,
      weights,
      samples,
      replacement,
      generator,
    })
    t.deepEqual([loader.windows, loader.length], [10, Math.ceil(samples / 4)])
    const drawn = allOf(loader).map(({ inputs }) => inputs[0] / 4)
    // In PyTorch the loader draws a seed for its workers, and then the sampler draws.
    const other = new Generator(11)
    other.beginEpochInOrder()
    const table = tensor(Float64Array.from(weights))
    t.deepEqual(drawn, [...(multinomial(table, samples, { replacement, generator: other }).data as Int32Array)])
    t.false(drawn.includes(3))
    if (!replacement) t.is(new Set(drawn).size, 9)
    t.deepEqual(generator.getState(), other.getState())
  }
  const often = createDataLoader(ids, {
    maxLength: 4,
    stride: 4,
    weights,
    samples: 20_000,
    generator: new Generator(1),
  })
  const counts = new Array<number>(10).fill(0)
  for (const { inputs } of allOf(often)) counts[inputs[0] / 4]++
  const sum = weights.reduce((a, b) => a + b)
  counts.forEach((count, i) => t.true(Math.abs(count / 20_000 - weights[i] / sum) < 0.02))
})

interface Sampled {
  seed: number
  weights: number[]
  samples: number
  replacement: boolean
  order: number[]
  epochs: number[][]
}
for (const { order, epochs, seed, ...rest } of readGolden<{ cases: Sampled[] }>('sampler/sampler.json').cases) {
  test(`weights sample in PyTorch's order: seed ${seed}, ${JSON.stringify(rest)}`, (t) => {
    const { weights, samples, replacement } = rest
    const drawn = multinomial(tensor(Float64Array.from(weights)), samples, {
      replacement,
      generator: new Generator(seed),
    })
    t.deepEqual([...(drawn.data as Int32Array)], order)
    const ids = Array.from({ length: 41 }, (_, i) => i)
    const loader = createDataLoader(ids, {
      maxLength: 4,
      stride: 4,
      dropLast: false,
      ...rest,
      generator: new Generator(seed),
    })
    for (const epoch of epochs)
      t.deepEqual(
        allOf(loader).map(({ inputs }) => inputs[0] / 4),
        epoch,
      )
  })
}

test('a sampler says the order of an epoch, and load asks it again', (t) => {
  const ids = Array.from({ length: 21 }, (_, i) => i)
  const asked: number[] = []
  const options = () => ({
    maxLength: 2,
    stride: 2,
    batchSize: 2,
    samples: 4,
    generator: new Generator(2),
    sampler: (generator: Generator, windows: number) => {
      asked.push(windows)
      const drawn = multinomial(tensor(new Float64Array(windows).fill(1)), 4, { generator, replacement: true })
      return [...(drawn.data as Int32Array)]
    },
  })
  const loader = createDataLoader(ids, options())
  const [one, two] = [allOf(loader), allOf(loader)]
  t.deepEqual(asked, [10, 10])
  t.notDeepEqual(one, two)
  const begun = createDataLoader(ids, options())
  const first = rowsOf(begun[Symbol.iterator]().next().value)
  const rest = createDataLoader(ids, options()).load(begun.state())
  t.deepEqual([...first, ...allOf(rest), ...allOf(rest)], [...one, ...two])
})

test('a stream is shuffled through a buffer: each window once, the same by the same seed', async (t) => {
  const ids = Array.from({ length: 401 }, (_, i) => i)
  const plain = await streamed(streamBatches(ids, { maxLength: 4, stride: 4, dropLast: false }))
  const starts = (rows: Row[]) => rows.map(({ inputs }) => inputs[0] / 4)
  for (const shuffleBuffer of [1, 2, 16, 99, 100, 1000]) {
    const run = (seed: number) =>
      streamed(
        streamBatches(ids, {
          maxLength: 4,
          stride: 4,
          dropLast: false,
          shuffleBuffer,
          generator: new Generator(seed),
        }),
      )
    const rows = await run(7)
    t.deepEqual(await run(7), rows)
    if (shuffleBuffer > 1) t.notDeepEqual(await run(8), rows)
    if (shuffleBuffer === 1) t.deepEqual(rows, plain)
    const order = starts(rows)
    t.deepEqual(
      [...order].sort((a, b) => a - b),
      starts(plain),
    )
    // A window comes before its turn by fewer places than the buffer has.
    order.forEach((window, place) => t.true(window - place < shuffleBuffer))
    rows.forEach(({ inputs, targets, mask }) => t.deepEqual([targets, mask], [inputs.map((id) => id + 1), null]))
  }
  const texts = await streamed(
    streamBatches(
      { ids: TEXTS },
      { maxLength: 3, stride: 3, perText: true, shuffleBuffer: 4, generator: new Generator(1) },
    ),
  )
  const sorted = (list: Row[]) => list.map((row) => JSON.stringify(row)).sort()
  t.deepEqual(sorted(texts), sorted(wanted(TEXTS, 3, 3, 0)))
})

test('what cannot be meant is refused', (t) => {
  const ids = Array.from({ length: 41 }, (_, i) => i)
  const four = { maxLength: 4, stride: 4 }
  const refused = (options: object, ...parts: string[]) =>
    refuses(t, () => createDataLoader(ids, options as never), 'USAGE', ...parts)
  refused({ perText: true, maxLength: 4, stride: 5 }, 'stride 5', 'maxLength 4')
  refused({ paddingId: 3 }, 'perText')
  refused({ ...four, weights: [1, 2] }, '10 windows', '2')
  refused({ ...four, weights: new Array(10).fill(-1) }, 'weights[0]')
  refused({ ...four, weights: new Array(10).fill(0) }, '0 weights')
  refused({ ...four, weights: new Array(10).fill(1), replacement: false, samples: 11 }, '11 windows')
  refused({ ...four, weights: new Array(10).fill(1), shuffle: true }, 'shuffle')
  refused({ ...four, weights: new Array(10).fill(1), sampler: () => [1] }, 'contradict')
  refused({ ...four, samples: 3 }, 'samples')
  refused({ ...four, replacement: false }, 'replacement')
  refused({ ...four, sampler: 5 }, 'sampler')
  const over = (numbers: unknown) => () => [
    ...createDataLoader(ids, { ...four, samples: 2, sampler: () => numbers as number[] }),
  ]
  refuses(t, over([1]), 'USAGE', '1 windows', '2')
  refuses(t, over([1, 10]), 'USAGE', 'below 10')
  refuses(t, over(5), 'USAGE', 'iterable')
  refuses(t, () => createDataLoader({ ids: [[], []] }, { perText: true }), 'USAGE', 'every text is empty')
  refuses(t, () => streamBatches(ids, { generator: new Generator() }), 'USAGE', 'shuffleBuffer')
  refuses(t, () => streamBatches(ids, { perText: true, maxLength: 4, stride: 5 }), 'USAGE', 'stride 5')
})
