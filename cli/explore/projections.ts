// Places the rows in a plane: by principal components, UMAP or t-SNE, off the main thread.

import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { clusterAsync, normalize, principalComponentsAsync, topKAsync, type Tensor } from '../../index.js'
import type { Graph, LayoutRequest } from '../bundled/layouts.js'
import type { ProjectionInfo, ProjectionName } from '../bundled/page/format.js'
import { shown } from '../terminal/numbers.js'
import type { Categories } from './columns.js'
import { rowsOf, type Drawn } from './table.js'

export interface Projection extends ProjectionInfo {
  /** (shown, 2): the places, of which most are between -1 and 1. */
  readonly places: Float32Array
  /** Which of the drawn rows it shows; null for all. */
  readonly shown: Int32Array | null
}

/** Is told how much of the work is done, from 0 to 1. */
type Report = (done: number) => void

/** How many neighbours of each row the ways of placing them look at. */
const NEIGHBOURS = { umap: 15, tsne: 90 }
/** The largest number of rows that they place; of more, a sample. */
const MOST = { umap: 50_000, tsne: 20_000 }
const TITLES = { pca: 'PCA', umap: 'UMAP', tsne: 't-SNE' }
/** Queries that are searched together. */
const TOGETHER = 512

export async function project(drawn: Drawn, name: ProjectionName, seed: number, report: Report): Promise<Projection> {
  if (name === 'pca') return principal(drawn)
  const sample = sampleOf(drawn, MOST[name])
  const rows = sample === null ? drawn.rows : rowsOf(drawn.rows, sample)
  try {
    const [count] = rows.shape
    const { places: start } = await components(rows)
    const k = Math.min(NEIGHBOURS[name], count - 1)
    const note =
      sample === null
        ? ''
        : `${TITLES[name]} shows ${drawn.isOrdered ? 'the first' : 'a sample of'} ${shown(count)} of ${shown(drawn.ids.length)} rows`
    const about = { name, note, isSample: sample !== null, shown: sample }
    if (k < 3)
      return {
        ...about,
        note: `too few rows for ${TITLES[name]}: these are the principal components`,
        places: framed(start),
      }
    const graph = await graphOf(rows, k, (done) => report(done * 0.3))
    const places = await inThread({ kind: name, graph, start, seed }, (done) => report(0.3 + done * 0.7))
    return { ...about, places: framed(places) }
  } finally {
    if (rows !== drawn.rows) rows.dispose()
  }
}

async function principal({ rows }: Drawn): Promise<Projection> {
  const { places, explained } = await components(rows)
  const parts = explained.map((part) => `${(part * 100).toFixed(1)} %`).join(' and ')
  const note = explained.length === 0 ? '' : `the axes hold ${parts} of the variance`
  return { name: 'pca', note, isSample: false, shown: null, places: framed(places) }
}

/** The first two principal components. A row alone lies in the middle, and vectors of one number on a line. */
async function components(rows: Tensor): Promise<{ places: Float32Array; explained: number[] }> {
  const [size, dim] = rows.shape
  const places = new Float32Array(size * 2)
  const count = Math.min(size, dim, 2)
  if (size < 2) return { places, explained: [] }
  const { components, scores, explained } = await principalComponentsAsync(rows, { count })
  const { data } = scores
  for (let i = 0; i < size; i++)
    for (let axis = 0; axis < count; axis++) places[i * 2 + axis] = Number(data[i * count + axis])
  components.dispose()
  scores.dispose()
  return { places, explained }
}

/** Which rows are shown: the first ones of a vocabulary, or some all along the table; null for all. */
function sampleOf({ ids, isOrdered }: Pick<Drawn, 'ids' | 'isOrdered'>, most: number): Int32Array | null {
  if (ids.length <= most) return null
  return Int32Array.from({ length: most }, (_, i) => (isOrdered ? i : Math.floor((i * ids.length) / most)))
}

/** Moves and scales places so that nearly all are between -0.95 and 0.95, at the same scale both ways. */
function framed(places: Float32Array): Float32Array {
  const ends = [0, 1].map((axis) => {
    const values = places.filter((_, i) => (i & 1) === axis).sort()
    const at = (part: number) => values[Math.round(part * (values.length - 1))]
    const [low, high] = [at(0.002), at(0.998)]
    const rest = (high - low) * 0.02
    return [Math.max(values[0], low - rest), Math.min(values[values.length - 1], high + rest)]
  })
  const half = Math.max(...ends.map(([low, high]) => (high - low) / 2)) / 0.95 || 1
  return places.map((value, i) => (value - (ends[i & 1][0] + ends[i & 1][1]) / 2) / half)
}

/** The nearest `k` rows of each row, by the cosine. */
export async function graphOf(rows: Tensor, k: number, report: Report): Promise<Graph> {
  const [count] = rows.shape
  const [ids, distances] = [new Int32Array(count * k), new Float32Array(count * k)]
  for (let from = 0; from < count; from += TOGETHER) {
    const queries = rows.narrow(0, from, Math.min(TOGETHER, count - from))
    // eslint-disable-next-line no-await-in-loop -- a search takes all cores
    const found = await topKAsync(queries, rows, { k: k + 1, metric: 'cosine' })
    const [itsIds, scores] = [found.ids.data, found.scores.data]
    for (let query = 0; query < queries.shape[0]; query++) {
      let at = (from + query) * k
      const end = at + k
      // Of rows that are equal to it some may come before the row itself, which then is not found.
      for (let i = query * (k + 1); at < end; i++) {
        if (Number(itsIds[i]) === from + query) continue
        ids[at] = Number(itsIds[i])
        distances[at++] = Math.max(0, 1 - Number(scores[i]))
      }
    }
    for (const one of [queries, found.ids, found.scores]) one.dispose()
    report(Math.min(1, (from + TOGETHER) / count))
  }
  return { rows: count, k, ids, distances }
}

function inThread(request: LayoutRequest, report: Report): Promise<Float32Array> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(join(__dirname, '../bundled/layouts.js'), { workerData: { layout: request } })
    worker.on('message', ({ done, places }: { done?: number; places?: Float32Array }) => {
      if (done !== undefined) report(done)
      if (places !== undefined) resolve(places)
    })
    worker.on('error', reject)
    worker.on('exit', () => reject(new Error('the thread that places the rows ended early')))
  })
}

/** The largest number of rows that are divided into clusters; others join the nearest one. */
const CLUSTERED = 20_000

/** Clusters of rows by direction, each named by the rows that are nearest to its middle. */
export async function clustersOf(
  drawn: Pick<Drawn, 'ids' | 'rows' | 'names' | 'isOrdered'>,
  k: number,
  seed: number,
): Promise<Categories> {
  const sample = sampleOf(drawn, CLUSTERED)
  const some = sample === null ? drawn.rows : rowsOf(drawn.rows, sample)
  const unit = normalize(some)
  const { centers } = await clusterAsync(unit, { k: Math.min(k, unit.shape[0]), seed, restarts: 3, iterations: 100 })
  unit.dispose()
  if (some !== drawn.rows) some.dispose()
  const count = drawn.ids.length
  const middles = await topKAsync(centers, drawn.rows, { k: Math.min(3, count), metric: 'cosine' })
  const near = middles.ids.toArray() as number[][]
  const labels = new Int32Array(count)
  const BLOCK = 65_536
  for (let from = 0; from < count; from += BLOCK) {
    const queries = drawn.rows.narrow(0, from, Math.min(BLOCK, count - from))
    // eslint-disable-next-line no-await-in-loop -- a search takes all cores
    const found = await topKAsync(queries, centers, { k: 1, metric: 'cosine' })
    labels.set(found.ids.data as Int32Array, from)
    for (const one of [queries, found.ids, found.scores]) one.dispose()
  }
  for (const one of [centers, middles.ids, middles.scores]) one.dispose()
  const sizes = near.map((_, cluster) => labels.reduce((sum, label) => sum + Number(label === cluster), 0))
  const order = near.map((_, cluster) => cluster).sort((a, b) => sizes[b] - sizes[a] || a - b)
  return {
    name: 'cluster',
    kind: 'category',
    codes: Uint16Array.from(labels, (label) => order.indexOf(label)),
    categories: order.map((cluster) => near[cluster].map((id) => drawn.names[id]).join(' \u00b7 ')),
  }
}
