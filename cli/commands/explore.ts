// tokenbed explore: a page in which a table of vectors is looked at, searched and selected from.

import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { statSync } from 'node:fs'
import { extname } from 'node:path'
import { topKAsync } from '../../index.js'
import { Option, type Command } from '../bundled/commander.js'
import type { ColumnInfo, Head, Near, ProjectionName } from '../bundled/page/format.js'
import { servedPage, wholePage } from '../explore/page.js'
import {
  aboutOf,
  columnBytes,
  infoOf,
  neighbourSections,
  packed,
  projectionSections,
  tableSections,
} from '../explore/parts.js'
import { clustersOf, graphOf, project, type Projection } from '../explore/projections.js'
import { NotThere, serve } from '../explore/server.js'
import { drawnOf, type Drawn } from '../explore/table.js'
import { MODEL_ARGUMENT, openVectors, rowsOption } from '../options/models.js'
import { checkPlace } from '../options/places.js'
import { splitTable } from '../options/tables.js'
import { WrongUse } from '../terminal/failure.js'
import { counted, parseSize, shown, shownBytes } from '../terminal/numbers.js'
import { startProgress } from '../terminal/progress.js'
import { print, sayError } from '../terminal/streams.js'
import { writeText } from '../terminal/write-text.js'

interface Options {
  out?: string
  port?: number
  open: boolean
  projection: ProjectionName
  color?: string
  columns?: string
  texts?: string
  clusters: number
  seed: number
  limit: number
  tokenizer?: string
  quiet?: boolean
  json?: boolean
}

const PROJECTIONS = ['pca', 'umap', 'tsne'] as const
/** How many neighbours of each row a file keeps, and for how many rows. */
const [KEPT, KEPT_ROWS] = [15, 50_000]
/** The largest number of neighbours that the page may ask for. */
const MOST_NEIGHBOURS = 200

const NOTES = `
Without --out the page is served to this machine alone, at the address that is printed, until Ctrl-C; with it, it is a file that
works by itself and without a network. Points are coloured by count, norm, cluster, or a column of --columns. The page finds
names as one types, shows the nearest rows of one that is clicked, and saves what is selected (drag with shift). Press ? in it
for its keys.

PCA takes any number of rows. UMAP places up to 50,000 and t-SNE up to 20,000, of more the first ones of a vocabulary, or some
from all along the table; the page says so. Neighbours are exact and by the cosine; a file keeps 15 of each row for up to
50,000 rows, and none of more.

Examples:
  $ tokenbed explore word-vectors
  $ tokenbed explore word-vectors --projection umap --out words.html
  $ tokenbed explore GoogleNews-vectors-negative300.bin.gz --limit 100000
  $ tokenbed explore vectors.npy --texts lines.txt --columns labels.tsv --color topic`

export function addExplore(program: Command): void {
  program
    .command('explore')
    .summary('look at a table in the browser: search, neighbours, selection')
    .description(
      'Shows up to a million vectors as points in a page: search, neighbours of a click, colours, selection.',
    )
    .argument(...MODEL_ARGUMENT)
    .option(
      '-o, --out <file>',
      'write the page to a file, ending in .html, instead of serving it; replaced if it exists',
    )
    .addOption(new Option('--projection <name>', 'how rows become points at first').choices(PROJECTIONS).default('pca'))
    .option('--color <column>', 'the column that colours points at first: count, norm, cluster, or one of --columns')
    .option(
      '--columns <file>',
      'columns of values: names in the first line, then a line for each row, with tabs between',
    )
    .option('--texts <file>', 'names of the rows, one in a line')
    .option('--clusters <k>', 'number of clusters', parseSize(1), 10)
    .option('--seed <n>', 'seed of UMAP, t-SNE and clusters', parseSize(0), 0)
    .option(
      '--limit <n>',
      'largest number of rows to draw: the most frequent ones, or the first',
      parseSize(1),
      1_000_000,
    )
    .addOption(rowsOption())
    .option('--port <n>', 'port on 127.0.0.1 (default: one that is free)', parsePort)
    .option('--no-open', 'only print the address, and open no browser')
    .option('-q, --quiet', 'say nothing but results and errors')
    .option('--json', 'print one JSON object: { url or out, bytes?, rows, drawn, dim, projection }')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', NOTES)
    .action(explore)
}

function parsePort(text: string): number {
  const port = parseSize(0)(text)
  if (port > 65_535) throw new WrongUse(`--port ${text}: a port is a number from 0 to 65535`)
  return port
}

async function explore(path: string, options: Options): Promise<void> {
  const { out, tokenizer, quiet = false, clusters, seed, projection } = options
  if (seed >= 2 ** 32) throw new WrongUse(`--seed ${seed}: it must be below 2^32`)
  if (out !== undefined) {
    if (extname(out).toLowerCase() !== '.html') throw new WrongUse(`--out ${out}: it is a page: end it in .html`)
    checkPlace('--out', out, [{ what: 'table', path: splitTable(path).path }])
  }
  const asked = openVectors(path, tokenizer)
  const drawn = await drawnOf(asked, path, options)
  const color = columnNamed(drawn, options.color)
  const scene: Scene = {
    title: path,
    noun: asked.noun,
    dim: asked.vectors.dim,
    drawn,
    color,
    projection,
    clusters,
    seed,
  }
  const facts = { rows: asked.vectors.size, drawn: drawn.ids.length, dim: scene.dim, projection }
  if (out === undefined) return serveScene(scene, facts, options)
  const page = wholePage(path, await wholeData(scene, quiet))
  writeText(out, page)
  const bytes = statSync(out).size
  if (options.json) return print(`${JSON.stringify({ out, bytes, ...facts })}\n`)
  await print(`${out}: ${counted(facts.drawn, asked.noun)}, ${shownBytes(bytes)}\n`)
}

interface Scene {
  readonly title: string
  readonly noun: string
  readonly dim: number
  readonly drawn: Drawn
  /** The column of the first colours; the last one is that of clusters. */
  readonly color: number
  readonly projection: ProjectionName
  readonly clusters: number
  readonly seed: number
}

/** The number of the column that colours points at first; clusters come after all others. */
function columnNamed({ columns }: Drawn, name: string | undefined): number {
  const names = [...columns.map((column) => column.name), 'cluster']
  if (name === undefined) return names.findIndex((one) => one !== 'norm')
  const found = names.indexOf(name)
  if (found < 0) throw new WrongUse(`--color ${name}: there is no such column; there are ${names.join(', ')}`)
  return found
}

const headOf = (
  scene: Scene,
  more: Pick<Head, 'columns' | 'projections' | 'k' | 'isServed'>,
): Omit<Head, 'sections'> => ({
  title: scene.title,
  noun: scene.noun,
  count: scene.drawn.ids.length,
  dim: scene.dim,
  notes: scene.drawn.notes,
  hasNames: scene.drawn.hasNames,
  color: scene.color,
  projection: scene.projection,
  ...more,
})

/** All that a page in a file holds. */
async function wholeData(scene: Scene, quiet: boolean): Promise<Buffer> {
  const { drawn, seed } = scene
  const count = drawn.ids.length
  const progress = startProgress(100, quiet, 0, 'steps')
  const report = (from: number, part: number) => (done: number) =>
    progress.update(from + done * part, from + done * part)
  try {
    const names = [...new Set<ProjectionName>(['pca', scene.projection])]
    const projections: Projection[] = []
    // eslint-disable-next-line no-await-in-loop -- each takes all cores
    for (const name of names) projections.push(await project(drawn, name, seed, report(0, 60)))
    const cluster = await clustersOf(drawn, scene.clusters, seed)
    const columns = [...drawn.columns, cluster]
    const k = count <= KEPT_ROWS ? Math.min(KEPT, count - 1) : 0
    const graph = k > 0 ? await graphOf(drawn.rows, k, report(70, 30)) : null
    const head = headOf(
      {
        ...scene,
        drawn: {
          ...drawn,
          notes: [
            ...drawn.notes,
            ...(k > 0 || count === 1
              ? []
              : [
                  `no neighbours in a file of more than ${shown(KEPT_ROWS)} rows: 'tokenbed explore' without --out finds them`,
                ]),
          ],
        },
      },
      { columns: columns.map(infoOf), projections: projections.map(aboutOf), k, isServed: false },
    )
    return packed(head, [
      ...tableSections({ ...drawn, columns }),
      ...projections.flatMap(projectionSections),
      ...(graph === null ? [] : neighbourSections(graph)),
    ])
  } finally {
    progress.stop()
  }
}

async function serveScene(scene: Scene, facts: object, { port, open, quiet, json }: Options): Promise<void> {
  const { drawn, seed } = scene
  const done: Partial<Record<ProjectionName, number>> = {}
  const projections = new Map<ProjectionName, Promise<Projection>>()
  const projected = (name: ProjectionName) => {
    const found = projections.get(name)
    if (found !== undefined) return found
    const made = project(drawn, name, seed, (part) => (done[name] = part))
    projections.set(name, made)
    // What failed may be asked for again.
    made.catch(() => projections.delete(name))
    return made
  }
  let clusters: ReturnType<typeof clustersOf> | null = null
  const late: ColumnInfo = { name: 'cluster', kind: 'category', late: true }
  const first = await projected('pca')
  const answers = {
    '': () => servedPage(scene.title, randomBytes(16).toString('hex')),
    data: () => {
      const others = PROJECTIONS.map((name) => (name === 'pca' ? aboutOf(first) : { name, note: '', isSample: false }))
      const head = headOf(scene, {
        columns: [...drawn.columns.map(infoOf), late],
        projections: others,
        k: 0,
        isServed: true,
      })
      return packed(head, [...tableSections(drawn), ...projectionSections(first)])
    },
    projection: async (name: string) => {
      const known = PROJECTIONS.find((one) => one === name)
      if (known === undefined) throw new NotThere('no such projection')
      const made = await projected(known)
      return packed({ projection: aboutOf(made) }, projectionSections(made))
    },
    progress: () => ({ ...done }),
    clusters: async () => {
      clusters ??= clustersOf(drawn, scene.clusters, seed)
      clusters.catch(() => (clusters = null))
      const column = await clusters
      return packed({ column: infoOf(column) }, [['codes', columnBytes(column)]])
    },
    neighbours: (id: string, query: URLSearchParams) => neighboursOf(drawn, Number(id), Number(query.get('k') ?? 20)),
    'favicon.ico': () => new Uint8Array(0),
  }
  const { url } = await serve(answers, port ?? 0)
  if (json) await print(`${JSON.stringify({ url, ...facts })}\n`)
  else await print(`${url}\n`)
  if (!quiet && !json) sayError('tokenbed: this machine alone can open the address; Ctrl-C ends it')
  if (open) openBrowser(url)
  // The server keeps the process until a signal ends it.
}

async function neighboursOf({ rows, ids }: Drawn, id: number, k: number): Promise<{ nearest: Near[] }> {
  const count = ids.length
  if (!Number.isInteger(id) || id < 0 || id >= count) throw new NotThere('no such row')
  if (!Number.isInteger(k) || k < 1 || k > MOST_NEIGHBOURS)
    throw new NotThere(`k is a number from 1 to ${MOST_NEIGHBOURS}`)
  const query = rows.narrow(0, id, 1)
  const found = await topKAsync(query, rows, { k: Math.min(k + 1, count), metric: 'cosine' })
  const [places, scores] = [found.ids.toArray() as number[][], found.scores.toArray() as number[][]]
  for (const one of [query, found.ids, found.scores]) one.dispose()
  const nearest = places[0].map((place, i) => ({ id: place, similarity: scores[0][i] }))
  return { nearest: nearest.filter((near) => near.id !== id).slice(0, k) }
}

/** Opens the system's browser; where there is none, the address is there to be opened by hand. */
function openBrowser(url: string): void {
  const { platform, env } = process
  if (platform === 'linux' && !env.DISPLAY && !env.WAYLAND_DISPLAY && !env.BROWSER) return
  const [program, ...args] =
    platform === 'darwin' ? ['open'] : platform === 'win32' ? ['cmd', '/c', 'start', ''] : [env.BROWSER || 'xdg-open']
  const child = spawn(program, [...args, url], { stdio: 'ignore', detached: true })
  child.on('error', () => sayError(`tokenbed: ${program} does not start; open the address yourself`))
  child.unref()
}
