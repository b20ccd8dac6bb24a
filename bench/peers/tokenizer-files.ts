// The peers that read tokenizer.json files.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { spawnSync } from 'node:child_process'
import { ROOT } from '../report.js'
import { find, type Found } from './peer.js'
import { TurnProcess } from './turn-process.js'

/** The hash of the ids of texts, each after its number of ids. Peers with the same have the same ids. */
export function digestOf(rows: Iterable<ArrayLike<number>>): string {
  const hash = createHash('sha256')
  for (const row of rows) hash.update(Uint32Array.of(row.length, ...Array.from(row)))
  return hash.digest('hex')
}

/** Python's library, without threads. */
export function pythonTokenizers(): Promise<Found<TurnProcess>> {
  const python = process.env.TOKENBED_PYTHON ?? 'python3'
  return TurnProcess.start({
    name: "Python's tokenizers",
    command: [python, join(ROOT, 'bench', 'peers', 'tokenizers_turns.py')],
    why: `${python} does not have it; TOKENBED_PYTHON names a Python that does`,
  })
}

/** The program of bench/peers/rust/, built when it is first asked for; undefined if it cannot be built. */
let program: string | null | undefined
function rustProgram(): string | null {
  if (program !== undefined) return program
  const manifest = join(ROOT, 'bench', 'peers', 'rust', 'Cargo.toml')
  const target = join(ROOT, 'target', 'bench-peers')
  const args = ['build', '--release', '--quiet', '--manifest-path', manifest, '--target-dir', target]
  const { status } = spawnSync('cargo', args, { stdio: ['ignore', 'inherit', 'inherit'] })
  program = status === 0 ? join(target, 'release', 'tokenbed-bench-peers') : null
  return program
}

/** A Rust package on one thread. */
export async function rustPeer(name: 'tokenizers' | 'model2vec-rs'): Promise<Found<TurnProcess>> {
  const path = rustProgram()
  const title = name === 'tokenizers' ? 'the tokenizers crate' : name
  if (path === null) return { name: title, why: 'bench/peers/rust could not be built with cargo' }
  const env = { TOKENIZERS_PARALLELISM: 'false', RAYON_NUM_THREADS: '1' }
  return TurnProcess.start({ name: title, command: [path, name], why: `${path} does not run`, env })
}

/** npm's @huggingface/tokenizers, which is JavaScript. */
export interface HuggingFace {
  version: string
  open: (path: string) => { encode: (text: string) => number[] }
}

export function huggingFace(): Found<HuggingFace> {
  return find('@huggingface/tokenizers', (load, version) => {
    const { Tokenizer } = load('@huggingface/tokenizers')
    const open = (path: string) => {
      const it = new Tokenizer(JSON.parse(readFileSync(path, 'utf8')), {})
      return { encode: (text: string) => it.encode(text, { add_special_tokens: false }).ids as number[] }
    }
    return { version, open }
  })
}
