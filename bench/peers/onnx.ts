// onnxruntime-node, with a model of one Gather that is written here by hand in ONNX's protobuf format.

import { find, type Found } from './peer.js'

type Field = [number: number, value: number | string | Uint8Array]

function varint(value: number): Uint8Array {
  const bytes: number[] = []
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Uint8Array.from([...bytes, rest])
    bytes.push((rest % 128) + 128)
  }
}

/** A protobuf message: numbers as varints, text and bytes with their length. */
function message(...fields: Field[]): Uint8Array {
  const parts = fields.flatMap(([number, value]) => {
    if (typeof value === 'number') return [varint(number * 8), varint(value)]
    const bytes = typeof value === 'string' ? Buffer.from(value) : value
    return [varint(number * 8 + 2), varint(bytes.length), bytes]
  })
  return Buffer.concat(parts)
}

const FLOAT = 1
/** Types of ids. */
const IDS = { int32: 6, int64: 7 }

/** Names of what a model takes and gives, and the type of ids. */
interface Names {
  ids: string
  out: string
  type: keyof typeof IDS
}

/** `out = Gather(table, ids)` as a ModelProto of onnx.proto, opset 13. */
export function gatherModel(
  table: Float32Array,
  rows: number,
  dim: number,
  { ids, out, type }: Names = { ids: 'ids', out: 'y', type: 'int32' },
): Uint8Array {
  const size = (name: string) => message([2, name])
  const shape = (names: string[]) => message(...names.map((name): Field => [1, size(name)]))
  const value = (name: string, type: number, names: string[]) =>
    message([1, name], [2, message([1, message([1, type], [2, shape(names)])])])
  const raw = new Uint8Array(table.buffer, table.byteOffset, table.byteLength)
  const node = message([1, 'table'], [1, ids], [2, out], [4, 'Gather'])
  const initializer = message([1, rows], [1, dim], [2, FLOAT], [8, 'table'], [9, raw])
  const graph = message(
    [1, node],
    [2, 'lookup'],
    [5, initializer],
    [11, value(ids, IDS[type], ['batch', 'length'])],
    [12, value(out, FLOAT, ['batch', 'length', 'dim'])],
  )
  return message([1, 8], [7, graph], [8, message([2, 13])])
}

export interface OnnxPeer {
  version: string
  /** Opens a lookup that writes into `out`. */
  open(
    table: Float32Array,
    shape: { rows: number; dim: number; batch: number; length: number },
    threads: number,
  ): Promise<OnnxLookup>
}
interface OnnxLookup {
  run(ids: Int32Array, out: Float32Array): Promise<unknown>
  close(): Promise<void>
}

export function onnx(): Found<OnnxPeer> {
  return find('onnxruntime-node', (load, version) => {
    const { InferenceSession, Tensor } = load('onnxruntime-node')
    const open: OnnxPeer['open'] = async (table, { rows, dim, batch, length }, threads) => {
      const session = await InferenceSession.create(gatherModel(table, rows, dim), {
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
      })
      return {
        run: (ids, out) =>
          session.run(
            { ids: new Tensor('int32', ids, [batch, length]) },
            { y: new Tensor('float32', out, [batch, length, dim]) },
          ),
        close: () => session.release(),
      }
    }
    return { version, open }
  })
}
