// Vectors that a command asks, and how their tokens are shown.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { loadModel, loadWord2Vec, UnknownTokenError, type Model, type Vectors } from '../index.js'
import { WorkFailed, WrongUse, isFolder } from './failure.js'
import { pieceReader, visibleText } from './pieces.js'

export interface Asked {
  readonly vectors: Vectors
  /** Null of a file of vectors alone. */
  readonly model: Model | null
  /** The text of a row as people can see it. */
  readonly label: (id: number) => string
}

export const MODEL_ARGUMENT = ['<model>', 'a folder that tokenbed train or saveModel wrote, or a file in the format of word2vec'] as const

/** The vectors of a folder, or of a file in the format of word2vec. */
export function openVectors(path: string): Asked {
  if (!existsSync(path)) throw new WorkFailed(`${path}: no such file or directory`)
  if (!isFolder(path)) {
    const vectors = loadWord2Vec(path)
    return { vectors, model: null, label: (id) => visibleText(vectors.token(id)) }
  }
  const model = openModel(path)
  return { vectors: model.vectors, model, label: labelsOf(model) }
}

export function openModel(folder: string, options?: { verify?: boolean }): Model {
  if (isFolder(folder) && !existsSync(join(folder, 'model.json'))) throw new WorkFailed(`${folder}: no model.json in it: not a model that tokenbed train or saveModel wrote`)
  return loadModel(folder, options)
}

/** Tokens of an encoding as their text, of words and of files as the vocabulary writes them. */
export function labelsOf(model: Model): (id: number) => string {
  const { vectors, tokenizer } = model
  if (tokenizer === null || model.description.vocabulary.kind !== 'encoding') return (id) => visibleText(vectors.token(id))
  const pieceOf = pieceReader(tokenizer)
  return (id) => (vectors.token(id).startsWith('<id ') ? vectors.token(id) : pieceOf(id).visible)
}

/** The row of a token that the user named. @throws WrongUse, with the nearest spellings. */
export function idOf(vectors: Vectors, token: string, path: string): number {
  try {
    return vectors.id(token)
  } catch (error) {
    if (!(error instanceof UnknownTokenError)) throw error
    const nearest = error.nearest.map((one) => JSON.stringify(visibleText(one)))
    const shown = JSON.stringify(visibleText(token))
    if (vectors.words === null) throw new WrongUse(`${shown} is no token of ${path}, with a space before neither; it falls into ${nearest.join(', ') || 'nothing'}: ask for a piece`, { cause: error })
    const hint = nearest.length > 0 ? `did you mean ${nearest.join(', ')}?` : 'none is spelled much like it'
    throw new WrongUse(`${shown} is not among the ${vectors.size} words of ${path}; ${hint}`, { cause: error })
  }
}
