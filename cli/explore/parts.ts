// What the page reads: a head of JSON, and sections of bytes behind it.

import type { ColumnInfo, ProjectionInfo } from '../bundled/page/format.js'
import type { Graph } from '../bundled/layouts.js'
import type { Column } from './columns.js'
import type { Projection } from './projections.js'
import type { Drawn } from './table.js'

type Sections = readonly (readonly [name: string, bytes: Uint8Array])[]

/** The length of the head in four bytes, the head, and the sections, each from a multiple of four on. */
export function packed(head: object, sections: Sections): Buffer {
  let end = 0
  const places: Record<string, [number, number]> = {}
  for (const [name, bytes] of sections) {
    places[name] = [end, end + bytes.length]
    end += Math.ceil(bytes.length / 4) * 4
  }
  const json = Buffer.from(JSON.stringify({ ...head, sections: places }))
  // Spaces fill the head up.
  const start = 4 + Math.ceil(json.length / 4) * 4
  const whole = Buffer.alloc(start + end, 0x20)
  whole.writeUInt32LE(start - 4, 0)
  json.copy(whole, 4)
  for (const [name, bytes] of sections) whole.set(bytes, start + places[name][0])
  return whole
}

const bytesOf = (array: Float32Array | Int32Array | Uint16Array) =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength)

export const infoOf = (column: Column): ColumnInfo =>
  column.kind === 'number'
    ? { name: column.name, kind: column.kind, ...(column.log ? { log: true } : {}) }
    : { name: column.name, kind: column.kind, categories: column.categories }

/** The values of a column: float32, or the numbers of categories in two bytes each. */
export const columnBytes = (column: Column) => bytesOf(column.kind === 'number' ? column.values : column.codes)

export const aboutOf = ({ name, note, isSample }: Projection): ProjectionInfo => ({ name, note, isSample })

export function projectionSections({ name, places, shown }: Projection): Sections {
  return [[`places.${name}`, bytesOf(places)], ...(shown === null ? [] : [[`shown.${name}`, bytesOf(shown)] as const])]
}

export function tableSections({ names, ids, columns }: Drawn): Sections {
  return [
    ['names', Buffer.from(names.join('\n'))],
    ...(ids.every((id, i) => id === i) ? [] : [['ids', bytesOf(ids)] as const]),
    ...columns.map((column, i) => [`column.${i}`, columnBytes(column)] as const),
  ]
}

export const neighbourSections = ({ ids, distances }: Graph): Sections => [
  ['neighbours', bytesOf(ids)],
  ['similarities', bytesOf(distances.map((distance) => 1 - distance))],
]
