// tokenbed plot: a picture of what was learned.

import { extname } from 'node:path'
import { principalComponents, type Model, type Vectors, concat } from '../../index.js'
import type { Command } from '../bundled/commander.js'
import { curve } from '../draw/curve.js'
import { WorkFailed, WrongUse } from '../terminal/failure.js'
import { MODEL_ARGUMENT, openVectors, rowsOption, type Asked } from '../options/models.js'
import { counted, parseSize, shown } from '../terminal/numbers.js'
import { checkPlace } from '../options/places.js'
import { scatter, type Point } from '../draw/scatter.js'
import { print } from '../terminal/streams.js'
import { document, page } from '../draw/svg.js'
import { writeText } from '../terminal/write-text.js'

interface Options {
  out: string
  top: number
  tokenizer?: string
  loss?: boolean
  json?: boolean
}

const NOTES = `
The most frequent tokens are drawn, or the words that are named, in the two directions in which their vectors differ
most (principal components). Larger dots are more frequent tokens. If there is no room for a label, the dot has none; in a
browser the mouse shows it. If the model has no counts, the tokens of the first rows are drawn.

--loss adds the loss during training.

Examples:
  $ tokenbed plot word-vectors --out vectors.svg
  $ tokenbed plot word-vectors --out vectors.html --top 300 --loss
  $ tokenbed plot word-vectors king queen man woman --out royal.svg
  $ tokenbed plot model.safetensors:wte.weight --tokenizer gpt2 --out tokens.svg`

export function addPlot(program: Command): void {
  program
    .command('plot')
    .summary('draw tokens by their vectors, and the loss curve')
    .description('Draws tokens in the two principal components of their vectors, as SVG or as a page of HTML.')
    .argument(...MODEL_ARGUMENT)
    .argument('[words...]', 'the tokens to draw, instead of the most frequent ones')
    .requiredOption('-o, --out <file>', 'file for the picture, ending in .svg or .html; replaced if it exists')
    .option('-n, --top <n>', 'number of tokens to draw', parseSize(3), 150)
    .addOption(rowsOption())
    .option('--loss', 'draw the loss as well')
    .option(
      '--json',
      'print what was drawn as one JSON object: { out, tokens: [{ token, id, x, y, labelled }], explained, loss }',
    )
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', NOTES)
    .action(plot)
}

async function plot(path: string, words: string[], { out, top, loss, json, tokenizer }: Options): Promise<void> {
  const ending = extname(out).toLowerCase()
  if (!['.svg', '.html'].includes(ending))
    throw new WrongUse(`--out ${out}: the ending says the format; end it in .svg or .html`)
  checkPlace('--out', out)
  const asked = openVectors(path, tokenizer)
  const { vectors, model, noun } = asked
  const counts = model?.counts ?? null
  const ids = words.length > 0 ? [...new Set(words.map(asked.idOf))] : mostSeen(vectors, counts, top)
  const losses = loss ? lossesOf(model, path) : null
  const { points, explained } = project(asked, ids, counts, path)
  const title = `${words.length > 0 ? counted(points.length, noun) : `The ${shown(points.length)} ${counts === null ? 'first' : 'most frequent'} of ${counted(vectors.size, noun)}`}`
  const drawn = await scatter(
    points,
    explained,
    model === null ? title : `${model.objective}: ${title[0].toLowerCase()}${title.slice(1)}`,
  )
  const parts = losses === null ? [drawn.part] : [drawn.part, await curve(losses)]
  const svg = document(parts)
  writeText(out, ending === '.svg' ? `<?xml version="1.0" encoding="UTF-8"?>\n${svg}` : page(title, svg))
  if (!json)
    return print(
      `${out}: ${counted(points.length, noun)}, ${shown(drawn.labelled.size)} of them with a label${losses === null ? '' : `, and the loss at ${counted(losses.length, 'step')}`}\n`,
    )
  const tokens = points.map(({ id, x, y }) => ({
    token: vectors.token(id),
    id,
    x,
    y,
    labelled: drawn.labelled.has(id),
  }))
  await print(`${JSON.stringify({ out, tokens, explained, ...(losses === null ? {} : { loss: losses }) })}\n`)
}

/** The most frequent rows, without those that were never seen; without counts, the first rows. */
function mostSeen(vectors: Vectors, counts: Float64Array | null, top: number): number[] {
  const ids = Array.from({ length: vectors.size }, (_, id) => id)
  if (counts === null) return ids.slice(0, top)
  return ids
    .filter((id) => counts[id] > 0)
    .sort((a, b) => counts[b] - counts[a] || a - b)
    .slice(0, top)
}

function lossesOf(model: Model | null, path: string): [number, number][] {
  const said = model?.description.training.loss
  const isPair = (one: unknown): one is [number, number] =>
    Array.isArray(one) && one.length === 2 && one.every((x) => typeof x === 'number')
  const pairs = Array.isArray(said) ? said.filter(isPair) : []
  if (pairs.length < 2)
    throw new WorkFailed(
      `--loss: ${path} keeps ${pairs.length === 0 ? 'no losses' : 'one loss, and a curve needs two'} (training.loss of its model.json): draw it without --loss`,
    )
  return pairs
}

function project(
  { vectors, label, noun }: Asked,
  ids: number[],
  counts: Float64Array | null,
  path: string,
): { points: Point[]; explained: number[] } {
  const isFinite = (id: number) => vectors.weight.narrow(0, id, 1).toArray()[0].every(Number.isFinite)
  const good = ids.filter(isFinite)
  if (good.length < 3 || vectors.dim < 2)
    throw new WorkFailed(
      `${path}: ${vectors.dim < 2 ? 'vectors of one number' : `${counted(good.length, noun)} to draw`}: two principal components need two numbers a vector and three vectors`,
    )
  const { scores, explained } = principalComponents(concat(good.map((id) => vectors.weight.narrow(0, id, 1))))
  const places = scores.toArray() as [number, number][]
  return {
    points: good.map((id, i) => ({
      id,
      x: places[i][0],
      y: places[i][1],
      label: label(id),
      count: counts?.[id] ?? null,
    })),
    explained,
  }
}
