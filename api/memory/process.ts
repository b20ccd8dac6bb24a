// What this process holds, and what it runs on.

import { binary, call, check, native } from '../native/native.js'
import { pooledBytes } from './pool.js'
import { checkSize } from '../base/validate.js'

/** V8's ArrayBuffers when this package was loaded: not its own. */
const before = process.memoryUsage().arrayBuffers

/**
 * Bytes held now: `tables` in native memory; `pool`: idle buffers kept for reuse; `results`: those of `forwardAsync`,
 * and all other ArrayBuffers that V8 made since this package was loaded, its tensors' and the program's own (V8 does
 * not say whose a buffer is); `total` is their sum. `mapped`: files mapped into memory, apart, as the system may drop
 * and reread their pages. What is native memory is of all threads, what is V8's of the one that asks.
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
  /** Threads that a kernel may use: `getNumThreads()`. */
  threads: number
  /** Whether `data` of tables is live memory; false where the host forbids it (Electron). */
  liveData: boolean
  /** What the native part was built for. */
  binary: string
  /** The native part's file. */
  path: string
  /**
   * Why that file: `package`, the platform's own; `build`, made in this clone; `environment`, TOKENBED_BINARY names it.
   */
  source: 'package' | 'build' | 'environment'
}

/** What the package runs on. */
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

/** What one op gave on one instruction set. */
export interface KernelTest {
  op: string
  isa: string
  /** Whether all its results have the bits of the scalar kernels, which define them. */
  ok: boolean
  /** Of all its results: 16 hexadecimal digits, the same on every machine. */
  digest: string
}

/** Runs the kernels of every instruction set that this machine has on a fixed battery: some milliseconds. */
export function selfTest(): KernelTest[] {
  return call(native.kernelsSelfTest())
}

/**
 * How many threads a kernel may use from now on, the calling one among them, in the whole process, worker threads
 * included. The default is what the environment variable TOKENBED_NUM_THREADS says, else the number of cores, at most
 * 4: lookups are bound by memory, which few cores exhaust. Texts are encoded by all cores unless a number was chosen.
 *
 * Results have the same bits at any number. Threads start with the first work that is large enough to be divided.
 *
 * @throws UsageError for what is not a whole number from 1 to 1024.
 */
export function setNumThreads(n: number): void {
  check(native.setNumThreads(checkSize(n, 'setNumThreads: n', 1)))
}

/**
 * How many threads a kernel may use.
 *
 * @throws UsageError where nothing was set and TOKENBED_NUM_THREADS is not a whole number from 1 to 1024; so does
 * whatever would use threads.
 */
export function getNumThreads(): number {
  return call(native.numThreads())
}
