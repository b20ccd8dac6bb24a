// The memory, threads and instruction sets of this process.

import { binary, call, check, native } from '../native/native.js'
import { pooledBytes } from './pool.js'
import { checkSize } from '../base/validate.js'

/** Bytes of V8's ArrayBuffers before this package was loaded; they are not its own. */
const before = process.memoryUsage().arrayBuffers

/**
 * Bytes held now:
 *
 * - `tables`: tables in native memory;
 * - `pool`: idle buffers kept for reuse;
 * - `results`: results of `forwardAsync`, and all other ArrayBuffers that V8 made since this package was loaded: those
 *   of its tensors and those of the program (V8 does not say whose a buffer is);
 * - `mapped`: files mapped into memory; not in `total`, as the system may drop and reread their pages;
 * - `total`: the sum of `tables`, `pool` and `results`.
 *
 * Native memory is counted for all threads, V8's memory for the calling thread.
 */
export function memoryUsage(): { tables: number; pool: number; results: number; mapped: number; total: number } {
  const { tables, mapped, results: own, pooled } = call(native.nativeUsage())
  const idle = pooledBytes()
  const results = own + Math.max(0, process.memoryUsage().arrayBuffers - before - idle)
  const pool = pooled + idle
  return { tables, pool, results, mapped, total: tables + pool + results }
}

export interface Capabilities {
  /** This package's version. */
  version: string
  /** The instruction set of the kernels in use. */
  isa: 'avx512' | 'avx2' | 'neon' | 'scalar'
  /** The instruction sets that this machine has kernels for. */
  detected: string[]
  /** The features of the processor that instruction sets are chosen by. */
  features: { name: string; available: boolean }[]
  /** Number of threads that a kernel may use: `getNumThreads()`. */
  threads: number
  /** Whether `data` of tables is live memory; false where the host forbids it (Electron). */
  liveData: boolean
  /** The platform that the native part was built for. */
  binary: string
  /** Path of the native part. */
  path: string
  /**
   * Why this file was loaded. `package`: it is the platform's package; `build`: it was built in this clone;
   * `environment`: TOKENBED_BINARY names it.
   */
  source: 'package' | 'build' | 'environment'
}

/** What the package runs on: its version, instruction set, threads and native part. */
export function capabilities(): Capabilities {
  const { version, isa, detected, features, target, liveData, path, source } = binary
  return {
    version,
    isa: isa as Capabilities['isa'],
    detected: [...detected],
    features: features.map((one) => ({ ...one })),
    threads: getNumThreads(),
    liveData,
    binary: target,
    path,
    source,
  }
}

/** The result of testing one op on one instruction set. */
export interface KernelTest {
  op: string
  isa: string
  /** Whether all results equal those of the scalar kernels, which define them, to the bit. */
  ok: boolean
  /** Digest of all results: 16 hexadecimal digits, the same on every machine. */
  digest: string
}

/** Tests the kernels of every instruction set that this machine has, on fixed inputs. It takes some milliseconds. */
export function selfTest(): KernelTest[] {
  return call(native.kernelsSelfTest())
}

/**
 * Sets the number of threads that a kernel may use, including the calling one, in the whole process with its worker
 * threads. The default is the environment variable TOKENBED_NUM_THREADS, or else the number of cores, at most 4:
 * lookups are bound by memory, which few cores exhaust. Text is encoded on all cores unless a number was set.
 *
 * Results have the same bits with any number. Threads start with the first work that is large enough to be divided.
 *
 * @throws UsageError if `n` is not a whole number from 1 to 1024.
 */
export function setNumThreads(n: number): void {
  check(native.setNumThreads(checkSize(n, 'setNumThreads: n', 1)))
}

/**
 * Number of threads that a kernel may use.
 *
 * @throws UsageError if no number was set and TOKENBED_NUM_THREADS is not a whole number from 1 to 1024; everything
 * that would use threads throws it too.
 */
export function getNumThreads(): number {
  return call(native.numThreads())
}
