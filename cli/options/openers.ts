// Opens whatever holds tables: told by its ending and its first bytes, and by the files in a folder.

import { closeSync, existsSync, openSync, readSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import {
  FormatError,
  loadFastText,
  loadGGUF,
  loadGlove,
  loadModel,
  loadNpy,
  loadNpz,
  loadPretrained,
  loadSafetensors,
  loadTorch,
  loadWord2Vec,
  QuantizedTable,
  tensor,
  Tensor,
  TokenbedError,
  type FastText,
  type LoadedTensors,
  type Pretrained,
  type Tokenizer,
  type Vectors,
} from '../../index.js'
import { WorkFailed, isFolder } from '../terminal/failure.js'

/** A table whose rows are made when they are read. */
export class MadeTable {
  readonly kind = 'float32'
  readonly shape: readonly [rows: number, dim: number]
  readonly #vectors: Vectors

  constructor(vectors: Vectors) {
    this.#vectors = vectors
    this.shape = [vectors.size, vectors.dim]
  }

  /** Some of the rows, as a new tensor. */
  rows(first: number, count: number): Tensor {
    const [, dim] = this.shape
    const values = new Float32Array(count * dim)
    for (let i = 0; i < count; i++) {
      const word = this.#vectors.token(first + i)
      // Bytes that are no UTF-8 are replaced in its text, which then is not the word.
      if (!this.#vectors.has(word)) return this.#vectors.weight.narrow(0, first, count)
      values.set(this.#vectors.vector(word), i * dim)
    }
    return tensor(values, { shape: [count, dim] })
  }

  /** All rows. */
  dequantize(): Tensor {
    return this.#vectors.weight
  }
}

export type Table = Tensor | QuantizedTable | MadeTable

/** What a path holds. */
export interface Opened {
  /** What it is, as a noun: `a safetensors file`. */
  readonly kind: string
  readonly tensors: ReadonlyMap<string, Table>
  /** The name of the table whose rows are tokens or words; null if nothing says which. */
  readonly table: string | null
  /** What the rows of that table stand for; null if that is not known. Reading it may take long. */
  readonly rows: () => readonly string[] | Tokenizer | null
  /** Strings by name that belong to the tensors. */
  readonly metadata: Readonly<Record<string, string>>
  /** The model that it is, if it is somebody's. */
  readonly pretrained: Pretrained | null
  /** The model of fastText that it is. */
  readonly fastText?: FastText
  /** The words with their vectors, if the file is one of words. */
  readonly vectors?: Vectors
}

/** The kinds of single files, told by what they hold. */
export type FileKind = 'safetensors' | 'npy' | 'npz' | 'torch' | 'gguf' | 'fasttext' | 'words'

/** What a file is by its ending; where an ending is used for several, by its first bytes. */
export function kindOf(path: string): FileKind {
  const name = path.toLowerCase().replace(/\.(gz|zst)$/, '')
  const ending = /\.([^./\\]+)$/.exec(name)?.[1] ?? ''
  const start = startOf(path)
  if (start.startsWith('GGUF') || ending === 'gguf') return 'gguf'
  if (start.startsWith('\xba\x16O/') || ending === 'ftz') return 'fasttext'
  if (ending === 'safetensors' || ending === 'npy' || ending === 'npz') return ending
  if (['pt', 'pth', 'ckpt'].includes(ending)) return 'torch'
  // A word2vec file begins with digits, a zip of torch.save with PK; old pickles are refused better by loadTorch.
  if (ending === 'bin' && (start.startsWith('PK') || start.startsWith('\x80'))) return 'torch'
  if (ending === '' && start.startsWith('\x93NUMPY')) return 'npy'
  return 'words'
}

function startOf(path: string): string {
  const bytes = Buffer.alloc(8)
  let file: number
  try {
    file = openSync(path, 'r')
  } catch {
    // The reader says what is wrong with it.
    return ''
  }
  try {
    return bytes.toString('latin1', 0, readSync(file, bytes))
  } catch {
    return ''
  } finally {
    closeSync(file)
  }
}

/** Opens a file or a folder. @throws WorkFailed if there is none, and the errors of its reader. */
export function openTables(path: string): Opened {
  if (!existsSync(path)) throw new WorkFailed(`${path}: no such file or directory`)
  if (isFolder(path)) return openFolder(path)
  switch (kindOf(path)) {
    case 'safetensors':
      return ofSafetensors(path)
    case 'npy':
      return ofTensors('an .npy file', new Map([['array', loadNpy(path)]]))
    case 'npz':
      return ofTensors('an .npz file', loadNpz(path))
    case 'torch':
      return ofTensors('a file of PyTorch', loadTorch(path))
    case 'gguf':
      return openGGUF(path)
    case 'fasttext':
      return ofFastText(loadFastText(path))
    case 'words':
      return openWords(path)
  }
}

/** A text or binary file of word2vec, a text of GloVe, or a model of fastText without a magic number. */
function openWords(path: string): Opened {
  try {
    return ofWords('a file of word2vec', loadWord2Vec(path))
  } catch (error) {
    // The first line says no counts, so it may be GloVe's, which has none.
    if (!(error instanceof FormatError) || error.offset !== 0 || !/loadGlove/.test(error.message)) throw error
    if (path.toLowerCase().endsWith('.bin')) return oldFastText(path, error)
  }
  return ofWords('a text of GloVe', loadGlove(path))
}

/** Early models of fastText begin with their sizes, which could be anything: whether they fit the file decides. */
function oldFastText(path: string, otherwise: FormatError): Opened {
  try {
    return ofFastText(loadFastText(path))
  } catch (error) {
    throw error instanceof TokenbedError ? otherwise : error
  }
}

const ofFastText = (model: FastText): Opened => ({
  kind: 'a model of fastText',
  tensors: new Map([['vectors', new MadeTable(model.vectors)]]),
  table: 'vectors',
  rows: () => model.words,
  metadata: {},
  pretrained: null,
  fastText: model,
  vectors: model.vectors,
})

const ofWords = (kind: string, vectors: Vectors): Opened => ({
  kind,
  tensors: new Map([['vectors', vectors.weight]]),
  table: 'vectors',
  rows: () => vectors.words,
  metadata: {},
  pretrained: null,
  vectors,
})

const ofTensors = (kind: string, tensors: ReadonlyMap<string, Tensor> | LoadedTensors): Opened => ({
  kind,
  tensors,
  table: null,
  rows: () => null,
  metadata: 'metadata' in tensors ? tensors.metadata : {},
  pretrained: null,
})

/** The kinds of tables whose rows are bytes in a safetensors file. */
export const QUANTIZED = ['int8', 'int4', 'int2', 'float8'] as const
export type QuantizedKind = (typeof QUANTIZED)[number]

/** A kind and a shape, as a file's metadata says them. */
const KIND_AND_SHAPE = new RegExp(String.raw`^(${QUANTIZED.join('|')}) (\d{1,15})x(\d{1,15})$`)

/** What the names of a file's metadata begin with that say how rows of bytes are to be read. */
const NOTE = 'quantized:'

/** The entry of a file's metadata that says how the rows of a table are to be read. */
export const quantizedNote = (name: string, kind: QuantizedKind, shape: readonly number[]): Record<string, string> => ({
  [`${NOTE}${name}`]: `${kind} ${shape.join('x')}`,
})

/** The tensors of a safetensors file, with tables of those that its metadata says are quantized. */
function ofSafetensors(path: string): Opened {
  const loaded = loadSafetensors(path)
  const entries = Object.entries(loaded.metadata)
  const notes = entries.filter(([key]) => key.startsWith(NOTE))
  if (notes.length === 0) return ofTensors('a safetensors file', loaded)
  const tensors = new Map<string, Table>(loaded)
  for (const [key, value] of notes) {
    const name = key.slice(NOTE.length)
    const [, kind, rows, dim] = KIND_AND_SHAPE.exec(value) ?? []
    const bytes = loaded.get(name)
    if (kind === undefined || bytes === undefined)
      throw new WorkFailed(
        `${path}: its metadata says ${JSON.stringify(value)} of ${JSON.stringify(name)}, ${kind === undefined ? 'which is not a kind and a shape, such as int8 100x64' : 'and there is no such tensor'}`,
      )
    tensors.set(name, QuantizedTable.fromBytes(kind as QuantizedKind, [Number(rows), Number(dim)], bytes))
  }
  const metadata = Object.fromEntries(entries.filter(([key]) => !key.startsWith(NOTE)))
  return { ...ofTensors('a safetensors file', new Map()), tensors, metadata }
}

function openGGUF(path: string): Opened {
  let pretrained: Pretrained
  try {
    pretrained = loadPretrained(path)
  } catch (error) {
    if (!(error instanceof FormatError) || !/not the file of a language model/.test(error.message)) throw error
    return { ...ofTensors('a GGUF file', new Map()), tensors: loadGGUF(path).tensors }
  }
  return ofPretrained('a GGUF file', pretrained)
}

function openFolder(folder: string): Opened {
  if (existsSync(join(folder, 'model.json'))) {
    const model = loadModel(folder)
    const [table] = [...model.tensors].find(([, tensor]) => tensor === model.weight) ?? [null]
    const rows = () => model.words ?? model.tokenizer
    return { kind: `a model of tokenbed`, tensors: model.tensors, table, rows, metadata: {}, pretrained: null }
  }
  if (existsSync(join(folder, 'config.json'))) return ofPretrained('a model of Hugging Face', loadPretrained(folder))
  const inside = join(folder, 'model.safetensors')
  if (existsSync(inside)) return openTables(inside)
  const some = readdirSync(folder).sort().slice(0, 8).join(', ')
  throw new WorkFailed(
    `${folder}: it has neither model.json nor config.json, so it is not a model's folder${some === '' ? '' : `; it has ${some}: name a file`}`,
  )
}

function ofPretrained(kind: string, pretrained: Pretrained): Opened {
  const { tensors } = pretrained
  return {
    kind,
    tensors,
    table: tokenTable(pretrained),
    rows: () => pretrained.tokenizer,
    metadata: {},
    pretrained,
  }
}

/** Names that token tables have. Only such tensors are opened to find the one that it is. */
const TOKEN =
  /(wte|embed_tokens|tokens_embed|embed_in|word_embeddings|tok_embeddings|token_embd|shared|embeddings|embedding)\.weight$/

/** The name of the token table in the files. */
export function tokenTable({ tensors, token }: Pretrained): string | null {
  const same = (table: Table | undefined) =>
    table !== undefined && table.shape.join() === token.shape.join() && kindName(table) === kindName(token)
  const names = [...tensors.keys()].filter((name) => TOKEN.test(name))
  return names.find((name) => tensors.get(name) === token) ?? names.find((name) => same(tensors.get(name))) ?? null
}

/** The element type of a tensor, or the kind of a table's blocks. */
export const kindName = (table: Table): string => (table instanceof Tensor ? table.dtype : table.kind)
