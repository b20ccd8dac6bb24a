// Chunks of texts: no character is lost, none has too many tokens, and they end where they should.

import test from 'ava'
import {
  AbortedError,
  Tokenizer,
  splitText,
  splitTextAsync,
  tensor,
  type SplitTextOptions,
  type TextChunk,
} from '../../index.js'
import { refuses } from '../support/errors.js'
import { randomTexts } from '../support/random-text.js'

const gpt2 = Tokenizer.load('gpt2')

const SENTENCES =
  'The whale rose. It blew, and sank again! Was it gone? "No," said he. Dr. Smith agreed... The sea was calm.\r\nA new line began.\n\nAnd a new paragraph.  It had two spaces before it. '
const TEXTS: Record<string, string> = {
  sentences: SENTENCES.repeat(30),
  'no sentence': 'word '.repeat(900),
  'no space': 'ab'.repeat(3000),
  emoji: '👩‍👩‍👧‍👦🏳️‍🌈 '.repeat(120),
  'line ends': '\r\n'.repeat(500),
  mixed: 'Ünïcödé — 数学は楽しい。もう一度！ Привет, мир. \u0301\u0301 \ud83d\ude00\r\n'.repeat(60),
  'lone surrogates': 'a \ud83d b \ude00 c. '.repeat(50),
  special: 'before <|endoftext|> after. '.repeat(40),
  short: 'Hi.',
  blank: '   \n\t ',
}

/** A vector that says which of a few words a text has. */
const embedder = {
  embed: (texts: readonly string[]) =>
    tensor(
      texts.map((text) => ['cat', 'ship', 'tax'].map((word) => 0.01 + text.split(word).length - 1)),
      { dtype: 'float32' },
    ),
}

function checkChunks(t: import('ava').ExecutionContext, text: string, chunks: TextChunk[], options: SplitTextOptions) {
  const { overlap = 0, maxTokens } = options
  let done = 0
  let before = -1
  for (const chunk of chunks) {
    t.is(chunk.text, text.slice(chunk.start, chunk.end))
    t.true(
      chunk.start <= done && chunk.end > done && chunk.start > before,
      'no character is lost, and each chunk goes on',
    )
    if (overlap === 0) t.is(chunk.start, done)
    t.is(chunk.tokens, gpt2.count(chunk.text, { disallowedSpecial: new Set() }))
    t.true(chunk.tokens <= maxTokens || [...chunk.text.replace('\r\n', '\n')].length === 1)
    for (const place of [chunk.start, chunk.end]) {
      t.notRegex(text.slice(place - 1, place + 1), /^[\ud800-\udbff][\udc00-\udfff]$/)
      t.not(text.slice(place - 1, place + 1), '\r\n')
    }
    ;[done, before] = [chunk.end, chunk.start]
  }
  t.is(done, text.length)
  if (overlap === 0) t.is(chunks.map((chunk) => chunk.text).join(''), text)
}

test('every character is in a chunk, and no chunk has too many tokens', async (t) => {
  for (const [name, text] of Object.entries(TEXTS)) {
    for (const by of ['token', 'sentence', 'meaning'] as const) {
      for (const [maxTokens, overlap] of [
        [1, 0],
        [2, 1],
        [7, 0],
        [40, 0],
        [40, 12],
        [40, 39],
        [5000, 100],
      ]) {
        const options = { maxTokens, overlap, by, tokenizer: gpt2, embedder }
        const chunks = splitText(text, options)
        checkChunks(t, text, chunks, options)
        if (maxTokens === 40) {
          // eslint-disable-next-line no-await-in-loop -- one at a time
          t.deepEqual(await splitTextAsync(text, options), chunks, name)
        }
      }
    }
  }
  t.deepEqual(splitText('', { maxTokens: 5 }), [])
})

test('random texts rejoin from their chunks, whatever is in them', (t) => {
  for (const [i, text] of randomTexts(7, 150).entries()) {
    const by = (['token', 'sentence', 'meaning'] as const)[i % 3]
    const maxTokens = 1 + ((i * 7) % 23)
    const overlap = i % 2 === 0 ? 0 : i % maxTokens
    const options = { maxTokens, overlap, by, tokenizer: gpt2, embedder }
    checkChunks(t, text, splitText(text, options), options)
  }
})

test('by token, chunks are full', (t) => {
  const text = TEXTS['no sentence']
  const chunks = splitText(text, { maxTokens: 50, by: 'token', tokenizer: gpt2 })
  t.true(chunks.slice(0, -1).every(({ tokens }) => tokens === 50))
})

test('by sentence, chunks end with sentences where there is room', (t) => {
  const ends = new Set<number>()
  const text = TEXTS.sentences
  for (const { index, segment } of new Intl.Segmenter('en', { granularity: 'sentence' }).segment(text))
    ends.add(index + segment.length)
  const chunks = splitText(text, { maxTokens: 40, tokenizer: gpt2 })
  t.true(chunks.every(({ end }) => ends.has(end)))
  t.true(chunks.every(({ tokens }, i) => i === chunks.length - 1 || tokens > 15))
  const lapping = splitText(text, { maxTokens: 40, overlap: 15, tokenizer: gpt2 })
  t.true(lapping.every(({ start }) => start === 0 || ends.has(start)))
})

test('by meaning, chunks end where the subject changes', (t) => {
  const about = (word: string, count: number) => `They spoke of the ${word} once more. `.repeat(count)
  const parts = [about('cat', 9), about('ship', 11), about('tax', 8)]
  const chunks = splitText(parts.join(''), { maxTokens: 400, tokenizer: gpt2, embedder })
  t.deepEqual(
    chunks.map(({ text }) => text),
    parts,
  )
})

test('says what is wrong', async (t) => {
  refuses(t, () => splitText('a', {} as never), 'USAGE', 'maxTokens must be a whole number')
  refuses(t, () => splitText('a', { maxTokens: 0 }), 'USAGE', 'maxTokens must be a whole number of at least 1')
  refuses(t, () => splitText('a', { maxTokens: 4, overlap: 4 }), 'USAGE', 'never end')
  refuses(t, () => splitText('a', { maxTokens: 4, overlap: -1 }), 'USAGE', 'overlap must be a whole number')
  refuses(t, () => splitText('a', { maxTokens: 4, by: 'word' as 'token' }), 'USAGE', 'by must be one of')
  refuses(t, () => splitText('a', { maxTokens: 4, by: 'meaning' }), 'USAGE', 'give an embedder')
  refuses(t, () => splitText('a', { maxTokens: 4, embedder: {} as never }), 'USAGE', 'embedder must have a method')
  refuses(t, () => splitText('a', { maxTokens: 4, tokenizer: {} as never }), 'USAGE', 'tokenizer must be a Tokenizer')
  refuses(t, () => splitText(5 as never, { maxTokens: 4 }), 'USAGE', 'text must be a string')
  const wrong = { embed: () => tensor([[1, 2]]) }
  refuses(t, () => splitText(SENTENCES, { maxTokens: 4, embedder: wrong }), 'SHAPE', 'a vector for each of')
  await t.throwsAsync(splitTextAsync(SENTENCES, { maxTokens: 4, embedder: wrong }), { code: 'SHAPE' })
})

test('the event loop goes on, and a signal ends it', async (t) => {
  const text = SENTENCES.repeat(4000)
  let turns = 0
  let longest = 0
  let last = performance.now()
  const timer = setInterval(() => {
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
    turns++
  }, 1)
  const chunks = await splitTextAsync(text, { maxTokens: 100, tokenizer: gpt2 })
  clearInterval(timer)
  t.is(chunks.map((chunk) => chunk.text).join(''), text)
  t.true(turns > 5, `${turns} turns, the longest ${longest} ms`)
  const control = new AbortController()
  const working = splitTextAsync(text, { maxTokens: 100, tokenizer: gpt2, signal: control.signal })
  setTimeout(() => control.abort(), 5)
  await t.throwsAsync(working, { instanceOf: AbortedError })
})
