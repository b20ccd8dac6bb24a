// Untrusted files, read in a process of their own: how much memory they take, and what is printed.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { streamIds, type TokenbedError, Tokenizer, type StreamOptions } from '../../index.js'
import { main } from '../support/child.js'
import { temporaryFolder } from '../support/temporary.js'

const folder = temporaryFolder()

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

const MODEL = { type: 'WordLevel', vocab: { a: 0, '[UNK]': 1 }, unk_token: '[UNK]' }
const described = (name: string, parts: object) =>
  file(name, JSON.stringify({ version: '1.0', added_tokens: [], model: MODEL, ...parts }))
const added = (content: string) => ({
  id: 5,
  content,
  single_word: false,
  lstrip: true,
  rstrip: true,
  normalized: true,
  special: false,
})

/** Files over which the library panics. */
const PANICS = {
  table: { normalizer: { type: 'Precompiled', precompiled_charsmap: 'BAAAAAAAAABhYmM=' } },
  length: { pre_tokenizer: { type: 'FixedLength', length: 0 } },
  stripped: { normalizer: { type: 'Strip', strip_left: true, strip_right: true }, added_tokens: [added('\n')] },
  spaces: { added_tokens: [added('\n'), added(' ')] },
  large: { model: { ...MODEL, vocab: { a: 4294967295, '[UNK]': 1 } } },
}

/** The peak of the resident size during a stream, above the size before, and how the stream ended. */
async function resident(
  path: string,
  options: StreamOptions,
): Promise<{ rss: number; error: object | null; ids: number }> {
  for await (const _ of streamIds({ pieces: ['a'] })) break
  const before = process.memoryUsage().rss
  let [most, ids] = [before, 0]
  const watch = setInterval(() => (most = Math.max(most, process.memoryUsage().rss)), 5)
  let error: object | null = null
  try {
    for await (const chunk of streamIds({ files: [path] }, options)) ids += chunk.length
  } catch (thrown) {
    const { name, message, path, offset } = thrown as TokenbedError & { path: string; offset: number }
    error = { name, message, path: path.slice(folder.length + 1), offset }
  }
  clearInterval(watch)
  return { rss: Math.max(most, process.memoryUsage().rss) - before, error, ids }
}

const bomb = (megabytes: number, line = 'a') =>
  file('bomb.txt.gz', gzipSync(line.repeat((megabytes << 20) / line.length), { level: 9 }))

void main({
  /** Every panic becomes a typed error. */
  panics: () =>
    Object.entries(PANICS).map(([name, parts]) => {
      try {
        const tokenizer = Tokenizer.fromFile(described(`${name}.json`, parts))
        return { name, ids: [...tokenizer.encode('a \n a\n')].length }
      } catch (error) {
        return { name, code: (error as TokenbedError).code }
      }
    }),

  /** 300 MB without an end of a text, compressed to 300 KB. */
  ratio: () => resident(bomb(300), {}),
  held: () => resident(bomb(64), { maxRatio: 2000 }),
  heldLine: () =>
    resident(bomb(64, 'a '), { maxRatio: 2000, tokenizer: Tokenizer.fromFile(described('words.json', {})) }),
  allowed: () => resident(bomb(24), { maxRatio: 2000, maxHeldBytes: 2 ** 30 }),
})
