// A model as a plain folder: tensors, vocabulary, and a readable record of its training.
//
//   model.json          objective, what was trained on what and how, shapes, digests
//   model.safetensors   tensors by name; the vectors of tokens are token.weight
//   vocab.txt           of a vocabulary of words: a word a line, a tab, its count
//   tokenizer.json      of a tokenizer that came from a file

import { join, resolve } from 'node:path'
import { facts } from '../base/dtype.js'
import { FileError, FormatError, isWrongUse, ShapeError, UsageError } from '../base/errors.js'
import { loadMarked, namedTensors, saveSafetensors } from '../files/tensors.js'
import { throwIfAborted } from '../base/abortable.js'
import { checkJson } from '../base/json.js'
import { atOnce, inTurns, type Steps } from '../base/turns.js'
import { checkSignal } from '../layers/async.js'
import { Model } from './model.js'
import {
  alone,
  aloneAsync,
  bytesPart,
  DESCRIPTION,
  done,
  findFile,
  ofOneSave,
  readBytes,
  readBytesAsync,
  readDescription,
  settle,
  TENSORS,
  TOKENIZER,
  WORDS,
  writeFolder,
  writeFolderAsync,
  type Digests,
  type Part,
  type Read,
} from './parts.js'
import {
  checkSeal,
  FORMAT,
  parseDescription,
  sealed,
  VERSION,
  type ModelDescription,
  type TrainingRecord,
  type VocabularyDescription,
} from './description.js'
import { TokenizerNames, WordNames, type Names } from '../vectors/names.js'
import { untrack } from '../memory/scope.js'
import { binary, call, native } from '../native/native.js'
import { sameShape, shown } from '../base/shape.js'
import { tensor as makeTensor } from '../tensor/create.js'
import { Tensor } from '../tensor/tensor.js'
import {
  checkDigest,
  DIGEST,
  digestAsync,
  digestOfTensors,
  readingTensors,
  verifyTensors,
  type HeldTensors,
} from '../files/digest.js'
import type { TokenizerFile } from '../text/tokenizer-file.js'
import { Tokenizer } from '../text/tokenizer.js'
import {
  checkBoolean,
  checkOptions,
  checkPath,
  checkText,
  checkWellFormed,
  isArray,
  isObject,
  show,
  allAre,
  eachOf,
  type FilePath,
} from '../base/validate.js'
import { readWordList, writeWordList } from './word-list.js'

/** The model that `saveModel` saves. */
export interface ModelParts {
  /** The training objective: `skip-gram`, `cbow`, `next-token`, `classify`, or a name of your own. */
  objective: string
  /** Tensors by name. `token.weight`, (tokens, dim), holds the vectors of tokens and is required. */
  tensors: Readonly<Record<string, Tensor>> | ReadonlyMap<string, Tensor>
  /** The names of the rows of `token.weight`: words, or a tokenizer's tokens. */
  vocabulary: readonly string[] | Tokenizer
  /** How often each token was seen. */
  counts?: ArrayLike<number>
  /** The names of a classifier's classes; null, as for undefined, if it is no classifier. */
  labels?: readonly string[] | null
  training?: TrainingRecord
}

/** What `Trainer.run` gives: the parts of a model, with a layer over one of its tensors and the progress. */
export type TrainedParts = Omit<ModelParts, 'vocabulary'> & {
  /** Null for a corpus of ids without a tokenizer, which cannot be saved as a model. */
  vocabulary: readonly string[] | Tokenizer | null
  embedding: unknown
  progress: unknown
}

const PARTS = ['objective', 'tensors', 'vocabulary', 'counts', 'labels', 'training']
/** What the result of training has besides; both can be had from the parts that are saved. */
const OF_TRAINING = ['embedding', 'progress']
const TOKENS = 'token.weight'
const COUNTS = 'token.counts'

/**
 * Saves a model as a folder: `saveModel(folder, await trainer.run())`, or parts of your own. The folder is made if it
 * is missing; other files in it stay. A save that fails or whose process ends early leaves the previous model in place.
 * The bytes depend only on what is saved.
 *
 * A model that was loaded before is not affected. On Windows a mapped file cannot be replaced, so the new files stay
 * beside the mapped ones: `loadModel` reads the new ones, and the next save renames them.
 *
 * @throws ShapeError if vocabulary, counts and `token.weight` disagree; UsageError for something that cannot be saved;
 * FileError if the folder cannot be written.
 */
export function saveModel(folder: FilePath, model: ModelParts | TrainedParts): void {
  const where = 'saveModel'
  const { target, tensors, ...rest } = atOnce(prepared(folder, model, where))
  const { parts, text } = described({ ...rest, tensors }, digestOfTensors(tensors))
  alone(target, () => writeFolder(target, parts, text, saved(target)))
}

/**
 * `saveModel` off the thread: the same bytes, and the event loop goes on. Meanwhile the tensors cannot be changed by
 * calls of this package; do not write to their `data` either. If `signal` aborts before the save exists, the previous
 * model stays.
 *
 * @throws The errors of `saveModel`, as rejections; AbortedError. `saveModel` to the same folder is a UsageError
 * meanwhile, while several of these wait for one another.
 */
export async function saveModelAsync(
  folder: FilePath,
  model: ModelParts | TrainedParts,
  options?: { signal?: AbortSignal },
): Promise<void> {
  const where = 'saveModelAsync'
  const signal = checkSignal(checkOptions(options, ['signal'], where).signal, where)
  const { target, tensors, ...rest } = await inTurns(prepared(folder, model, where), signal, where)
  await readingTensors(tensors, async (held) => {
    const digest = await digestAsync(held())
    throwIfAborted(signal, where)
    const { parts, text } = described({ ...rest, tensors, held }, digest)
    await aloneAsync(
      target,
      () => writeFolderAsync(target, parts, text, saved(target), { signal, where }),
      signal,
      where,
    )
  })
}

/** A model that passed all checks. */
interface Prepared {
  readonly objective: string
  readonly tensors: Map<string, Tensor>
  readonly vocabulary: { readonly part: Part[]; readonly description: VocabularyDescription }
  readonly labels: readonly string[] | null | undefined
  readonly training: TrainingRecord
}

/** Checks a model, and makes the bytes of its vocabulary. */
function* prepared(
  folder: unknown,
  model: ModelParts | TrainedParts,
  where: string,
): Steps<Prepared & { target: string }> {
  const target = resolve(checkPath(folder, where))
  const {
    tensors,
    vocabulary,
    counts,
    labels,
    training = {},
    ...rest
  } = checkOptions<ModelParts | TrainedParts>(
    model,
    isObject(model) && 'progress' in model ? [...PARTS, ...OF_TRAINING] : PARTS,
    where,
  )
  if (vocabulary === null)
    throw new UsageError(
      `${where}: the rows have no names, as the corpus was ids without a tokenizer: give { ...result, vocabulary: tokenizer }, or save the tensors with saveSafetensors`,
    )
  const objective = checkText(rest.objective, `${where}: objective`)
  if (objective === '') throw new UsageError(`${where}: objective must not be empty`)
  const byName = checkTensors(tensors, where)
  const names = yield* namesOf(vocabulary, where)
  checkRows(byName.get(TOKENS)!, names, (why) => new ShapeError(`${where}: ${why}`))
  const seen = counts === undefined ? null : checkCounts(counts, names.size, where)
  checkLabels(labels ?? undefined, where)
  checkJson(training, `${where}: training`)
  const part = yield* vocabularyPart(vocabulary as string[] | Tokenizer, seen, where)
  if (seen !== null && !(names instanceof WordNames)) byName.set(COUNTS, makeTensor(BigInt64Array.from(seen, BigInt)))
  return { target, objective, tensors: byName, vocabulary: part, labels, training }
}

/** The files of a save, and the text of its model.json. `held` gathers the tensors for work off the thread. */
function described(
  { objective, tensors, vocabulary, labels, training, held }: Prepared & { held?: () => HeldTensors },
  digest: string,
): { parts: Part[]; text: string } {
  const parts = [tensorsPart(tensors, digest, held), ...vocabulary.part]
  const description: Omit<ModelDescription, 'digest'> = {
    format: FORMAT,
    version: VERSION,
    tokenbed: binary.version,
    objective,
    vocabulary: vocabulary.description,
    ...(labels ? { labels } : {}),
    tensors: Object.fromEntries([...tensors].map(([name, { dtype, shape }]) => [name, { dtype, shape }])),
    training,
    files: Object.fromEntries(parts.map(({ name, digest: its }) => [name, its])),
  }
  return { parts, text: sealed(description) }
}

/** The files of the existing save, after renaming those that a save could not. */
function saved(folder: string): Digests {
  let files: Digests
  try {
    files = parseDescription(readDescription(folder), folder).files
  } catch {
    return {}
  }
  const ours = Object.fromEntries(Object.entries(files).filter(([name]) => [TENSORS, WORDS, TOKENIZER].includes(name)))
  settle(folder, ours, (name, path) => {
    try {
      return name === TENSORS ? loadMarked(path, '').digest : readBytes(path).digest
    } catch {
      return null
    }
  })
  return ours
}

function checkTensors(tensors: unknown, where: string): Map<string, Tensor> {
  const byName = new Map(namedTensors(tensors, where))
  for (const [name, tensor] of byName) {
    if (typeof name !== 'string') throw new UsageError(`${where}: names of tensors must be strings, not ${show(name)}`)
    checkWellFormed(name, `${where}: the name ${show(name)}`)
    if (!(tensor instanceof Tensor)) throw new UsageError(`${where}: "${name}" must be a tensor, not ${show(tensor)}`)
    if (name === COUNTS)
      throw new UsageError(`${where}: the name "${COUNTS}" is reserved for counts: give them as counts`)
  }
  if (!byName.has(TOKENS))
    throw new UsageError(
      `${where}: the vectors of tokens are missing: tensors must have "${TOKENS}"; given: ${[...byName.keys()].join(', ') || 'none'}`,
    )
  return byName
}

function* namesOf(vocabulary: unknown, where: string): Steps<Names> {
  if (vocabulary instanceof Tokenizer) return new TokenizerNames(vocabulary)
  if (isArray(vocabulary)) return yield* WordNames.checking(vocabulary, `${where}: vocabulary`)
  throw new UsageError(`${where}: vocabulary must be an array of words or a Tokenizer, not ${show(vocabulary)}`)
}

/**
 * A table may have more rows than a tokenizer has tokens, because models pad it to a divisible size; words have one row
 * each.
 */
function checkRows({ shape, dtype }: Tensor, names: Names, error: (why: string) => Error): void {
  const isTable = shape.length === 2 && facts(dtype).kind === 'float'
  if (!isTable) throw error(`"${TOKENS}" must be a table of floats, (tokens, dim), not ${dtype} ${shown(shape)}`)
  const [rows] = shape
  const fits = names instanceof WordNames ? rows === names.size : rows >= names.size
  if (!fits)
    throw error(
      `"${TOKENS}" has ${rows} rows, but the vocabulary has ${names.size} ${names instanceof WordNames ? 'words' : 'tokens'}: each needs a row of its own`,
    )
}

function checkCounts(counts: ArrayLike<number>, size: number, where: string): Float64Array {
  const length: unknown = isObject(counts) ? counts.length : undefined
  if (length !== size)
    throw new ShapeError(
      `${where}: counts must have one element for each of ${size} tokens, not ${length === undefined ? show(counts) : show(length)}`,
    )
  const checked = eachOf(counts, (count, id) => {
    if (typeof count === 'number' && Number.isSafeInteger(count) && count >= 0) return count
    throw new UsageError(`${where}: counts[${id}] must be a whole number of at least 0, not ${show(count)}`)
  })
  return Float64Array.from(checked)
}

function checkLabels(labels: unknown, where: string): void {
  if (labels === undefined) return
  if (isArray(labels) && allAre(labels, (label) => typeof label === 'string') && new Set(labels).size === labels.length)
    return
  throw new UsageError(`${where}: labels must be an array of distinct strings, not ${show(labels)}`)
}

function* vocabularyPart(
  vocabulary: readonly string[] | Tokenizer,
  counts: Float64Array | null,
  where: string,
): Steps<Prepared['vocabulary']> {
  if (!(vocabulary instanceof Tokenizer)) {
    const description = { kind: 'words', file: WORDS, size: vocabulary.length } as const
    const bytes = yield* writeWordList(vocabulary, counts, `${where}: vocabulary`)
    return { part: [bytesPart(WORDS, bytes)], description }
  }
  const { file, name, vocabSize: size } = vocabulary
  if (file === null) return { part: [], description: { kind: 'encoding', name, size } }
  const part = bytesPart(TOKENIZER, readTokenizer(file))
  if (part.digest !== file.digest)
    throw new UsageError(`${where}: ${file.path} has changed since the tokenizer was read from it: read it again`)
  return { part: [part], description: { kind: 'tokenizer', file: TOKENIZER, size } }
}

function readTokenizer({ path, read }: TokenizerFile): Buffer {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof FileError)) throw error
    const { cause } = error
    throw new FileError(`cannot read ${path}, the file of the tokenizer: ${(cause as Error).message}`, path, cause)
  }
}

function tensorsPart(tensors: Map<string, Tensor>, digest: string, held?: () => HeldTensors): Part {
  const metadata = { [DIGEST]: digest }
  return {
    name: TENSORS,
    digest,
    write: (path) => saveSafetensors(path, tensors, { metadata }),
    writeAsync: (path) => done(call(native.saveSafetensorsWork(path, held!(), [{ key: DIGEST, text: digest }]))),
  }
}

/**
 * A model that `saveModel` saved. Its tensors are mapped: their elements are read when first touched.
 *
 * ```ts
 * const model = loadModel('word-vectors')
 * model.vectors.mostSimilar('whale')
 * ```
 *
 * If another process saves meanwhile, the result is still one whole save. The headers of the files are always checked.
 * With `verify` every byte is read and checked, at about 1.4 GB/s if the processor has SHA instructions.
 *
 * @throws FileError, with the path, if a file is missing or cannot be read, or if others save so often that no load
 * succeeds within ten seconds; FormatError for a file that breaks its format, that another save or a later version
 * wrote, whose shapes disagree with the vocabulary, or, with `verify`, in which a byte has changed.
 */
export function loadModel(folder: FilePath, options?: { verify?: boolean }): Model {
  const where = 'loadModel'
  const path = resolve(checkPath(folder, where))
  const { verify = false } = checkOptions(options, ['verify'], where)
  checkBoolean(verify, `${where}: verify`)
  const save = ofOneSave(path, (text) => readSave(path, text, verify))
  if (verify) verifyTensors(save.tensors.value, save.description.files[TENSORS], save.tensors.path)
  const { vocabulary } = save.description
  const tokenizer = vocabulary.kind === 'tokenizer' ? tokenizerOf(save.names!) : null
  return atOnce(made(path, save, tokenizer))
}

/**
 * `loadModel`, of which what may take long is done off the thread, or in turns between which the event loop runs: the
 * digest of the vocabulary, the comparison of `verify`, the words, a tokenizer of a file. A known encoding is made at
 * the call, once for the process.
 *
 * @throws The errors of `loadModel`, as rejections; AbortedError if `signal` aborts.
 */
export async function loadModelAsync(
  folder: FilePath,
  options?: { verify?: boolean; signal?: AbortSignal },
): Promise<Model> {
  const where = 'loadModelAsync'
  const path = resolve(checkPath(folder, where))
  const { verify = false, signal: given } = checkOptions(options, ['verify', 'signal'], where)
  checkBoolean(verify, `${where}: verify`)
  const signal = checkSignal(given, where)
  throwIfAborted(signal, where)
  const ahead = await hashedAhead(path)
  throwIfAborted(signal, where)
  const save = ofOneSave(path, (text) => readSave(path, text, verify, ahead))
  const { tensors, description, names } = save
  for (const tensor of tensors.value.values()) untrack(tensor)
  if (verify) {
    const digest = await readingTensors(tensors.value, (held) => digestAsync(held()))
    throwIfAborted(signal, where)
    checkDigest(digest, description.files[TENSORS], tensors.path)
  }
  const tokenizer =
    description.vocabulary.kind === 'tokenizer' ? await Tokenizer.readBytes(names!.value, names!.path) : null
  throwIfAborted(signal, where)
  return inTurns(made(path, save, tokenizer), signal, where)
}

/** The model of a save that was read. */
function* made(path: string, save: ReadSave, tokenizer: Tokenizer | null): Steps<Model> {
  const {
    description,
    tensors: { path: tensorsAt, value: tensors },
    names: read,
  } = save
  const wrong = (why: string) => new FormatError(`${tensorsAt}: ${why}`, tensorsAt, 0)
  for (const [name, { dtype, shape }] of Object.entries(description.tensors)) {
    const found = tensors.get(name)
    if (found?.dtype !== dtype || !sameShape(found.shape, shape)) {
      throw wrong(
        `"${name}" is ${found ? `${found.dtype} ${shown(found.shape)}` : 'missing'}, but model.json says ${dtype} ${shown(shape)}`,
      )
    }
  }
  if (!tensors.has(TOKENS)) throw wrong(`"${TOKENS}" is missing`)
  const { names, counts } = yield* vocabularyOf(path, description.vocabulary, { read, tokenizer }, tensors, wrong)
  checkRows(tensors.get(TOKENS)!, names, wrong)
  return new Model(path, description, names, tensors, counts, { save: saveModel, saveAsync: saveModelAsync })
}

interface Found<T> {
  readonly path: string
  readonly value: T
}

interface ReadSave {
  readonly description: ModelDescription
  readonly tensors: Found<Map<string, Tensor>>
  readonly names: Found<Buffer> | null
}

/** The vocabulary of a folder, hashed off the thread; null where reading the save will say what is wrong. */
async function hashedAhead(folder: string): Promise<(Read<Buffer> & { path: string }) | null> {
  try {
    const { vocabulary } = parseDescription(readDescription(folder), folder)
    if (vocabulary.kind === 'encoding') return null
    const path = join(folder, vocabulary.file)
    return { path, ...(await readBytesAsync(path)) }
  } catch (error) {
    if (!(error instanceof FileError || error instanceof FormatError)) throw error
    return null
  }
}

/**
 * The files of one save: the tensors, and the bytes of the vocabulary, which are those of `ahead` if these belong to
 * the save.
 */
function readSave(
  folder: string,
  text: string,
  verify: boolean,
  ahead: (Read<Buffer> & { path: string }) | null = null,
): ReadSave {
  const description = parseDescription(text, folder)
  if (verify) checkSeal(text, folder)
  const { vocabulary, files } = description
  const bytesAt = (path: string, wanted: string) =>
    ahead?.path === path && ahead.digest === wanted ? ahead : readBytes(path)
  // The small file is read first: if it is not there yet, no mapping was made for nothing.
  const names =
    vocabulary.kind === 'encoding' ? null : findFile(folder, vocabulary.file, files[vocabulary.file], bytesAt)
  return { description, tensors: findFile(folder, TENSORS, files[TENSORS], loadMarked), names }
}

function* vocabularyOf(
  folder: string,
  said: VocabularyDescription,
  { read, tokenizer: ofFile }: { read: Found<Buffer> | null; tokenizer: Tokenizer | null },
  tensors: Map<string, Tensor>,
  wrong: (why: string) => FormatError,
): Steps<{ names: Names; counts: Float64Array | null }> {
  const described = join(folder, DESCRIPTION)
  if (said.kind === 'words') {
    const { path, value } = read!
    const { words, counts } = yield* readWordList(value, path)
    if (words.length !== said.size)
      throw new FormatError(`${path}: it has ${words.length} words, but model.json says ${said.size}`, path, 0)
    return { names: yield* WordNames.checking(words, path), counts }
  }
  const tokenizer = ofFile ?? encoding(said.kind === 'encoding' ? said.name : '', described)
  if (tokenizer.vocabSize !== said.size)
    throw new FormatError(
      `${described}: ${tokenizer.name} has ${tokenizer.vocabSize} tokens, not ${said.size}`,
      described,
      0,
    )
  const stored = tensors.get(COUNTS)
  if (stored === undefined) return { names: new TokenizerNames(tokenizer), counts: null }
  tensors.delete(COUNTS)
  const fits = stored.dtype === 'int64' && sameShape(stored.shape, [said.size])
  if (!fits) throw wrong(`"${COUNTS}" is ${stored.dtype} ${shown(stored.shape)}, not int64 ${shown([said.size])}`)
  const counts = Float64Array.from(stored.borrow() as BigInt64Array, Number)
  stored.checkWhole()
  stored.dispose()
  return { names: new TokenizerNames(tokenizer), counts }
}

/** The tokenizer of a file that was read. */
const tokenizerOf = ({ value, path }: Found<Buffer>) => Tokenizer.fromBytes(value, path, undefined, undefined, true)

function encoding(name: string, path: string): Tokenizer {
  try {
    return Tokenizer.load(name as 'gpt2')
  } catch (cause) {
    if (!isWrongUse(cause)) throw cause
    throw new FormatError(`${path}: ${cause.message}`, path, 0)
  }
}
