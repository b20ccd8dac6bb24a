// tokenbed tokens: shows the tokens of a text.

import { createReadStream, existsSync } from 'node:fs'
import { Option, type Command } from '../bundled/commander.js'
import { streamIds, type TextSource, type Tokenizer } from '../../index.js'
import { WrongUse } from '../terminal/failure.js'
import { inputsOf, isPacked, STDIN } from '../options/inputs.js'
import { counted, shown } from '../terminal/numbers.js'
import { colorDepth, Painter } from '../terminal/paint.js'
import { pieceReader, type Piece } from '../terminal/pieces.js'
import { breathe } from '../terminal/signals.js'
import { decode, print, textOfStdin } from '../terminal/streams.js'
import {
  explained,
  findTokenizer,
  invalidUtf8Option,
  specialOf,
  specialOption,
  tokenizerOption,
} from '../options/tokenizer.js'

interface Options {
  tokenizer: string
  text?: boolean
  ids?: boolean
  count?: boolean
  json?: boolean
  invalidUtf8: 'throw' | 'replace'
  allowedSpecial: string
}

const NOTES = `
An argument that names an existing file is a file; anything else is text. --text makes it text in any case. A file that ends in
.gz or .zst is decompressed; - is stdin.

In a terminal, colours separate the tokens, special ones are purple, and their ids follow below. Elsewhere each token
has a line: its id, a tab, its text. Signs show invisible characters: · space, → tab, ↵ line break, ⍽ no-break space,
␛ and the like control characters, ‹U+200B› others, ‹e2 98› bytes of a character that is divided among tokens. Characters
are counted as Unicode code points.

Examples:
  $ tokenbed tokens "Hello, world!"
  $ tokenbed tokens book.txt --count
  $ tokenbed tokens --tokenizer o200k_base --json "naïve café"
  $ echo "Hello, world!" | tokenbed tokens - --ids`

export function addTokens(program: Command): void {
  program
    .command('tokens')
    .summary('show the tokens of a text')
    .description('Shows the tokens of a text, their ids, and their number.')
    .argument('[text|file]', 'a text (in quotes), a file, or - for stdin')
    .addOption(tokenizerOption())
    .option('--text', 'the argument is text, even if a file has that name')
    .addOption(new Option('--ids', 'print only ids, one a line').conflicts('count'))
    .option('--count', 'print only the number of tokens')
    .option('--json', 'one JSON object: the pieces (with --ids the ids; with --count neither) and the counts')
    .addOption(invalidUtf8Option())
    .addOption(specialOption().default('all', 'all, as models see them'))
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', NOTES)
    .action(tokens)
}

/** Totals that are counted besides tokens. */
interface Counts {
  tokens: number
  characters: number
  bytes: number
}

async function tokens(said: string | undefined, options: Options): Promise<void> {
  if (said === undefined && options.text) throw new WrongUse('--text: the text is missing')
  if (said === undefined && process.stdin.isTTY)
    throw new WrongUse('what text? Write it in quotes, name a file, or - for stdin')
  const tokenizer = findTokenizer(options.tokenizer)
  const special = specialOf(options.allowedSpecial, tokenizer)
  const counts: Counts = { tokens: 0, characters: 0, bytes: 0 }
  const { source, name, isUnseen = false } = sourceOf(said ?? STDIN, options, counts)
  const pieceOf = pieceReader(tokenizer)
  const output = outputOf(options, tokenizer)
  try {
    // This is printed with the first output, because before that everything may still fail.
    let begin = output.begin()
    for await (const ids of streamIds(source, { tokenizer, invalidUtf8: options.invalidUtf8, ...special })) {
      counts.tokens += ids.length
      if (isUnseen) countPieces(ids, pieceOf, counts)
      for (let at = 0; at < ids.length; at += LINES) {
        const part = output.tokens(ids.subarray(at, at + LINES), pieceOf)
        if (part !== '') await print(begin + part)
        if (part !== '') begin = ''
        await breathe()
      }
    }
    await print(begin + output.end(counts, pieceOf))
  } catch (error) {
    throw explained(error, name)
  }
}

/** Number of tokens that are printed at once. */
const LINES = 4096

/**
 * The source of the text, and its name for messages. Characters and bytes are counted as the text is read, or from
 * its tokens.
 */
function sourceOf(
  said: string,
  { text, invalidUtf8 }: Options,
  counts: Counts,
): { source: TextSource; name: string; isUnseen?: boolean } {
  if (text || (said !== STDIN && !existsSync(said)))
    return { source: { pieces: counting(textOf(said), counts) }, name: 'the text' }
  if (said === STDIN) return { source: { pieces: counting(textOfStdin(invalidUtf8), counts) }, name: 'standard input' }
  const [{ name }] = inputsOf([said])
  if (isPacked(name)) return { source: { files: [name] }, name, isUnseen: true }
  return {
    source: { pieces: counting(decode(createReadStream(name, { highWaterMark: 2 ** 18 }), name, invalidUtf8), counts) },
    name,
  }
}

async function* textOf(text: string): AsyncGenerator<string> {
  yield text
}

async function* counting(pieces: AsyncIterable<string>, counts: Counts): AsyncGenerator<string> {
  for await (const piece of pieces) {
    counts.bytes += Buffer.byteLength(piece)
    counts.characters += piece.length - (piece.match(/[\ud800-\udbff][\udc00-\udfff]/g)?.length ?? 0)
    yield piece
  }
}

/** Counts characters and bytes from the tokens, if the text itself is not seen, as with a compressed file. */
function countPieces(ids: Uint32Array, pieceOf: (id: number) => Piece, counts: Counts): void {
  for (const id of ids) {
    const { bytes } = pieceOf(id)
    counts.bytes += bytes.length
    for (const byte of bytes) counts.characters += (byte & 0xc0) === 0x80 ? 0 : 1
  }
}

interface Output {
  begin(): string
  tokens(ids: Uint32Array, pieceOf: (id: number) => Piece): string
  end(counts: Counts, pieceOf: (id: number) => Piece): string
}

function outputOf(options: Options, tokenizer: Tokenizer): Output {
  if (options.json) return json(options, tokenizer.name)
  if (options.count) return { begin: () => '', tokens: () => '', end: ({ tokens }) => `${tokens}\n` }
  if (options.ids) return { begin: () => '', tokens: (ids) => `${ids.join('\n')}\n`, end: () => '' }
  const depth = colorDepth()
  return depth > 1 ? painted(depth) : plain()
}

function json({ ids: idsAlone, count: countAlone }: Options, tokenizer: string): Output {
  let gap = ''
  const entry = (piece: Piece) => {
    const what = piece.text === null ? { bytes: Buffer.from(piece.bytes).toString('hex') } : { text: piece.text }
    return JSON.stringify({ id: piece.id, ...what, ...(piece.isSpecial ? { special: true } : {}) })
  }
  const perToken = ({ tokens, characters }: Counts) => (tokens === 0 ? null : Number((characters / tokens).toFixed(3)))
  return {
    begin: () => `{"tokenizer":${JSON.stringify(tokenizer)}${countAlone ? '' : idsAlone ? ',"ids":[' : ',"pieces":['}`,
    tokens(ids, pieceOf) {
      if (countAlone) return ''
      const text = idsAlone ? ids.join() : Array.from(ids, (id) => entry(pieceOf(id))).join()
      const before = gap
      gap = ','
      return before + text
    },
    end: (counts) =>
      `${countAlone ? '' : ']'},${JSON.stringify({ ...counts, charactersPerToken: perToken(counts) }).slice(1)}\n`,
  }
}

function plain(): Output {
  const line = ({ id, visible, isSpecial }: Piece) => `${id}\t${visible}${isSpecial ? '\tspecial' : ''}\n`
  return {
    begin: () => '',
    tokens: (ids, pieceOf) => Array.from(ids, (id) => line(pieceOf(id))).join(''),
    end: (counts) => `${counts.tokens > 0 ? '\n' : ''}${summary(counts)}`,
  }
}

function painted(depth: number): Output {
  const painter = () => new Painter(depth, process.stdout.columns || 80)
  const text = painter()
  const all: Uint32Array[] = []
  return {
    begin: () => '',
    tokens(ids, pieceOf) {
      all.push(ids)
      return Array.from(ids, (id) => text.piece(pieceOf(id))).join('')
    },
    end(counts, pieceOf) {
      if (all.length === 0) return summary(counts)
      const below = painter()
      const ids = all.map((ids) => Array.from(ids, (id) => below.id(pieceOf(id))).join('')).join('')
      return `${text.atStart ? '' : '\n'}\n${ids}\n\n${summary(counts)}`
    },
  }
}

function summary(counts: Counts): string {
  const { tokens, characters, bytes } = counts
  const ratio = tokens > 0 ? `, ${(characters / tokens).toFixed(2)} characters per token` : ''
  return `${counted(tokens, 'token')}, ${counted(characters, 'character')}, ${shown(bytes)} byte${bytes === 1 ? '' : 's'}${ratio}\n`
}
