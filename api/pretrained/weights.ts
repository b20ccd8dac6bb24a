// The tensors of a model folder by their names, whichever files they are in. A file's header is read when something of
// it is asked for, and a tensor is loaded when it is.

import { join } from 'node:path'
import { FileError, FormatError } from '../base/errors.js'
import { namesOf } from '../base/joined-names.js'
import { isThere, namesIn } from '../base/look.js'
import type { StoredTensor } from '../files/loaded-tensors.js'
import { call, native } from '../native/native.js'
import { disposed, guardReceivers } from '../base/receivers.js'
import { TensorFile } from '../files/tensor-file.js'
import { scopeless } from '../memory/scope.js'
import type { Tensor } from '../tensor/tensor.js'
import { show } from '../base/validate.js'

/** The files that weights may be in, in the order in which Transformers looks for them. */
const FILES = [
  { name: 'model.safetensors', kind: 'safetensors', index: false },
  { name: 'model.safetensors.index.json', kind: 'safetensors', index: true },
  { name: 'pytorch_model.bin', kind: 'torch', index: false },
  { name: 'pytorch_model.bin.index.json', kind: 'torch', index: true },
] as const

type Kind = (typeof FILES)[number]['kind']

/**
 * Which tensor is in which file, by an index that the native side holds: it may have hundreds of thousands of names.
 */
class Index {
  /** Number of tensors. */
  readonly size: number
  readonly #index: NonNullable<ReturnType<typeof native.openIndex>>['index']
  #names: readonly string[] | undefined

  /** @throws FileError if it cannot be read; FormatError if it is no index. */
  constructor(path: string) {
    const { index, size } = call(native.openIndex(path))
    this.#index = index
    this.size = size
  }

  /** The file of a tensor; undefined if it is in none. */
  fileOf(name: string): string | undefined {
    return typeof name === 'string' ? call(native.indexFile(this.#index, name)) || undefined : undefined
  }

  /** The names that are this one, or end with it behind a dot. */
  ending(name: string): readonly string[] {
    return call(native.indexEnding(this.#index, name))
  }

  /** The names of all tensors. */
  get names(): readonly string[] {
    return (this.#names ??= namesOf(call(native.indexNames(this.#index))))
  }
}

/** The tensors of a model by name, each loaded when it is asked for, and kept as long as somebody holds it. */
export class Weights implements ReadonlyMap<string, Tensor> {
  readonly #folder: string
  readonly #kind: Kind
  /** The file of each tensor; null if there is only one file. */
  readonly #index: Index | null
  readonly #files = new Map<string, TensorFile>()
  readonly #loaded = new Map<string, WeakRef<Tensor>>()
  #isGone = false
  /** The only file, or the index. */
  readonly path: string

  private constructor(folder: string, name: string, kind: Kind, index: Index | null) {
    this.#folder = folder
    this.#kind = kind
    this.#index = index
    this.path = join(folder, name)
  }

  /** @throws FileError if the folder has no weights that can be read; FormatError if their index or header is wrong. */
  static open(folder: string): Weights {
    const found = FILES.find(({ name }) => isThere(join(folder, name)))
    if (found === undefined) throw noWeights(folder)
    const { name, kind, index } = found
    const weights = new Weights(folder, name, kind, index ? new Index(join(folder, name)) : null)
    if (!index) weights.#file(name)
    return weights
  }

  /** Frees the tensors that were loaded; later readings throw. */
  dispose(): void {
    this.#isGone = true
    for (const held of this.#loaded.values()) held.deref()?.dispose()
    this.#loaded.clear()
    this.#files.clear()
  }

  /** @throws UsageError once the model was disposed. */
  #check(): void {
    if (this.#isGone) throw disposed('Pretrained', 'tensors')
  }

  /** The opened file of this name. */
  #file(name: string): TensorFile {
    let file = this.#files.get(name)
    if (file === undefined) {
      file = TensorFile.open(join(this.#folder, name), this.#kind)
      this.#files.set(name, file)
    }
    return file
  }

  /** The file that holds a tensor; undefined if none does. */
  #fileOf(name: string): TensorFile | undefined {
    this.#check()
    if (this.#index === null) {
      const [file] = this.#files.values()
      return file.stored.has(name) ? file : undefined
    }
    const shard = this.#index.fileOf(name)
    if (shard === undefined) return undefined
    const file = this.#file(shard)
    if (file.stored.has(name)) return file
    const path = join(this.#folder, shard)
    throw new FormatError(`${path}: tensor "${name}" is not in it, where ${this.path} says that it is`, path, 0)
  }

  /** The names of all tensors, from the index alone if there is one. */
  names(): Iterable<string> {
    this.#check()
    return this.#index === null ? this.#files.values().next().value!.stored.keys() : this.#index.names
  }

  /** The names that are this one, or end with it behind a dot. */
  ending(name: string): readonly string[] {
    if (this.#index !== null) return this.#index.ending(name)
    const behind = `.${name}`
    return [...this.names()].filter((full) => full === name || full.endsWith(behind))
  }

  /** What the header of its file says of a tensor; undefined if there is none. */
  stored(name: string): StoredTensor | undefined {
    return this.#fileOf(name)?.stored.get(name)
  }

  get size(): number {
    this.#check()
    return this.#index === null ? this.#files.values().next().value!.stored.size : this.#index.size
  }

  has(name: string): boolean {
    this.#check()
    return this.#index === null ? this.#fileOf(name) !== undefined : this.#index.fileOf(name) !== undefined
  }

  get(name: string): Tensor | undefined {
    const known = this.#loaded.get(name)?.deref()
    if (known !== undefined && !known.disposed) return known
    // It belongs to the model, and to no scope that happens to be open.
    const tensor = scopeless(() => this.#fileOf(name)?.load(name))
    if (tensor !== undefined) this.#loaded.set(name, new WeakRef(tensor))
    return tensor
  }

  keys(): MapIterator<string> {
    return this.names()[Symbol.iterator]() as MapIterator<string>
  }

  *values(): MapIterator<Tensor> {
    for (const name of this.names()) yield this.get(name)!
  }

  *entries(): MapIterator<[string, Tensor]> {
    for (const name of this.names()) yield [name, this.get(name)!]
  }

  [Symbol.iterator](): MapIterator<[string, Tensor]> {
    return this.entries()
  }

  forEach(visit: (tensor: Tensor, name: string, map: ReadonlyMap<string, Tensor>) => void, self?: unknown): void {
    for (const [name, tensor] of this.entries()) visit.call(self, tensor, name, this)
  }

  static {
    guardReceivers(this, (value) => #folder in value)
  }
}

/** The error for a folder without weights, which says what is there instead. */
function noWeights(folder: string): FileError {
  const wanted = `no ${FILES.map(({ name }) => name).join(', no ')}`
  const others = namesIn(folder).filter((name) =>
    /\.(gguf|safetensors|bin|pt|pth|h5|msgpack|onnx|npz|ckpt)$/.test(name),
  )
  const gguf = others.filter((name) => name.endsWith('.gguf'))
  const advice =
    gguf.length > 0
      ? `: name the file ${show(gguf[0])} instead of the folder`
      : others.length > 0
        ? `; there are ${others.slice(0, 5).map(show).join(', ')}`
        : ''
  return new FileError(`${folder}: its weights cannot be found: ${wanted}${advice}`, folder, undefined)
}
