// Files of llama.cpp: metadata and tensors, read when they are asked for.

import { resolve } from 'node:path'
import type { Json } from '../base/json.js'
import { LazyMap } from '../base/lazy-map.js'
import { checkPath, type FilePath } from '../base/validate.js'
import { blockKind, QuantizedTable } from '../layers/quantize.js'
import { call, native } from '../native/native.js'
import { adopted } from '../tensor/allocate.js'
import type { Tensor } from '../tensor/tensor.js'

/** The contents of a GGUF file. */
export interface LoadedGGUF {
  /**
   * The values by key, in the order of the file. A value is read when it is asked for, anew each time. 64-bit integers
   * beyond `Number.MAX_SAFE_INTEGER` are strings of digits, and numbers that are infinite or NaN are null.
   */
  readonly metadata: ReadonlyMap<string, Json>
  /**
   * The tensors by name, in the order of the file. A tensor is made when it is asked for, anew each time: over the
   * mapped file, whose bytes are read when they are first touched, or of its own if the file is smaller than 1 MiB.
   * F32, F16, BF16, F64, I8, I32 and I64 are a Tensor of their shape; blocks (Q8_0, Q4_K ...) a QuantizedTable (rows,
   * dim), where dimensions before the last are rows. `get` throws a DTypeError for other types, which it names.
   */
  readonly tensors: ReadonlyMap<string, Tensor | QuantizedTable>
}

/** The contents of a file, where it is, and what is known of its tensors. @internal */
export interface OpenedGGUF extends LoadedGGUF {
  readonly path: string
  /** The shape of a tensor, which is not loaded for that; undefined if there is none. */
  shapeOf(name: string): readonly number[] | undefined
}

/**
 * Opens a GGUF file of llama.cpp, version 2 or 3 in little endian. Only its header is read, without the values of its
 * metadata, so that a file of any size is open in milliseconds. If it was split (`name-00001-of-00003.gguf`), all
 * parts are opened, whichever one is named.
 *
 * @throws FileError if it or another part cannot be opened or read; FormatError, with the byte, if a header does not
 * describe its bytes, for a file in big endian, for parts that do not belong together, and for a file of another kind,
 * which it names.
 */
export function loadGGUF(path: FilePath): LoadedGGUF {
  const { metadata, tensors } = openGGUF(path, 'loadGGUF')
  return { metadata, tensors }
}

/** @internal */
export function openGGUF(path: FilePath, where: string): OpenedGGUF {
  const full = resolve(checkPath(path, where))
  const { file, keys, tensors: entries } = call(native.openGguf(full))
  const metadata = new LazyMap(keys, (place) => JSON.parse(call(native.ggufValue(file, place))) as Json)
  const tensors = new LazyMap(
    entries.map(({ name }) => name),
    (place) => {
      const { stored, shape } = entries[place]
      const { dtype, shape: flat, handle, mapped } = call(native.ggufTensor(file, place))
      const kind = blockKind(stored)
      if (kind === undefined) return adopted(handle, dtype, shape, mapped)
      const bytes = adopted(handle, dtype, flat, mapped)
      try {
        const dim = shape.at(-1) ?? 1
        const rows = shape.slice(0, -1).reduce((all, size) => all * size, 1)
        return QuantizedTable.fromBytes(kind, [rows, dim], bytes)
      } finally {
        bytes.dispose()
      }
    },
  )
  return { path: full, metadata, tensors, shapeOf: (wanted) => entries.find(({ name }) => name === wanted)?.shape }
}
