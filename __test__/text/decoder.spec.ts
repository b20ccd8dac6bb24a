import test from 'ava'
import { join } from 'node:path'
import { TokenDecoder, Tokenizer } from '../../index.js'
import { refuses } from '../support/errors.js'
import { readGolden, root } from '../support/golden.js'

const { texts } = readGolden<{ texts: string[] }>('hf/cases.json')
const FILES = ['byte-level', 'wordpiece', 'unigram', 'llama', 'wordlevel']
const tokenizers = [
  ...(['gpt2', 'cl100k_base', 'o200k_base'] as const).map((name) => Tokenizer.load(name)),
  ...FILES.map((name) => Tokenizer.fromFile(join(root, `testdata/golden/hf/${name}.json`))),
]

let seed = 11
const random = (n: number) => (seed = (seed * 1103515245 + 12345) % 2 ** 31) % n

/** Writes the ids in parts of random sizes, or one by one. */
function streamed(tokenizer: Tokenizer, ids: ArrayLike<number>, most: number, skipSpecialTokens: boolean): string {
  const decoder = tokenizer.decoder({ skipSpecialTokens })
  let text = ''
  for (let at = 0; at < ids.length;) {
    const size = most === 1 ? 1 : random(most + 1)
    text += decoder.write(Array.from(ids).slice(at, at + size))
    at += size
  }
  return text + decoder.end()
}

for (const tokenizer of tokenizers) {
  test(`${tokenizer.name}: ids in any parts give the text of all ids`, (t) => {
    const lists = texts.map((text) => Array.from(tokenizer.encode(text, { allowedSpecial: 'all' })))
    // Ids in an order that no text has, with broken characters everywhere.
    for (let i = 0; i < 200; i++) {
      lists.push(
        Array.from({ length: random(12) }, () => random(i % 2 ? 300 : tokenizer.vocabSize)).filter((id) =>
          isToken(tokenizer, id),
        ),
      )
    }
    for (const ids of lists) {
      for (const skip of [false, true]) {
        const whole = tokenizer.decode(ids, { skipSpecialTokens: skip })
        for (const most of [1, 2, 5]) t.is(streamed(tokenizer, ids, most, skip), whole, `${ids}`)
      }
    }
  })
}

function isToken(tokenizer: Tokenizer, id: number): boolean {
  try {
    tokenizer.token(id)
    return true
  } catch {
    return false
  }
}

test('a character is returned once it is complete, and a partial one at the end', (t) => {
  const gpt2 = Tokenizer.load('gpt2')
  const ids = gpt2.encode('a🦙b')
  const decoder = gpt2.decoder()
  const parts = Array.from(ids, (id) => decoder.write([id]))
  t.deepEqual(
    [parts[0], parts.slice(1, -2).join(''), parts.at(-2), parts.at(-1), decoder.end()],
    ['a', '', '🦙', 'b', ''],
  )
  decoder.write([ids[1]])
  t.is(decoder.end(), '\ufffd')
  // Then the decoder starts again.
  t.is(decoder.write(ids) + decoder.end(), 'a🦙b')
  t.is(decoder.end(), '')
})

test('text that later ids cannot change is returned at once', (t) => {
  for (const tokenizer of tokenizers) {
    const ids = tokenizer.encode('Call me Ishmael', { addSpecialTokens: false })
    const decoder = tokenizer.decoder()
    const parts = Array.from(ids, (id) => decoder.write([id]))
    t.is(parts.join(''), tokenizer.decode(ids), tokenizer.name)
    t.is(decoder.end(), '')
  }
})

test('special tokens are included or skipped', (t) => {
  const gpt2 = Tokenizer.load('gpt2')
  t.is(gpt2.decode([64, 50256, 65]), 'a<|endoftext|>b')
  t.is(gpt2.decode([64, 50256, 65], { skipSpecialTokens: true }), 'ab')
  t.is(gpt2.decoder({ skipSpecialTokens: true }).write([64, 50256, 65]), 'ab')
  refuses(t, () => gpt2.decode([1], { skipSpecial: true } as never), 'USAGE', '"skipSpecial"')
  refuses(t, () => gpt2.decoder({ skipSpecialTokens: 1 as never }), 'USAGE', 'true or false')
})

test('a call with a bad id takes none of its ids', (t) => {
  for (const tokenizer of tokenizers) {
    const decoder = tokenizer.decoder()
    const ids = tokenizer.encode('Call me', { addSpecialTokens: false })
    const before = decoder.write(ids)
    refuses(t, () => decoder.write([ids[0], tokenizer.vocabSize]), 'TOKEN_INDEX', 'at [1]')
    t.is(before + decoder.write(ids) + decoder.end(), tokenizer.decode([...ids, ...ids]), tokenizer.name)
  }
  refuses(t, () => new (TokenDecoder as never as new () => TokenDecoder)(), 'USAGE', 'tokenizer.decoder()')
  refuses(t, () => tokenizers[0].decoder().write('5' as never), 'USAGE', "'5'")
})
