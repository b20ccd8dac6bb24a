// Where the page has its data from: what is inside it, or the server that gave it.

import type { ColumnInfo, Head, Near, ProjectionInfo, ProjectionName, Values } from './format.js'

/** A head of JSON, and the sections behind it. */
interface Parts<T> {
  readonly head: T & Pick<Head, 'sections'>
  readonly bytes: (name: string) => ArrayBuffer | null
}

function unpacked<T>(whole: ArrayBuffer): Parts<T> {
  const length = new DataView(whole).getUint32(0, true)
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(whole, 4, length))) as T & Pick<Head, 'sections'>
  const bytes = (name: string) => {
    const place = head.sections[name]
    return place === undefined ? null : whole.slice(4 + length + place[0], 4 + length + place[1])
  }
  return { head, bytes }
}

export interface Projection extends ProjectionInfo {
  /** Two numbers for each row that is shown. */
  readonly places: Float32Array
  /** Which rows are shown; null for all. */
  readonly shown: Int32Array | null
}

export interface Source {
  readonly head: Head
  readonly names: readonly string[]
  /** The numbers of the rows in the table; null if they are those of the points. */
  readonly ids: Int32Array | null
  projection(name: ProjectionName, report: (done: number) => void): Promise<Projection>
  column(index: number): Promise<Values>
  /** The nearest rows of a row; null if nothing knows them. */
  nearest(id: number): Promise<readonly Near[] | null>
}

export async function openSource(): Promise<Source> {
  const inside = document.getElementById('data')!.textContent.trim()
  const whole = inside === '' ? await fetched('data') : await decoded(inside)
  const parts = unpacked<Head>(whole)
  const { head, bytes } = parts
  const names = new TextDecoder().decode(bytes('names')!).split('\n')
  const ids = bytes('ids')
  const base = { head, names, ids: ids && new Int32Array(ids) }
  return { ...base, ...(head.isServed ? served(parts) : local(parts)) }
}

type Rest = Pick<Source, 'projection' | 'column' | 'nearest'>

function projectionIn(bytes: Parts<unknown>['bytes'], about: ProjectionInfo): Projection {
  const shown = bytes(`shown.${about.name}`)
  return { ...about, places: new Float32Array(bytes(`places.${about.name}`)!), shown: shown && new Int32Array(shown) }
}

const valuesOf = (about: ColumnInfo, bytes: ArrayBuffer): Values => ({
  ...about,
  values: about.kind === 'number' ? new Float32Array(bytes) : new Uint16Array(bytes),
})

function local({ head, bytes }: Parts<Head>): Rest {
  const [near, similarities] = [bytes('neighbours'), bytes('similarities')]
  const [ids, scores] = [near && new Int32Array(near), similarities && new Float32Array(similarities)]
  return {
    projection: (name) =>
      Promise.resolve(
        projectionIn(
          bytes,
          head.projections.find((one) => one.name === name)!,
        ),
      ),
    column: (index) => Promise.resolve(valuesOf(head.columns[index], bytes(`column.${index}`)!)),
    nearest(id) {
      if (ids === null || scores === null) return Promise.resolve(null)
      const from = id * head.k
      return Promise.resolve(
        Array.from(ids.subarray(from, from + head.k), (near, i) => ({ id: near, similarity: scores[from + i] })),
      )
    },
  }
}

function served({ head, bytes }: Parts<Head>): Rest {
  const projections = new Map<ProjectionName, Promise<Projection>>()
  const columns = new Map<number, Promise<Values>>()
  const kept = <K, V>(map: Map<K, Promise<V>>, key: K, make: () => Promise<V>): Promise<V> => {
    const found = map.get(key)
    if (found !== undefined) return found
    const made = make()
    map.set(key, made)
    made.catch(() => map.delete(key))
    return made
  }
  return {
    projection: (name, report) =>
      kept(projections, name, async () => {
        if (bytes(`places.${name}`) !== null)
          return projectionIn(
            bytes,
            head.projections.find((one) => one.name === name)!,
          )
        const watch = setInterval(() => {
          void fetchedJson<Record<string, number>>('progress').then(
            (done) => report(done[name] ?? 0),
            () => {},
          )
        }, 300)
        try {
          const parts = unpacked<{ projection: ProjectionInfo }>(await fetched(`projection/${name}`))
          return projectionIn(parts.bytes, parts.head.projection)
        } finally {
          clearInterval(watch)
        }
      }),
    column: (index) =>
      kept(columns, index, async () => {
        const about = head.columns[index]
        if (about.late !== true) return valuesOf(about, bytes(`column.${index}`)!)
        const parts = unpacked<{ column: ColumnInfo }>(await fetched('clusters'))
        return valuesOf(parts.head.column, parts.bytes('codes')!)
      }),
    nearest: async (id) => (await fetchedJson<{ nearest: Near[] }>(`neighbours/${id}?k=50`)).nearest,
  }
}

async function answered(path: string): Promise<Response> {
  let response: Response
  try {
    response = await fetch(path)
  } catch {
    throw new Error('tokenbed no longer answers: start it again')
  }
  if (!response.ok) throw new Error((await response.text()).trim() || `the server answers ${response.status}`)
  return response
}

const fetched = async (path: string) => (await answered(path)).arrayBuffer()
const fetchedJson = async <T>(path: string) => (await (await answered(path)).json()) as T

/** The bytes that a text of base64 stands for, which are compressed by gzip. */
async function decoded(text: string): Promise<ArrayBuffer> {
  const binary = atob(text)
  const bytes = new Uint8Array(binary.length)
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i)
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'))
  return new Response(stream).arrayBuffer()
}
