// tokenbed tokenize: what it writes and says, and what reads it.

import test from 'ava'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { createDataLoader, inspectTokens, loadModel, Tokenizer } from '../../index.js'
import { command, ended, output, start } from '../support/command.js'
import { root } from '../support/golden.js'
import { temporaryFolder } from '../support/temporary.js'

const base = temporaryFolder()
const posix = process.platform === 'win32' ? test.skip : test
const gpt2 = Tokenizer.load('gpt2')
const [A, B] = ['Call me Ishmael.\nSome years ago', 'naïve ☃ cafés\n']

function folder(): string {
  const path = mkdtempSync(join(base, 'x-'))
  mkdirSync(join(path, 'more'))
  writeFileSync(join(path, 'a.txt'), A)
  writeFileSync(join(path, 'more', 'b.txt.gz'), gzipSync(B))
  writeFileSync(join(path, 'empty.txt'), '')
  return path
}

const idsAt = (path: string) => [...createDataLoader({ folder: path, verify: true }, { maxLength: 1 }).ids]
const encoded = (...texts: string[]) => texts.flatMap((text) => [...gpt2.encode(text)])

test('files, patterns and stdin become a folder', async (t) => {
  const cwd = folder()
  const said = await output(t, ['tokenize', 'a.txt', 'more/*.gz', '-', '--out', 'corpus'], { cwd, input: 'from stdin' })
  t.deepEqual(idsAt(join(cwd, 'corpus')), encoded(A, B, 'from stdin'))
  t.regex(said, /^corpus: \d+ ids of gpt2 in 3 documents, u16, \d+ bytes, \d\.\d\d s, .* ids\/s\n$/)
  const json = JSON.parse(
    await output(
      t,
      [
        'tokenize',
        'a.txt',
        '--lines',
        '--separator',
        '<|endoftext|>',
        '--dtype',
        'u32',
        '--out',
        'lines',
        '--json',
        '--quiet',
      ],
      { cwd },
    ),
  )
  const ids = encoded('Call me Ishmael.').length + encoded('Some years ago').length + 2
  t.like(json, {
    out: 'lines',
    ids,
    documents: 2,
    dtype: 'u32',
    bytes: 4 * ids + 24,
    tokenizer: 'gpt2',
    separator: '<|endoftext|>',
    files: [{ name: 'a.txt', ids, documents: 2 }],
  })
  t.is(await output(t, ['tokenize', '--out', 'piped', '--quiet'], { cwd, input: A }), '')
  t.deepEqual(idsAt(join(cwd, 'piped')), encoded(A))
})

test('inspect names it, and verify finds a byte that is another', async (t) => {
  const cwd = folder()
  await output(t, ['tokenize', 'a.txt', '--out', 'corpus', '--quiet'], { cwd })
  const said = await output(t, ['inspect', 'corpus', '--verify'], { cwd })
  t.regex(
    said,
    /^corpus: a folder of token ids\n  verified: .*\n  ids         10, u16, 20 bytes\n  documents   1\n  tokenizer   gpt2, 50,257 tokens\n  texts       .*a\.txt\n$/,
  )
  const { tokens, verified } = JSON.parse(await output(t, ['inspect', 'corpus', '--verify', '--json'], { cwd }))
  t.like(tokens, { ids: 10, documents: 1, dtype: 'u16', vocabSize: 50257, path: 'corpus' })
  t.true(verified)
  t.like(await command(['inspect', 'corpus', '--table', 'x'], { cwd }), { code: 2, stdout: '' })
  const file = join(cwd, 'corpus', tokens.files.ids.name)
  writeFileSync(file, Buffer.alloc(20))
  t.is((await command(['inspect', 'corpus'], { cwd })).code, 0)
  const { code, stderr } = await command(['inspect', 'corpus', '--verify'], { cwd })
  t.is(code, 1)
  t.regex(stderr, /its bytes differ from those that were written/)
})

test('a folder with a manifest of something else is what it was', async (t) => {
  const cwd = folder()
  mkdirSync(join(cwd, 'app'))
  for (const manifest of ['{"name": "an app"}', 'no JSON', 'null']) {
    writeFileSync(join(cwd, 'app', 'manifest.json'), manifest)
    t.regex(
      (await command(['inspect', 'app'], { cwd })).stderr,
      /app: it has neither model\.json nor model\.safetensors/,
    )
    t.regex(
      (await command(['train', 'app', '--objective', 'skip-gram', '--out', 'x'], { cwd })).stderr,
      /app: a folder; name its files/,
    )
    t.regex(
      (await command(['tokenize', 'a.txt', '--out', 'app', '--force'], { cwd })).stderr,
      /belongs to something else/,
    )
  }
})

test('train takes the folder as a corpus, and its tokenizer with it', async (t) => {
  const cwd = folder()
  writeFileSync(join(cwd, 'text.txt'), 'the whale swims in the sea. '.repeat(100))
  await output(t, ['tokenize', 'text.txt', '--out', 'corpus', '--quiet'], { cwd })
  const options = ['--objective', 'next-token', '--dim', '4', '--context-length', '8', '--samples', '8', '--quiet']
  await output(t, ['train', 'corpus', ...options, '--out', 'a'], { cwd })
  await output(t, ['train', 'text.txt', ...options, '--out', 'b'], { cwd })
  t.deepEqual(readFileSync(join(cwd, 'a', 'model.safetensors')), readFileSync(join(cwd, 'b', 'model.safetensors')))
  const { description } = loadModel(join(cwd, 'a'))
  t.deepEqual(description.vocabulary, { kind: 'encoding', name: 'gpt2', size: 50257 })
  await output(t, ['train', 'corpus', '--objective', 'skip-gram', '--dim', '4', '--out', 'c', '--quiet'], { cwd })
  const other = await command(['train', 'corpus', ...options, '--tokenizer', 'cl100k_base', '--out', 'd'], { cwd })
  t.is(other.code, 1)
  t.regex(other.stderr, /was encoded by gpt2/)
  t.false(existsSync(join(cwd, 'd')))
  const file = join(root, 'testdata/golden/hf/byte-level.json')
  await output(t, ['tokenize', 'text.txt', '--tokenizer', file, '--out', 'own', '--quiet'], { cwd })
  const asked = await command(['train', 'own', ...options, '--out', 'd'], { cwd })
  t.is(asked.code, 2)
  t.regex(asked.stderr, /give that as --tokenizer/)
  await output(t, ['train', 'own', ...options, '--tokenizer', file, '--out', 'd'], { cwd })
})

test('what is wrong is said, with its exit code, and nothing is left', async (t) => {
  const cwd = folder()
  await output(t, ['tokenize', 'a.txt', '--out', 'there', '--quiet'], { cwd })
  writeFileSync(join(cwd, 'special.txt'), 'a <|endoftext|> b')
  writeFileSync(join(cwd, 'bytes.txt'), Uint8Array.of(0x61, 0xff))
  const cases: [number, RegExp, ...string[]][] = [
    [2, /--out there: a folder of token ids is there; --force replaces it/, 'a.txt', '--out', 'there'],
    [2, /required option '-o, --out <folder>'/, 'a.txt'],
    [2, /--separator '<end>' is not a special token of gpt2/, 'a.txt', '--separator', '<end>', '--out', 'x'],
    [2, /--dtype u16 holds ids below 65536/, 'a.txt', '--dtype', 'u16', '--tokenizer', 'cl100k_base', '--out', 'x'],
    [1, /no tokens: empty\.txt is empty; nothing was written/, 'empty.txt', '--out', 'x'],
    [1, /special token "<\|endoftext\|>": --allowed-special all/, 'special.txt', '--out', 'x'],
    [1, /not UTF-8.*--invalid-utf8 replace/, 'bytes.txt', '--out', 'x'],
    [1, /none\.txt: no such file/, 'none.txt', '--out', 'x'],
    [1, /a\.txt: a file; name a folder/, 'a.txt', '--out', 'a.txt'],
    [1, /there: a folder; name its files/, 'there', '--out', 'x'],
  ]
  for (const [expected, message, ...args] of cases) {
    const { code, stdout, stderr } = await command(['tokenize', ...args], { cwd })
    t.is(code, expected, stderr)
    t.regex(stderr, message)
    t.is(stderr.trim().split('\n').length, 1, stderr)
    t.is(stdout, '')
    t.false(existsSync(join(cwd, 'x')))
  }
  await output(t, ['tokenize', 'special.txt', '--allowed-special', 'all', '--force', '--out', 'there', '--quiet'], {
    cwd,
  })
  t.is(readdirSync(join(cwd, 'there')).length, 3)
  t.true(idsAt(join(cwd, 'there')).includes(50256))
})

for (const [signal, expected] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  posix(`${signal} leaves what was there, or nothing`, async (t) => {
    const cwd = folder()
    await output(t, ['tokenize', 'a.txt', '--out', 'old', '--quiet'], { cwd })
    const before = inspectTokens(join(cwd, 'old'), { verify: true })
    for (const args of [
      ['--out', 'old', '--force'],
      ['--out', 'new'],
    ]) {
      const child = start(['tokenize', ...args], { cwd })
      const end = ended(child)
      const feed = setInterval(() => child.stdin!.write('word '.repeat(10_000)), 5)
      child.stdin!.on('error', () => {})
      // Its first line comes once some is written.
      await once(child.stderr!, 'data')
      child.kill(signal)
      t.is((await end).code, expected)
      clearInterval(feed)
    }
    t.deepEqual(inspectTokens(join(cwd, 'old'), { verify: true }), before)
    t.is(readdirSync(join(cwd, 'old')).length, 3)
    t.false(existsSync(join(cwd, 'new')))
  })
}

posix('SIGINT at any moment leaves a whole folder or none', async (t) => {
  const cwd = folder()
  writeFileSync(join(cwd, 'book.txt'), 'It was the best of times, it was the worst of times. '.repeat(40_000))
  for (const delay of [20, 120, 200, 300, 450]) {
    const child = start(['tokenize', 'book.txt', '--out', 'x', '--force'], { cwd })
    const end = ended(child)
    await setTimeout(delay)
    child.kill('SIGINT')
    const { code } = await end
    t.true(code === 130 || code === 'SIGINT' || code === 0, `after ${delay} ms: ${code}`)
    if (existsSync(join(cwd, 'x'))) t.is(inspectTokens(join(cwd, 'x'), { verify: true }).documents, 1)
  }
})
