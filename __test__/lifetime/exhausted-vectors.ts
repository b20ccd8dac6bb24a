// Scenarios of refused memory for vectors of words and texts, and what is done with them.

import { join } from 'node:path'
import * as api from '../../index.js'
import { root } from '../support/golden.js'
import { ids, drawn, TEXT, once, type Scenarios } from './exhausted-common.js'

const { Tensor } = api

export const vectors: Scenarios = {
  textEmbedder: async () => {
    const texts = Array.from({ length: 400 }, (_, i) => TEXT.slice(i * 40, i * 40 + 100))
    const embedder = api.TextEmbedder.load(join(root, 'testdata/golden/embed/m2v-weights'))
    const small = api.TextEmbedder.load(join(root, 'testdata/golden/embed/m2v-small'))
    const options = { dtype: 'int8', normalize: true } as const
    return [
      embedder.embed(texts),
      embedder.embed(texts[0], options),
      small.embed(texts, options),
      await embedder.embedAsync(texts),
    ]
  },
  'text embedder of fastText': async () => {
    const embedder = api.TextEmbedder.load(join(root, 'testdata/golden/fasttext/skipgram-ns.bin'))
    return [embedder.embed(['a text', 'another']), await embedder.embedAsync(['a text'])]
  },
  neighbours: () => {
    const words = Array.from({ length: 700 }, (_, i) => `w${i}`)
    const vectors = new api.Vectors(drawn(700, 16), words, { fixed: true })
    const queries = words.slice(0, 90)
    return [vectors.mostSimilarBatch(queries, { topN: 300 }), vectors.add(['x'], [vectors.vector('w1')]).vector('x')]
  },
  pcaAsync: async () =>
    Object.values(await api.principalComponentsAsync(drawn(200, 30), { count: 3 })).map((it) =>
      it instanceof Tensor ? it.mul(1) : it,
    ),
  pca: () =>
    Object.values(api.principalComponents(drawn(200, 30), { count: 3 })).map((it) =>
      it instanceof Tensor ? it.mul(1) : it,
    ),
  topKAsync: async () => {
    const { ids, scores } = await api.topKAsync(drawn(3, 16), drawn(900, 16), { k: 3 })
    return [ids, scores]
  },
  topK: () => {
    const rows = drawn(900, 16)
    const found = [1, 40].flatMap((count) => {
      const found = api.topK(drawn(count, 16), rows, { k: 3, among: Uint32Array.from(ids(90, 900)) })
      return [found.ids, found.scores]
    })
    const bits = api.topK(api.zeros([2, 4], { dtype: 'uint8' }), api.zeros([900, 4], { dtype: 'uint8' }), { k: 2 })
    return [...found, bits.ids, bits.scores]
  },
  dedupeAsync: async () => api.dedupeAsync(drawn(900, 16), { threshold: 0.5 }),
  dedupe: () => api.dedupe(drawn(900, 16), { threshold: 0.5 }),
  clusterAsync: async () => Object.values(await api.clusterAsync(drawn(900, 16), { k: 3, restarts: 1 })),
  cluster: () => Object.values(api.cluster(drawn(900, 16), { k: 3, restarts: 1 })),
  health: () => {
    const table = once('healthy', () => drawn(900, 16))
    const counts = Array.from({ length: 900 }, (_, i) => i % 7)
    const half = table.to('bfloat16')
    return [api.tableHealth(table, { counts, initial: table }), api.tableHealth(half, { counts, initial: half })]
  },
  surgery: () => {
    const words = Array.from({ length: 900 }, (_, i) => `w${i}`)
    const plan = {
      keep: Array.from({ length: 700 }, (_, i) => 2 * (i % 350) + (i >= 350 ? 1 : 0)),
      add: [{ word: 'new' }, { word: 'newer', from: { pieces: [3, 4] } }],
    }
    const table = once('surgery', () => drawn(900, 16))
    return [table, table.to('float16')].map(
      (given) => api.resizeVocabulary({ tables: { given }, words }, plan).tables.given,
    )
  },
  sharing: () => {
    const table = drawn(900, 16)
    const handle = table.share()
    const other = Tensor.fromShared(handle)
    const sum = other.mul(2)
    other.dispose()
    table.unshare()
    return sum
  },
  rowStore: async () => {
    const table = drawn(900, 16)
    const bytes = new Uint8Array(table.data.buffer as ArrayBuffer, table.data.byteOffset, 900 * 64)
    const read = async (ids: Uint32Array) => Array.from(ids, (id) => bytes.subarray(id * 64, (id + 1) * 64))
    const store = await api.RowStore.open({ rows: 900, dim: 16, dtype: 'float32', read }, { cacheBytes: 30_000 })
    const wide = BigInt64Array.from(ids(900, 900), BigInt)
    const found = [await store.lookup(wide), await store.lookup(Uint32Array.from(ids(90, 900)))]
    store.invalidate([1, 2])
    return [...found, store.stats.misses]
  },
  facts: () => {
    const { isa } = api.capabilities()
    api.setNumThreads(2)
    return [isa, api.getNumThreads()]
  },
}
