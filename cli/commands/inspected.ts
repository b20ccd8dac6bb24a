// What inspect looks at: the tensors of a file, of a model, or of a model in several files, by their headers. Elements are
// read where a table is examined.

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, extname, join } from 'node:path'
import { inspectSafetensors, loadNpy, loadSafetensors, type DType, type Model, type Tensor } from '../../index.js'
import { WorkFailed, WrongUse, isFolder, isSystemError, reasonOf } from '../terminal/failure.js'
import { openModel } from '../options/models.js'

/** A tensor that is listed. */
export interface Listed {
  readonly name: string
  /** The element type of a Tensor that holds it; null where there is none. */
  readonly dtype: DType | null
  /** Its element type in words: that of a Tensor, or what the file calls it. */
  readonly type: string
  readonly shape: readonly number[]
  readonly bytes: number
  /** Of a model in several files the one that it lies in. */
  readonly file?: string
}

/** What is looked at. */
export interface Subject {
  readonly path: string
  readonly bytes: number
  readonly model: Model | null
  readonly tensors: readonly Listed[]
  readonly metadata: Readonly<Record<string, string>>
  /** The files, where they are several. */
  readonly files: readonly string[]
  /** The tensor of a name that is listed, and has a type that a Tensor has. */
  readonly load: (name: string) => Tensor
}

const INDEX = '.safetensors.index.json'

export function openSubject(path: string, verify: boolean): Subject {
  if (!existsSync(path)) throw new WorkFailed(`${path}: no such file or directory`)
  if (isFolder(path)) return openFolder(path, verify)
  if (path.endsWith(INDEX)) return openShards(path, verify)
  if (extname(path).toLowerCase() !== '.npy') return openFile(path, verify)
  if (verify) throw new WrongUse(`--verify: ${path}: .npy files have no digest that their bytes could be compared with`)
  const array = loadNpy(path)
  return { path, bytes: statSync(path).size, model: null, tensors: [listedOf('array', array)], metadata: {}, files: [], load: () => array }
}

function openFolder(path: string, verify: boolean): Subject {
  if (existsSync(join(path, 'model.json'))) {
    const model = openModel(path, { verify })
    const tensors = Array.from(model.tensors, ([name, tensor]) => listedOf(name, tensor))
    return { path, bytes: statSync(join(path, 'model.safetensors')).size, model, tensors, metadata: {}, files: [], load: (name) => model.tensors.get(name)! }
  }
  const inside = join(path, 'model.safetensors')
  if (existsSync(inside)) return openFile(inside, verify)
  const names = readdirSync(path).sort()
  const indexes = names.filter((name) => name.endsWith(INDEX))
  if (indexes.length === 1) return openShards(join(path, indexes[0]), verify)
  const there = indexes.length > 1 ? indexes : names.filter((name) => /\.(safetensors|npy)$/i.test(name))
  const some = there.length > 8 ? `${there.slice(0, 8).join(', ')} and ${there.length - 8} more` : there.join(', ')
  throw new WorkFailed(`${path}: neither model.json nor model.safetensors is in it${some === '' ? '' : `, but ${some}`}: name a file`)
}

function listedOf(name: string, { dtype, shape, size }: Tensor): Listed {
  return { name, dtype, type: dtype, shape, bytes: size * BYTES[dtype] }
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
    tensors: tensors.map(({ name, dtype, stored, shape, bytes }) => ({ name, dtype, type: dtype ?? stored, shape, bytes })),
    metadata,
    files: [],
    load: (name) => (loaded ??= loadSafetensors(path)).get(name)!,
  }
}

/** A model whose tensors lie in several files, by the index that says which lies where. */
function openShards(index: string, verify: boolean): Subject {
  const folder = dirname(index)
  const places = readIndex(index)
  const files = [...new Set(places.values())].sort()
  const missing = files.filter((file) => !existsSync(join(folder, file)))
  if (missing.length > 0) throw new WorkFailed(`${join(folder, missing[0])}: not there, and ${basename(index)} names it${missing.length > 1 ? `, as ${missing.length - 1} more` : ''}: download the model again`)
  const shards = new Map(files.map((file) => [file, openFile(join(folder, file), verify)]))
  const tensors = files.flatMap((file) => shards.get(file)!.tensors.map((tensor) => ({ ...tensor, file })))
  const found = new Map(tensors.map(({ name, file }) => [name, file]))
  for (const [name, file] of places) {
    if (found.get(name) !== file) throw new WorkFailed(`${join(folder, file)}: no tensor ${JSON.stringify(name)} is in it, where ${basename(index)} says so: the files are not of one model`)
  }
  const bytes = files.reduce((sum, file) => sum + shards.get(file)!.bytes, 0)
  const metadata = shards.get(files[0])?.metadata ?? {}
  return { path: folder, bytes, model: null, tensors, metadata, files, load: (name) => shards.get(found.get(name)!)!.load(name) }
}

/** Ten times as many as the largest has. */
const MOST_OF_INDEX = 2 ** 28

/** Which tensor lies in which file. */
function readIndex(path: string): Map<string, string> {
  let index: unknown
  try {
    const { size } = statSync(path)
    if (size > MOST_OF_INDEX) throw new WorkFailed(`${path}: ${size} bytes, and the index of a model has ${MOST_OF_INDEX} at most`)
    index = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    if (error instanceof WorkFailed) throw error
    if (isSystemError(error)) throw new WorkFailed(`${path}: ${reasonOf(error)}`, { cause: error })
    throw new WorkFailed(`${path}: no JSON: ${(error as Error).message}`, { cause: error })
  }
  const places = (index as { weight_map?: unknown } | null)?.weight_map
  if (typeof places !== 'object' || places === null) throw new WorkFailed(`${path}: no "weight_map" is in it, which says which tensor lies in which file`)
  for (const [name, file] of Object.entries(places)) {
    // A name in its folder, and nothing else that a path may say.
    if (typeof file !== 'string' || file !== basename(file) || file === '' || file === '..') throw new WorkFailed(`${path}: "weight_map" puts ${JSON.stringify(name)} into ${JSON.stringify(file)}, which is no name of a file beside it`)
  }
  return new Map(Object.entries(places as Record<string, string>))
}
