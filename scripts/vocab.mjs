// Builds the vocabulary files in vocab/ from the ranks that the dev dependency `tiktoken` ships.
//
//   node scripts/vocab.mjs            build what is missing or out of date
//   node scripts/vocab.mjs --force    build everything again
//
// Every file is checked before it is written: its bytes are read back, the tokens rebuilt, OpenAI's own file
// (`<base64> <rank>` lines) printed from them, and that text must have the hash that openai/tiktoken publishes.
// The format is described in crates/text/src/vocabulary.rs, which reads it.

import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib'

const require = createRequire(import.meta.url)
const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const MAGIC = Buffer.from('TBVOCAB1', 'latin1')

/** Names, with the SHA-256 of OpenAI's `<name>.tiktoken` as tiktoken_ext/openai_public.py states it. */
const VOCABULARIES = [
  { name: 'r50k_base', sha256: '306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930' },
  { name: 'cl100k_base', sha256: '223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7' },
  { name: 'o200k_base', sha256: '446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d' },
]

/**
 * Tokens in the order of their ranks, as latin1 strings (one character a byte), from lines `! <first rank>
 * <base64>...`.
 */
function readTokens(encoder) {
  const tokens = []
  for (const line of encoder.bpe_ranks.split('\n')) {
    const [, first, ...words] = line.split(' ')
    words.forEach((word, i) => (tokens[Number(first) + i] = Buffer.from(word, 'base64').toString('latin1')))
  }
  return tokens
}

/**
 * The two tokens whose merge makes `token`: the byte pair encoding of the token alone, stopped one merge before the
 * end.
 */
function lastMerge(token, rankOf) {
  const parts = [...token]
  while (parts.length > 2) {
    let best = Infinity
    let at = -1
    for (let i = 0; i + 1 < parts.length; i++) {
      const rank = rankOf.get(parts[i] + parts[i + 1])
      if (rank !== undefined && rank < best) [best, at] = [rank, i]
    }
    if (at < 0) break
    parts.splice(at, 2, parts[at] + parts[at + 1])
  }
  return parts.map((part) => rankOf.get(part))
}

function varint(value) {
  const bytes = []
  for (; value > 127; value >>>= 7) bytes.push((value & 127) | 128)
  return [...bytes, value]
}

function pack(name, tokens) {
  const rankOf = new Map(tokens.map((token, rank) => [token, rank]))
  const count = Buffer.alloc(4)
  count.writeUInt32LE(tokens.length)
  const body = []
  tokens.forEach((token, rank) => {
    if (rank < 256) {
      if (token.length !== 1) throw new Error(`${name}: rank ${rank} should be a single byte`)
      body.push(token.charCodeAt(0))
      return
    }
    const parts = lastMerge(token, rankOf)
    if (parts.length !== 2 || parts.some((part) => !(part < rank))) {
      throw new Error(`${name}: token ${rank} is not the merge of two earlier tokens, which the format needs`)
    }
    body.push(...varint(parts[0]), ...varint(parts[1]))
  })
  return Buffer.concat([MAGIC, count, Buffer.from(body)])
}

/** The inverse of pack, as the Rust side reads it. */
function unpack(bytes) {
  if (!bytes.subarray(0, 8).equals(MAGIC)) throw new Error('not a vocabulary file')
  const count = bytes.readUInt32LE(8)
  const tokens = []
  let at = 12
  const next = () => {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]
      value |= (byte & 127) << shift
      if (byte < 128) return value
    }
  }
  while (tokens.length < 256) tokens.push(String.fromCharCode(bytes[at++]))
  while (tokens.length < count) tokens.push(tokens[next()] + tokens[next()])
  if (at !== bytes.length) throw new Error('bytes left over')
  return tokens
}

function tiktokenFile(tokens) {
  return tokens.map((token, rank) => `${Buffer.from(token, 'latin1').toString('base64')} ${rank}\n`).join('')
}

const sha256 = (data) => createHash('sha256').update(data).digest('hex')

/** Whether the file on disk has the published vocabulary, which is the only thing that makes it up to date. */
function upToDate(path, expected) {
  try {
    return sha256(tiktokenFile(unpack(brotliDecompressSync(readFileSync(path))))) === expected
  } catch {
    return false
  }
}

function build({ name, sha256: expected }, force) {
  const path = join(root, 'vocab', `${name}.br`)
  if (!force && upToDate(path, expected)) {
    console.error(`vocab/${name}.br is up to date`)
    return
  }
  const raw = pack(name, readTokens(require(`tiktoken/encoders/${name}.json`)))
  const found = sha256(tiktokenFile(unpack(raw)))
  if (found !== expected) throw new Error(`${name}: the ranks hash to ${found}, tiktoken publishes ${expected}`)
  const packed = brotliCompressSync(raw, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
      [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
      [constants.BROTLI_PARAM_SIZE_HINT]: raw.length,
    },
  })
  mkdirSync(dirname(path), { recursive: true })
  // The file is written beside, then renamed, so that an interrupted build leaves no partial file.
  writeFileSync(`${path}.tmp`, packed)
  renameSync(`${path}.tmp`, path)
  console.error(`vocab/${name}.br: ${raw.length} bytes, ${statSync(path).size} packed`)
}

const force = process.argv.includes('--force')
for (const vocabulary of VOCABULARIES) build(vocabulary, force)
