// Activations live in V8's own ArrayBuffers, taken from and given back to a pool by size class.
//
// Why V8's: finalizers of external memory do not run while a synchronous loop runs, so memory would grow without bound;
// V8's own buffers are collected there. Why a pool: a fresh large buffer costs more in page faults than the work on it.

import { zeroed } from './arrays.js'
import { check, native } from '../native/native.js'
import { structuredClone } from '../base/realm.js'

/**
 * Idle buffers are kept up to so many bytes; the longest idle are let go first, and one that is larger is never kept.
 * Two results of (32, 1024) x 768 fit: what a loop gives back before it takes the next.
 */
export const POOL_LIMIT = 256 * 2 ** 20
/** Below this a fresh buffer costs no page fault of its own: such buffers are not rounded up and not kept. */
const POOLED_FROM = 2048
/** From here on a fresh buffer asks for huge pages, as tables do. */
const HUGE_FROM = 4 * 2 ** 20

/** Idle buffers by size, the most recently returned last. */
const idle = new Map<number, ArrayBuffer[]>()
let idleBytes = 0

/** Bytes of idle buffers. */
export function pooledBytes(): number {
  return idleBytes
}

/**
 * The bytes reserved for so many: a power of two or one of three steps between two, so that at most a fifth is spare.
 */
function sizeClass(bytes: number): number {
  if (bytes < POOLED_FROM) return bytes
  const step = 2 ** (Math.floor(Math.log2(bytes - 1)) - 2)
  return Math.ceil(bytes / step) * step
}

/** A buffer of at least so many bytes. Its contents are unspecified: zeros, or what an earlier holder left. */
export function take(bytes: number): ArrayBuffer {
  const size = sizeClass(bytes)
  const list = idle.get(size)
  if (list !== undefined && list.length > 0) {
    idleBytes -= size
    return list.pop()!
  }
  return allocate(size)
}

/** A buffer of at least so many bytes, all zero: fresh, so that untouched pages cost nothing. */
export function takeZeroed(bytes: number): ArrayBuffer {
  return allocate(sizeClass(bytes))
}

function allocate(bytes: number): ArrayBuffer {
  const buffer = fresh(bytes)
  // Before it is touched: V8's memory of this size is the system's, which zeroes it page by page when it is written.
  if (bytes >= HUGE_FROM) check(native.adviseHugePages(buffer))
  return buffer
}

function fresh(bytes: number): ArrayBuffer {
  return zeroed(ArrayBuffer, bytes)
}

/**
 * Keeps the memory of a buffer for the next. One that was shown is detached first, so that arrays taken before show
 * nothing ever after; of others there are none, and detaching costs more than a small lookup.
 */
export function giveBack(buffer: ArrayBuffer, shown: boolean): void {
  // Transferred away by its user: the memory is theirs now.
  if (buffer.byteLength === 0) return
  const memory = shown ? detach(buffer) : buffer
  const size = memory.byteLength
  if (size < POOLED_FROM || size > POOL_LIMIT) return
  const list = idle.get(size)
  if (list === undefined) idle.set(size, [memory])
  else {
    list.push(memory)
    // The order of the map is the order of last use.
    idle.delete(size)
    idle.set(size, list)
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

/** The memory of a buffer as a new one, the old one detached: ArrayBuffer.prototype.transfer from Node 21 on. */
function detach(buffer: ArrayBuffer): ArrayBuffer {
  if (hasTransfer) return (buffer as ArrayBuffer & { transfer(): ArrayBuffer }).transfer()
  return structuredClone(buffer, { transfer: [buffer] })
}
