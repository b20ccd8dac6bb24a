// Files of tensors whose header was read, and whose tensors are loaded when they are asked for.

import { call, native } from '../native/native.js'
import { storedTensors, type StoredTensor } from './loaded-tensors.js'
import { tensorOf } from './tensors.js'
import type { Tensor } from '../tensor/tensor.js'

/** An open file of tensors. @internal */
export class TensorFile {
  /** What the header says of each tensor, by its name. */
  readonly stored: ReadonlyMap<string, StoredTensor>
  readonly #file: NonNullable<ReturnType<typeof native.openSafetensors>>['file']
  readonly #places: ReadonlyMap<string, number>

  private constructor(opened: NonNullable<ReturnType<typeof native.openSafetensors>>) {
    this.stored = new Map(storedTensors(opened.tensors).map((one) => [one.name, one]))
    this.#places = new Map(opened.tensors.map(({ name }, index) => [name, index]))
    this.#file = opened.file
  }

  /**
   * Opens a safetensors file, or a file of PyTorch. @throws FileError and FormatError as `loadSafetensors` and
   * `loadTorch`.
   */
  static open(path: string, kind: 'safetensors' | 'torch'): TensorFile {
    return new TensorFile(call(kind === 'torch' ? native.openTorch(path) : native.openSafetensors(path)))
  }

  /**
   * Loads a tensor, mapped if the file is; undefined if there is none of this name. @throws DTypeError for an element
   * type that no Tensor has.
   */
  load(name: string): Tensor | undefined {
    const index = this.#places.get(name)
    return index === undefined ? undefined : tensorOf(call(native.openedTensor(this.#file, index)))
  }
}
