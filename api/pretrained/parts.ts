// Which tensors of a model are its input layer: by the family's names, or by shape where nothing is known of the
// family.

import { DTypeError, FormatError, UsageError } from '../base/errors.js'
import type { StoredTensor } from '../files/loaded-tensors.js'
import { shown } from '../base/shape.js'
import { flagOf, isJsonObject, numberOf, textIn, type JsonObject } from './config.js'
import { EPS, familyOf, HEADS, type Family } from './families.js'
import type { Weights } from './weights.js'

/** The names of the tensors of an input layer, and what is done with them. */
export interface InputParts {
  readonly token: string
  readonly position: string | null
  readonly segment: string | null
  readonly layerNorm: { readonly weight: string; readonly bias: string | null; readonly eps: number } | null
  readonly head: string | null
  readonly tied: boolean
  /** The factor, before it is rounded to the type of the weights. */
  readonly scale: number
  readonly roundsScale: boolean
  /** The row of the first position. */
  readonly first: number
  readonly skipsPadding: boolean
  /** The row of padding, which gets no gradient; undefined if there is none. */
  readonly padding: number | undefined
  readonly notRun: readonly string[]
}

/** Names of tables that a model has for each block, or for prediction of several tokens: none is its input. */
const OF_A_BLOCK = /(^|\.)\d+\./

/**
 * Finds the input layer of a model.
 *
 * @throws UsageError if several tensors could be the token table, or none; FormatError if a tensor has not the shape
 * that it should have.
 */
export function findParts(weights: Weights, config: JsonObject, folder: string): InputParts {
  const text = isJsonObject(config.text_config) ? config.text_config : {}
  const said = { ...text, ...config }
  const type = textIn(config, 'model_type')
  const family = familyOf(type) ?? familyOf(textIn(text, 'model_type'))
  const vocabulary = numberOf(said, 'vocab_size')
  const [token, prefix] = family ? byName(weights, family, folder) : [byShape(weights, vocabulary, folder), '']
  const stored = weights.stored(token)!
  const dim = checkTable(stored, weights.path)
  if (family !== undefined && vocabulary !== undefined && stored.shape[0] !== vocabulary)
    throw wrongShape(stored, weights.path, `config.json says that there are ${vocabulary} tokens`)
  const head = findHead(weights, isJsonObject(config.text_config))
  const tied = flagOf(said, 'tie_word_embeddings', family?.tied ?? head === null)
  const nothing = { token, head, tied, scale: 1, roundsScale: false, first: 0, skipsPadding: false }
  if (family === undefined) {
    const notRun = [
      `model_type ${JSON.stringify(type ?? null)} is not known here: what it does with the rows of ${token} before its first block`,
    ]
    return { ...nothing, position: null, segment: null, layerNorm: null, padding: undefined, notRun }
  }

  /** A tensor beside the token table, which must be there if it is needed: nothing is left out in silence. */
  const beside = (name: string | undefined, isNeeded: boolean) => {
    if (name === undefined) return null
    if (weights.has(prefix + name)) return prefix + name
    if (!isNeeded) return null
    throw missing(weights.path, [prefix + name], `of the input layer of ${type}`)
  }
  const hidden = numberOf(said, 'hidden_size') ?? numberOf(said, 'd_model') ?? dim
  const notRun = [...(family.notRun?.(said, { dim, hidden }) ?? [])]
  const position = family.without?.(said) ? null : beside(family.position, true)
  const segment = beside(family.segment, (numberOf(said, 'type_vocab_size') ?? 0) > 0)
  const width = position === null ? dim : checkTable(weights.stored(position)!, weights.path)
  if (width !== dim) notRun.push(`${position}: positions of ${width} numbers, which are added behind that`)
  if (segment !== null && checkTable(weights.stored(segment)!, weights.path) !== dim)
    throw wrongShape(weights.stored(segment)!, weights.path, `token vectors have ${dim} numbers`)
  const norm = family.layerNorm === undefined ? null : findNorm(weights, prefix + family.layerNorm, dim, type!)
  const [epsName, eps = EPS[type ?? ''] ?? 1e-5] = family.eps ?? []
  const padding = numberOf(said, 'pad_token_id')
  const isRow = padding !== undefined && Number.isInteger(padding) && padding >= 0 && padding < stored.shape[0]
  return {
    ...nothing,
    position,
    segment,
    layerNorm: norm && { ...norm, eps: epsOf(said, epsName, eps, folder) },
    scale: family.scale?.(said, dim) ?? 1,
    roundsScale: family.roundsScale ?? false,
    first: family.first ?? 0,
    skipsPadding: family.skipsPadding ?? false,
    padding: isRow && family.pads ? padding : family.skipsPadding ? 1 : undefined,
    notRun,
  }
}

/** The name of the output head; null if there is none. */
function findHead(weights: Weights, isNested: boolean): string | null {
  const names = isNested
    ? HEADS.flatMap((name) => [name, `language_model.${name}`, `model.language_model.${name}`])
    : HEADS
  return names.find((name) => weights.has(name)) ?? null
}

/** The token table by the family's names, and what stands before them. */
function byName(weights: Weights, { token }: Family, folder: string): [name: string, prefix: string] {
  for (const name of token) {
    const found = weights.ending(name).filter((full) => !OF_A_BLOCK.test(full))
    if (found.length === 1) return [found[0], found[0].slice(0, found[0].length - name.length)]
    if (found.length > 1) throw ambiguous(found, folder)
  }
  throw missing(weights.path, token, 'the token table, with a prefix or without')
}

/** The token table by its number of rows. */
function byShape(weights: Weights, vocabulary: number | undefined, folder: string): string {
  if (vocabulary === undefined)
    throw new UsageError(
      `${folder}: config.json names no model_type that is known here and no vocab_size, by which a token table could be found: load its tensors with loadSafetensors or loadTorch`,
    )
  const found: string[] = []
  for (const name of weights.names()) {
    const { shape, dtype } = weights.stored(name)!
    const isTable = shape.length === 2 && shape[0] === vocabulary && isFloatType(dtype)
    if (isTable && !HEADS.some((head) => name === head || name.endsWith(`.${head}`))) found.push(name)
  }
  if (found.length === 1) return found[0]
  if (found.length > 1) throw ambiguous(found, folder)
  throw new UsageError(
    `${folder}: no tensor has the ${vocabulary} rows that config.json gives as vocab_size: load its tensors with loadSafetensors or loadTorch`,
  )
}

const isFloatType = (dtype: StoredTensor['dtype']) =>
  dtype === 'float32' || dtype === 'float16' || dtype === 'bfloat16' || dtype === 'float64'

const ambiguous = (names: readonly string[], folder: string) =>
  new UsageError(
    `${folder}: ${names.map((name) => `"${name}"`).join(' and ')} could both be the token table: load the one you mean from the tensors of loadSafetensors or loadTorch, and give it to Embedding.fromPretrained`,
  )

/** Checks that it is a table of floats, and returns its number of columns. */
function checkTable(stored: StoredTensor, path: string): number {
  if (stored.shape.length !== 2 || stored.shape[1] === 0) throw wrongShape(stored, path, 'a table is (rows, dim)')
  if (!isFloatType(stored.dtype))
    throw new DTypeError(
      `${path}: tensor "${stored.name}" has elements of type ${stored.stored}, and the tables of an input layer are floats: a quantized model needs its own format, such as GGUF`,
    )
  return stored.shape[1]
}

const wrongShape = ({ name, shape }: StoredTensor, path: string, why: string) =>
  new FormatError(`${path}: tensor "${name}" is ${shown(shape)}, and ${why}`, path, 0)

const missing = (path: string, names: readonly string[], what: string) =>
  new FormatError(`${path}: ${names.map((name) => `"${name}"`).join(' or ')} is not in it, ${what}`, path, 0)

/** The normalization below a name, by today's names or by those of the first files of BERT. */
function findNorm(weights: Weights, name: string, dim: number, type: string): { weight: string; bias: string | null } {
  const first = (...parts: string[]) => parts.map((part) => `${name}.${part}`).find((full) => weights.has(full)) ?? null
  const weight = first('weight', 'gamma')
  if (weight === null) throw missing(weights.path, [`${name}.weight`], `of the input layer of ${type}`)
  const bias = first('bias', 'beta')
  for (const part of bias === null ? [weight] : [weight, bias]) {
    const stored = weights.stored(part)!
    if (stored.shape.length !== 1 || stored.shape[0] !== dim)
      throw wrongShape(stored, weights.path, `the vectors to normalize have ${dim} numbers`)
  }
  return { weight, bias }
}

function epsOf(config: JsonObject, name: string | undefined, otherwise: number, folder: string): number {
  const eps = (name === undefined ? undefined : numberOf(config, name)) ?? otherwise
  if (eps >= 0) return eps
  throw new FormatError(`${folder}: config.json has ${name} ${eps}, which cannot be an eps`, folder, 0)
}
