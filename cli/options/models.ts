// Opens the vectors that a command searches, and shows their tokens.

import { existsSync } from 'node:fs'
import { extname, join } from 'node:path'
import { Option } from '../bundled/commander.js'
import { loadModel, loadWord2Vec, UnknownTokenError, Vectors, type Model, type Tokenizer } from '../../index.js'
import { WorkFailed, WrongUse, isFolder } from '../terminal/failure.js'
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
  'a folder that tokenbed train or saveModel wrote, a file in the format of word2vec, or a table in FILE.safetensors[:TENSOR]',
] as const

export const rowsOption = () =>
  new Option(
    '--tokenizer <name|file>',
    'the tokenizer of the rows of a .safetensors table: gpt2, cl100k_base, o200k_base, or the path of a tokenizer.json; without it rows are numbers',
  )

/**
 * The vectors of a model's folder, of a file in the format of word2vec, or of a table whose rows belong to a
 * tokenizer.
 */
export function openVectors(path: string, tokenizer?: string): Asked {
  const { path: file } = splitTable(path)
  if (!existsSync(file)) throw new WorkFailed(`${file}: no such file or directory`)
  if (!isFolder(file) && extname(file).toLowerCase() === '.safetensors') return openRows(path, tokenizer)
  if (tokenizer !== undefined)
    throw new WrongUse(
      `--tokenizer ${tokenizer}: for the rows of a table in a .safetensors file; ${path} says itself what its vectors stand for`,
    )
  if (!isFolder(path)) {
    const vectors = loadWord2Vec(path)
    return {
      vectors,
      model: null,
      noun: 'word',
      label: (id) => visibleText(vectors.token(id)),
      idOf: (token) => idOf(vectors, token, path),
    }
  }
  const model = openModel(path)
  const { vectors } = model
  return {
    vectors,
    model,
    noun: model.words === null ? 'token' : 'word',
    label: labelsOf(model),
    idOf: (token) => idOf(vectors, token, path),
  }
}

/** The rows of a table, named by a tokenizer or by their numbers. */
function openRows(said: string, name: string | undefined): Asked {
  const { weight, name: path } = openTable(said)
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
