// A model as a plain folder: tensors, vocabulary, and a readable account of how it came to be.
//
//   model.json          objective, what was trained on what and how, shapes, digests
//   model.safetensors   tensors by name; the vectors of tokens are token.weight
//   vocab.txt           of a vocabulary of words: a word a line, a tab, its count
//   tokenizer.json      of a tokenizer that came from a file

import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { facts } from './dtype.js'
import { FileError, FormatError, ShapeError, UsageError } from './errors.js'
import { loadSafetensors, saveSafetensors } from './files.js'
import { checkJson, type Json } from './json.js'
import { Model } from './model.js'
import { bytesPart, digestOfFile, findFile, metadataOf, readDescription, takeName, writeFolder, type Part } from './model-files.js'
import { FORMAT, parseDescription, VERSION, type ModelDescription, type VocabularyDescription } from './model-description.js'
import { TokenizerNames, WordNames, type Names } from './names.js'
import { binary } from './native.js'
import { sameShape, shown } from './shape.js'
import { tensor as makeTensor } from './create.js'
import { Tensor } from './tensor.js'
import { Tokenizer } from './tokenizer.js'
import { checkOptions, checkPath, checkText, show } from './validate.js'
import { readWordList, writeWordList } from './word-list.js'

/** What was trained on what, and how. All of it is optional, and more may stand beside it. */
export interface TrainingRecord {
  hyperParameters?: { readonly [name: string]: Json | undefined }
  /** The texts: names, and how large they are. */
  corpus?: readonly { readonly file: string; readonly bytes?: number; readonly tokens?: number }[]
  /** Tokens that were trained on, all epochs together. */
  tokens?: number
  epochs?: number
  steps?: number
  seconds?: number
  /** The loss as it went: pairs of a step and the mean loss up to it since the last. `tokenbed plot --loss` draws it. */
  loss?: readonly (readonly [step: number, loss: number])[]
  /** When, as its writer says it. */
  date?: string
  readonly [more: string]: Json | undefined
}

/** What `saveModel` saves. */
export interface ModelParts {
  /** What it was trained for: `skip-gram`, `cbow`, `next-token`, `classify`, or a name of your own. */
  objective: string
  /** Tensors by name. `token.weight`, (tokens, dim), holds the vectors of tokens and must be there. */
  tensors: Readonly<Record<string, Tensor>> | ReadonlyMap<string, Tensor>
  /** What the rows of `token.weight` stand for: words, or a tokenizer's tokens. */
  vocabulary: readonly string[] | Tokenizer
  /** How often each token was seen. */
  counts?: ArrayLike<number>
  /** Names of the classes of a classifier. */
  labels?: readonly string[]
  training?: TrainingRecord
}

const PARTS = ['objective', 'tensors', 'vocabulary', 'counts', 'labels', 'training']
const TENSORS = 'model.safetensors'
const WORDS = 'vocab.txt'
const TOKENIZER = 'tokenizer.json'
export const TOKENS = 'token.weight'
const COUNTS = 'token.counts'
const DIGEST = 'digest'

/**
 * Saves a model as a folder, which is made where it is not there; other files in it stay. A save that is cut short, by an
 * error or by the end of the process, leaves the model that was there before; its bytes depend on what is saved alone.
 *
 * @throws ShapeError where vocabulary, counts and `token.weight` disagree; UsageError for what cannot be saved; FileError
 * where it cannot be written.
 */
export function saveModel(folder: string, model: ModelParts): void {
  const where = 'saveModel'
  const target = resolve(checkPath(folder, where))
  const { tensors, vocabulary, counts, labels, training = {}, ...rest } = checkOptions(model, PARTS, where)
  const objective = checkText(rest.objective, `${where}: objective`)
  if (objective === '') throw new UsageError(`${where}: objective is empty`)
  const byName = checkTensors(tensors, where)
  const names = namesOf(vocabulary, where)
  checkRows(byName.get(TOKENS)!, names, (why) => new ShapeError(`${where}: ${why}`))
  const seen = counts === undefined ? null : checkCounts(counts, names.size, where)
  checkLabels(labels, where)
  checkJson(training, `${where}: training`)

  const { part, description: said } = vocabularyPart(vocabulary as string[] | Tokenizer, seen, where)
  if (seen !== null && !(names instanceof WordNames)) byName.set(COUNTS, makeTensor(BigInt64Array.from(seen, BigInt)))
  const parts = [tensorsPart(byName), ...part]
  const description: ModelDescription = {
    format: FORMAT,
    version: VERSION,
    tokenbed: binary.version,
    objective,
    vocabulary: said,
    ...(labels === undefined ? {} : { labels }),
    tensors: Object.fromEntries([...byName].map(([name, { dtype, shape }]) => [name, { dtype, shape }])),
    training,
    files: Object.fromEntries(parts.map(({ name, digest }) => [name, digest])),
  }
  const before = settle(target)
  writeFolder(target, parts, textOf(description), Object.keys(before).filter((name) => !(name in description.files)))
}

const digestOf = (name: string) => (name === TENSORS ? (path: string) => metadataOf(path, DIGEST) : digestOfFile)

/** The files of the save that is there, all of them under their names: what is written beside next must replace none. */
function settle(folder: string): ModelDescription['files'] {
  let files: ModelDescription['files']
  try {
    files = parseDescription(readDescription(folder), folder).files
  } catch {
    return {}
  }
  const ours = Object.entries(files).filter(([name]) => [TENSORS, WORDS, TOKENIZER].includes(name))
  for (const [name, digest] of ours) takeName(folder, name, digest, digestOf(name))
  return Object.fromEntries(ours)
}

/** JSON to be read: arrays of numbers stay on a line. Line breaks never stand within its strings. */
function textOf(description: ModelDescription): string {
  const text = JSON.stringify(description, null, 2).replace(/\[\n\s*([^[\]{}"]*?)\n\s*\]/g, (_, list: string) => `[${list.replace(/,\n\s*/g, ', ')}]`)
  return `${text}\n`
}

function checkTensors(tensors: unknown, where: string): Map<string, Tensor> {
  if (typeof tensors !== 'object' || tensors === null || tensors instanceof Tensor) throw new UsageError(`${where}: tensors by name, not ${show(tensors)}`)
  const byName = new Map<string, Tensor>(tensors instanceof Map ? tensors : Object.entries(tensors))
  for (const [name, tensor] of byName) {
    if (!(tensor instanceof Tensor)) throw new UsageError(`${where}: tensor "${name}" is ${show(tensor)}`)
    if (name === COUNTS) throw new UsageError(`${where}: "${COUNTS}" is where counts are kept: give them as counts`)
  }
  if (!byName.has(TOKENS)) throw new UsageError(`${where}: the vectors of tokens must be there, as "${TOKENS}"; given: ${[...byName.keys()].join(', ') || 'none'}`)
  return byName
}

function namesOf(vocabulary: unknown, where: string): Names {
  if (vocabulary instanceof Tokenizer) return new TokenizerNames(vocabulary)
  if (Array.isArray(vocabulary)) return new WordNames(vocabulary, `${where}: vocabulary`)
  throw new UsageError(`${where}: vocabulary is an array of words or a Tokenizer, not ${show(vocabulary)}`)
}

/** A table may have more rows than a tokenizer has tokens, as models have them to be divisible; words have a row each. */
function checkRows({ shape, dtype }: Tensor, names: Names, error: (why: string) => Error): void {
  const isTable = shape.length === 2 && facts(dtype).kind === 'float'
  if (!isTable) throw error(`"${TOKENS}" is a table of floats, (tokens, dim), not ${dtype} ${shown(shape)}`)
  const [rows] = shape
  const fits = names instanceof WordNames ? rows === names.size : rows >= names.size
  if (!fits) throw error(`"${TOKENS}" has ${rows} rows and the vocabulary ${names.size} ${names instanceof WordNames ? 'words' : 'tokens'}: every one needs a row of its own`)
}

function checkCounts(counts: ArrayLike<number>, size: number, where: string): Float64Array {
  const length = (counts as ArrayLike<number> | null)?.length
  if (length !== size) throw new ShapeError(`${where}: ${length === undefined ? show(counts) : length} counts for ${size} tokens`)
  return Float64Array.from(counts, (count, id) => {
    if (typeof count === 'number' && Number.isSafeInteger(count) && count >= 0) return count
    throw new UsageError(`${where}: counts[${id}] must be a whole number that is not negative, not ${show(count)}`)
  })
}

function checkLabels(labels: unknown, where: string): void {
  if (labels === undefined) return
  if (Array.isArray(labels) && labels.every((label) => typeof label === 'string') && new Set(labels).size === labels.length) return
  throw new UsageError(`${where}: labels are an array of strings, all different, not ${show(labels)}`)
}

function vocabularyPart(vocabulary: readonly string[] | Tokenizer, counts: Float64Array | null, where: string): { part: Part[]; description: VocabularyDescription } {
  if (!(vocabulary instanceof Tokenizer)) {
    const description = { kind: 'words', file: WORDS, size: vocabulary.length } as const
    return { part: [bytesPart(WORDS, writeWordList(vocabulary, counts, `${where}: vocabulary`))], description }
  }
  const { file, name, vocabSize: size } = vocabulary
  if (file === null) return { part: [], description: { kind: 'encoding', name, size } }
  try {
    const now = statSync(file.path)
    if (now.size !== file.size || now.mtimeMs !== file.mtimeMs) throw new UsageError(`${where}: ${file.path} was changed since the tokenizer was read from it: read it again`)
    return { part: [bytesPart(TOKENIZER, readFileSync(file.path))], description: { kind: 'tokenizer', file: TOKENIZER, size } }
  } catch (cause) {
    if (cause instanceof UsageError) throw cause
    throw new FileError(`cannot read ${file.path}, which the tokenizer was read from: ${(cause as Error).message}`, file.path, cause)
  }
}

function tensorsPart(tensors: Map<string, Tensor>): Part {
  const digest = digestOfTensors(tensors)
  return { name: TENSORS, digest, write: (path) => saveSafetensors(path, tensors, { metadata: { [DIGEST]: digest } }) }
}

/** Elements that are hashed at a time: no array needs to hold a whole table. */
const STEP = 2 ** 26

function digestOfTensors(tensors: Map<string, Tensor>): string {
  const hash = createHash('sha256')
  for (const name of [...tensors.keys()].sort()) {
    const tensor = tensors.get(name)!
    hash.update(JSON.stringify([name, tensor.dtype, tensor.shape]))
    const flat = tensor.detach().reshape(tensor.size)
    for (let at = 0; at < flat.size; at += STEP) {
      const part = flat.narrow(0, at, Math.min(STEP, flat.size - at))
      const { buffer, byteOffset, byteLength } = part.borrow()
      hash.update(new Uint8Array(buffer, byteOffset, byteLength))
      part.dispose()
    }
    flat.dispose()
  }
  return hash.digest('hex')
}

/**
 * A model that `saveModel` saved. Its tensors are mapped: their elements are read when first touched.
 *
 * ```ts
 * const model = loadModel('word-vectors')
 * model.vectors.mostSimilar('whale')
 * ```
 *
 * @throws FileError, with the path, where a file is missing or cannot be read; FormatError for one that is not what its
 * format says, that another save wrote, that a later version wrote, or whose shapes disagree with the vocabulary.
 */
export function loadModel(folder: string): Model {
  const path = resolve(checkPath(folder, 'loadModel'))
  const description = parseDescription(readDescription(path), path)
  const { vocabulary, files } = description
  const tensorsAt = findFile(path, TENSORS, files[TENSORS], digestOf(TENSORS))
  const tensors = loadSafetensors(tensorsAt)
  const wrong = (why: string) => new FormatError(`${tensorsAt}: ${why}`, tensorsAt, 0)
  for (const [name, { dtype, shape }] of Object.entries(description.tensors)) {
    const found = tensors.get(name)
    if (found?.dtype !== dtype || !sameShape(found.shape, shape)) {
      throw wrong(`"${name}" is ${found ? `${found.dtype} ${shown(found.shape)}` : 'missing'} where model.json says ${dtype} ${shown(shape)}`)
    }
  }
  if (!tensors.has(TOKENS)) throw wrong(`"${TOKENS}" is missing`)
  const { names, counts } = loadVocabulary(path, vocabulary, files, tensors, wrong)
  checkRows(tensors.get(TOKENS)!, names, wrong)
  return new Model(path, description, names, tensors, counts)
}

function loadVocabulary(
  folder: string,
  said: VocabularyDescription,
  files: ModelDescription['files'],
  tensors: Map<string, Tensor>,
  wrong: (why: string) => FormatError,
): { names: Names; counts: Float64Array | null } {
  const described = join(folder, 'model.json')
  if (said.kind === 'words') {
    const path = findFile(folder, WORDS, files[WORDS], digestOf(WORDS))
    const { words, counts } = readWordList(readFileSync(path), path)
    if (words.length !== said.size) throw new FormatError(`${path}: ${words.length} words where model.json says ${said.size}`, path, 0)
    return { names: new WordNames(words, path), counts }
  }
  const tokenizer = said.kind === 'tokenizer' ? Tokenizer.fromFile(findFile(folder, TOKENIZER, files[TOKENIZER], digestOf(TOKENIZER))) : encoding(said.name, described)
  if (tokenizer.vocabSize !== said.size) throw new FormatError(`${described}: ${tokenizer.name} has ${tokenizer.vocabSize} tokens, not ${said.size}`, described, 0)
  const stored = tensors.get(COUNTS)
  if (stored === undefined) return { names: new TokenizerNames(tokenizer), counts: null }
  tensors.delete(COUNTS)
  const fits = stored.dtype === 'int64' && sameShape(stored.shape, [said.size])
  if (!fits) throw wrong(`"${COUNTS}" is ${stored.dtype} ${shown(stored.shape)}, not int64 ${shown([said.size])}`)
  const counts = Float64Array.from(stored.borrow() as BigInt64Array, Number)
  stored.dispose()
  return { names: new TokenizerNames(tokenizer), counts }
}

function encoding(name: string, path: string): Tokenizer {
  try {
    return Tokenizer.load(name as 'gpt2')
  } catch (cause) {
    if (!(cause instanceof UsageError)) throw cause
    throw new FormatError(`${path}: ${cause.message}`, path, 0)
  }
}
