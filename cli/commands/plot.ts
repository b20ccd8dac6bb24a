// tokenbed plot: a picture of what was learned.

import { extname } from 'node:path'
import { principalComponents, type Model, type Tensor, concat } from '../../index.js'
import { Option, type Command } from '../bundled/commander.js'
import { painted, type Painted } from '../bundled/page/colors.js'
import { curve } from '../draw/curve.js'
import { legendPart } from '../draw/legend.js'
import { rasterized } from '../draw/peers.js'
import { categoriesOf, readColumns, type Column } from '../explore/columns.js'
import { clustersOf } from '../explore/projections.js'
import { isTelling } from '../options/stop-words.js'
import { WorkFailed, WrongUse } from '../terminal/failure.js'
import { MODEL_ARGUMENT, openVectors, rowsOption, type Asked } from '../options/models.js'
import { counted, parseSize, shown } from '../terminal/numbers.js'
import { checkPlace } from '../options/places.js'
import { scatter, type Point } from '../draw/scatter.js'
import { print } from '../terminal/streams.js'
import { DARK, document, LIGHT, page, type Palette } from '../draw/svg.js'
import { writeBytes, writeText } from '../terminal/write-text.js'

interface Options {
  out: string
  top: number
  all?: boolean
  color?: string
  columns?: string
  clusters: number
  theme?: 'light' | 'dark'
  tokenizer?: string
  loss?: boolean
  json?: boolean
}

const NOTES = `
The most frequent tokens are drawn, or the words that are named, in the two directions in which their vectors differ
most (principal components). Signs, tokens without two letters, and stop words of the language of the text (Dutch, English, French,
German, Italian, Portuguese, Spanish or Swedish) are left out, unless there are no counts to tell what is frequent; --all draws
them. Larger dots are more frequent tokens. If there is no room for a label, the dot has none; in a
browser the mouse shows it. If the model has no counts, the tokens of the first rows are drawn.

--loss adds the loss during training. A page of HTML is light or dark as the system is. PNG needs the package
@resvg/resvg-js (npm install @resvg/resvg-js). 'tokenbed explore' shows whole tables, with search and neighbours.

Examples:
  $ tokenbed plot word-vectors --out vectors.svg
  $ tokenbed plot word-vectors --out vectors.html --top 300 --loss
  $ tokenbed plot word-vectors king queen man woman --out royal.svg
  $ tokenbed plot word-vectors --color cluster --theme dark --out vectors.png
  $ tokenbed plot model.safetensors:wte.weight --tokenizer gpt2 --out tokens.svg`

export function addPlot(program: Command): void {
  program
    .command('plot')
    .summary('draw tokens by their vectors, and the loss curve')
    .description('Draws tokens in the two principal components of their vectors, as SVG, PNG, or a page of HTML.')
    .argument(...MODEL_ARGUMENT)
    .argument('[words...]', 'the tokens to draw, instead of the most frequent ones')
    .requiredOption('-o, --out <file>', 'file for the picture, ending in .svg, .png or .html; replaced if it exists')
    .option('-n, --top <n>', 'number of tokens to draw', parseSize(3), 150)
    .option('--all', 'draw the most frequent tokens of all, stop words and signs among them')
    .option('--color <column>', 'what colours dots: count, norm, cluster, or a column of --columns')
    .option(
      '--columns <file>',
      'columns of values: names in the first line, then a line for each row, with tabs between',
    )
    .option('--clusters <k>', 'number of clusters', parseSize(1), 8)
    .addOption(
      new Option('--theme <name>', 'colours of the picture (default: light, and in HTML those of the system)').choices([
        'light',
        'dark',
      ]),
    )
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

async function plot(path: string, words: string[], options: Options): Promise<void> {
  const { out, top, loss, json, tokenizer, theme } = options
  const ending = extname(out).toLowerCase()
  if (!['.svg', '.png', '.html'].includes(ending))
    throw new WrongUse(`--out ${out}: the ending says the format; end it in .svg, .png or .html`)
  checkPlace('--out', out)
  const asked = openVectors(path, tokenizer)
  const { vectors, model, noun } = asked
  const counts = model?.counts ?? null
  const ids =
    words.length > 0 ? [...new Set(words.map(asked.idOf))] : await mostSeen(asked, counts, top, options.all ?? false)
  const losses = loss ? lossesOf(model, path) : null
  const { points, explained, rows } = project(asked, ids, counts, path)
  const column = options.color === undefined ? null : await columnOf(asked, points, rows, counts, options)
  const title = `${words.length > 0 ? counted(points.length, noun) : `The ${shown(points.length)} ${counts === null ? 'first' : 'most frequent'} of ${counted(vectors.size, noun)}`}`
  const heading = model === null ? title : `${model.objective}: ${title[0].toLowerCase()}${title.slice(1)}`
  const draw = async (palette: Palette) => {
    const colors: Painted | null =
      column === null
        ? null
        : painted(
            { ...column, values: column.kind === 'number' ? column.values : column.codes },
            points.length,
            palette.isDark,
          )
    const inColor =
      colors === null ? points : points.map((point, i) => ({ ...point, color: colors.colors[colors.codes[i]] }))
    const drawn = await scatter(inColor, explained, heading, palette)
    const legend = colors === null ? null : legendPart(column!.name, colors.legend, palette)
    const parts = [
      drawn.part,
      ...(legend === null ? [] : [legend]),
      ...(losses === null ? [] : [await curve(losses, palette)]),
    ]
    return { svg: document(parts, palette), labelled: drawn.labelled }
  }
  const palette = theme === 'dark' ? DARK : LIGHT
  const drawn = await draw(palette)
  if (ending === '.png') writeBytes(out, await rasterized(drawn.svg))
  else if (ending === '.svg') writeText(out, `<?xml version="1.0" encoding="UTF-8"?>\n${drawn.svg}`)
  else writeText(out, page(title, theme === undefined ? [drawn.svg, (await draw(DARK)).svg] : [drawn.svg], palette))
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

/** How many of the most frequent tokens tell the language. */
const JUDGED = 300

/**
 * The most frequent rows, without those that were never seen, and without words that say little, unless they are asked
 * for or there are hardly others; without counts, the first rows.
 */
async function mostSeen(
  { vectors, noun }: Asked,
  counts: Float64Array | null,
  top: number,
  all: boolean,
): Promise<number[]> {
  const ids = Array.from({ length: vectors.size }, (_, id) => id)
  if (counts === null) return ids.slice(0, top)
  const seen = ids.filter((id) => counts[id] > 0).sort((a, b) => counts[b] - counts[a] || a - b)
  if (all || noun === 'row') return seen.slice(0, top)
  const tells = await isTelling(seen.slice(0, JUDGED).map((id) => vectors.token(id)))
  const telling: number[] = []
  for (const id of seen) {
    if (telling.length === top) break
    if (tells(vectors.token(id))) telling.push(id)
  }
  return telling.length < 3 ? seen.slice(0, top) : telling
}

/** The values that colour the points. */
async function columnOf(
  { vectors, label }: Asked,
  points: readonly Point[],
  rows: Tensor,
  counts: Float64Array | null,
  { color, columns, clusters }: Options,
): Promise<Column> {
  const ids = Int32Array.from(points, (point) => point.id)
  const others = columns === undefined ? [] : readColumns(columns, vectors.size, '--columns')
  const found = others.find((column) => column.name === color)
  const numbers = (values: ArrayLike<number>, log: boolean): Column => ({
    name: color!,
    kind: 'number',
    values: Float32Array.from(values),
    log,
  })
  if (found?.kind === 'number') return { ...found, values: Float32Array.from(ids, (id) => found.values[id]) }
  if (found !== undefined)
    return categoriesOf(
      found.name,
      Array.from(ids, (id) => found.categories[found.codes[id]]),
    )
  if (color === 'count' && counts !== null)
    return numbers(
      Array.from(ids, (id) => counts[id]),
      true,
    )
  if (color === 'norm')
    return numbers(
      (rows.toArray() as number[][]).map((row) => Math.hypot(...row)),
      false,
    )
  if (color === 'cluster') {
    const names = points.map((point) => label(point.id))
    return clustersOf({ ids, rows, names, isOrdered: true }, clusters, 0)
  }
  const known = [...(counts === null ? [] : ['count']), 'norm', 'cluster', ...others.map((column) => column.name)]
  throw new WrongUse(`--color ${color}: there is no such column; there are ${known.join(', ')}`)
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
): { points: Point[]; explained: number[]; rows: Tensor } {
  const isFinite = (id: number) => vectors.weight.narrow(0, id, 1).toArray()[0].every(Number.isFinite)
  const good = ids.filter(isFinite)
  if (good.length < 3 || vectors.dim < 2)
    throw new WorkFailed(
      `${path}: ${vectors.dim < 2 ? 'vectors of one number' : `${counted(good.length, noun)} to draw`}: two principal components need two numbers a vector and three vectors`,
    )
  const rows = concat(good.map((id) => vectors.weight.narrow(0, id, 1)))
  const { scores, explained } = principalComponents(rows)
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
    rows,
  }
}
