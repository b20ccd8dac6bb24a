// What a safetensors file holds: the tensors that can be had, and what its header says of all.

import type { DType } from '../base/dtype.js'
import { DTypeError, UsageError } from '../base/errors.js'
import type { native } from '../native/native.js'
import { guardReceivers } from '../base/receivers.js'
import type { Tensor } from '../tensor/tensor.js'

/** What the header of a safetensors file says of a tensor. */
export interface StoredTensor {
  readonly name: string
  /** Its element type as the format calls it: `F32`, `BF16`, `F8_E4M3`, `U16`. */
  readonly stored: string
  /** The element type of a Tensor that holds it; null where tensors have no such type. */
  readonly dtype: DType | null
  readonly shape: readonly number[]
  /** Bytes of its elements. */
  readonly bytes: number
}

/** What `loadSafetensors` gives: a Map of tensors by name, and what else the file says. */
export interface LoadedTensors extends Map<string, Tensor> {
  /** The file's metadata: strings by name, none where it has none. */
  readonly metadata: Readonly<Record<string, string>>
  /**
   * The tensors whose element type no Tensor has, such as `F8_E4M3`, `U16` and `C64`: they are not among the entries of
   * the Map, and `get` of their names throws a DTypeError that says the type.
   */
  readonly skipped: ReadonlyMap<string, StoredTensor>
}

type Header = NonNullable<ReturnType<typeof native.inspectSafetensors>>

/** What the native side says of tensors. @internal */
export function storedTensors(tensors: Header['tensors']): StoredTensor[] {
  return tensors.map(({ name, stored, dtype, shape, bytes }) => ({ name, stored, dtype: dtype ?? null, shape, bytes }))
}

/** Metadata as the file writes it: an object of strings, or null. @internal */
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
      `${this.#path}: tensor "${name}" has elements of type ${skipped.stored}, which no Tensor has: the other tensors of the file can be had`,
    )
  }

  static {
    guardReceivers(this, (value) => #path in value)
  }
}

/**
 * Refuses to write what was loaded in part: the file would lack tensors, and nobody would notice. @internal
 *
 * @throws UsageError for a Map of `loadSafetensors` that skipped some.
 */
export function checkWhole(tensors: object, where: string): void {
  if (!(tensors instanceof LoadedTensorMap) || tensors.skipped.size === 0) return
  const [[name, { stored }]] = tensors.skipped
  const more = tensors.skipped.size > 1 ? ` and ${tensors.skipped.size - 1} more` : ''
  throw new UsageError(
    `${where}: tensor "${name}" (${stored})${more} could not be loaded and would be missing: pass new Map(tensors) to leave out what was skipped`,
  )
}
