// The subject of inspect: the tensors of a file, of a model, or of a model in several files, from their headers.
// Elements are read only for tables that are examined.

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, extname, join } from 'node:path'
import {
  inspectSafetensors,
  loadNpy,
  loadPretrained,
  loadSafetensors,
  Tensor,
  TokenbedError,
  type DType,
  type Model,
  type Pretrained,
} from '../../index.js'
import { described, describedFastText, undescribed, type Description } from './described.js'
import { WorkFailed, WrongUse, isFolder, isSystemError, reasonOf } from '../terminal/failure.js'
import { openModel } from '../options/models.js'
import { kindName, kindOf, MadeTable, openTables, tokenTable, type Opened, type Table } from '../options/openers.js'
import { visibleText } from '../terminal/pieces.js'

/** A tensor in the list. */
export interface Listed {
  readonly name: string
  /** The element type of the Tensor that holds it; null if no Tensor can. */
  readonly dtype: DType | null
  /** The element type as text: that of a Tensor, or the file's own name for it. */
  readonly type: string
  readonly shape: readonly number[]
  readonly bytes: number
  /** Whether loading it makes numbers that the file does not have as such. */
  readonly isDecoded?: boolean
  /** For a model in several files, the file that has the tensor. */
  readonly file?: string
}

/** What is inspected. */
export interface Subject {
  readonly path: string
  readonly bytes: number
  readonly model: Model | null
  readonly tensors: readonly Listed[]
  readonly metadata: Readonly<Record<string, string>>
  /** The files, if there are several. */
  readonly files: readonly string[]
  /** Loads a listed tensor whose type a Tensor can have; blocks as float32. */
  readonly load: (name: string) => Tensor
  /** What is said of somebody's model, or why it does not open. */
  readonly description?: Description
  /** The table of its tokens or words, if something says which it is. */
  readonly table?: string | null
  /** The name of a row of that table. */
  readonly label?: (id: number) => string
}

const INDEX = '.safetensors.index.json'
/** Files that the folders of models have. */
const OF_MODELS = /^(config\.json|(model\.safetensors|pytorch_model\.bin)(\.index\.json)?)$/
/** Whether a path is a file that can be read again; readers say what is wrong with others. */
const isRegular = (path: string) => statSync(path).isFile()

export function openSubject(path: string, verify: boolean): Subject {
  if (!existsSync(path)) throw new WorkFailed(`${path}: no such file or directory`)
  if (isFolder(path)) return openFolder(path, verify)
  if (path.endsWith(INDEX)) return openShards(path, verify)
  const kind = kindOf(path)
  if (kind === 'safetensors') return openFile(path, verify)
  if (verify && isRegular(path))
    throw new WrongUse(
      `--verify: ${path}: ${extname(path) || 'such'} files have no digest that their bytes could be compared with`,
    )
  if (kind !== 'npy') return openOther(path)
  const array = loadNpy(path)
  return {
    path,
    bytes: statSync(path).size,
    model: null,
    tensors: [listedOf('array', array)],
    metadata: {},
    files: [],
    load: () => array,
  }
}

function openFolder(path: string, verify: boolean): Subject {
  if (existsSync(join(path, 'model.json'))) {
    const model = openModel(path, { verify })
    const tensors = Array.from(model.tensors, ([name, tensor]) => listedOf(name, tensor))
    return {
      path,
      bytes: statSync(join(path, 'model.safetensors')).size,
      model,
      tensors,
      metadata: {},
      files: [],
      load: (name) => model.tensors.get(name)!,
    }
  }
  const names = readdirSync(path).sort()
  const about = names.some((name) => OF_MODELS.test(name)) ? aboutModel(path) : {}
  const inside = join(path, 'model.safetensors')
  if (existsSync(inside)) return { ...openFile(inside, verify), ...about }
  const indexes = names.filter((name) => name.endsWith(INDEX))
  if (indexes.length === 1) return { ...openShards(join(path, indexes[0]), verify), ...about }
  if (about.description !== undefined) {
    if (verify)
      throw new WrongUse(`--verify: ${path}: its files have no digest that their bytes could be compared with`)
    const { pretrained, description, table } = about
    return { ...subjectOf(path, pretrained?.tensors ?? new Map()), description, table }
  }
  const there = indexes.length > 1 ? indexes : names.filter((name) => /\.(safetensors|npy)$/i.test(name))
  const some = there.length > 8 ? `${there.slice(0, 8).join(', ')} and ${there.length - 8} more` : there.join(', ')
  throw new WorkFailed(
    `${path}: it has neither model.json nor model.safetensors${some === '' ? '' : `, but ${some}`}: name a file`,
  )
}

/** What loadPretrained makes of a folder. */
function aboutModel(path: string): { pretrained?: Pretrained; description?: Description; table?: string | null } {
  try {
    const pretrained = loadPretrained(path)
    return { pretrained, description: described(pretrained), table: tokenTable(pretrained) }
  } catch (error) {
    if (!(error instanceof TokenbedError)) throw error
    return { description: undescribed(error) }
  }
}

/** A file of another kind, all of whose tensors are known without reading them. */
function openOther(path: string): Subject {
  const opened: Opened = openTables(path)
  const { pretrained, tensors, table, rows, metadata, fastText } = opened
  const words = pretrained === null ? rows() : null
  const description = pretrained ? described(pretrained) : fastText && describedFastText(fastText)
  return {
    ...subjectOf(path, tensors),
    metadata,
    table,
    ...(description === undefined ? {} : { description }),
    ...(Array.isArray(words) ? { label: (id: number) => visibleText(words[id] as string) } : {}),
  }
}

function subjectOf(path: string, tensors: ReadonlyMap<string, Table>): Subject {
  const listed = listedTables(tensors)
  return {
    path,
    bytes: isFolder(path) ? listed.reduce((sum, { bytes }) => sum + bytes, 0) : statSync(path).size,
    model: null,
    tensors: listed,
    metadata: {},
    files: [],
    load: (name) => {
      const table = tensors.get(name)!
      return table instanceof Tensor ? table : table.dequantize()
    },
  }
}

/** Tensors, and those that cannot be loaded by what their error says. */
function listedTables(tensors: ReadonlyMap<string, Table>): Listed[] {
  const skipped =
    'skipped' in tensors ? [...(tensors.skipped as ReadonlyMap<string, Listed & { stored: string }>).values()] : []
  return [
    ...Array.from(tensors.keys(), (name) => {
      try {
        return listedOf(name, tensors.get(name)!)
      } catch (error) {
        if (!(error instanceof TokenbedError) || error.code !== 'DTYPE') throw error
        return { name, dtype: null, type: 'of a type that is not read', shape: [], bytes: 0 }
      }
    }),
    ...skipped.map(({ name, stored, shape, bytes }) => ({ name, dtype: null, type: stored, shape, bytes })),
  ]
}

function listedOf(name: string, table: Table): Listed {
  if (table instanceof Tensor) {
    const { dtype, shape, size } = table
    return { name, dtype, type: dtype, shape, bytes: size * BYTES[dtype] }
  }
  if (table instanceof MadeTable) {
    const { kind, shape } = table
    return { name, dtype: 'float32', type: kind, shape, bytes: 4 * shape[0] * shape[1], isDecoded: true }
  }
  const bytes = table.toTensor()
  const listed = {
    name,
    dtype: 'float32' as const,
    type: kindName(table),
    shape: table.shape,
    bytes: bytes.size,
    isDecoded: true,
  }
  bytes.dispose()
  return listed
}

const BYTES = { float32: 4, float64: 8, float16: 2, bfloat16: 2, int8: 1, uint8: 1, int32: 4, int64: 8, bool: 1 }

function openFile(path: string, verify: boolean): Subject {
  const verified = verify ? loadSafetensors(path, { verify }) : null
  const { tensors, metadata } = inspectSafetensors(path)
  let loaded: ReadonlyMap<string, Tensor> | null = verified
  return {
    path,
    bytes: statSync(path).size,
    model: null,
    tensors: tensors.map(({ name, dtype, stored, shape, bytes }) => ({
      name,
      dtype,
      type: dtype ?? stored,
      shape,
      bytes,
    })),
    metadata,
    files: [],
    load: (name) => (loaded ??= loadSafetensors(path)).get(name)!,
  }
}

/** Opens a model in several files, by the index that says which tensor is in which file. */
function openShards(index: string, verify: boolean): Subject {
  const folder = dirname(index)
  const places = readIndex(index)
  const files = [...new Set(places.values())].sort()
  const missing = files.filter((file) => !existsSync(join(folder, file)))
  if (missing.length > 0)
    throw new WorkFailed(
      `${join(folder, missing[0])}: it does not exist, but ${basename(index)} names it${missing.length > 1 ? `, and ${missing.length - 1} more` : ''}: download the model again`,
    )
  const shards = new Map(files.map((file) => [file, openFile(join(folder, file), verify)]))
  const tensors = files.flatMap((file) => shards.get(file)!.tensors.map((tensor) => ({ ...tensor, file })))
  const found = new Map(tensors.map(({ name, file }) => [name, file]))
  for (const [name, file] of places) {
    if (found.get(name) !== file)
      throw new WorkFailed(
        `${join(folder, file)}: it has no tensor ${JSON.stringify(name)}, but ${basename(index)} says that it has: the files are not of one model`,
      )
  }
  const bytes = files.reduce((sum, file) => sum + shards.get(file)!.bytes, 0)
  const metadata = shards.get(files[0])?.metadata ?? {}
  return {
    path: folder,
    bytes,
    model: null,
    tensors,
    metadata,
    files,
    load: (name) => shards.get(found.get(name)!)!.load(name),
  }
}

/** Ten times the size of the largest known index. */
const MOST_OF_INDEX = 2 ** 28

/** The file of each tensor. */
function readIndex(path: string): Map<string, string> {
  let index: unknown
  try {
    const { size } = statSync(path)
    if (size > MOST_OF_INDEX)
      throw new WorkFailed(`${path}: ${size} bytes, and the index of a model has ${MOST_OF_INDEX} at most`)
    index = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    if (error instanceof WorkFailed) throw error
    if (isSystemError(error)) throw new WorkFailed(`${path}: ${reasonOf(error)}`, { cause: error })
    throw new WorkFailed(`${path}: not JSON:  ${(error as Error).message}`, { cause: error })
  }
  const places = (index as { weight_map?: unknown } | null)?.weight_map
  if (typeof places !== 'object' || places === null)
    throw new WorkFailed(`${path}: it has no "weight_map", which would say which tensor is in which file`)
  for (const [name, file] of Object.entries(places)) {
    // Only the name of a file in the same folder is allowed, and no other path.
    if (typeof file !== 'string' || file !== basename(file) || file === '' || file === '..')
      throw new WorkFailed(
        `${path}: "weight_map" puts ${JSON.stringify(name)} into ${JSON.stringify(file)}, which is not the name of a file beside it`,
      )
  }
  return new Map(Object.entries(places as Record<string, string>))
}
