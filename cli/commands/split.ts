// tokenbed split: texts to chunks of so many tokens.

import { readFile } from 'node:fs/promises'
import { Option, type Command } from '../bundled/commander.js'
import { records, splitTextAsync, TextEmbedder, type TextChunk } from '../../index.js'
import { inputsOf, isPacked, STDIN } from '../options/inputs.js'
import { explained, findTokenizer, invalidUtf8Option, tokenizerOption } from '../options/tokenizer.js'
import { WrongUse } from '../terminal/failure.js'
import { parseSize } from '../terminal/numbers.js'
import { visibleText } from '../terminal/pieces.js'
import { startProgress } from '../terminal/progress.js'
import { decode, print, textOfStdin } from '../terminal/streams.js'

interface Options {
  maxTokens: number
  overlap: number
  by?: 'token' | 'sentence' | 'meaning'
  model?: string
  tokenizer: string
  invalidUtf8: 'throw' | 'replace'
  quiet?: boolean
  json?: boolean
}

const NOTES = `
FILES are texts; patterns such as 'books/**/*.txt' are expanded, .gz and .zst files decompressed, and - is stdin, which is also
read when no file is named. A text is held in memory while it is divided. Every character is in one chunk, or in more with
--overlap; no chunk ends within a character, or between the two of a line end.

Without --json it prints for each chunk where it begins and ends, in UTF-16 code units, its number of tokens, and its text
with signs for line ends.

Examples:
  $ tokenbed split book.txt --max-tokens 256
  $ tokenbed split book.txt --max-tokens 256 --overlap 32 --json > chunks.jsonl`

export function addSplit(program: Command): void {
  program
    .command('split')
    .summary('divide texts into chunks of so many tokens')
    .description('Divides texts into chunks that have at most so many tokens and end with sentences.')
    .argument('[files...]', 'texts, patterns of them, or - for stdin')
    .addOption(
      new Option('--max-tokens <n>', 'the largest number of tokens of a chunk').argParser(parseSize(1)).default(256),
    )
    .addOption(
      new Option('--overlap <n>', 'the number of tokens of the last chunk with which the next one begins')
        .argParser(parseSize(0))
        .default(0),
    )
    .addOption(
      new Option('--by <what>', 'where chunks end (default: sentence)').choices(['sentence', 'token', 'meaning']),
    )
    .option('--model <folder>', 'a text embedder, for --by meaning, which it makes the default')
    .addOption(tokenizerOption())
    .addOption(invalidUtf8Option())
    .option('-q, --quiet', 'say nothing but results and errors')
    .option('--json', 'one JSON object a line for each chunk: { file, start, end, tokens, text }')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', NOTES)
    .action(split)
}

async function split(
  args: string[],
  { maxTokens, overlap, by, quiet, json, model, ...options }: Options,
): Promise<void> {
  if (overlap >= maxTokens)
    throw new WrongUse(
      `--overlap ${overlap}: it must be below --max-tokens, ${maxTokens}, or the chunks would never end`,
    )
  if (by === 'meaning' && model === undefined) throw new WrongUse('--by meaning: it needs --model, a text embedder')
  if (model !== undefined && by !== undefined && by !== 'meaning')
    throw new WrongUse(`--model ${model}: for --by meaning, and not for --by ${by}`)
  const inputs = inputsOf(args)
  const tokenizer = findTokenizer(options.tokenizer)
  const embedder = model === undefined ? undefined : TextEmbedder.load(model)
  const total = inputs.reduce<number | null>(
    (sum, { bytes }) => (sum === null || bytes === null ? null : sum + bytes),
    0,
  )
  // In a terminal the chunks themselves are seen.
  const progress = startProgress(total, (quiet ?? false) || process.stdout.isTTY, 0, 'chunks')
  let [count, done] = [0, 0]
  try {
    for (const [i, { name, bytes }] of inputs.entries()) {
      // eslint-disable-next-line no-await-in-loop -- one text is in memory at a time
      const text = await textOf(name, options.invalidUtf8)
      // eslint-disable-next-line no-await-in-loop
      const chunks = await splitTextAsync(text, { maxTokens, overlap, by, tokenizer, embedder })
      const line = json ? jsonOf(name) : lineOf
      for (const chunk of chunks) {
        // eslint-disable-next-line no-await-in-loop -- the lines are printed in their order
        await print(line(chunk))
      }
      count += chunks.length
      done += bytes ?? 0
      if (i + 1 < inputs.length) progress.update(count, done)
    }
  } finally {
    progress.stop()
  }
}

async function textOf(name: string, invalidUtf8: Options['invalidUtf8']): Promise<string> {
  let text = ''
  if (isPacked(name)) {
    try {
      const whole = records(name, { format: 'whole', maxRecordBytes: LONGEST, invalidUtf8 })
      for await (const record of whole) text += record.text
    } catch (error) {
      throw explained(error, name)
    }
    return text
  }
  const pieces = name === STDIN ? textOfStdin(invalidUtf8) : decode(bytesOf(name), name, invalidUtf8)
  for await (const piece of pieces) text += piece
  return text
}

/** The largest number of bytes of a text that is decompressed: about what a string can hold. */
const LONGEST = 2 ** 29

async function* bytesOf(name: string): AsyncGenerator<Buffer> {
  yield await readFile(name)
}

const jsonOf =
  (file: string) =>
  ({ start, end, tokens, text }: TextChunk) =>
    `${JSON.stringify({ file, start, end, tokens, text })}\n`

const lineOf = ({ start, end, tokens, text }: TextChunk) =>
  `${String(start).padStart(9)} ${String(end).padStart(9)} ${String(tokens).padStart(6)}  ${visibleText(text)}\n`
