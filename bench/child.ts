// Measurements that need a process of their own. The arguments name one, and it prints JSON.

import { execFileSync } from 'node:child_process'
import { documents, megabytes } from './texts.js'
import { interleave, median } from './measure.js'
import type { Encoding } from './peers/encoder.js'
import { TOKENIZERS } from './peers/tokenizer.js'

/** Milliseconds to load an encoding and encode a few words with it, without loading the package. */
function firstUse(name: string, encoding: string): number | null {
  const found = TOKENIZERS[name]()
  if (!('peer' in found)) return null
  const start = performance.now()
  const encoder = found.peer.open(encoding as Encoding)
  encoder?.encode('The first words, and 12345 more.')
  return encoder ? performance.now() - start : null
}

/** Megabytes a second of `encodeBatch`, and the number of threads that the package reports. */
function batchSpeed(encoding: string): { threads: number; speed: number } {
  const { capabilities, Tokenizer } = require('../index.js') as typeof import('../index.js')
  const texts = documents('English')
  const tokenizer = Tokenizer.load(encoding as Encoding)
  const [{ median }] = interleave([{ name: '', run: () => tokenizer.encodeBatch(texts) }], 9, 30)
  return { threads: capabilities().threads, speed: megabytes(texts) / (median / 1e6) }
}

/**
 * Milliseconds of processor time to load a tokenizer.json and encode a few words, bytes of memory that stay, and the
 * most that was held above them. Memory is that of a second tokenizer, so that nothing of it is the package's own.
 */
function loadFile(path: string): { milliseconds: number; bytes: number; peak: number } {
  const { Tokenizer } = require('../index.js') as typeof import('../index.js')
  const load = () => {
    const tokenizer = Tokenizer.fromFile(path)
    tokenizer.encode('The first words, and 12345 more.')
    return tokenizer
  }
  const start = process.cpuUsage()
  const kept = [load()]
  const { user, system } = process.cpuUsage(start)
  const before = process.memoryUsage.rss()
  kept.push(load())
  const bytes = process.memoryUsage.rss() - before
  const peak = process.resourceUsage().maxRSS * 1024 - before - bytes
  return { milliseconds: (user + system) / 1e3, bytes: kept.length === 2 ? bytes : 0, peak }
}

/** Milliseconds to open a model's folder and have its token table, and bytes by which the process grew. */
function openFolder(path: string): { ms: number; grown: number } {
  const { loadPretrained } = require('../index.js') as typeof import('../index.js')
  // What the first call of any function costs belongs to the package.
  for (let i = 0; i < 2; i++) {
    try {
      loadPretrained(__dirname)
    } catch {
      // It is no model.
    }
  }
  const before = process.memoryUsage.rss()
  const start = performance.now()
  const { token } = loadPretrained(path)
  const ms = performance.now() - start
  return { ms, grown: token.shape[0] > 0 ? process.memoryUsage.rss() - before : 0 }
}

interface Step {
  ms: number
  grown: number
}

/**
 * Milliseconds and bytes to open a model of fastText, to index its words at the first one, to list them, and to search
 * for neighbours once.
 */
function openFastText(path: string, searches: string): Record<'opened' | 'first' | 'words' | 'search', Step> {
  const { loadFastText } = require('../index.js') as typeof import('../index.js')
  for (let i = 0; i < 2; i++) {
    try {
      loadFastText(__filename)
    } catch {
      // It is no model.
    }
  }
  const measured = <T>(run: () => T): [T, Step] => {
    const [before, start] = [process.memoryUsage.rss(), performance.now()]
    const result = run()
    const ms = performance.now() - start
    return [result, { ms, grown: process.memoryUsage.rss() - before }]
  }
  const [model, opened] = measured(() => loadFastText(path))
  const [, first] = measured(() => model.vector('unheardof'))
  const search = searches === 'true' ? measured(() => model.vectors.mostSimilar('unheardof'))[1] : { ms: 0, grown: 0 }
  const [, words] = measured(() => model.words)
  return { opened, first, words, search }
}

/** Milliseconds to read a text of GloVe, and the most bytes by which the process grew meanwhile. */
function readGlove(path: string): { ms: number; grown: number; rows: number } {
  const { loadGlove } = require('../index.js') as typeof import('../index.js')
  const before = process.memoryUsage.rss()
  const start = performance.now()
  const { size } = loadGlove(path)
  const ms = performance.now() - start
  return { ms, grown: process.resourceUsage().maxRSS * 1024 - before, rows: size }
}

/**
 * Milliseconds of the first lookup of 2,048 rows in a mapped table, or of copying the same rows out of the same mapping
 * without a lookup, which waits for one page after the other.
 */
function coldRows(path: string, how: string): { ms: number; grown: number } {
  const { Embedding, loadNpy, zeros } = require('../index.js') as typeof import('../index.js')
  const small = Embedding.fromPretrained(zeros([4, 4]))
  for (let i = 0; i < 9; i++) small.forward([0, 1])
  const table = loadNpy(path, { map: true })
  const [rows, dim] = table.shape
  let state = 1
  const ids = Int32Array.from({ length: 2048 }, () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) % rows)
  const out = zeros([ids.length, dim])
  const layer = Embedding.fromPretrained(table)
  const [from, to] = [table.data as Float32Array, out.data as Float32Array]
  const start = performance.now()
  if (how === 'lookup') layer.forward(ids, { out })
  else ids.forEach((id, i) => to.set(from.subarray(id * dim, (id + 1) * dim), i * dim))
  return { ms: performance.now() - start, grown: 0 }
}

const MEASUREMENTS = { firstUse, batchSpeed, loadFile, openFolder, openFastText, readGlove, coldRows }

/** Runs a measurement in `runs` fresh processes. */
export function inChildren<N extends keyof typeof MEASUREMENTS>(
  runs: number,
  measurement: N,
  args: string[],
  env: Record<string, string> = {},
): ReturnType<(typeof MEASUREMENTS)[N]>[] {
  const run = () =>
    execFileSync(process.execPath, [__filename, measurement, ...args], {
      encoding: 'utf8',
      env: { ...process.env, ...env },
    })
  return Array.from({ length: runs }, () => JSON.parse(run()))
}

/** The median of a time that fresh processes measure; null if the measured package is missing. */
export function medianOfChildren(runs: number, args: string[]): number | null {
  const times = inChildren(runs, 'firstUse', args)
  return times.includes(null) ? null : median(times as number[])
}

if (require.main === module) {
  const [name, ...args] = process.argv.slice(2)
  const measurement = MEASUREMENTS[name as keyof typeof MEASUREMENTS] as (...args: string[]) => unknown
  process.stdout.write(JSON.stringify(measurement(...args)))
}
