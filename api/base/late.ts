// Modules of Node that are loaded when they are first used: at once, these three would take a tenth of the time in
// which this package loads.

/** The SHA-256 of bytes, in hexadecimal digits. */
export function sha256(bytes: Uint8Array): string {
  const { createHash } = require('node:crypto') as typeof import('node:crypto')
  return createHash('sha256').update(bytes).digest('hex')
}

/** `sha256`, off the thread. */
export async function sha256Async(bytes: Uint8Array): Promise<string> {
  const { webcrypto } = require('node:crypto') as typeof import('node:crypto')
  return Buffer.from(await webcrypto.subtle.digest('SHA-256', bytes)).toString('hex')
}

/** A number of 64 bits that nobody can foresee. */
export function randomSeed(): bigint {
  const { randomBytes } = require('node:crypto') as typeof import('node:crypto')
  return randomBytes(8).readBigUInt64LE()
}

/** The bytes that were compressed with Brotli. */
export function fromBrotli(bytes: Uint8Array): Buffer {
  const { brotliDecompressSync } = require('node:zlib') as typeof import('node:zlib')
  return brotliDecompressSync(bytes)
}

/** Whether this is the main thread of the process. */
export function isMainThread(): boolean {
  return (require('node:worker_threads') as typeof import('node:worker_threads')).isMainThread
}
