// Buffers that are detached or change their size.

export type Resizable = ArrayBuffer & { resize(bytes: number): void }

/** A buffer that can grow to twice its size. TypeScript's types do not know this option yet. */
export function resizable(bytes: number): Resizable {
  return new (ArrayBuffer as never as new (bytes: number, options: object) => Resizable)(bytes, {
    maxByteLength: bytes * 2,
  })
}

/** The array, after its buffer was transferred. */
export function detached<T extends ArrayBufferView>(array: T): T {
  structuredClone(array.buffer, { transfer: [array.buffer as ArrayBuffer] })
  return array
}

/** An array of `length` on a buffer that was then made smaller. */
export function shrunk(length: number): Int32Array {
  const buffer = resizable(length * 4)
  const array = new Int32Array(buffer, 0, length)
  buffer.resize(4)
  return array
}
