// The contents of a safetensors file: its tensors, and the header's account of all of them.

import type { DType } from '../base/dtype.js'
import { DTypeError, UsageError } from '../base/errors.js'
import type { native } from '../native/native.js'
import { guardReceivers } from '../base/receivers.js'
import type { Tensor } from '../tensor/tensor.js'

/** The header's account of a tensor in a safetensors file. */
export interface StoredTensor {
  readonly name: string
  /** Its element type by the format's name: `F32`, `BF16`, `F8_E4M3`, `U16`. */
  readonly stored: string
  /** The element type of a Tensor that can hold it; null if no Tensor can. */
  readonly dtype: DType | null
  readonly shape: readonly number[]
  /** Number of bytes of its elements. */
  readonly bytes: number
}

/** The result of `loadSafetensors`: a Map of tensors by name, with the rest of the file's contents. */
export interface LoadedTensors extends Map<string, Tensor> {
  /** The file's metadata, strings by name; empty if it has none. */
  readonly metadata: Readonly<Record<string, string>>
  /**
   * The tensors whose element type no Tensor has, such as `F8_E4M3`, `U16` and `C64`. They are not entries of the Map,
   * and `get` of their names throws a DTypeError that names the type.
   */
  readonly skipped: ReadonlyMap<string, StoredTensor>
}

type Header = NonNullable<ReturnType<typeof native.inspectSafetensors>>

/** The tensors as the native side describes them. @internal */
export function storedTensors(tensors: Header['tensors']): StoredTensor[] {
  return tensors.map(({ name, stored, dtype, shape, bytes }) => ({ name, stored, dtype: dtype ?? null, shape, bytes }))
}

/** Parses the file's metadata, which is an object of strings, or null. @internal */
export function parseMetadata(json: string | null | undefined): Record<string, string> {
  return (json == null ? null : JSON.parse(json)) ?? {}
}

/** @internal */
export class LoadedTensorMap extends Map<string, Tensor> implements LoadedTensors {
  readonly metadata: Readonly<Record<string, string>>
  readonly skipped: ReadonlyMap<string, StoredTensor>
  readonly #path: string

  constructor(
    path: string,
    tensors: Iterable<[string, Tensor]>,
    skipped: readonly StoredTensor[],
    metadata: Record<string, string>,
  ) {
    super(tensors)
    this.#path = path
    this.metadata = metadata
    this.skipped = new Map(skipped.map((one) => [one.name, one]))
  }

  /** @throws DTypeError for a tensor of the file whose element type no Tensor has. */
  override get(name: string): Tensor | undefined {
    const found = super.get(name)
    if (found !== undefined) return found
    const skipped = this.skipped.get(name)
    if (skipped === undefined) return undefined
    throw new DTypeError(
      `${this.#path}: tensor "${name}" has elements of type ${skipped.stored}, which a Tensor cannot have; the other tensors of the file are available`,
    )
  }

  static {
    guardReceivers(this, (value) => #path in value)
  }
}

/**
 * Refuses to save a Map that was loaded only in part: the file would lack tensors, and nobody would notice. @internal
 *
 * @throws UsageError for a Map of `loadSafetensors` that skipped tensors.
 */
export function checkWhole(tensors: object, where: string): void {
  if (!(tensors instanceof LoadedTensorMap) || tensors.skipped.size === 0) return
  const [[name, { stored }]] = tensors.skipped
  const more = tensors.skipped.size > 1 ? ` and ${tensors.skipped.size - 1} more` : ''
  throw new UsageError(
    `${where}: tensor "${name}" (${stored})${more} could not be loaded and would be missing: pass new Map(tensors) to save without what was skipped`,
  )
}
