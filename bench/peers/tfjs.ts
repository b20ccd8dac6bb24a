// TensorFlow.js with its JavaScript backend: tfjs-node downloads its library from outside of the registry.

import { find, type Found } from './peer.js'

export interface TfjsPeer {
  version: string
  /** Opens gather, and gather + position. Each call makes a tensor and disposes it. */
  open(
    table: Float32Array,
    positions: Float32Array,
    ids: Int32Array,
    shape: { rows: number; dim: number; batch: number; length: number },
  ): Promise<TfjsLookup>
}
interface TfjsLookup {
  gather(): unknown
  fused(): unknown
  data(): Float32Array
  close(): void
}

export function tfjs(): Found<TfjsPeer> {
  return find('@tensorflow/tfjs', (load, version) => {
    const tf = load('@tensorflow/tfjs')
    tf.enableProdMode()
    const open: TfjsPeer['open'] = async (table, positions, ids, { rows, dim, batch, length }) => {
      await tf.setBackend('cpu')
      const [weight, position, at] = [
        tf.tensor2d(table, [rows, dim]),
        tf.tensor2d(positions, [length, dim]),
        tf.tensor2d(ids, [batch, length], 'int32'),
      ]
      return {
        gather: () => tf.gather(weight, at).dispose(),
        fused: () => tf.tidy(() => void tf.add(tf.gather(weight, at), position)),
        data: () => tf.tidy(() => tf.gather(weight, at).dataSync()),
        close: () => tf.dispose([weight, position, at]),
      }
    }
    return { version, open }
  })
}
