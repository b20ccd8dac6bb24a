// tokenbed neighbors and tokenbed analogy: what vectors learned.

import { Option, type Command } from '../bundled/commander.js'
import type { Neighbour } from '../../index.js'
import { MODEL_ARGUMENT, openVectors, rowsOption } from '../options/models.js'
import { parseSize } from '../terminal/numbers.js'
import { print } from '../terminal/streams.js'
import { visibleText } from '../terminal/pieces.js'

interface Options {
  top: number
  tokenizer?: string
  json?: boolean
}

const NOTES = `
The number before a token is the cosine of the angle between the two vectors: 1 for the same direction, 0 for perpendicular ones.
The search is exact. A word must be written exactly, including capitals. With a tokenizer it must be one token, either as
written or with a space before it (·). Other signs are those of tokenbed tokens.`

const topOption = () => new Option('-n, --top <n>', 'number of tokens to show').argParser(parseSize(1)).default(10)

export function addNeighbors(program: Command): void {
  program
    .command('neighbors')
    .summary('show which tokens are nearest to a word')
    .description('Shows, for each word, the tokens whose vectors point most nearly the same way.')
    .argument(...MODEL_ARGUMENT)
    .argument('<words...>', 'words to look up')
    .addOption(topOption())
    .addOption(rowsOption())
    .option('--json', 'one JSON object: { neighbors: [{ token, id, nearest: [{ token, id, similarity }] }] }')
    .helpOption('-h, --help', 'print this help')
    .addHelpText(
      'after',
      `${NOTES}\n\nExamples:\n  $ tokenbed neighbors word-vectors whale ship\n  $ tokenbed neighbors word-vectors whale --top 3 --json\n  $ tokenbed neighbors GoogleNews-vectors-negative300.bin.gz king\n  $ tokenbed neighbors model.safetensors:wte.weight whale --tokenizer gpt2`,
    )
    .action(neighbors)
}

export function addAnalogy(program: Command): void {
  program
    .command('analogy')
    .summary('solve a is to b as c is to ...')
    .description('Solves A is to B as C is to ...: the tokens nearest to B - A + C, without the three themselves.')
    .argument(...MODEL_ARGUMENT)
    .argument('<a>', 'such as man')
    .argument('<b>', 'such as king')
    .argument('<c>', 'such as woman')
    .addOption(topOption())
    .addOption(rowsOption())
    .option('--json', 'one JSON object: { a, b, c, nearest: [{ token, id, similarity }] }')
    .helpOption('-h, --help', 'print this help')
    .addHelpText(
      'after',
      `${NOTES}\n\nExamples:\n  $ tokenbed analogy word-vectors man king woman\n  $ tokenbed analogy word-vectors he his she --top 1 --json`,
    )
    .action(analogy)
}

async function neighbors(path: string, words: string[], { top, json, tokenizer }: Options): Promise<void> {
  const { vectors, label, idOf } = openVectors(path, tokenizer)
  const ids = words.map(idOf)
  const found = words.map((word, i) => ({
    token: vectors.token(ids[i]),
    id: ids[i],
    nearest: vectors.mostSimilar(word, { topN: top }),
  }))
  if (json) return print(`${JSON.stringify({ neighbors: found })}\n`)
  await print(found.map(({ id, nearest }) => `${label(id)}\n${list(nearest, label)}`).join('\n'))
}

async function analogy(
  path: string,
  a: string,
  b: string,
  c: string,
  { top, json, tokenizer }: Options,
): Promise<void> {
  const { vectors, label, idOf } = openVectors(path, tokenizer)
  for (const word of [a, b, c]) idOf(word)
  const nearest = vectors.analogy(a, b, c, { topN: top })
  if (json) return print(`${JSON.stringify({ a, b, c, nearest })}\n`)
  await print(`${visibleText(a)} : ${visibleText(b)} = ${visibleText(c)} : ?\n${list(nearest, label)}`)
}

const list = (found: Neighbour[], label: (id: number) => string) =>
  found.map(({ id, similarity }) => `${similarity.toFixed(4).padStart(9)}  ${label(id)}\n`).join('')
