import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import {
  arange,
  FormatError,
  full,
  loadSafetensors,
  MemoryError,
  resizeVocabulary,
  RotaryEmbedding,
  saveSafetensors,
  tensor,
  Tokenizer,
  TokenbedError,
  Trainer,
  UsageError,
  zeros,
  type TrainerOptions,
} from '../../index.js'
import { zeroed } from '../../api/memory/arrays.js'
import { runScript } from '../support/child.js'
import { temporaryFolder } from '../support/temporary.js'

const folder = temporaryFolder()
const ids = Uint32Array.from({ length: 500 }, (_, i) => i % 20)
const PAIRS: TrainerOptions = { objective: 'skip-gram', vocabSize: 20, dim: 4, minCount: 1, epochs: 3 }

test('sizes of a trainer are checked before allocation, and the error names option and bound', (t) => {
  for (const [options, said] of [
    [{ window: 2 ** 31 }, 'window must be a whole number of at least 1 and at most 10000, not 2147483648'],
    [{ negative: 2 ** 31 }, 'negative must be a whole number of at least 1 and at most 65536'],
    [{ dim: 2 ** 31 }, 'dim must be a whole number of at least 1 and at most 1048576'],
    [{ vocabSize: 2 ** 31 }, 'vocabSize must be a whole number of at least 0 and at most 2147483647'],
    [{ epochs: 2 ** 40 }, 'epochs must be a whole number of at least 1 and at most 2147483647'],
  ] as const) {
    const error = t.throws(() => new Trainer(ids, { ...PAIRS, ...options }), { instanceOf: UsageError })
    t.true(error?.message.includes(said), error?.message)
  }
  const error = t.throws(
    () => new Trainer(ids, { objective: 'next-token', vocabSize: 20, softmax: { samples: 2 ** 40 } }),
    { instanceOf: UsageError },
  )
  t.true(error?.message.includes('samples must be a whole number of at least 1 and at most 1048576'), error?.message)
})

test('trains with the largest window', async (t) => {
  const { tensors } = await new Trainer(ids, { ...PAIRS, window: 10_000 }).run({ steps: 2 })
  t.deepEqual(tensors['token.weight'].shape, [20, 4])
})

test('the command rejects the same sizes', async (t) => {
  const text = join(folder, 'text.txt')
  writeFileSync(text, 'a b c '.repeat(100))
  const { code, stderr } = await runScript('../cli/tokenbed.js', [
    'train',
    text,
    '--objective',
    'skip-gram',
    '--window',
    '2147483648',
    '-o',
    join(folder, 'model'),
  ])
  t.true(typeof code === 'number' && code > 0 && code < 128, `${code}: ${stderr}`)
  t.true(/window/.test(stderr) && !/INTERNAL/.test(stderr), stderr)
})

const NEXT: TrainerOptions = {
  objective: 'next-token',
  vocabSize: 20,
  dim: 4,
  contextLength: 4,
  stride: 4,
  batchSize: 2,
  epochs: 3,
}

/** A checkpoint of three steps whose config or counters were changed. */
async function changed(
  config: (options: Record<string, unknown>) => void,
  counters: (place: BigInt64Array) => void = () => {},
  options: TrainerOptions = NEXT,
): Promise<string> {
  const path = join(folder, 'run.safetensors')
  await new Trainer(ids, options).run({ steps: 3, checkpoint: { path } })
  const tensors = loadSafetensors(path)
  const said = JSON.parse(Buffer.from(tensors.get('config')!.data as Uint8Array).toString())
  config(said.options)
  const place = BigInt64Array.from(tensors.get('counters')!.data as BigInt64Array)
  counters(place)
  const target = join(folder, 'changed.safetensors')
  const rest = Object.fromEntries([...tensors].filter(([name]) => name !== 'config' && name !== 'counters'))
  saveSafetensors(target, {
    ...rest,
    config: tensor(Uint8Array.from(Buffer.from(JSON.stringify(said)))),
    counters: tensor(place),
  })
  return target
}

test.serial('a checkpoint whose config or place exceeds all bounds is malformed', async (t) => {
  const bad = [
    [PAIRS, 'window', 2 ** 31],
    [PAIRS, 'negative', 2 ** 31],
    [NEXT, 'dim', 2 ** 31],
    [NEXT, 'stride', 0],
    [NEXT, 'stride', 1.5],
    [NEXT, 'batchSize', -1],
    [NEXT, 'contextLength', 2 ** 31],
    [NEXT, 'softmax', { samples: 2 ** 40, nsExponent: 1 }],
    [NEXT, 'epochs', 1e300],
  ] as const
  for (const [kind, name, value] of bad) {
    const path = await changed((options) => (options[name] = value), undefined, kind)
    const error = await t.throwsAsync(
      async () => Trainer.resume(path, ids),
      { instanceOf: FormatError },
      `${name} ${value}`,
    )
    t.is(error?.path, path)
    t.true(error?.message.includes(name), error?.message)
  }
  // The checkpoint has fewer windows than its place says.
  const resumed = async (path: string) => (await Trainer.resume(path, ids)).run({ steps: 1 })
  const wide = await changed((options) => (options.stride = 400))
  await t.throwsAsync(resumed(wide), { instanceOf: FormatError, message: /not a place in the corpus/ })
  for (const [at, value] of [
    [2, 2n ** 40n],
    [3, 2n ** 40n],
    [4, -1n],
  ] as const) {
    const path = await changed(
      () => {},
      (place) => (place[at] = value),
    )
    await t.throwsAsync(resumed(path), { instanceOf: FormatError }, `${at}`)
  }
  const good = await changed(() => {})
  await t.notThrowsAsync(resumed(good))
  t.true(readFileSync(good).length > 0)
})

test('the size of a rotation is bounded', (t) => {
  for (const dim of [2 ** 40, 2 ** 31, 2 ** 20 + 2]) {
    t.throws(() => new RotaryEmbedding({ dim }), {
      instanceOf: UsageError,
      message: /dim must be a whole number of at least 2 and at most 1048576/,
    })
  }
  t.is(new RotaryEmbedding({ dim: 2 ** 20 }).dim, 2 ** 20)
})

test('a list shorter than its length is rejected at its first missing element', (t) => {
  const tokenizer = Tokenizer.load('gpt2')
  const most = { length: 2 ** 26, 0: 1 } as ArrayLike<number>
  t.throws(() => tokenizer.decode(most), { instanceOf: UsageError, message: /element at \[1\] is undefined/ })
  for (const length of [2147483648, 2 ** 53, -1, 1.5, Infinity]) {
    t.throws(
      () => tokenizer.decode({ length, 0: 1 }),
      { instanceOf: UsageError, message: /length must be a whole number/ },
      `${length}`,
    )
    t.throws(() => tokenizer.decoder().write({ length, 0: 1 }), { instanceOf: UsageError }, `${length}`)
  }
  t.is(tokenizer.decode({ length: 2, 0: 15496, 1: 995 }), 'Hello world')
})

test('lists of rows, new rows and shapes are bounded', (t) => {
  const table = zeros([4, 2])
  const most = { length: 2 ** 31, 0: 1 } as ArrayLike<number>
  t.throws(() => resizeVocabulary({ tables: { table } }, { keep: most }), {
    instanceOf: UsageError,
    message: /at most 4/,
  })
  t.throws(() => resizeVocabulary({ tables: { table } }, { add: 2 ** 31 }), {
    instanceOf: UsageError,
    message: /at most 16777216/,
  })
  t.throws(() => zeros(new Array(2 ** 32 - 1)), { instanceOf: UsageError, message: /at most 64 sizes/ })
  for (const run of [() => zeros([2 ** 30, 2 ** 30]), () => full([2 ** 40], 1), () => arange(2 ** 50)])
    t.throws(run, { instanceOf: TokenbedError })
})

test("running out of V8's memory is an error of this package with the number of bytes", (t) => {
  const error = t.throws(() => zeroed(Float64Array, 2 ** 52), { instanceOf: MemoryError })
  t.deepEqual([error?.code, error?.bytes, error?.cause instanceof RangeError], ['USAGE', 2 ** 55, true])
})
