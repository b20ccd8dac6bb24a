// Prints digests of the kernels' results on the instruction set that TOKENBED_ISA forces.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  capabilities,
  cluster,
  dedupe,
  Embedding,
  manualSeed,
  quantize,
  rand,
  randn,
  randperm,
  tensor,
  TextEmbedder,
  TokenPositionEmbedding,
  topK,
} from '../../index.js'
import { main } from '../support/child.js'
import { digest } from '../support/compare.js'
import { root } from '../support/golden.js'

function forwards(): string[] {
  return [1, 3, 7, 8, 15, 16, 17, 31, 33, 64, 100, 256, 769].flatMap((dim) => {
    manualSeed(dim)
    const layer = new TokenPositionEmbedding({ vocabSize: 53, contextLength: 11, dim })
    const ids = Int32Array.from({ length: 77 }, (_, i) => (i * 37) % 53)
    const positions = ids.map((id) => id % 11)
    const whole = new TokenPositionEmbedding({
      vocabSize: 53,
      contextLength: 11,
      dim,
      segments: 3,
      scale: 1.7,
      layerNorm: true,
    })
    const renormalised = new Embedding(53, dim, { maxNorm: 0.9 })
    return [
      layer.token.forward(ids),
      layer.token.forward(BigInt64Array.from(ids, BigInt)),
      layer.forward(ids, { shape: [7, 11] }),
      layer.forward(ids, { positions }),
      whole.forward(ids, { shape: [7, 11], segments: ids.map((id) => id % 3) }),
      renormalised.forward(ids),
    ].map(digest)
  })
}

/** Vectors of texts, by a folder of each kind and in each type. */
function texts(): string[] {
  const folder = join(root, 'testdata/golden')
  const asked: string[] = JSON.parse(readFileSync(join(folder, 'embed/texts.json'), 'utf8'))
  const models = ['m2v-f32', 'm2v-f16', 'm2v-i8', 'm2v-weights', 'm2v-quantized', 'st-new', 'llama'].map(
    (name) => `embed/${name}`,
  )
  return [...models, 'fasttext/sup-ns.bin', 'fasttext/sup-hs-norm.ftz'].flatMap((name) => {
    const embedder = TextEmbedder.load(join(folder, name))
    const types = ['float32', 'float16', 'int8', ...(embedder.dim % 8 === 0 ? (['binary'] as const) : [])] as const
    return types.map((dtype) => digest(embedder.embed(asked, { dtype, normalize: true })))
  })
}

/** Searches, groups and clusters. */
function searches(): string[] {
  manualSeed(8)
  const rows = randn([900, 72])
  const queries = randn([37, 72])
  const bits = tensor(
    Uint8Array.from({ length: 900 * 9 }, (_, i) => (i * i * 31 + i * 7) >> 3),
    { shape: [900, 9] },
  )
  const found = [rows, rows.to('float16'), quantize(rows, 'int8'), quantize(rows, 'int4')].flatMap((table) =>
    (['cosine', 'dot', 'euclidean'] as const).flatMap((metric) =>
      [queries, queries.narrow(0, 0, 1)].flatMap((asked) => {
        const { ids, scores } = topK(asked, table, { k: 9, metric })
        return [digest(ids), digest(scores)]
      }),
    ),
  )
  const { centers, labels, inertia } = cluster(rows, { k: 7, restarts: 2 })
  const groups = [dedupe(rows, { threshold: 0.2 }), dedupe(bits, { threshold: 0.1 })]
  return [...found, digest(centers), digest(tensor(labels)), `${inertia}`, JSON.stringify(groups)]
}

void main({
  digests: () => {
    manualSeed(3)
    const draws = [1, 15, 16, 17, 31, 100, 623, 624, 625, 5000, 100_003].flatMap((n) =>
      [randn([n]), rand([n]), randperm(n)].map(digest),
    )
    return { isa: capabilities().isa, forwards: forwards(), draws, texts: texts(), searches: searches() }
  },
})
