// Scenarios of refused memory for layers and positions.

import * as api from '../../index.js'
import { ids, drawn, learned, once, type Scenarios } from './exhausted-common.js'

const { Embedding, EmbeddingBag, Generator } = api

export const layers: Scenarios = {
  embedding: () => {
    const layer = once('embedding', () => new Embedding(3000, 8, { generator: new Generator(1) }))
    const wide = BigInt64Array.from(ids(2000, 3000), BigInt)
    return [layer.forward(ids(2000, 3000)), layer.forward(wide), learned([layer.weight], () => layer.forward(wide))]
  },
  maxNorm: () => new Embedding(900, 8, { maxNorm: 0.5, generator: new Generator(1) }).forward(ids(2000, 900)),
  embeddingAsync: async () => {
    const layer = once('async', () => new Embedding(900, 8, { generator: new Generator(1) }))
    return [
      await layer.forwardAsync(ids(2000, 900)),
      await layer.forwardAsync(BigInt64Array.from(ids(2000, 900), BigInt)),
    ]
  },
  bag: () => {
    const results: unknown[] = []
    for (const mode of ['sum', 'mean', 'max'] as const) {
      const layer = once(mode, () => new EmbeddingBag(900, 8, { mode, generator: new Generator(1) }))
      const offsets = Int32Array.from({ length: 1200 }, (_, i) => i * 2)
      results.push(learned([layer.weight], () => layer.forward(BigInt64Array.from(ids(2400, 900), BigInt), offsets)))
    }
    const weighted = once('weighted', () => new EmbeddingBag(900, 8, { mode: 'sum', generator: new Generator(1) }))
    const perSampleWeights = drawn(1200, 2)
    perSampleWeights.requiresGrad = true
    results.push(
      learned([weighted.weight, perSampleWeights], () =>
        weighted.forward(
          Array.from({ length: 1200 }, (_, i) => [i % 900, (i * 7) % 900]),
          undefined,
          { perSampleWeights },
        ),
      ),
    )
    return results
  },
  bagCollection: () => {
    const tables = once('bagCollection', () => {
      const table = (name: string, embeddingDim: number) => ({ name, numEmbeddings: 900, embeddingDim })
      return new api.EmbeddingBagCollection([table('seen', 8), table('bought', 4)])
    })
    const bags = Array.from({ length: 600 }, (_, i) => ids(3, 900 - i))
    return learned(tables.parameters(), () => tables.forward({ seen: bags, bought: bags }))
  },
  bagCollectionAsync: async () => {
    const tables = once('bagCollectionAsync', () => {
      const table = (name: string, embeddingDim: number) => ({ name, numEmbeddings: 900, embeddingDim })
      return new api.EmbeddingBagCollection([table('seen', 8), table('bought', 4)])
    })
    const bags = Array.from({ length: 600 }, (_, i) => ids(3, 900 - i))
    return tables.forwardAsync({ seen: bags, bought: bags })
  },
  bagAsync: async () => {
    const layer = once('bagAsync', () => new EmbeddingBag(900, 8, { mode: 'sum', generator: new Generator(1) }))
    const offsets = Int32Array.from({ length: 1200 }, (_, i) => i * 2)
    return layer.forwardAsync(ids(2400, 900), offsets)
  },
  quantized: async () => {
    const weight = once('quantized', () => drawn(900, 64))
    const results: unknown[] = []
    for (const kind of ['int8', 'int4', 'int2', 'float8', 'float16'] as const) {
      const table = api.quantize(weight, kind)
      results.push(table.error(weight), table.dequantize())
      const layer = Embedding.fromPretrained(table)
      results.push(layer.forward(ids(2000, 900)), await layer.forwardAsync(ids(2000, 900)))
    }
    return results
  },
  tokenPosition: async () => {
    const layer = once(
      'tokenPosition',
      () =>
        new api.TokenPositionEmbedding({
          vocabSize: 900,
          contextLength: 64,
          dim: 16,
          segments: 2,
          layerNorm: true,
          generator: new Generator(1),
        }),
    )
    const given = { shape: [32, 64], segments: ids(2048, 2) }
    const wide = BigInt64Array.from(ids(2048, 900), BigInt)
    const async = await layer.forwardAsync(ids(2048, 900), given)
    return [layer.forward(wide, given), async, learned(layer.parameters(), () => layer.forward(wide, given))]
  },
  positions: () => {
    const table = drawn(128, 32)
    const mask = api.full([64, 64], 1, { dtype: 'int32' })
    const ragged = { values: ids(2997, 50), offsets: Int32Array.from({ length: 1000 }, (_, i) => i * 3) }
    return [
      api.sinusoidalPositions(512, 32),
      api.interpolatePositions(table, 500),
      api.alibiSlopes(2000),
      api.alibiBias(8, 64, 64),
      api.t5RelativeBuckets(64, 64, { numBuckets: 32, maxDistance: 128, bidirectional: true }),
      api.attentionMask(ids(4096, 5), 0),
      api.positionIds(mask),
      api.positionIds(ragged),
      api.attentionMask(ragged),
    ]
  },
  rotary: () => {
    const rotary = once('rotary', () => new api.RotaryEmbedding({ dim: 32 }))
    const x = drawn(2, 100, 4, 32)
    x.requiresGrad = true
    const beyond = new api.RotaryEmbedding({ dim: 32 }).forward(x, { offset: 2 ** 40 })
    const grown = new api.RotaryEmbedding({ dim: 2048, scaling: { type: 'dynamic', factor: 2, originalContext: 64 } })
    return [
      learned([x], () => rotary.forward(x)),
      rotary.forward(x, { positions: Int32Array.from({ length: 200 }, (_, i) => i * 3) }),
      beyond,
      grown.dim,
    ]
  },
  relative: () => {
    const [query, key] = [drawn(1, 1, 40, 16), drawn(1, 1, 40, 16)]
    for (const one of [query, key]) one.requiresGrad = true
    const shaw = once(
      'shaw',
      () =>
        new api.ShawRelativePositions({
          maxDistance: 20,
          headDim: 16,
          kind: 'relative_key_query',
          generator: new Generator(1),
        } as never),
    )
    const xl = once(
      'xl',
      () => new api.TransformerXLPositions({ heads: 1, headDim: 16, dim: 32, generator: new Generator(1) }),
    )
    const t5 = once(
      't5',
      () =>
        new api.T5RelativeBias({
          heads: 4,
          numBuckets: 32,
          maxDistance: 128,
          bidirectional: true,
          generator: new Generator(1),
        }),
    )
    return [
      learned([query, key], () => shaw.forward(query, key)),
      learned([query, key], () => xl.forward(query, key)),
      learned(t5.parameters(), () => t5.forward(400, 400)),
    ]
  },
}
