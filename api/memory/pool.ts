// Activations live in V8's ArrayBuffers, which come from a pool by size class and return to it.
//
// V8's buffers are used because the garbage collector frees them during a synchronous loop. Finalizers of external
// memory do not run then, so that memory would grow without bound. The pool exists because the page faults of a fresh
// large buffer cost more than the work on it.

import { zeroedBuffer } from './arrays.js'
import { check, native } from '../native/native.js'
import { structuredClone } from '../base/realm.js'

/**
 * The most bytes of idle buffers that are kept. The longest idle ones are dropped first, and a larger buffer is never
 * kept. Two results of (32, 1024) x 768 fit: those that a loop returns before it takes the next.
 */
export const POOL_LIMIT = 256 * 2 ** 20
/** Smaller buffers cost no page fault when fresh, so they are neither rounded up nor kept. */
const POOLED_FROM = 2048
/** Fresh buffers of at least this size ask for huge pages, as tables do. */
const HUGE_FROM = 4 * 2 ** 20

/** Idle buffers by size; in each list the most recently returned one is last. */
const idle = new Map<number, ArrayBuffer[]>()
let idleBytes = 0
/** The size class that a buffer was returned to last, which is the last key of the map; -1 if that is not known. */
let lastClass = -1

/** Number of bytes in idle buffers. */
export function pooledBytes(): number {
  return idleBytes
}

/**
 * The bytes reserved for a buffer of `bytes`: a power of two or one of three steps between two powers, so that at most
 * a fifth is spare.
 */
function sizeClass(bytes: number): number {
  if (bytes < POOLED_FROM) return bytes
  const step = 2 ** (Math.floor(Math.log2(bytes - 1)) - 2)
  return Math.ceil(bytes / step) * step
}

/** A buffer of at least `bytes` bytes. Its contents are unspecified: zeros, or what an earlier holder left. */
export function take(bytes: number): ArrayBuffer {
  const size = sizeClass(bytes)
  const list = idle.get(size)
  if (list !== undefined && list.length > 0) {
    idleBytes -= size
    return list.pop()!
  }
  return allocate(size)
}

/** A buffer of at least `bytes` bytes, all zero. It is fresh, so that untouched pages cost nothing. */
export function takeZeroed(bytes: number): ArrayBuffer {
  return allocate(sizeClass(bytes))
}

function allocate(bytes: number): ArrayBuffer {
  const buffer = zeroedBuffer(bytes)
  // Ask before the first write: the system zeroes such a large buffer page by page when it is written.
  if (bytes >= HUGE_FROM) check(native.adviseHugePages(buffer))
  return buffer
}

/**
 * Returns a buffer to the pool. A buffer that was shown is detached first, so that arrays taken before show nothing
 * ever after. Other buffers have no such arrays, and detaching costs more than a small lookup.
 */
export function giveBack(buffer: ArrayBuffer, shown: boolean): void {
  // The user transferred the buffer away and now owns the memory.
  if (buffer.byteLength === 0) return
  const memory = shown ? detach(buffer) : buffer
  const size = memory.byteLength
  if (size < POOLED_FROM || size > POOL_LIMIT) return
  const list = idle.get(size)
  if (list !== undefined) list.push(memory)
  if (size !== lastClass || list === undefined) {
    // The order of the map's keys is the order of last use.
    idle.delete(size)
    idle.set(size, list ?? [memory])
    lastClass = size
  }
  idleBytes += size
  while (idleBytes > POOL_LIMIT) dropOldest()
}

function dropOldest(): void {
  for (const [size, list] of idle) {
    if (list.length > 0) {
      list.shift()
      idleBytes -= size
      return
    }
    idle.delete(size)
  }
}

const hasTransfer = 'transfer' in ArrayBuffer.prototype

/** Moves the memory to a new buffer and detaches the old one. ArrayBuffer.prototype.transfer exists from Node 21 on. */
function detach(buffer: ArrayBuffer): ArrayBuffer {
  if (hasTransfer) return (buffer as ArrayBuffer & { transfer(): ArrayBuffer }).transfer()
  return structuredClone(buffer, { transfer: [buffer] })
}
