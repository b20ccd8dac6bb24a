// Tokenizers from files: the memory of unused ones is freed.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Tokenizer } from '../../index.js'
import { native } from '../../api/native/native.js'
import { main } from '../support/child.js'
import { anonymous, collect } from './measure.js'

const folder = mkdtempSync(join(tmpdir(), 'tokenbed-tokenizers-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

/** A file of 400 KB that takes about 4 MB of memory. */
function large(): string {
  const vocab = Object.fromEntries(Array.from({ length: 15_000 }, (_, i) => [`token number ${i}`, i]))
  const path = join(folder, 'large.json')
  writeFileSync(
    path,
    JSON.stringify({
      version: '1.0',
      added_tokens: [],
      model: { type: 'WordLevel', vocab, unk_token: 'token number 0' },
    }),
  )
  return path
}

void main({
  /** Loads the file again and again, ten at a time. */
  collected: async () => {
    const path = large()
    const round = async () => {
      for (let i = 0; i < 10; i++) Tokenizer.fromFile(path).decoder().write([1, 2])
      await collect()
    }
    // The first rounds show how much the system's allocator keeps.
    for (let i = 0; i < 3; i++) await round()
    const [memory, told] = [anonymous(), native.externalMemory()!]
    for (let i = 0; i < 5; i++) await round()
    return { growth: anonymous() - memory, told: native.externalMemory()! - told }
  },

  /** Files that cannot be read leave no memory behind. */
  refused: async () => {
    const path = large()
    const bad = join(folder, 'bad.json')
    writeFileSync(bad, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), decoder: { type: 'Enigma' } }))
    const load = () => {
      try {
        Tokenizer.fromFile(bad)
        return 0
      } catch {
        return 1
      }
    }
    for (let i = 0; i < 10; i++) load()
    await collect()
    const memory = anonymous()
    let refused = 0
    for (let i = 0; i < 30; i++) refused += load()
    await collect()
    return { growth: anonymous() - memory, refused }
  },

  /** A decoder keeps its tokenizer alive. */
  outlived: async () => {
    const decoder = Tokenizer.fromFile(large()).decoder()
    await collect()
    await collect()
    return { text: decoder.write([1]) + decoder.write([2]) + decoder.end() }
  },
})
