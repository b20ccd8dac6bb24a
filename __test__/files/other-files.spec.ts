// Files of other formats under the names of the expected ones. Every reader throws a FormatError with the path that
// says what the file is and what to do. testdata/golden/other-files holds such files as their own programs write them.

import test from 'ava'
import { cpSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  FormatError,
  inspectSafetensors,
  loadModel,
  loadNpy,
  loadSafetensors,
  loadGlove,
  loadWord2Vec,
  saveModel,
  streamIds,
  Tokenizer,
  Trainer,
  zeros,
  UsageError,
} from '../../index.js'
import { fails } from '../support/command.js'
import { root } from '../support/golden.js'
import { temporaryFolder } from '../support/temporary.js'

const folder = temporaryFolder()
const golden = (name: string) => join(root, 'testdata/golden/other-files', name)
const written = (name: string, content: string | Buffer) => {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}
const pointer = written(
  'pointer',
  'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab\nsize 548105171\n',
)
const page = written('page', '<!DOCTYPE html><html><head><title>Sign in</title></head><body></body></html>')
const index = written(
  'index',
  JSON.stringify({ metadata: { total_size: 5 }, weight_map: { wte: 'model-00001-of-00002.safetensors' } }),
)

/** A model some of whose files are replaced. */
function model(file: string, other: string): string {
  const target = join(mkdtempSync(join(folder, 'm-')), 'model')
  saveModel(target, { objective: 'x', tensors: { 'token.weight': zeros([1, 2]) }, vocabulary: ['a'] })
  cpSync(other, join(target, file))
  return target
}

async function streamed(path: string): Promise<void> {
  for await (const _ of streamIds({ files: [path] }, { tokenizer: Tokenizer.load('gpt2') })) void _
}

/** All functions that read a file as a whole or only its beginning. */
const TENSORS: Record<string, (path: string) => unknown> = {
  loadSafetensors: (path) => loadSafetensors(path),
  'loadSafetensors, verified': (path) => loadSafetensors(path, { verify: true }),
  inspectSafetensors: (path) => inspectSafetensors(path),
  'Trainer.resume': (path) => Trainer.resume(path, new Uint32Array(9)),
  'model.safetensors': (path) => loadModel(model('model.safetensors', path)),
}
const ALL: Record<string, (path: string) => unknown> = {
  ...TENSORS,
  loadNpy: (path) => loadNpy(path),
  loadWord2Vec: (path) => loadWord2Vec(path),
  loadGlove: (path) => loadGlove(path),
  'Tokenizer.fromFile': (path) => Tokenizer.fromFile(path),
  'model.json': (path) => loadModel(model('model.json', path)),
  'vocab.txt': (path) => loadModel(model('vocab.txt', path)),
}

async function names(
  t: import('ava').ExecutionContext,
  readers: Record<string, (path: string) => unknown>,
  path: string,
  ...parts: string[]
): Promise<void> {
  for (const [name, read] of Object.entries(readers)) {
    const error = await t.throwsAsync<FormatError>(
      async () => read(path),
      { instanceOf: FormatError },
      `${name} of ${path}`,
    )
    t.is(error?.code, 'FORMAT')
    t.true(error.message.startsWith(`${error.path}: `), `${name}: ${error.message}`)
    for (const part of parts) t.true(error.message.includes(part), `${name}: "${error.message}" does not say "${part}"`)
    t.true(error.message.length < 600, error.message)
    t.is(error.offset, 0, name)
  }
}

test('recognizes Git LFS pointers and HTML pages', async (t) => {
  await names(t, ALL, pointer, 'it is a pointer of Git LFS', 'git lfs pull')
  await names(t, ALL, page, 'it is a page of HTML, "Sign in", and not', 'a server sent it')
})

test('recognizes pickles', async (t) => {
  for (const protocol of [2, 4, 5])
    await names(t, ALL, golden(`pickle-${protocol}.bin`), 'it is a pickle of Python, and not', 'it is never run here')
  await names(
    t,
    { ...TENSORS, loadNpy: ALL.loadNpy, loadWord2Vec: ALL.loadWord2Vec },
    golden('pickle-0.bin'),
    'it is a pickle of Python, and not',
  )
  await names(t, { loadWord2Vec: ALL.loadWord2Vec }, golden('gensim.kv'), "gensim's own save", 'save_word2vec_format')
  await names(t, ALL, golden('torch.pt'), 'it is a file of PyTorch', 'loadTorch reads it')
  await names(t, ALL, golden('arrays.npz'), 'it is an .npz file', 'loadNpz reads it')
})

test('recognizes compressed files', async (t) => {
  await names(
    t,
    { ...TENSORS, loadNpy: ALL.loadNpy, tokenizer: ALL['Tokenizer.fromFile'] },
    golden('gzip.bin'),
    'it is gzip, and not',
    'unpack it first (gunzip)',
  )
  await names(t, { loadWord2Vec: ALL.loadWord2Vec }, golden('gzip.bin'), 'it is gzip', 'let its name end in .gz')
  for (const [name, kind] of [
    ['xz.bin', 'xz'],
    ['bzip2.bin', 'bzip2'],
    ['files.tar', 'a tar archive'],
  ])
    await names(t, ALL, golden(name), `it is ${kind}, and not`, 'unpack it first')
})

test('recognizes models of other libraries', async (t) => {
  await names(t, ALL, golden('model.gguf'), 'it is a GGUF file', 'GGUF reads')
  await names(t, ALL, golden('tokenizer.model'), 'it is a model of SentencePiece', 'tokenizer.json')
  t.throws(() => Tokenizer.fromFile(golden('o200k.tiktoken')), {
    instanceOf: UsageError,
    message: /a \.tiktoken file does not say how texts are cut: give it as the option pattern/,
  })
  await names(
    t,
    { ...TENSORS, loadNpy: ALL.loadNpy, loadWord2Vec: ALL.loadWord2Vec, tokenizer: ALL['Tokenizer.fromFile'] },
    index,
    'it is the index of a model in several files (shards)',
  )
  await names(
    t,
    { loadNpy: ALL.loadNpy, loadWord2Vec: ALL.loadWord2Vec },
    golden('table.safetensors'),
    'it is a safetensors file',
    'loadSafetensors reads it',
  )
  await names(
    t,
    { loadSafetensors: TENSORS.loadSafetensors, loadWord2Vec: ALL.loadWord2Vec },
    golden('array.npy'),
    'it is an .npy file',
    'loadNpy reads it',
  )
  await names(
    t,
    { loadSafetensors: TENSORS.loadSafetensors, loadNpy: ALL.loadNpy },
    golden('words.txt'),
    'it is vectors in a format of word2vec',
    'loadWord2Vec reads them',
  )
})

test('recognizes texts in other encodings', async (t) => {
  for (const name of ['utf-16', 'utf-16-le', 'utf-16-be'])
    await names(t, ALL, golden(`${name}.txt`), 'it is UTF-16 text, and not', 'iconv')
  await names(t, ALL, golden('utf-32.txt'), 'it is UTF-32 text, and not', 'iconv')
  const marked = Buffer.concat([Buffer.from('\ufeff'), readFileSync(join(root, 'testdata/golden/hf/llama.json'))])
  await names(
    t,
    { 'Tokenizer.fromFile': ALL['Tokenizer.fromFile'] },
    written('marked.json', marked),
    'byte order mark',
    'save it as UTF-8 without one',
  )
  const described = readFileSync(join(model('vocab.txt', golden('words.txt')), 'model.json'))
  await names(
    t,
    { 'model.json': ALL['model.json'] },
    written('model.json', Buffer.concat([Buffer.from('\ufeff'), described])),
    'byte order mark',
  )
  t.deepEqual(loadWord2Vec(golden('utf-8-sig.txt')).words, ['a', 'b', 'c'])
})

test('rejects binary files as texts', async (t) => {
  for (const [name, kind] of [
    ['gzip.bin', 'gzip: let its name end in .gz'],
    ['pickle-4.bin', 'a pickle of Python'],
    ['torch.pt', 'a file of PyTorch'],
    ['utf-16.txt', 'UTF-16 text: convert it'],
    ['array.npy', 'an .npy file'],
  ]) {
    const error = await t.throwsAsync<FormatError>(streamed(golden(name)), { instanceOf: FormatError })
    t.true(error.message.includes('is not UTF-8') && error.message.includes(`it looks like ${kind}`), error.message)
    t.false(error.message.includes('invalidUtf8'), error.message)
    await fails(t, ['embed', golden(name), '--out', join(folder, 'x.npy'), '--dim', '4'], 1, [`it looks like ${kind}`])
  }
})

test('the command prints the same explanations', async (t) => {
  await fails(t, ['inspect', pointer], 1, ['Git LFS'])
  await fails(t, ['neighbors', golden('gensim.kv'), 'a'], 1, ["gensim's own save"])
  await fails(t, ['neighbors', golden('gzip.bin'), 'a'], 1, ['.gz'])
  await fails(t, ['plot', page, '--out', join(folder, 'x.svg')], 1, ['a page of HTML'])
  await fails(t, ['tokens', '--tokenizer', golden('tokenizer.model'), 'a'], 1, ['SentencePiece'])
})

test('a damaged file is not taken for another format', (t) => {
  const good = readFileSync(golden('table.safetensors'))
  for (const at of [0, 1, 8, 9, 20, 60]) {
    const damaged = Buffer.from(good)
    damaged[at] ^= 0xff
    const error = t.throws(() => loadSafetensors(written('damaged.safetensors', damaged)), { instanceOf: FormatError })
    t.false(error.message.includes('it is '), error.message)
  }
})
