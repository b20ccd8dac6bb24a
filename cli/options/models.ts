// Opens the vectors that a command searches, and shows their tokens.

import { existsSync } from 'node:fs'
import { extname, join } from 'node:path'
import { Option } from '../bundled/commander.js'
import { loadModel, Tensor, UnknownTokenError, Vectors, type Model, type Tokenizer } from '../../index.js'
import { WorkFailed, WrongUse, isFolder } from '../terminal/failure.js'
import { openTables, type Opened, type Table } from './openers.js'
import { pieceReader, visibleText } from '../terminal/pieces.js'
import { openTable, splitTable } from './tables.js'
import { findTokenizer } from './tokenizer.js'

export interface Asked {
  readonly vectors: Vectors
  /** Null if the file has vectors only. */
  readonly model: Model | null
  /** What a row stands for. */
  readonly noun: 'word' | 'token' | 'row'
  /** The text of a row, in a form that people can see. */
  readonly label: (id: number) => string
  /** The row of a token that the user named. @throws WrongUse, with the nearest spellings. */
  readonly idOf: (token: string) => number
}

export const MODEL_ARGUMENT = [
  '<model>',
  "a model's folder, a file of vectors, or a table in FILE[:TENSOR]: whatever tokenbed convert reads",
] as const

export const rowsOption = () =>
  new Option(
    '--tokenizer <name|file>',
    'the tokenizer of the rows of a table without names: gpt2, cl100k_base, o200k_base, or the path of a tokenizer.json; without it rows are numbers',
  )

/** The vectors of a model's folder, of a file of words, or of a table in any file of tensors. */
export function openVectors(said: string, tokenizer?: string): Asked {
  const { path, name } = splitTable(said)
  if (!existsSync(path)) throw new WorkFailed(`${path}: no such file or directory`)
  if (!isFolder(path) && extname(path).toLowerCase() === '.safetensors' && !hasQuantized(path)) {
    const { weight, name } = openTable(said)
    return rowsBy(weight, name, tokenizer)
  }
  const names = (vectors: Vectors, model: Model | null, noun: Asked['noun']): Asked => {
    refuse(tokenizer, said)
    const label = model === null ? (id: number) => visibleText(vectors.token(id)) : labelsOf(model)
    return { vectors, model, noun, label, idOf: (token) => idOf(vectors, token, said) }
  }
  if (isFolder(path) && name === null && existsSync(join(path, 'model.json'))) {
    const model = openModel(path)
    return names(model.vectors, model, model.words === null ? 'token' : 'word')
  }
  const opened = openTables(path)
  if (opened.vectors !== undefined && name === null) return names(opened.vectors, null, 'word')
  const [key, table] = tableIn(opened, said, path, name)
  const rows = key === opened.table && tokenizer === undefined ? opened.rows() : null
  const weight = table instanceof Tensor ? table : table.dequantize()
  if (rows === null) return rowsBy(floats(weight), `${path}:${key}`, tokenizer)
  if (!isTokenizer(rows)) return names(new Vectors(weight, rows), null, 'word')
  // Some tables have fewer rows than their tokenizer has tokens; their last tokens are those that were added.
  if (rows.vocabSize > weight.shape[0]) return rowsBy(floats(weight), `${path}:${key}`, undefined)
  const vectors = new Vectors(weight, rows)
  return {
    vectors,
    model: null,
    noun: 'token',
    label: labelsBy(vectors, rows),
    idOf: (token) => idOf(vectors, token, said),
  }
}

/** Whether a file's metadata makes tables of its bytes. */
const hasQuantized = (path: string) => [...openTables(path).tensors.values()].some((one) => !(one instanceof Tensor))

function refuse(tokenizer: string | undefined, path: string): void {
  if (tokenizer !== undefined)
    throw new WrongUse(
      `--tokenizer ${tokenizer}: for the rows of a table without names, such as one in a .safetensors file; ${path} says itself what its vectors stand for`,
    )
}

const isTokenizer = (rows: readonly string[] | Tokenizer): rows is Tokenizer => 'vocabSize' in rows

/** The table that is asked for: the one that is named, the one of tokens or words, or the only one. */
function tableIn({ tensors, table, kind }: Opened, said: string, path: string, name: string | null): [string, Table] {
  const isTable = (one: Table) =>
    one.shape.length === 2 && one.shape[1] > 0 && (!(one instanceof Tensor) || one.dtype.includes('float'))
  const known = () => {
    const all = Array.from(tensors, ([name, { shape }]) => `${name} [${shape.join(', ')}]`)
    return all.length > 12 ? `${all.slice(0, 12).join(', ')} and ${all.length - 12} more` : all.join(', ') || 'none'
  }
  const wanted = name ?? table
  const found = wanted === null ? undefined : tensors.get(wanted)
  if (wanted !== null && found === undefined)
    throw new WrongUse(`${said}: ${path} has no tensor ${JSON.stringify(wanted)}; it has: ${known()}`)
  const candidates = [...tensors].filter(([, one]) => isTable(one))
  const [key, chosen] = found === undefined ? (candidates.length === 1 ? candidates[0] : []) : [wanted!, found]
  if (key === undefined || chosen === undefined)
    throw new WrongUse(
      candidates.length === 0
        ? `${said}: ${kind} without a table of floating-point numbers; it has: ${known()}`
        : `${said}: which of its tensors? Write ${said}:NAME; it has: ${known()}`,
    )
  if (!isTable(chosen))
    throw new WorkFailed(
      `${path}:${key}: a table of vectors has two sizes and floating-point numbers, not [${chosen.shape.join(', ')}]${chosen instanceof Tensor ? ` of ${chosen.dtype}` : ''}`,
    )
  return [key, chosen]
}

const floats = (weight: Tensor) => (weight.dtype === 'float32' ? weight : weight.to('float32'))

/** The rows of a table, named by a tokenizer or by their numbers. */
function rowsBy(weight: Tensor, path: string, name: string | undefined): Asked {
  const [rows] = weight.shape
  if (name === undefined) {
    const vectors = new Vectors(
      weight,
      Array.from({ length: rows }, (_, id) => String(id)),
    )
    const idOf = (token: string) => {
      if (vectors.has(token)) return vectors.id(token)
      throw new WrongUse(
        `${JSON.stringify(visibleText(token))}: the ${rows} rows of ${path} have no names: give a row's number, from 0 on, or name their tokenizer with --tokenizer`,
      )
    }
    return { vectors, model: null, noun: 'row', label: (id) => `#${id}`, idOf }
  }
  const tokenizer = findTokenizer(name)
  if (tokenizer.vocabSize > rows)
    throw new WrongUse(
      `--tokenizer ${name}: it has ${tokenizer.vocabSize} tokens, and ${path} ${rows} rows: every token needs one`,
    )
  const vectors = new Vectors(weight, tokenizer)
  return {
    vectors,
    model: null,
    noun: 'token',
    label: labelsBy(vectors, tokenizer),
    idOf: (token) => idOf(vectors, token, path),
  }
}

export function openModel(folder: string, options?: { verify?: boolean }): Model {
  if (isFolder(folder) && !existsSync(join(folder, 'model.json')))
    throw new WorkFailed(`${folder}: it has no model.json, so it is not a model that tokenbed train or saveModel wrote`)
  return loadModel(folder, options)
}

/** Labels: the text of tokens of an encoding; words and tokens of files as they are spelled in the vocabulary. */
export function labelsOf({ vectors, tokenizer }: Model): (id: number) => string {
  return tokenizer === null ? (id) => visibleText(vectors.token(id)) : labelsBy(vectors, tokenizer)
}

/** The names for Tokenizer.load. A tokenizer from a file has another name. */
const ENCODINGS = ['gpt2', 'r50k_base', 'cl100k_base', 'o200k_base']

function labelsBy(vectors: Vectors, tokenizer: Tokenizer): (id: number) => string {
  if (!ENCODINGS.includes(tokenizer.name)) return (id) => visibleText(vectors.token(id))
  const pieceOf = pieceReader(tokenizer)
  return (id) => (vectors.token(id).startsWith('<id ') ? vectors.token(id) : pieceOf(id).visible)
}

function idOf(vectors: Vectors, token: string, path: string): number {
  try {
    return vectors.id(token)
  } catch (error) {
    if (!(error instanceof UnknownTokenError)) throw error
    const nearest = error.nearest.map((one) => JSON.stringify(visibleText(one)))
    const shown = JSON.stringify(visibleText(token))
    if (vectors.words === null)
      throw new WrongUse(
        `${shown} is not a token of ${path}, nor is it with a space before it; it splits into ${nearest.join(', ') || 'nothing'}: name one of these`,
        { cause: error },
      )
    const hint = nearest.length > 0 ? `did you mean ${nearest.join(', ')}?` : 'none is spelled much like it'
    throw new WrongUse(`${shown} is not among the ${vectors.size} words of ${path}; ${hint}`, { cause: error })
  }
}
