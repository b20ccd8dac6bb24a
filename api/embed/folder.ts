// The folders that static embedding models come in: each kind is a function that says what a folder is made of, or that
// it is of another kind.

import { statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { DTypeError, FileError, FormatError, ShapeError, TokenIndexError, UsageError } from '../base/errors.js'
import { isFolder, isThere, namesIn } from '../base/look.js'
import { readStart } from '../base/read-file.js'
import { checkOptions, checkPath, checkWord, show } from '../base/validate.js'
import { TensorFile } from '../files/tensor-file.js'
import { scopeless } from '../memory/scope.js'
import { loadModel } from '../models/folder.js'
import {
  flagOf,
  isJsonObject,
  numberOf,
  readJsonList,
  readJsonObject,
  textIn,
  type JsonObject,
} from '../pretrained/config.js'
import { Tokenizer } from '../text/tokenizer.js'
import { loadFastText } from '../vectors/fasttext.js'
import { FastTextParts } from './made.js'
import { MODEL2VEC_LENGTH, SEMANTICS, type Semantics, type TextEmbedderParts } from './parts.js'
import { wordTokenizer } from './words.js'

export interface LoadOptions {
  /**
   * Which tokens count; default: as the library does it whose folder it is. A model of fastText has `fasttext`, which
   * no other has, or `mean`.
   */
  semantics?: Semantics | 'fasttext'
  /** The path of another `tokenizer.json`. fastText divides texts itself. */
  tokenizer?: string
}

/** What a folder is made of. */
interface Found {
  /** The file that is to blame if the parts do not fit. */
  readonly path: string
  readonly parts: Omit<TextEmbedderParts, 'tokenizer'>
  readonly tokenizer: () => Tokenizer
}

/** Opens a path, and makes of it what `make` does. */
export function openFolder<T>(
  path: string,
  options: LoadOptions | undefined,
  where: string,
  make: (parts: TextEmbedderParts | FastTextParts) => T,
): T {
  const { semantics: said, tokenizer } = checkOptions(options, ['semantics', 'tokenizer'], where)
  if (said !== undefined) checkWord(said, [...SEMANTICS, 'fasttext'] as const, `${where}: semantics`)
  const semantics = said === 'fasttext' ? undefined : said
  let found = scopeless(() => find(path, semantics))
  if (FastTextParts.is(found)) {
    if (semantics === undefined) {
      if (tokenizer === undefined) return make(found)
      throw new UsageError(
        `${where}: ${found.path} is a model of fastText, which takes no tokenizer: it divides texts itself`,
      )
    }
    found = wordsOf(found, semantics, where)
  } else if (said === 'fasttext') {
    throw new UsageError(`${where}: ${path} is no model of fastText, and no other has the semantics 'fasttext'`)
  }
  const parts = {
    ...found.parts,
    tokenizer:
      tokenizer === undefined ? found.tokenizer() : Tokenizer.fromFile(checkPath(tokenizer, `${where}: tokenizer`)),
  }
  try {
    return make(semantics === undefined ? parts : named(parts, semantics))
  } catch (error) {
    const isOfFile = error instanceof ShapeError || error instanceof DTypeError || error instanceof TokenIndexError
    if (!isOfFile) throw error
    throw new FormatError(`${found.path}: ${error.message}`, found.path, 0)
  }
}

/** The parts with other semantics. The length to which model2vec cuts is a rule of its own. */
function named(parts: TextEmbedderParts, semantics: Semantics): TextEmbedderParts {
  const isCut = semantics.startsWith('model2vec') || !parts.semantics?.startsWith('model2vec')
  return { ...parts, semantics, maxLength: isCut ? parts.maxLength : undefined }
}

/** The kinds of folders, in the order in which they are tried. */
const KINDS: readonly ((folder: string, semantics: Semantics | undefined) => Found | FastTextParts | null)[] = [
  trained,
  model2vec,
  sentenceTransformers,
  model2vecOfTransformers,
  wordLlama,
  fastText,
]

function find(path: string, semantics: Semantics | undefined): Found | FastTextParts {
  let isFolder: boolean
  try {
    isFolder = statSync(path).isDirectory()
  } catch (cause) {
    throw new FileError(`cannot open ${path}: ${(cause as Error).message}`, path, cause)
  }
  if (!isFolder) {
    const found = wordLlamaFile(path) ?? (FASTTEXT.test(path) || isFastText(path) ? fastTextFile(path) : null)
    if (found !== null) return found
    throw new FormatError(
      `${path}: it is no static embedding model: name the folder of one, the weights of WordLlama, NAME_DIM.safetensors, or a model of fastText, .bin or .ftz`,
      path,
      0,
    )
  }
  for (const kind of KINDS) {
    const found = kind(path, semantics)
    if (found !== null) return found
  }
  throw new FormatError(`${path}: it is no static embedding model: ${whatItIs(path)}`, path, 0)
}

/** What a folder of another kind seems to be. */
function whatItIs(folder: string): string {
  const config = join(folder, 'config.json')
  const family = isThere(config) ? textIn(readJsonObject(config), 'model_type') : undefined
  if (family === 'model2vec')
    return 'its config.json is one of model2vec, but model.safetensors or tokenizer.json is missing'
  if (family !== undefined)
    return `it seems to be a model of the family ${family}, whose vectors come out of its blocks: loadPretrained opens its tables`
  const names = namesIn(folder)
  return names.length === 0
    ? 'the folder is empty'
    : `it has neither modules.json, nor a config.json with a model.safetensors and a tokenizer.json, nor weights, nor a model of fastText; there are ${names.slice(0, 5).map(show).join(', ')}`
}

/** A folder of `tokenbed train` or `saveModel`. */
function trained(folder: string): Found | null {
  if (!isThere(join(folder, 'model.json'))) return null
  const { weight, words, tokenizer } = loadModel(folder)
  return {
    path: join(folder, 'model.safetensors'),
    parts: { table: weight, semantics: 'mean' },
    tokenizer: () => tokenizer ?? wordTokenizer(words!, join(folder, 'vocab.txt')),
  }
}

/** The names that a table of model2vec may have, besides that of sentence-transformers. */
const MODEL2VEC = ['embeddings', '0']
const TRANSFORMERS = 'embedding.weight'
const TENSORS = 'model.safetensors'
const TORCH = 'pytorch_model.bin'
const TOKENIZER = 'tokenizer.json'
const CONFIG = 'config.json'
const TRANSFORMERS_CONFIG = 'config_sentence_transformers.json'
const MODULES = 'modules.json'

/** A folder of model2vec: its table has a name of its own. The config may be in the folder above. */
function model2vec(folder: string): Found | null {
  const path = join(folder, TENSORS)
  if (!isThere(path) || !isThere(join(folder, TOKENIZER))) return null
  const file = TensorFile.open(path, 'safetensors')
  const name = MODEL2VEC.find((name) => file.stored.has(name))
  if (name === undefined) return null
  const configs = [join(folder, CONFIG), join(dirname(folder), CONFIG), join(folder, TRANSFORMERS_CONFIG)]
  const config = configs.find(isThere)
  return model2vecParts(file, name, path, config === undefined ? {} : readJsonObject(config), folder)
}

/** A folder of model2vec whose table is named as in sentence-transformers, and that has no list of modules. */
function model2vecOfTransformers(folder: string): Found | null {
  const config = [folder, dirname(folder)].map((at) => join(at, TRANSFORMERS_CONFIG)).find(isThere)
  if (config === undefined) return null
  for (const at of [folder, join(folder, '0_StaticEmbedding')]) {
    const path = join(at, TENSORS)
    if (!isThere(path) || !isThere(join(at, TOKENIZER))) continue
    const file = TensorFile.open(path, 'safetensors')
    if (file.stored.has(TRANSFORMERS)) return model2vecParts(file, TRANSFORMERS, path, readJsonObject(config), at)
  }
  return null
}

function model2vecParts(file: TensorFile, name: string, path: string, config: JsonObject, folder: string): Found {
  const table = file.load(name)!
  const mapping = file.load('mapping')
  const ours = isJsonObject(config.tokenbed) ? textIn(config.tokenbed, 'semantics') : undefined
  const semantics = SEMANTICS.find((known) => known === ours) ?? 'model2vec'
  const said = Object.hasOwn(config, 'max_length') ? config.max_length : MODEL2VEC_LENGTH
  const maxLength = said === null ? null : numberOf(config, 'max_length')
  if (maxLength === undefined && said !== MODEL2VEC_LENGTH)
    throw new FormatError(
      `${join(folder, CONFIG)}: "max_length" must be a number or null, not ${show(said)}`,
      folder,
      0,
    )
  return {
    path,
    parts: {
      table,
      weights: file.load('weights'),
      mapping,
      normalize: flagOf(config, 'normalize', false),
      maxLength: maxLength === undefined ? MODEL2VEC_LENGTH : maxLength,
      semantics,
    },
    tokenizer: () => {
      const tokenizer = Tokenizer.fromFile(join(folder, TOKENIZER))
      const [rows] = table.shape
      if (mapping === undefined && table.shape.length === 2 && rows !== tokenizer.vocabSize)
        throw new FormatError(
          `${path}: tensor "${name}" has ${rows} rows, but ${join(folder, TOKENIZER)} has ${tokenizer.vocabSize} tokens: each needs a row of its own`,
          path,
          0,
        )
      return tokenizer
    },
  }
}

/** A module of sentence-transformers. */
interface Module {
  /** The class, whose package moved between versions. */
  readonly kind: string
  readonly type: string
  readonly path: string
}

/** A folder of sentence-transformers. */
function sentenceTransformers(folder: string, semantics: Semantics | undefined): Found | null {
  const list = join(folder, MODULES)
  if (!isThere(list)) return null
  const [first, ...others] = modulesOf(list)
  const notRun = [
    ...(first === undefined || first.kind === 'StaticEmbedding' ? [] : [first]),
    ...others.filter(({ kind }) => kind !== 'Normalize'),
  ]
  if (first === undefined) throw new FormatError(`${list}: it names no module`, list, 0)
  if (notRun.length > 0)
    throw new FormatError(
      `${list}: the module ${notRun.map(({ type }) => type).join(', ')} is not run here: of sentence-transformers a StaticEmbedding is, and Normalize behind it`,
      list,
      0,
    )
  const at = join(folder, first.path)
  const found = ([TENSORS, TORCH] as const).find((name) => isThere(join(at, name)))
  if (found === undefined) throw new FileError(`${at} has no ${TENSORS} and no ${TORCH}`, at, undefined)
  const path = join(at, found)
  const file = TensorFile.open(path, found === TORCH ? 'torch' : 'safetensors')
  const name = [TRANSFORMERS, ...MODEL2VEC].find((name) => file.stored.has(name))
  if (name === undefined)
    throw new FormatError(
      `${path}: it has no tensor "${TRANSFORMERS}" and no "embeddings"; there are ${[...file.stored.keys()].slice(0, 5).map(show).join(', ')}`,
      path,
      0,
    )
  const isTheirs = semantics === undefined || semantics === 'sentence-transformers'
  return {
    path,
    parts: {
      table: file.load(name)!,
      // The modules belong to the library; model2vec reads its own config.
      normalize: others.length > 0 && (isTheirs || !semantics.startsWith('model2vec')),
      semantics: 'sentence-transformers',
    },
    tokenizer: () => Tokenizer.fromFile(join(at, TOKENIZER)),
  }
}

function modulesOf(path: string): Module[] {
  return readJsonList(path).map((module, i) => {
    const [type, at] = isJsonObject(module) ? [textIn(module, 'type'), textIn(module, 'path')] : []
    // Modules lie in the folder: a path could lead anywhere.
    if (type === undefined || at === undefined || /[/\\\0:]/.test(at) || at.startsWith('..'))
      throw new FormatError(
        `${path}: module ${i} must have a type, and a path in the folder, not ${show(module)}`,
        path,
        0,
      )
    return { type, kind: type.split('.').at(-1)!, path: at }
  })
}

/** The weights of WordLlama: a name, and the number of elements of a row. */
const WEIGHTS = /^(.+)_(\d+)\.safetensors$/

/**
 * A folder of WordLlama, as its package has it. Of weights of one name the widest are taken, whose rows begin with the
 * others.
 */
function wordLlama(folder: string): Found | null {
  const weights = join(folder, 'weights')
  if (!isThere(weights)) return null
  const all = namesIn(weights)
    .map((file) => WEIGHTS.exec(file))
    .filter((found) => found !== null)
    .map(([file, name, dim]) => ({ file, name, dim: Number(dim) }))
    .sort((a, b) => b.dim - a.dim)
  if (all.length === 0) return null
  const names = [...new Set(all.map(({ name }) => name))]
  if (names.length > 1)
    throw new FormatError(
      `${weights}: it has the weights of several models, ${names.map(show).join(', ')}: name one of the files`,
      weights,
      0,
    )
  return wordLlamaFile(join(weights, all[0].file))
}

function wordLlamaFile(path: string): Found | null {
  const [, name] = WEIGHTS.exec(basename(path)) ?? []
  if (name === undefined) return null
  const file = TensorFile.open(path, 'safetensors')
  if (!file.stored.has(TRANSFORMERS))
    throw new FormatError(`${path}: it has no tensor "${TRANSFORMERS}", which weights of WordLlama have`, path, 0)
  return {
    path,
    parts: { table: file.load(TRANSFORMERS)!, semantics: 'wordllama' },
    tokenizer: () => Tokenizer.fromFile(join(dirname(dirname(path)), 'tokenizers', `${name}_tokenizer_config.json`)),
  }
}

/** The endings of fastText's models. */
const FASTTEXT = /\.(bin|ftz)$/i
/** What they begin with, but for very old ones. */
const MAGIC = [0xba, 0x16, 0x4f, 0x2f]

function isFastText(path: string): boolean {
  const start = readStart(path, MAGIC.length)
  return MAGIC.every((byte, i) => start[i] === byte)
}

/** A folder with a model of fastText. */
function fastText(folder: string): FastTextParts | null {
  const names = namesIn(folder).filter((name) => {
    const path = join(folder, name)
    return FASTTEXT.test(name) && !isFolder(path) && isFastText(path)
  })
  if (names.length > 1)
    throw new FormatError(
      `${folder}: it has several models of fastText, ${names.map(show).join(', ')}: name one of the files`,
      folder,
      0,
    )
  return names.length === 0 ? null : fastTextFile(join(folder, names[0]))
}

function fastTextFile(path: string): FastTextParts {
  return new FastTextParts(path, loadFastText(path))
}

/** The words of a model of fastText, and their vectors. */
function wordsOf({ path, model }: FastTextParts, semantics: Semantics, where: string): Found {
  if (semantics !== 'mean')
    throw new UsageError(
      `${where}: ${path} is a model of fastText, whose semantics are 'fasttext', or 'mean' for the vectors of its words alone, and not '${semantics}'`,
    )
  return {
    path,
    parts: { table: model.vectors.weight, semantics },
    tokenizer: () => wordTokenizer(model.words, path),
  }
}
