// Streams with tokenizers from files give the ids of the whole text, wherever it is cut. Rust has more of these tests.

import test from 'ava'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { streamIds, Tokenizer } from '../../index.js'
import { root } from '../support/golden.js'
import { temporaryFolder } from '../support/temporary.js'

const folder = temporaryFolder()
const pathOf = (name: string) => join(root, `testdata/golden/hf/${name}.json`)
const text =
  'Call me Ishmael.  Some years ago, never mind\n\n\n\nhow long precisely: 1234 caf\u00e9s \u2581 the \ud83d\udc33.\n'.repeat(
    6000,
  )

async function all(source: AsyncIterable<Uint32Array>): Promise<{ ids: number[]; chunks: number }> {
  const ids: number[] = []
  let chunks = 0
  for await (const chunk of source) {
    for (const id of chunk) ids.push(id)
    chunks++
  }
  return { ids, chunks }
}

function cut(size: number): string[] {
  return Array.from({ length: Math.ceil(text.length / size) }, (_, i) => text.slice(i * size, (i + 1) * size))
}

for (const name of ['llama', 'byte-level', 'wordpiece', 'wordlevel']) {
  test(`${name}: pieces and files give the ids of the whole text`, async (t) => {
    const tokenizer = Tokenizer.fromFile(pathOf(name))
    const expected = [...tokenizer.encode(text, { addSpecialTokens: false })]
    const path = join(folder, `${name}.txt`)
    writeFileSync(path, text)
    for (const size of [70_000, 33_333]) {
      const { ids, chunks } = await all(streamIds({ pieces: cut(size) }, { tokenizer }))
      t.deepEqual(ids, expected)
      t.true(chunks > 3, `${chunks} chunks`)
      t.is(tokenizer.decode(ids), tokenizer.decode(expected))
    }
    t.deepEqual((await all(streamIds({ files: [path] }, { tokenizer, maxHeldBytes: 4 << 20 }))).ids, expected)
  })
}

test('a text that cannot be divided is held up to maxHeldBytes', async (t) => {
  const tokenizer = Tokenizer.fromFile(pathOf('unigram'))
  const expected = [...tokenizer.encode(text, { addSpecialTokens: false })]
  const whole = await all(streamIds({ pieces: cut(70_000) }, { tokenizer }))
  t.deepEqual(whole, { ids: expected, chunks: 1 })
  const bounded = streamIds({ pieces: cut(70_000) }, { tokenizer, maxHeldBytes: 200_000 })
  await t.throwsAsync(all(bounded), { code: 'USAGE', message: /cannot be divided .*maxHeldBytes of 200000/ })
})

test('a space that a file puts in front of a text is added once', async (t) => {
  const tokenizer = Tokenizer.fromFile(pathOf('llama'))
  const { ids } = await all(streamIds({ pieces: cut(65_536) }, { tokenizer }))
  t.true(tokenizer.decode(ids) === text.replaceAll('\u2581', ' '))
  t.true(readFileSync(pathOf('llama'), 'utf8').includes('"Prepend"'))
})
