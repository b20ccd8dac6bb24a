// Tests what tokenbed tokens prints.

import test from 'ava'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { Tokenizer } from '../../index.js'
import { command, output } from '../support/command.js'
import { temporaryFolder } from '../support/temporary.js'

const base = temporaryFolder()
const folder = () => mkdtempSync(join(base, 'x-'))
const tokenizer = Tokenizer.load('gpt2')

test('prints one token a line, and the counts', async (t) => {
  t.is(
    await output(t, ['tokens', 'Hello, world!']),
    '15496\tHello\n11\t,\n995\t·world\n0\t!\n\n4 tokens, 13 characters, 13 bytes, 3.25 characters per token\n',
  )
})

test('shows invisible characters as signs', async (t) => {
  const seen = async (text: string) => {
    const lines = (await output(t, ['tokens', '--text', text])).split('\n\n')[0].split('\n')
    return lines.map((line) => line.split('\t')[1]).join('|')
  }
  t.is(await seen('a\tb\r\nc'), 'a|→|b|␍|↵|c')
  t.is(await seen('\u0001\u007f\u001b[0m'), '␁|␡|␛|[|0|m')
  t.is(await seen('☃'), '‹e2 98›|‹83›')
  t.is(await seen(' ☃'), '·‹e2 98›|‹83›')
  t.is(await seen('\u00a0'), '⍽')
  t.is(await seen('\u200b'), '‹U+200B›')
  t.is(await seen('e\u0301'), 'e|‹cc›|‹81›')
})

test('marks special tokens, unless they are plain text', async (t) => {
  t.is((await output(t, ['tokens', 'a<|endoftext|>'])).split('\n\n')[0], '64\ta\n50256\t<|endoftext|>\tspecial')
  t.is(await output(t, ['tokens', 'a<|endoftext|>', '--allowed-special', 'none', '--count']), '8\n')
})

test('prints ids, counts and JSON', async (t) => {
  const text = 'naïve ☃ <|endoftext|>'
  const ids = [...tokenizer.encode(text, { allowedSpecial: 'all' })]
  t.is(await output(t, ['tokens', text, '--ids']), `${ids.join('\n')}\n`)
  t.is(await output(t, ['tokens', text, '--count']), `${ids.length}\n`)
  const { pieces, ...counts } = JSON.parse(await output(t, ['tokens', text, '--json']))
  const counted = {
    tokenizer: 'gpt2',
    tokens: ids.length,
    characters: 21,
    bytes: Buffer.byteLength(text),
    charactersPerToken: Number((21 / ids.length).toFixed(3)),
  }
  t.deepEqual(counts, counted)
  t.deepEqual(
    pieces.map(({ id }: { id: number }) => id),
    ids,
  )
  t.deepEqual(pieces.at(-1), { id: 50256, text: '<|endoftext|>', special: true })
  const bytes = pieces
    .map((piece: { text?: string; bytes?: string }) => piece.bytes ?? Buffer.from(piece.text!).toString('hex'))
    .join('')
  t.is(Buffer.from(bytes, 'hex').toString(), text)
  t.true(pieces.some((piece: { bytes?: string }) => piece.bytes !== undefined))
  t.deepEqual(JSON.parse(await output(t, ['tokens', text, '--json', '--ids'])), { ...counted, ids })
  t.deepEqual(JSON.parse(await output(t, ['tokens', text, '--json', '--count'])), counted)
})

test('an empty text has no tokens', async (t) => {
  t.is(await output(t, ['tokens', '']), '0 tokens, 0 characters, 0 bytes\n')
  t.is(await output(t, ['tokens', '', '--ids']), '')
  t.is(await output(t, ['tokens', '', '--count']), '0\n')
  t.deepEqual(JSON.parse(await output(t, ['tokens', '', '--json'])), {
    tokenizer: 'gpt2',
    pieces: [],
    tokens: 0,
    characters: 0,
    bytes: 0,
    charactersPerToken: null,
  })
})

test('reads files, compressed files and stdin, and text with the name of a file', async (t) => {
  const cwd = folder()
  const text = 'Call me Ishmael — naïvely. ☃\n'.repeat(20_000)
  const counts = { tokens: tokenizer.count(text), characters: [...text].length, bytes: Buffer.byteLength(text) }
  writeFileSync(join(cwd, 'book'), text)
  writeFileSync(join(cwd, 'book.gz'), gzipSync(text))
  const json = async (...args: string[]) =>
    JSON.parse(await output(t, ['tokens', ...args, '--json', '--count'], { cwd, input: text }))
  t.like(await json('book'), counts)
  t.like(await json('book.gz'), counts)
  t.like(await json('-'), counts)
  t.like(await json(), counts)
  t.like(await json('book', '--text'), { tokens: 1, characters: 4 })
  t.like(await json('no-such-book'), { characters: 12 })
  t.is(await output(t, ['tokens', 'book', '--ids'], { cwd }), `${tokenizer.encode(text).join('\n')}\n`)
})

test('uses other encodings', async (t) => {
  for (const name of ['cl100k_base', 'o200k_base'] as const) {
    t.is(
      await output(t, ['tokens', 'Hello, world!', '--ids', '--tokenizer', name]),
      `${Tokenizer.load(name).encode('Hello, world!').join('\n')}\n`,
    )
  }
})

/** A byte pair encoding with few tokens. */
const FILE = {
  version: '1.0',
  truncation: null,
  padding: null,
  normalizer: null,
  post_processor: null,
  added_tokens: [
    { id: 5, content: '<end>', single_word: false, lstrip: false, rstrip: false, normalized: false, special: true },
  ],
  pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
  decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
  model: {
    type: 'BPE',
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: false,
    byte_fallback: false,
    vocab: { a: 0, b: 1, Ġ: 2, ab: 3, Ġab: 4 },
    merges: [
      ['a', 'b'],
      ['Ġ', 'ab'],
    ],
  },
}

test('uses a tokenizer.json, or the folder of one', async (t) => {
  const cwd = folder()
  writeFileSync(join(cwd, 'tokenizer.json'), JSON.stringify(FILE))
  for (const name of ['tokenizer.json', './tokenizer.json', '.']) {
    t.is(
      await output(t, ['tokens', 'ab ab a<end>', '--tokenizer', name], { cwd }),
      '3\tab\n4\t·ab\n2\t·\n0\ta\n5\t<end>\tspecial\n\n5 tokens, 12 characters, 12 bytes, 2.40 characters per token\n',
    )
  }
  const { code, stdout } = await command(
    ['embed', '--tokenizer', 'tokenizer.json', '--dim', '4', '--json', '-o', 'x.npy'],
    { cwd, input: 'ab ab' },
  )
  t.is(code, 0)
  t.like(JSON.parse(stdout), { tokens: 2, shape: [1, 256, 4] })
})
