// tokenbed decode: prints the text of token ids.

import { createReadStream, existsSync } from 'node:fs'
import type { Command } from '../bundled/commander.js'
import { TokenIndexError } from '../../index.js'
import { STDIN } from '../options/inputs.js'
import { findTokenizer, tokenizerOption } from '../options/tokenizer.js'
import { WorkFailed, WrongUse } from '../terminal/failure.js'
import { breathe } from '../terminal/signals.js'
import { decode as readText, print, textOfStdin } from '../terminal/streams.js'

interface Options {
  tokenizer: string
  skipSpecialTokens?: boolean
}

const NOTES = `
Ids are whole numbers with spaces, line breaks, commas or brackets between them, as 'tokenbed tokens --ids' prints them and as
JSON writes lists. The text is printed as it is: nothing is added to it but a last line break in a terminal. Bytes that are no
whole character become U+FFFD.

Examples:
  $ tokenbed decode 15496 11 995 0
  $ tokenbed decode ids.txt --tokenizer o200k_base
  $ tokenbed tokens book.txt --ids | tokenbed decode - > same.txt`

export function addDecode(program: Command): void {
  program
    .command('decode')
    .summary('print the text of token ids')
    .description('Prints the text of token ids.')
    .argument('[ids|file...]', 'ids, a file of ids, or - for stdin')
    .addOption(tokenizerOption())
    .option('--skip-special-tokens', 'leave special tokens out')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', NOTES)
    .action(decode)
}

async function decode(said: string[], { tokenizer: name, skipSpecialTokens = false }: Options): Promise<void> {
  if (said.length === 0 && process.stdin.isTTY) throw new WrongUse('what ids? Write them, name a file, or - for stdin')
  const tokenizer = findTokenizer(name)
  const decoder = tokenizer.decoder({ skipSpecialTokens })
  const { pieces, from } = sourceOf(said)
  let count = 0
  let last = ''
  const write = async (text: string) => {
    if (text === '') return
    last = text
    await print(text)
  }
  for await (const ids of idsIn(pieces, from)) {
    try {
      await write(decoder.write(ids))
    } catch (error) {
      if (!(error instanceof TokenIndexError)) throw error
      const place = count + error.position[0] + 1
      throw new WorkFailed(`${from}: ${error.value}, number ${place} of the ids, is not a token of ${tokenizer.name}`, {
        cause: error,
      })
    }
    count += ids.length
    await breathe()
  }
  await write(decoder.end())
  if (process.stdout.isTTY && !last.endsWith('\n')) await print('\n')
}

function sourceOf(said: string[]): { pieces: AsyncIterable<string>; from: string } {
  const [first = STDIN] = said
  if (said.length < 2 && first === STDIN) return { pieces: textOfStdin('throw'), from: 'standard input' }
  if (said.length === 1 && existsSync(first))
    return { pieces: readText(createReadStream(first, { highWaterMark: 2 ** 18 }), first, 'throw'), from: first }
  return { pieces: textOf(`${said.join(' ')}\n`), from: 'the ids' }
}

async function* textOf(text: string): AsyncGenerator<string> {
  yield text
}

/** The ids in pieces of a text, which may divide an id. */
async function* idsIn(pieces: AsyncIterable<string>, from: string): AsyncGenerator<number[]> {
  let rest = ''
  for await (const piece of pieces) {
    const words = (rest + piece).split(/[\s,[\]]+/)
    rest = words.pop()!
    yield words.flatMap((word) => idOf(word, from))
  }
  yield idOf(rest, from)
}

/** The id that a word is; none if it is empty. */
function idOf(word: string, from: string): number[] {
  if (word === '') return []
  if (!/^\d{1,15}$/.test(word))
    throw new WorkFailed(`${from}: ${JSON.stringify(word.slice(0, 40))} is not a token id, which is a whole number`)
  return [Number(word)]
}
