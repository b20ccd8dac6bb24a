// Prints digests of the kernels' results on the instruction set that TOKENBED_ISA forces.

import { capabilities, Embedding, manualSeed, rand, randn, randperm, TokenPositionEmbedding } from '../../index.js'
import { main } from '../support/child.js'
import { digest } from '../support/compare.js'

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

void main({
  digests: () => {
    manualSeed(3)
    const draws = [1, 15, 16, 17, 31, 100, 623, 624, 625, 5000, 100_003].flatMap((n) =>
      [randn([n]), rand([n]), randperm(n)].map(digest),
    )
    return { isa: capabilities().isa, forwards: forwards(), draws }
  },
})
