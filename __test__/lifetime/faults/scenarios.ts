// Every writer and every reader of files, each with the smallest input that uses all of its code.

import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import {
  createDataLoader,
  embedShards,
  full,
  inspectSafetensors,
  inspectTokens,
  loadModel,
  loadFastText,
  loadGGUF,
  loadNpy,
  loadNpz,
  loadPretrained,
  loadSafetensors,
  loadTorch,
  loadGlove,
  loadWord2Vec,
  modelDigest,
  records,
  saveModel,
  saveNpy,
  saveNpz,
  saveSafetensors,
  saveTokens,
  saveWord2Vec,
  streamIds,
  TextEmbedder,
  TokenbedError,
  Tokenizer,
  TensorWriter,
  verifyShards,
  Trainer,
  type QuantizedTable,
  type Tensor,
} from '../../../index.js'
import { PROGRAM } from '../../support/command.js'
import { root } from '../../support/golden.js'

/** Writes a file or a folder that holds one value, which can be read again. */
export interface Writer {
  readonly name: string
  /** The names in the folder afterwards. */
  readonly names: readonly string[]
  write(folder: string, value: number): unknown
  /** The value that is there as a whole; throws if there is none. */
  look(folder: string): number
  /** Whether it writes files that change together: once the first has its name, the new ones count. */
  readonly several?: boolean
  /** Whether it runs a process of its own, which is slow. */
  readonly slow?: boolean
}

/** Reads a file or a folder. */
export interface Reader {
  readonly name: string
  prepare(folder: string): unknown
  /** A summary of what was read. */
  read(folder: string): unknown
}

export class CommandFailed extends Error {
  constructor(
    readonly exit: number | string | null,
    readonly stderr: string,
  ) {
    super(`exit code ${exit}: ${stderr}`)
  }
}

function command(...args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [PROGRAM, ...args], (error, stdout, stderr) => {
      if (error) reject(new CommandFailed(error.code ?? error.signal ?? null, stderr))
      else resolve(stdout)
    })
  })
}

/** Larger than the buffer that gathers bytes before they are written. */
const table = (value: number) => full([300, 1000], value, { dtype: 'int32' })

/** The one value that a tensor holds. */
function only(tensor: Tensor): number {
  const data = tensor.data as ArrayLike<number> & Iterable<number>
  const first = Number(data[0])
  for (const x of data) if (Number(x) !== first) throw new Error(`of two saves: ${first} and ${x}`)
  tensor.dispose()
  return first
}

function stream(path: string, value: number, columns: readonly string[]): void {
  const writer = new TensorWriter(
    path,
    Object.fromEntries(columns.map((name) => [name, { dtype: 'int32', shape: [1000] }])),
  )
  const rows = full([100, 1000], value, { dtype: 'int32' })
  for (let i = 0; i < 3; i++) for (const name of columns) writer.write(name, rows)
  writer.close()
}

const bothOf = (tensors: Map<string, Tensor>) => {
  const [x, y] = [only(tensors.get('x')!), only(tensors.get('y')!)]
  if (x !== y) throw new Error(`of two saves: ${x} and ${y}`)
  return x
}

const wordsOf = (value: number) => Array.from({ length: 20 + value }, (_, i) => `w${i}-${value}`)

function model(path: string, value: number, vocabulary: string[] | Tokenizer): void {
  const rows = vocabulary instanceof Tokenizer ? vocabulary.vocabSize : vocabulary.length
  saveModel(path, {
    objective: 'x',
    tensors: { 'token.weight': full([rows, 4], value) },
    vocabulary,
    training: { value },
  })
}

function modelAt(path: string): number {
  const { weight, description, words } = loadModel(path)
  const value = only(weight)
  const said = (description.training as { value?: number }).value ?? value
  if (said !== value || (words !== undefined && words !== null && !words.every((word) => word.endsWith(`-${value}`))))
    throw new Error('of two saves')
  return value
}

const IDS = Uint32Array.from({ length: 400 }, (_, i) => (i * i) % 53)
/** The number of steps tells which save it was. */
const trainer = (value: number) =>
  new Trainer(IDS, { objective: 'skip-gram', vocabSize: 53, minCount: 1, dim: 8 + value, epochs: 1 })

const TEXT = Array.from({ length: 400 }, (_, i) => `The whale number ${i % 37} swims in the sea.`).join('\n')
const PRETRAINED = join(root, 'testdata/golden/pretrained')
const TOKENIZER = join(root, 'testdata/golden/hf/byte-level.json')

/** The width of the only table of vectors, which tells the saves of the command apart. */
const widthOf = (tensors: Map<string, Tensor>) => [...tensors.values()][0].shape.at(-1)!

function textIn(folder: string): string {
  const path = join(folder, '..', 'text.txt')
  writeFileSync(path, TEXT)
  return path
}

/** Words of one token each, by the values that they stand for, and their ids. */
const NUMBERS = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine']
const VALUES = NUMBERS.map((word) => Tokenizer.load('gpt2').encode(` ${word}`)[0])

export const writers: readonly Writer[] = [
  {
    name: 'saveSafetensors',
    names: ['x.safetensors'],
    write: (folder, value) => saveSafetensors(join(folder, 'x.safetensors'), { x: table(value), y: table(value) }),
    look: (folder) => bothOf(loadSafetensors(join(folder, 'x.safetensors'))),
  },
  {
    name: 'saveNpy',
    names: ['x.npy'],
    write: (folder, value) => saveNpy(join(folder, 'x.npy'), table(value)),
    look: (folder) => only(loadNpy(join(folder, 'x.npy'))),
  },
  {
    name: 'saveNpz',
    names: ['x.npz'],
    write: (folder, value) => saveNpz(join(folder, 'x.npz'), { x: table(value), y: table(value) }),
    look: (folder) => bothOf(loadNpz(join(folder, 'x.npz'))),
  },
  {
    name: 'TensorWriter, one tensor',
    names: ['x.npy'],
    write: (folder, value) => stream(join(folder, 'x.npy'), value, ['x']),
    look: (folder) => only(loadNpy(join(folder, 'x.npy'))),
  },
  {
    name: 'TensorWriter, two tensors',
    names: ['x.safetensors'],
    write: (folder, value) => stream(join(folder, 'x.safetensors'), value, ['x', 'y']),
    look: (folder) => bothOf(loadSafetensors(join(folder, 'x.safetensors'))),
  },
  ...[false, true].map((binary) => ({
    name: `saveWord2Vec, ${binary ? 'binary' : 'text'}`,
    names: ['x.w2v'],
    write: (folder: string, value: number) =>
      saveWord2Vec(join(folder, 'x.w2v'), wordsOf(value), full([20 + value, 5], value), { binary }),
    look: (folder: string) => {
      const { words, weight } = loadWord2Vec(join(folder, 'x.w2v'), { binary })
      const value = only(weight)
      if (words!.join() !== wordsOf(value).join()) throw new Error('of two saves')
      return value
    },
  })),
  {
    name: 'saveModel, words',
    names: ['model'],
    several: true,
    write: (folder, value) => model(join(folder, 'model'), value, wordsOf(value)),
    look: (folder) => modelAt(join(folder, 'model')),
  },
  {
    name: 'saveModel, a tokenizer from a file',
    names: ['model'],
    several: true,
    write: (folder, value) => model(join(folder, 'model'), value, fromFile()),
    look: (folder) => modelAt(join(folder, 'model')),
  },
  {
    name: 'Trainer.save',
    names: ['run.safetensors'],
    write: (folder, value) => trainer(value).save(join(folder, 'run.safetensors')),
    look: (folder) => checkpointAt(join(folder, 'run.safetensors')),
  },
  {
    name: 'Trainer.run with checkpoints',
    names: ['run.safetensors'],
    several: true,
    write: (folder, value) => trainer(value).run({ checkpoint: { path: join(folder, 'run.safetensors'), every: 0 } }),
    look: (folder) => checkpointAt(join(folder, 'run.safetensors')),
  },
  {
    name: 'saveTokens, ids',
    names: ['corpus'],
    several: true,
    write: (folder, value) => saveTokens(join(folder, 'corpus'), { ids: tokensOf(value) }, { force: true }),
    look: (folder) => tokensAt(join(folder, 'corpus')),
  },
  {
    name: 'saveTokens, files',
    names: ['corpus'],
    several: true,
    write: (folder, value) => {
      const path = join(folder, '..', `text-${value}.txt`)
      writeFileSync(path, ` ${NUMBERS[value]}`.repeat(300))
      return saveTokens(join(folder, 'corpus'), { files: [path] }, { force: true })
    },
    look: (folder) => tokensAt(join(folder, 'corpus')),
  },
  {
    name: 'tokenbed tokenize',
    names: ['corpus'],
    slow: true,
    several: true,
    write: (folder, value) => {
      const path = join(folder, '..', `text-${value}.txt`)
      writeFileSync(path, ` ${NUMBERS[value]}`.repeat(300))
      return command('tokenize', path, '--out', join(folder, 'corpus'), '--force')
    },
    look: (folder) => tokensAt(join(folder, 'corpus')),
  },
  {
    name: 'tokenbed embed',
    names: ['tables.safetensors', 'x.safetensors'],
    slow: true,
    several: true,
    write: (folder, value) =>
      command(
        'embed',
        textIn(folder),
        '--dim',
        String(8 + value),
        '--out',
        join(folder, 'x.safetensors'),
        '--tables-out',
        join(folder, 'tables.safetensors'),
      ),
    look: (folder) => {
      widthOf(loadSafetensors(join(folder, 'tables.safetensors')))
      return widthOf(loadSafetensors(join(folder, 'x.safetensors'))) - 8
    },
  },
  {
    name: 'tokenbed train',
    names: ['model'],
    slow: true,
    several: true,
    // Saves over the existing model and over what a failed save may have left.
    write: (folder, value) =>
      command(
        'train',
        textIn(folder),
        '--objective',
        'skip-gram',
        '--min-count',
        '1',
        '--epochs',
        '1',
        '--dim',
        String(8 + value),
        '--out',
        join(folder, 'model'),
        '--force',
      ),
    look: (folder) => loadModel(join(folder, 'model')).weight.shape[1] - 8,
  },
  {
    name: 'tokenbed plot',
    names: ['x.svg'],
    slow: true,
    write: (folder, value) => {
      const path = join(folder, '..', `drawn-${value}`)
      model(path, value, wordsOf(value))
      return command('plot', path, '--out', join(folder, 'x.svg'), '--top', String(10 + value))
    },
    look: (folder) => {
      const text = readFileSync(join(folder, 'x.svg'), 'utf8')
      if (!text.trimEnd().endsWith('</svg>')) throw new Error('half a drawing')
      return Number(/w\d+-(\d+)</.exec(text)![1])
    },
  },
]

/** A folder of ids is whole if it has the bytes that were written: one repeated id, which tells the save. */
function tokensAt(path: string): number {
  inspectTokens(path, { verify: true })
  const { ids } = createDataLoader({ folder: path }, { maxLength: 1 })
  if (!ids.every((id) => id === ids[0])) throw new Error('of two saves')
  return VALUES.indexOf(ids[0])
}

const tokensOf = (value: number) => Array.from({ length: 3 }, () => new Int32Array(20_000).fill(VALUES[value]))

function fromFile(): Tokenizer {
  return Tokenizer.fromFile(TOKENIZER)
}

/** A checkpoint is whole if its trainer can go on. */
function checkpointAt(path: string): number {
  const tensors = loadSafetensors(path)
  return widthOf(new Map([...tensors].filter(([, { shape }]) => shape.length === 2))) - 8
}

const EMBEDDER = join(root, 'testdata/golden/embed/m2v-small')
let outs = 0
/** Shards of one row of the records of x.jsonl. */
const shards = (folder: string, out: string, resume: boolean) =>
  embedShards(out, [join(folder, 'x.jsonl')], {
    embedder: TextEmbedder.load(EMBEDDER),
    model: '0'.repeat(64),
    shardRows: 1,
    resume,
  })

const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const digestOf = (tensor: Tensor) => {
  const { buffer, byteOffset, byteLength } = tensor.data as Uint8Array
  const found = digest(new Uint8Array(buffer, byteOffset, byteLength))
  tensor.dispose()
  return found
}

async function idsOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const ids of streamIds({ files: [path] })) hash.update(ids)
  return hash.digest('hex')
}

const values = (length: number) => full([length, 8], 3)

const FASTTEXT = join(root, 'testdata/golden/fasttext')
const GGUF = join(root, 'testdata/golden/gguf')

export const readers: readonly Reader[] = [
  {
    name: 'inspectSafetensors',
    prepare: (folder) => saveSafetensors(join(folder, 'x.safetensors'), { x: values(1000) }),
    read: (folder) => JSON.stringify(inspectSafetensors(join(folder, 'x.safetensors'))),
  },
  {
    name: 'loadSafetensors',
    prepare: (folder) => saveSafetensors(join(folder, 'x.safetensors'), { x: values(1000) }),
    read: (folder) => digestOf(loadSafetensors(join(folder, 'x.safetensors')).get('x')!),
  },
  {
    name: 'loadGGUF',
    prepare: (folder) => copyFileSync(join(GGUF, 'kinds.gguf'), join(folder, 'x.gguf')),
    read: (folder) => {
      const { metadata, tensors } = loadGGUF(join(folder, 'x.gguf'))
      const table = tensors.get('q4_k') as QuantizedTable
      return `${String(metadata.get('general.architecture'))} ${digestOf(table.dequantize())}`
    },
  },
  {
    name: 'loadFastText',
    prepare: (folder) => copyFileSync(join(FASTTEXT, 'sup-ova-cut.ftz'), join(folder, 'x.ftz')),
    read: (folder) => {
      const model = loadFastText(join(folder, 'x.ftz'))
      return `${model.sentenceVector('abc абв').join()} ${JSON.stringify(model.classify('abc абв'))}`
    },
  },
  {
    name: 'Tokenizer.fromGGUF',
    prepare: (folder) => copyFileSync(join(GGUF, 'tokenizer-llama.gguf'), join(folder, 'x.gguf')),
    read: (folder) => Tokenizer.fromGGUF(join(folder, 'x.gguf')).encode('Call me Ishmael').join(),
  },
  {
    name: 'loadNpy',
    prepare: (folder) => saveNpy(join(folder, 'x.npy'), values(1000)),
    read: (folder) => digestOf(loadNpy(join(folder, 'x.npy'))),
  },
  {
    name: 'loadNpz',
    prepare: (folder) => copyFileSync(join(PRETRAINED, 'npz/compressed.npz'), join(folder, 'x.npz')),
    read: (folder) => Array.from(loadNpz(join(folder, 'x.npz')).values(), digestOf).join(),
  },
  {
    name: 'loadTorch',
    prepare: (folder) => copyFileSync(join(PRETRAINED, 'torch/views.pt'), join(folder, 'x.pt')),
    read: (folder) => Array.from(loadTorch(join(folder, 'x.pt')).values(), digestOf).join(),
  },
  ...['gpt2-shards', 'gpt2-bin'].map((name) => ({
    name: `loadPretrained, ${name}`,
    prepare: (folder: string) => cpSync(join(PRETRAINED, name), join(folder, 'model'), { recursive: true }),
    read: (folder: string) => {
      const { token, position } = loadPretrained(join(folder, 'model'))
      return digestOf(token as Tensor) + digestOf(position!)
    },
  })),
  ...[false, true].map((binary) => ({
    name: `loadWord2Vec, ${binary ? 'binary' : 'text'}`,
    prepare: (folder: string) => saveWord2Vec(join(folder, 'x.w2v'), wordsOf(300), values(320), { binary }),
    read: (folder: string) => {
      const { words, weight } = loadWord2Vec(join(folder, 'x.w2v'), { binary })
      return `${digest(Buffer.from(words!.join()))} ${digestOf(weight)}`
    },
  })),
  {
    name: 'loadGlove',
    prepare: (folder) => saveWord2Vec(join(folder, 'x.txt'), wordsOf(300), values(320), { header: false }),
    read: (folder) => {
      const { words, weight } = loadGlove(join(folder, 'x.txt'))
      return `${digest(Buffer.from(words!.join()))} ${digestOf(weight)}`
    },
  },
  {
    name: 'loadModel',
    prepare: (folder) => model(join(folder, 'model'), 2, wordsOf(2)),
    read: (folder) => `${modelAt(join(folder, 'model'))}`,
  },
  {
    name: 'loadModel, a tokenizer',
    prepare: (folder) => model(join(folder, 'model'), 2, fromFile()),
    read: (folder) => `${modelAt(join(folder, 'model'))}`,
  },
  {
    name: 'Tokenizer.fromFile',
    prepare: (folder) => writeFileSync(join(folder, 'tokenizer.json'), readFileSync(TOKENIZER)),
    read: (folder) => [...Tokenizer.fromFile(join(folder, 'tokenizer.json')).encode('the whale')].join(),
  },
  {
    name: 'Tokenizer.fromFile, a folder',
    prepare: (folder) => {
      writeFileSync(join(folder, 'vocab.json'), JSON.stringify({ t: 0, h: 1, e: 2, th: 3 }))
      writeFileSync(join(folder, 'merges.txt'), '#version: 0.2\nt h\n')
    },
    read: (folder) => [...Tokenizer.fromFile(folder).encode('the')].join(),
  },
  {
    name: 'TextEmbedder.load',
    prepare: (folder) => cpSync(EMBEDDER, folder, { recursive: true }),
    read: (folder) => digestOf(TextEmbedder.load(folder).embed('the whale')),
  },
  {
    name: 'modelDigest',
    prepare: (folder) => cpSync(EMBEDDER, folder, { recursive: true }),
    read: (folder) => modelDigest(folder),
  },
  {
    name: 'records',
    prepare: (folder) => writeFileSync(join(folder, 'x.csv'), 'id,text\n1,"a\nb"\n2,c\n'),
    read: async (folder) => {
      const found: string[] = []
      for await (const { id, text } of records(join(folder, 'x.csv'))) found.push(`${id} ${text}`)
      return found.join()
    },
  },
  {
    // Whatever fails, it is an error of this package, and a run that resumes completes the same folder.
    name: 'embedShards, resumed',
    prepare: (folder) =>
      writeFileSync(join(folder, 'x.jsonl'), '{"id":"a","text":"the whale"}\n{"id":"b","text":"sea"}\n'),
    read: async (folder) => {
      const out = join(folder, `out-${outs++}`)
      try {
        return JSON.stringify(await shards(folder, out, false))
      } catch (error) {
        if (!(error instanceof TokenbedError)) throw error
        return JSON.stringify(await shards(folder, out, true))
      }
    },
  },
  {
    name: 'verifyShards',
    prepare: async (folder) => {
      writeFileSync(join(folder, 'x.jsonl'), '{"id":"a","text":"the whale"}\n')
      await shards(folder, join(folder, 'out'), false)
    },
    read: async (folder) => JSON.stringify(await verifyShards(join(folder, 'out'))),
  },
  {
    name: 'streamIds',
    prepare: (folder) => writeFileSync(join(folder, 'x.txt'), TEXT),
    read: (folder) => idsOf(join(folder, 'x.txt')),
  },
  {
    name: 'streamIds, gzip',
    prepare: (folder) => writeFileSync(join(folder, 'x.gz'), gzipSync(TEXT)),
    read: (folder) => idsOf(join(folder, 'x.gz')),
  },
  {
    name: 'streamIds, zstd',
    prepare: (folder) =>
      writeFileSync(join(folder, 'x.zst'), readFileSync(join(root, 'testdata/golden/packed/frames.txt.zst'))),
    read: (folder) => idsOf(join(folder, 'x.zst')),
  },
  {
    name: 'createDataLoader over a folder',
    prepare: (folder) => saveTokens(join(folder, 'corpus'), { ids: tokensOf(3) }),
    read: (folder) =>
      [...createDataLoader({ folder: join(folder, 'corpus'), verify: true }, { maxLength: 1 }).ids].join(),
  },
  {
    name: 'inspectTokens',
    prepare: (folder) => saveTokens(join(folder, 'corpus'), { ids: tokensOf(3) }),
    read: (folder) => JSON.stringify(inspectTokens(join(folder, 'corpus'))),
  },
  {
    name: 'Trainer over a folder',
    prepare: (folder) => saveTokens(join(folder, 'corpus'), { ids: tokensOf(3) }),
    read: async (folder) => {
      const { tensors } = await new Trainer(
        { folder: join(folder, 'corpus') },
        { objective: 'next-token', dim: 2, contextLength: 64, softmax: { samples: 2 } },
      ).run({ steps: 3 })
      return Object.values(tensors).map(digestOf).join()
    },
  },
  {
    name: 'Trainer over files',
    prepare: (folder) => writeFileSync(join(folder, 'x.txt'), TEXT),
    read: async (folder) => {
      const { tensors } = await new Trainer(
        { files: [join(folder, 'x.txt')] },
        { objective: 'cbow', dim: 4, epochs: 1, minCount: 1 },
      ).run()
      return Object.values(tensors).map(digestOf).join()
    },
  },
  {
    name: 'Trainer.resume',
    prepare: (folder) => trainer(1).save(join(folder, 'run.safetensors')),
    read: async (folder) => {
      const { tensors } = await (await Trainer.resume(join(folder, 'run.safetensors'), IDS)).run()
      return Object.values(tensors).map(digestOf).join()
    },
  },
]

/** An empty folder for a scenario. */
export function folderFor(base: string, name: string): string {
  const folder = join(base, name.replace(/\W+/g, '-'), 'in')
  mkdirSync(folder, { recursive: true })
  return folder
}
