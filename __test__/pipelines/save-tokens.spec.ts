// Writing folders of token ids: the ids of each document, the contents of the manifest, and errors.

import test from 'ava'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import {
  AbortedError,
  FileError,
  FormatError,
  inspectTokens,
  openTokens,
  saveTokens,
  streamIds,
  TokenFolder,
  TokenIndexError,
  Tokenizer,
  UsageError,
  type SaveTokensOptions,
  type TokensInfo,
  type TokensInput,
} from '../../index.js'
import { root } from '../support/golden.js'
import { python, runPython } from '../support/python.js'
import { temporaryFolder } from '../support/temporary.js'

const base = temporaryFolder()
const gpt2 = Tokenizer.load('gpt2')
const EOT = 50256
const TEXTS = ['Call me Ishmael.', '', 'Two\nlines, naïve ☃ cafés.\n', '  spaces  ']

const fresh = () => mkdtempSync(join(base, 'x-'))
const corpus = () => join(fresh(), 'corpus')

function file(name: string, content: string | Uint8Array): string {
  const path = join(fresh(), name)
  writeFileSync(path, content)
  return path
}

/** The numbers in both data files, read without the package. */
function numbersOf({ path, dtype, files }: TokensInfo): { ids: number[]; starts: number[] } {
  const bytes = readFileSync(join(path, files.ids.name))
  const ids =
    dtype === 'u16'
      ? new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2)
      : new Uint32Array(new Uint8Array(bytes).buffer)
  const index = new Uint8Array(readFileSync(join(path, files.documents.name)))
  return { ids: [...ids], starts: Array.from(new BigUint64Array(index.buffer), Number) }
}

function documentsOf(info: TokensInfo): number[][] {
  const { ids, starts } = numbersOf(info)
  return starts.slice(1).map((end, i) => ids.slice(starts[i], end))
}

const encoded = (texts: readonly string[], tokenizer = gpt2) =>
  texts.map((text) => [...tokenizer.encode(text, { addSpecialTokens: false })])

async function* late(texts: readonly string[]): AsyncGenerator<string> {
  for (const text of texts) {
    await new Promise((resolve) => setImmediate(resolve))
    yield text
  }
}

test('each text and each file becomes a document with its ids', async (t) => {
  const files = TEXTS.map((text, i) => file(`${i}.txt`, text))
  const packed = [...files.slice(0, 3), file('3.txt.gz', gzipSync(TEXTS[3]))]
  const sources: TokensInput[] = [
    { texts: TEXTS },
    { texts: new Set(TEXTS) },
    { texts: late(TEXTS) },
    { files },
    { files: packed },
    { ids: encoded(TEXTS) },
  ]
  for (const source of sources) {
    const info = await saveTokens(corpus(), source)
    t.deepEqual(documentsOf(info), encoded(TEXTS))
    t.like(info, {
      documents: 4,
      dtype: 'u16',
      vocabSize: 50257,
      tokenizer: { name: 'gpt2', sha256: null },
      separator: null,
      lines: false,
    })
    t.is(info.ids, encoded(TEXTS).flat().length)
  }
  const pieces = await saveTokens(corpus(), { pieces: late(['Call me Ish', 'mael.', '']) })
  t.deepEqual(documentsOf(pieces), encoded(['Call me Ishmael.']))
})

test('the concatenated ids are those of streamIds', async (t) => {
  const files = TEXTS.map((text, i) => file(`${i}.txt`, text.repeat(50)))
  const info = await saveTokens(corpus(), { files })
  const ids: number[] = []
  for await (const chunk of streamIds({ files })) ids.push(...chunk)
  t.deepEqual(numbersOf(info).ids, ids)
})

test('lines become documents, without line ends and without empty lines', async (t) => {
  const text = 'one\r\ntwo words\n\n \r\nhalf\rway\nno end'
  const expected = encoded(['one', 'two words', ' ', 'half\rway', 'no end'])
  const pieces = [...text]
  for (const source of [
    { files: [file('x.txt', text)] },
    { pieces },
    { pieces: late([text.slice(0, 4), text.slice(4)]) },
  ]) {
    const info = await saveTokens(corpus(), source, { lines: true })
    t.deepEqual(documentsOf(info), expected)
    t.true(info.lines)
  }
  // The last line of a file does not continue in the next file.
  const info = await saveTokens(corpus(), { files: [file('a', 'a\nb'), file('b', 'c\n')] }, { lines: true })
  t.deepEqual(documentsOf(info), encoded(['a', 'b', 'c']))
  t.deepEqual(
    info.sources.map(({ documents }) => documents),
    [
      [0, 2],
      [2, 3],
    ],
  )
  for (const source of [{ texts: ['a'] }, { ids: [1] }])
    await t.throwsAsync(saveTokens(corpus(), source, { lines: true }), {
      instanceOf: UsageError,
      message: /the option lines works only with/,
    })
})

test('a separator ends every document', async (t) => {
  const info = await saveTokens(corpus(), { texts: TEXTS }, { separator: '<|endoftext|>' })
  t.deepEqual(
    documentsOf(info),
    encoded(TEXTS).map((ids) => [...ids, EOT]),
  )
  t.deepEqual(info.separator, { token: '<|endoftext|>', id: EOT })
  await t.throwsAsync(saveTokens(corpus(), { texts: TEXTS }, { separator: '<|end|>' }), {
    instanceOf: UsageError,
    message: /not a special token of gpt2; it has: <\|endoftext\|>/,
  })
})

test('an id takes two bytes if the vocabulary fits, and four otherwise', async (t) => {
  const cl100k = Tokenizer.load('cl100k_base')
  const given: [Tokenizer, SaveTokensOptions['dtype'], string][] = [
    [gpt2, undefined, 'u16'],
    [gpt2, 'u16', 'u16'],
    [gpt2, 'u32', 'u32'],
    [cl100k, 'auto', 'u32'],
  ]
  for (const [tokenizer, dtype, expected] of given) {
    const info = await saveTokens(corpus(), { texts: TEXTS }, { tokenizer, dtype })
    t.is(info.dtype, expected as 'u16')
    t.deepEqual(documentsOf(info), encoded(TEXTS, tokenizer))
    t.is(info.files.ids.bytes, info.ids * (expected === 'u16' ? 2 : 4))
  }
  await t.throwsAsync(saveTokens(corpus(), { texts: TEXTS }, { tokenizer: cl100k, dtype: 'u16' }), {
    instanceOf: UsageError,
    message: /u16 holds ids below 65536/,
  })
})

test('several sources are written in order, each with its range', async (t) => {
  const path = file('x.txt', 'in a file')
  const info = await saveTokens(corpus(), [
    { texts: ['a', 'b c'] },
    { files: [path] },
    { pieces: ['d', 'e'] },
    { ids: [[7, 8], [9]] },
  ])
  t.deepEqual(documentsOf(info), [...encoded(['a', 'b c', 'in a file', 'de']), [7, 8], [9]])
  t.deepEqual(
    info.sources.map(({ file }) => file),
    [null, path, null, null],
  )
  t.deepEqual(
    info.sources.map(({ documents }) => documents),
    [
      [0, 2],
      [2, 3],
      [3, 4],
      [4, 6],
    ],
  )
  t.is(info.sources.at(-1)!.ids[1], info.ids)
})

test('a tokenizer from a file is identified by its digest, and adds nothing around documents', async (t) => {
  const path = join(root, 'testdata/golden/hf/byte-level.json')
  const tokenizer = Tokenizer.fromFile(path)
  const info = await saveTokens(corpus(), { texts: ['the whale', 'the sea'] }, { tokenizer })
  t.is(info.tokenizer.sha256, createHash('sha256').update(readFileSync(path)).digest('hex'))
  t.deepEqual(documentsOf(info), encoded(['the whale', 'the sea'], tokenizer))
})

test('inspectTokens returns what was written, with the digests of the files', async (t) => {
  const path = corpus()
  const info = await saveTokens(path, { texts: TEXTS }, { separator: '<|endoftext|>' })
  t.deepEqual(inspectTokens(path), info)
  t.deepEqual(inspectTokens(path, { verify: true }), info)
  for (const { name, bytes, sha256 } of Object.values(info.files)) {
    const content = readFileSync(join(path, name))
    t.is(content.length, bytes)
    t.is(createHash('sha256').update(content).digest('hex'), sha256)
  }
  t.deepEqual(readdirSync(path).sort(), [info.files.documents.name, info.files.ids.name, 'manifest.json'].sort())
})

test('openTokens finds documents and ranges by number', async (t) => {
  const info = await saveTokens(corpus(), { texts: TEXTS })
  const folder = openTokens(info.path, { verify: true })
  t.deepEqual(folder.info, info)
  TEXTS.forEach((text, i) => t.deepEqual(folder.document(i), gpt2.encode(text)))
  const all = Uint32Array.from(encoded(TEXTS).flat())
  t.deepEqual(
    [folder.read(), folder.read(3), folder.read(3, 5), folder.read(all.length)],
    [all, all.subarray(3).slice(), all.slice(3, 5), new Uint32Array(0)],
  )
  for (const run of [
    () => folder.document(4),
    () => folder.document(-1),
    () => folder.document(0.5),
    () => folder.read(0, all.length + 1),
    () => folder.read(3, 2),
  ])
    t.throws(run, { instanceOf: UsageError })
  t.throws(() => new (TokenFolder as never as new (...args: unknown[]) => unknown)(info, {}), {
    instanceOf: UsageError,
    message: /comes from openTokens/,
  })
  t.throws(() => structuredClone(folder), { any: true })
  // An opened folder stays readable if it is replaced.
  await saveTokens(info.path, { texts: ['another'] }, { force: true })
  t.deepEqual(folder.read(), all)
  t.deepEqual(openTokens(info.path).document(0), gpt2.encode('another'))
})

test('an index that is not ascending is an error when it is read', async (t) => {
  const { path, files } = await saveTokens(corpus(), { texts: TEXTS })
  const at = join(path, files.documents.name)
  const bytes = readFileSync(at)
  bytes.writeBigUInt64LE(1n, 16)
  writeFileSync(at, bytes)
  const folder = openTokens(path)
  const error = t.throws(() => folder.document(1), {
    instanceOf: FormatError,
    message: /document 1 is said to be the ids from \d+ to 1/,
  })
  t.is(error.offset, 8)
  t.notThrows(() => folder.document(3))
})

test('progress is reported, and an error of onProgress comes out unchanged', async (t) => {
  const seen: number[] = []
  const info = await saveTokens(
    corpus(),
    { files: [file('a.txt', 'a b c\n'.repeat(1000)), file('b.txt', 'd')] },
    { onProgress: ({ ids, documents, bytes }) => seen.push(ids, documents, bytes) },
  )
  t.deepEqual(seen.slice(-3), [info.ids, 2, 6001])
  await t.throwsAsync(
    saveTokens(
      corpus(),
      { texts: ['a'] },
      {
        onProgress: () => {
          throw new RangeError('mine')
        },
      },
    ),
    { instanceOf: RangeError, message: 'mine' },
  )
})

test('an existing folder stays unless replace is set', async (t) => {
  const path = corpus()
  const first = await saveTokens(path, { texts: ['first text'] })
  await t.throwsAsync(saveTokens(path, { texts: ['second'] }), {
    instanceOf: UsageError,
    message: /is already a folder of token ids.*force: true/,
  })
  await t.throwsAsync(saveTokens(path, { files: [join(path, 'none.txt')] }, { force: true }), {
    instanceOf: FileError,
    message: /none\.txt/,
  })
  t.deepEqual(inspectTokens(path, { verify: true }), first)
  const second = await saveTokens(path, { texts: ['second'] }, { force: true })
  t.deepEqual(documentsOf(second), encoded(['second']))
  t.is(readdirSync(path).length, 3)
  // The same ids give the same files.
  t.deepEqual(await saveTokens(path, { texts: ['second'] }, { force: true }), second)
  t.deepEqual(inspectTokens(path, { verify: true }), second)
})

test('foreign files in the folder stay, and a foreign manifest is never replaced', async (t) => {
  const path = fresh()
  writeFileSync(join(path, 'notes.txt'), 'mine')
  await saveTokens(path, { texts: ['a b'] })
  t.is(readFileSync(join(path, 'notes.txt'), 'utf8'), 'mine')
  for (const content of ['{"name": "an app", "start_url": "/"}', '[]', 'no JSON']) {
    const other = fresh()
    writeFileSync(join(other, 'manifest.json'), content)
    await t.throwsAsync(saveTokens(other, { texts: ['a'] }, { force: true }), {
      instanceOf: UsageError,
      message: /belongs to something else/,
    })
    t.is(readFileSync(join(other, 'manifest.json'), 'utf8'), content)
  }
})

test('a failure leaves nothing behind, not even the folder', async (t) => {
  const cases: [string, () => Promise<unknown>, object][] = []
  const at = corpus()
  const add = (name: string, source: unknown, expected: object, options?: SaveTokensOptions) =>
    cases.push([name, () => saveTokens(at, source as TokensInput, options), expected])
  add('a file that is not there', { files: [file('a.txt', 'text'), '/none/x.txt'] }, { instanceOf: FileError })
  add(
    'a file that is no text',
    { files: [file('a.txt', Uint8Array.of(0x61, 0xff))] },
    { instanceOf: FormatError, message: /not UTF-8/ },
  )
  add('a special token', { texts: ['a <|endoftext|>'] }, { instanceOf: UsageError, message: /special token/ })
  add(
    'a special token in a file',
    { files: [file('a.txt', 'a <|endoftext|>')] },
    { instanceOf: UsageError, message: /a\.txt.*special token/s },
  )
  add(
    'an id that is none',
    { ids: [[1], [2, 50257, 70000]] },
    { instanceOf: TokenIndexError, message: /id 50257 at \[1\].*1 more/ },
  )
  add('no text', { texts: ['', ''] }, { instanceOf: UsageError, message: /no ids/ })
  add('nothing', { texts: [] }, { instanceOf: UsageError, message: /no ids/ })
  add(
    'texts that are none',
    { texts: late(['a', 5 as never]) },
    { instanceOf: UsageError, message: /text 1 must be a string/ },
  )
  add('a string', 'text', { instanceOf: UsageError, message: /could be a text or a path/ })
  add('a folder', { folder: 'x' }, { instanceOf: UsageError, message: /a folder holds token ids already/ })
  add('an option that is none', { texts: ['a'] }, { instanceOf: UsageError, message: /no option "seperator"/ }, {
    seperator: 'x',
  } as never)
  add('a signal', { texts: ['a'] }, { instanceOf: AbortedError }, { signal: AbortSignal.abort() })
  const controller = new AbortController()
  add(
    'a signal later',
    { texts: late(Array.from({ length: 100 }, () => 'a')) },
    { instanceOf: AbortedError },
    { signal: controller.signal, onProgress: () => controller.abort() },
  )
  for (const [name, run, expected] of cases) {
    await t.throwsAsync(run, expected, name)
    t.false(existsSync(at), name)
  }
  const place = file('x', 'a file')
  await t.throwsAsync(saveTokens(place, { texts: ['a'] }), { instanceOf: FileError })
  await t.throwsAsync(saveTokens(join(place, 'y'), { texts: ['a'] }), { instanceOf: FileError })
})

test('of two concurrent writers to a folder the second is rejected, and the first succeeds', async (t) => {
  const path = corpus()
  const first = saveTokens(path, { texts: late(['a b c', 'd']) })
  await t.throwsAsync(saveTokens(path, { texts: ['x'] }), { instanceOf: FileError })
  const info = await first
  t.deepEqual(inspectTokens(path, { verify: true }), info)
})

/** A change to a folder, and what its error must mention. */
const MISTAKES: [
  name: string,
  change: (info: TokensInfo, manifest: Record<string, any>) => void,
  instanceOf: typeof FileError | typeof FormatError,
  message: RegExp,
][] = [
  ['another version', (_, it) => (it.version = 2), FormatError, /it has version 2, but this tokenbed reads version 1/],
  ['another format', (_, it) => (it.format = 'tokenbed.shards'), FormatError, /it is not a manifest of token ids/],
  ['another type', (_, it) => (it.dtype = '>u2'), FormatError, /"dtype" is '>u2'/],
  ["a type of Object's", (_, it) => (it.dtype = 'constructor'), FormatError, /"dtype"/],
  ['other ids', (_, it) => (it.ids = 1), FormatError, /files\.ids\.bytes/],
  ['a size that is none', (_, it) => (it.documents = -1), FormatError, /"documents" is -1/],
  ['a path', (_, it) => (it.files.ids.name = '../../ids.0123456789abcdef.bin'), FormatError, /files\.ids\.name/],
  ['the other file', (_, it) => (it.files.ids.name = it.files.documents.name), FormatError, /files\.ids\.name/],
  ['no digest', (_, it) => (it.files.ids.sha256 = 'abc'), FormatError, /not a SHA-256/],
  ['no files', (_, it) => delete it.files, FormatError, /"files" is undefined/],
  ['no tokenizer', (_, it) => (it.tokenizer = null), FormatError, /"tokenizer" is null/],
  ['a vocabulary beyond ids', (_, it) => (it.vocabSize = 2 ** 31), FormatError, /"vocabSize"/],
  [
    'sources that are none',
    (_, it) => (it.sources = [{ file: null, documents: [0, 99], ids: [0, 1] }]),
    FormatError,
    /sources\[0\]\.documents/,
  ],
  [
    'ids that were cut',
    ({ path, files }) =>
      writeFileSync(join(path, files.ids.name), readFileSync(join(path, files.ids.name)).subarray(2)),
    FormatError,
    /cut short: \d+ bytes/,
  ],
  [
    'ids that grew',
    ({ path, files }) =>
      writeFileSync(
        join(path, files.ids.name),
        Buffer.concat([readFileSync(join(path, files.ids.name)), Buffer.alloc(2)]),
      ),
    FormatError,
    /longer than it was/,
  ],
  [
    'an index that was cut',
    ({ path, files }) => writeFileSync(join(path, files.documents.name), Buffer.alloc(8)),
    FormatError,
    /cut short/,
  ],
  [
    'an index of zeros',
    ({ path, files }) => writeFileSync(join(path, files.documents.name), Buffer.alloc(files.documents.bytes)),
    FormatError,
    /the last document ends at 0/,
  ],
]

test('a damaged folder is an error that describes the damage', async (t) => {
  for (const [name, change, instanceOf, message] of MISTAKES) {
    const info = await saveTokens(corpus(), { texts: TEXTS })
    const path = join(info.path, 'manifest.json')
    const manifest = JSON.parse(readFileSync(path, 'utf8'))
    change(info, manifest)
    writeFileSync(path, JSON.stringify(manifest))
    const error = t.throws(() => inspectTokens(info.path), { instanceOf, message }, name)
    t.true(error.path.startsWith(info.path), name)
  }
  const none = fresh()
  t.throws(() => inspectTokens(none), { instanceOf: FileError, message: /has no manifest\.json/ })
  t.throws(() => inspectTokens(join(none, 'x')), { instanceOf: FileError, message: /there is no folder/ })
  writeFileSync(join(none, 'manifest.json'), '{"format": ')
  t.throws(() => inspectTokens(none), { instanceOf: FormatError, message: /it is not JSON/ })
  const missing = await saveTokens(corpus(), { texts: TEXTS })
  mkdirSync(join(missing.path, 'sub'))
  writeFileSync(join(missing.path, 'sub', 'manifest.json'), readFileSync(join(missing.path, 'manifest.json')))
  t.throws(() => inspectTokens(join(missing.path, 'sub')), { instanceOf: FileError, message: /documents\.|ids\./ })
})

test('verify finds a changed byte, and damage that digests do not show', async (t) => {
  const info = await saveTokens(corpus(), { texts: TEXTS })
  const path = join(info.path, info.files.ids.name)
  const bytes = readFileSync(path)
  const sealed = (change: (bytes: Buffer) => void) => {
    const changed = Buffer.from(bytes)
    change(changed)
    writeFileSync(path, changed)
    return createHash('sha256').update(changed).digest('hex')
  }
  const digest = sealed((it) => it.writeUInt16LE(50257, 4))
  t.is(inspectTokens(info.path).ids, info.ids)
  t.throws(() => inspectTokens(info.path, { verify: true }), {
    instanceOf: FormatError,
    message: /its bytes differ from those that were written/,
  })
  const manifest = join(info.path, 'manifest.json')
  writeFileSync(manifest, readFileSync(manifest, 'utf8').replace(info.files.ids.sha256, digest))
  const error = t.throws(() => inspectTokens(info.path, { verify: true }), {
    instanceOf: FormatError,
    message: /50257 at position \d+ is not an id of its vocabulary/,
  })
  t.is(error.offset, 4)
})

const inPython = python === null ? test.skip : test
inPython('NumPy reads it in three lines', async (t) => {
  const info = await saveTokens(corpus(), { texts: TEXTS }, { separator: '<|endoftext|>' })
  const script = `
import json, sys, numpy as np
folder = sys.argv[1]
manifest = json.load(open(f"{folder}/manifest.json"))
ids = np.memmap(f"{folder}/{manifest['files']['ids']['name']}", dtype=manifest["dtype"], mode="r")
starts = np.memmap(f"{folder}/{manifest['files']['documents']['name']}", dtype="<u8", mode="r")
print(json.dumps([ids[starts[i]:starts[i + 1]].tolist() for i in range(manifest["documents"])]))`
  t.deepEqual(runPython(script, info.path), documentsOf(info))
})
