// tokenbed search: the vectors that are nearest to texts.

import { existsSync, statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { Option, type Command } from '../bundled/commander.js'
import { TextEmbedder, topKAsync } from '../../index.js'
import { linesOf, openRows, ROWS_ARGUMENT } from '../options/rows.js'
import { WorkFailed, WrongUse, asWrongUse } from '../terminal/failure.js'
import { parseSize } from '../terminal/numbers.js'
import { visibleText } from '../terminal/pieces.js'
import { startProgress } from '../terminal/progress.js'
import { print } from '../terminal/streams.js'

interface Options {
  model: string
  top: number
  metric?: 'cosine' | 'dot' | 'euclidean' | 'hamming'
  texts?: string
  quiet?: boolean
  json?: boolean
}

/** Queries that are searched together. */
const TOGETHER = 256

const NOTES = `
A QUERY is a text, or a file of queries, one in a line. The model makes a vector of each, as 'tokenbed embed --model' made those
of VECTORS; its vectors are cut to the same length. The number before a row is its score, which is higher for a nearer row: the
cosine, the dot product, the distance negated, or, for uint8 rows, which are bits, 1 - 2 h / bits. The search is exact.

Examples:
  $ tokenbed search vectors.npy "a white whale" --model potion-base-8M
  $ tokenbed search vectors.npy "a white whale" --model potion-base-8M --texts lines.txt --top 3
  $ tokenbed search vectors.safetensors:vectors queries.txt --model potion-base-8M --json`

export function addSearch(program: Command): void {
  program
    .command('search')
    .summary('find the vectors that are nearest to texts')
    .description('Finds the vectors of a file that are nearest to the vectors of texts.')
    .argument(...ROWS_ARGUMENT)
    .argument('<queries...>', 'texts, or files of texts, one in a line')
    .requiredOption('--model <folder>', 'the text embedder that the vectors were made by')
    .addOption(new Option('-n, --top <n>', 'number of rows to show for each query').argParser(parseSize(1)).default(10))
    .addOption(
      new Option('--metric <name>', 'how vectors are compared (default: cosine, and hamming for bits)').choices([
        'cosine',
        'dot',
        'euclidean',
        'hamming',
      ]),
    )
    .option('--texts <file>', 'the texts of the vectors, one in a line, which are shown beside them')
    .option('-q, --quiet', 'say nothing but results and errors')
    .option('--json', 'one JSON object: { queries: [{ text, nearest: [{ id, score, text? }] }] }')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', NOTES)
    .action(search)
}

async function search(
  path: string,
  args: string[],
  { model, top, metric, texts, quiet, json }: Options,
): Promise<void> {
  const rows = openRows(path)
  const lines = texts === undefined ? null : await linesOf(texts, rows.shape[0])
  const queries = (await Promise.all(args.map(queriesOf))).flat()
  if (queries.length === 0) throw new WrongUse(`${args.join(' ')}: no queries`)
  const embedder = TextEmbedder.load(model)
  const isBits = rows.dtype === 'uint8'
  const dim = rows.shape[1] * (isBits ? 8 : 1)
  if (dim > embedder.dim)
    throw new WorkFailed(
      `${path}: vectors of ${dim} numbers, and those of ${model} have ${embedder.dim}: not of this model`,
    )
  const k = Math.min(top, rows.shape[0])
  if (k === 0) throw new WorkFailed(`${path}: there are no vectors`)
  const [ids, scores]: [number[][], number[][]] = [[], []]
  const progress = startProgress(queries.length, quiet ?? false, 0, 'queries')
  try {
    for (let from = 0; from < queries.length; from += TOGETHER) {
      const some = queries.slice(from, from + TOGETHER)
      // eslint-disable-next-line no-await-in-loop -- a search takes all cores
      const vectors = await embedder.embedAsync(some, { dim, dtype: isBits ? 'binary' : 'float32' })
      // eslint-disable-next-line no-await-in-loop
      const found = await asWrongUseAsync(() => topKAsync(vectors, rows, { k, metric }))
      ids.push(...(found.ids.toArray() as number[][]))
      scores.push(...(found.scores.toArray() as number[][]))
      for (const one of [vectors, found.ids, found.scores]) one.dispose()
      if (ids.length < queries.length) progress.update(ids.length, ids.length)
    }
  } finally {
    progress.stop()
  }
  const results = queries.map((text, query) => ({
    text,
    nearest: ids[query].map((id, place) => ({
      id,
      score: scores[query][place],
      ...(lines ? { text: lines[id] } : {}),
    })),
  }))
  if (json) return print(`${JSON.stringify({ queries: results })}\n`)
  await print(
    results
      .map(({ text, nearest }) => {
        const shown = nearest.map(({ id, score }) => {
          const said = lines ? `  ${visibleText(lines[id])}` : ''
          return `${score.toFixed(4).padStart(9)}  #${id}${said}\n`
        })
        return `${visibleText(text)}\n${shown.join('')}`
      })
      .join('\n'),
  )
}

/** The queries that an argument names. */
async function queriesOf(arg: string): Promise<string[]> {
  if (!existsSync(arg) || !statSync(arg).isFile()) return [arg]
  return (await readFile(arg, 'utf8')).split(/\r?\n/).filter((line) => line !== '')
}

/** Errors of options alone are wrong use. */
async function asWrongUseAsync<T>(step: () => Promise<T>): Promise<T> {
  try {
    return await step()
  } catch (error) {
    return asWrongUse(() => {
      throw error
    })
  }
}
