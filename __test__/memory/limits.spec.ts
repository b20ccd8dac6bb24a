// Limits on what an untrusted file may cost, and the errors when a limit is reached.

import test from 'ava'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { type FormatError, loadWord2Vec, streamIds, Tokenizer, Trainer, type FromFileOptions } from '../../index.js'
import { runScript, scenario } from '../support/child.js'
import { refuses } from '../support/errors.js'
import { temporaryFolder } from '../support/temporary.js'

const folder = temporaryFolder()
const SCRIPT = 'lifetime/hostile-files.js'
const MB = 1 << 20

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

const described = (name: string, parts: object) =>
  file(
    name,
    JSON.stringify({
      version: '1.0',
      added_tokens: [],
      model: { type: 'WordLevel', vocab: { a: 0, '[UNK]': 1 }, unk_token: '[UNK]' },
      ...parts,
    }),
  )

const growing = (kind: string, times: number) => ({
  type: 'Sequence',
  [kind]: Array(times).fill({ type: 'Replace', pattern: { String: 'a' }, content: 'a'.repeat(10) }),
})

test('a tokenizer that makes texts grow too far is an error with its file and part', async (t) => {
  const path = described('growing.json', { normalizer: growing('normalizers', 3) })
  // Short texts may grow freely up to a limit.
  const tokenizer = Tokenizer.fromFile(path)
  t.is(tokenizer.encode('a').length, 1)
  const text = 'a'.repeat(1000)
  const at = (error: FormatError) => {
    t.is(error.path, path)
    t.is(
      error.offset,
      JSON.stringify({ version: '1.0', added_tokens: [], model: 0 }).length -
        2 +
        JSON.stringify({ type: 'WordLevel', vocab: { a: 0, '[UNK]': 1 }, unk_token: '[UNK]' }).length +
        ',"normalizer":'.length,
    )
  }
  at(refuses(t, () => tokenizer.encode(text), 'FORMAT', 'normalizer: it makes more than 40 bytes', 'maxGrowth'))
  at(refuses(t, () => tokenizer.count(text), 'FORMAT', 'maxGrowth'))
  at(refuses(t, () => tokenizer.encodeBatch(['a', text]), 'FORMAT', 'text 1 of the batch: normalizer', 'maxGrowth'))
  const error = await t.throwsAsync(async () => {
    for await (const _ of streamIds({ files: [file('text.txt', text)] }, { tokenizer }));
  })
  at(error as FormatError)
  t.is(Tokenizer.fromFile(path, { limits: { maxGrowth: 1000 } }).encode(text).length, 1)
  const decoding = Tokenizer.fromFile(described('decoding.json', { decoder: growing('decoders', 9) }))
  refuses(t, () => decoding.decode([0]), 'FORMAT', 'decoder: it makes more than 40 bytes')
  refuses(t, () => decoding.decoder().write([0]), 'FORMAT', 'maxGrowth')
})

test('a pattern that backtracks too often is an error', (t) => {
  const split = { type: 'Split', pattern: { Regex: '(?:a+a*)+(?!a)b' }, behavior: 'Isolated', invert: false }
  const path = described('backtracking.json', { pre_tokenizer: split })
  const tokenizer = Tokenizer.fromFile(path, { limits: { maxPatternSteps: 10_000 } })
  t.is(tokenizer.encode('aab').length, 1)
  const error = refuses(
    t,
    () => tokenizer.encode('a'.repeat(50)),
    'FORMAT',
    'pre_tokenizer',
    '10000',
    'maxPatternSteps',
  )
  t.is(error.path, path)
})

test('checks limits', (t) => {
  const path = described('plain.json', {})
  const use = (limits: unknown, ...parts: string[]) =>
    refuses(
      t,
      () => Tokenizer.fromFile(path, { limits } as FromFileOptions),
      'USAGE',
      'Tokenizer.fromFile: limits',
      ...parts,
    )
  use(5)
  use(null)
  use({ growth: 4 }, 'growth', 'maxGrowth')
  for (const value of [0, -1, 1.5, NaN, '4', null]) {
    use({ maxGrowth: value }, 'maxGrowth')
    use({ maxPatternSteps: value }, 'maxPatternSteps')
  }
  for (const value of [0, -1, NaN, Infinity, '4', null]) use({ maxSecondsPerMegabyte: value }, 'maxSecondsPerMegabyte')
  refuses(t, () => Tokenizer.fromFile(path, { limit: {} } as FromFileOptions), 'USAGE', 'no option "limit"')
  for (const name of ['maxRatio', 'maxHeldBytes']) {
    for (const value of [-1, 1.5, '4'])
      refuses(t, () => streamIds({ files: [path] }, { [name]: value }), 'USAGE', `streamIds: ${name}`)
  }
  refuses(t, () => loadWord2Vec(path, { maxRatio: 0 }), 'USAGE', 'loadWord2Vec: maxRatio')
  t.is(Tokenizer.fromFile(path, { limits: { maxGrowth: undefined } }).vocabSize, 2)
})

test('a panic in the library becomes a typed error, and nothing is printed', async (t) => {
  const { code, stdout, stderr } = await runScript(SCRIPT, ['panics'])
  t.is(stderr, '')
  t.is(code, 0)
  t.deepEqual(JSON.parse(stdout), [
    { name: 'table', code: 'FORMAT' },
    { name: 'length', code: 'FORMAT' },
    { name: 'stripped', ids: 1 },
    { name: 'spaces', ids: 4 },
    { name: 'large', code: 'FORMAT' },
  ])
})

interface Read {
  rss: number
  ids: number
  error: { name: string; message: string; path: string; offset: number } | null
}

test.serial('stops at a compressed file that expands far more than real ones', async (t) => {
  const { rss, error } = await scenario<Read>(SCRIPT, 'ratio')
  t.is(error?.name, 'FormatError')
  t.is(error?.path, 'bomb.txt.gz')
  t.regex(error!.message, /more than 200, the limit maxRatio|limit maxHeldBytes/)
  t.true(rss < 150 * MB, `${rss / MB} MiB`)
})

for (const [name, what] of [
  ['held', 'a word'],
  ['heldLine', 'a line of a tokenizer from a file'],
] as const) {
  test.serial(`${what} without an end is held only up to the limit`, async (t) => {
    const { rss, error } = await scenario<Read>(SCRIPT, name)
    t.is(error?.name, 'FormatError')
    t.is(error?.offset, 0)
    t.regex(error!.message, /that cannot be divided .* limit maxHeldBytes of \d+/)
    t.true(rss < 150 * MB, `${rss / MB} MiB`)
  })
}

test.serial('reads the same file with larger limits', async (t) => {
  const { ids, error } = await scenario<Read>(SCRIPT, 'allowed')
  t.is(error, null)
  t.true(ids > 0)
})

test('pieces of text are held only up to the limit, if there is one', async (t) => {
  const read = async (maxHeldBytes?: number) => {
    let count = 0
    for await (const ids of streamIds({ pieces: Array(40).fill('a'.repeat(100)) }, { maxHeldBytes }))
      count += ids.length
    return count
  }
  t.true((await read()) > 0)
  await t.throwsAsync(read(1000), { code: 'USAGE', message: /limit maxHeldBytes of 1000/ })
})

test('the limit holds for words and corpora, too', async (t) => {
  const line = `word ${'0 '.repeat(99)}0\n`
  const words = file('words.vec.gz', gzipSync(`200000 100\n${line.repeat(200_000)}`))
  const error = refuses(t, () => loadWord2Vec(words, { maxRatio: 10 }), 'FORMAT', 'by the limit maxRatio')
  t.is(error.path, words)
  t.is(loadWord2Vec(words, { maxRatio: 2000 }).tokens().length, 1)
  const corpus = file('corpus.txt.gz', gzipSync('the cat sat on the mat\n'.repeat(1_000_000)))
  await t.throwsAsync(new Trainer({ files: [corpus] }, { objective: 'skip-gram', minCount: 1, maxRatio: 10 }).run(), {
    code: 'FORMAT',
    message: /maxRatio/,
  })
})
