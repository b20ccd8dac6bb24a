// Scenarios of refused memory for files.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as api from '../../index.js'
import {
  ids,
  drawn,
  file,
  golden,
  TEXT,
  tokenizer,
  pieces,
  collected,
  corpus,
  writeText,
  type Scenarios,
} from './exhausted-common.js'

const { Embedding, Generator, Tokenizer } = api

export const files: Scenarios = {
  saveTokens: async () => {
    writeText()
    rmSync(file('corpus'), { recursive: true, force: true })
    // An aborted writer leaves nothing.
    await api
      .saveTokens(file('none'), { texts: [''] }, { tokenizer: tokenizer() })
      .catch((error) => error instanceof api.MemoryError && Promise.reject(error))
    const sources = [{ files: [file('text.txt')] }, { texts: [TEXT] }, pieces(), { ids: [ids(9000, 900)] }]
    const {
      ids: count,
      documents,
      files,
    } = await api.saveTokens(file('corpus'), sources, { tokenizer: tokenizer(), separator: '<|endoftext|>' })
    return [count, documents, files]
  },
  folder: async () => {
    const { path } = await corpus()
    const loader = api.createDataLoader(
      { folder: path, verify: true },
      { batchSize: 16, maxLength: 64, stride: 8, generator: new Generator(1) },
    )
    const batches = [...loader].slice(0, 4).flatMap(({ inputs, targets }) => [inputs, targets])
    return [batches, loader.ids, await collected(api.streamIds({ folder: path })), api.openTokens(path).document(1)]
  },
  gguf: () => {
    const { metadata, tensors } = api.loadGGUF(join(__dirname, '../../../testdata/golden/gguf/kinds.gguf'))
    const results: unknown[] = [metadata.get('general.architecture')]
    for (const kind of ['q8_0', 'q4_1', 'q3_k', 'q6_k']) {
      const table = tensors.get(kind) as api.QuantizedTable
      const bag = api.EmbeddingBag.fromPretrained(table, { mode: 'sum' })
      results.push(
        table.dequantize(),
        Embedding.fromPretrained(table).forward(ids(2000, 3)),
        bag.forward(ids(8, 3), Int32Array.of(0, 4)),
      )
    }
    return results
  },
  fastText: () => {
    const folder = join(__dirname, '../../../testdata/golden/fasttext')
    const [classes, words] = ['sup-hs-norm.ftz', 'skipgram-ns.bin'].map((name) => api.loadFastText(join(folder, name)))
    const [word] = words.words
    return [
      classes.labels,
      classes.classify(['abc', word]),
      classes.sentenceVector(word),
      words.vector(word),
      words.vectors.mostSimilar(word),
      words.vectors.similarities(words.vector('unknown')),
      words.vectors.weight,
    ]
  },
  ggufTokenizer: () =>
    Tokenizer.fromGGUF(join(__dirname, '../../../testdata/golden/gguf/tokenizer-llama.gguf')).encode(TEXT),
  npy: () => {
    api.saveNpy(file('a.npy'), drawn(300, 16))
    const [mapped, read] = [api.loadNpy(file('a.npy'), { map: true }), api.loadNpy(file('a.npy'))]
    const copy = mapped.mul(2)
    // After reading, this checks that the file was not cut short.
    const row = mapped.narrow(0, 0, 1)
    const first = row.toArray()
    row.dispose()
    mapped.dispose()
    return [copy, read, first]
  },
  archives: () => {
    api.saveNpz(file('a.npz'), { a: drawn(300, 16), b: drawn(40, 3) })
    const torch = join(golden, 'torch')
    return [
      api.loadNpz(file('a.npz')),
      api.loadNpz(join(golden, 'npz/compressed.npz'), { map: true }),
      api.loadTorch(join(torch, 'checkpoint.pt')),
      api.loadTorch(join(torch, 'views.pt'), { map: true }),
      api.loadTorch(join(torch, 'deflated.pt')),
    ]
  },
  pretrained: () =>
    ['gpt2-shards', 'gpt2-bin', 'bert'].map((name) => {
      const model = api.loadPretrained(join(golden, name))
      return [[...model.tensors.keys()], model.token, model.position, model.layer().forward([[3, 4, 5]])]
    }),
  records: async () => {
    writeText()
    const lines = Array.from({ length: 300 }, (_, id) => `${JSON.stringify({ id, text: `text ${id}` })}\n`)
    writeFileSync(file('records.jsonl'), lines.join(''))
    writeFileSync(file('records.csv'), `id,text\n${lines.map((_, id) => `${id},"a, ${id}"\n`).join('')}`)
    const results: unknown[] = []
    for (const source of [file('text.txt'), file('records.jsonl'), file('records.csv')])
      for await (const record of api.records(source)) results.push(record)
    const bytes = Buffer.from(TEXT)
    const source = { size: bytes.length, read: (from: number, to: number) => bytes.subarray(from, to) }
    for await (const record of api.records(source)) results.push(record)
    return results
  },
  embedStream: async () => {
    writeText()
    const results: unknown[] = []
    const embedder = api.TextEmbedder.load(join(golden, '../embed/m2v-f32'))
    const { tokenizer, dim } = embedder
    // A table that a caller may hold is read on this thread, which asks for the texts.
    const elements = Float32Array.from({ length: tokenizer.vocabSize * dim }, (_, i) => i % 7)
    const table = api.tensor(elements, { shape: [tokenizer.vocabSize, dim] })
    results.push(table.data.length)
    const own = new api.TextEmbedder({ tokenizer, table })
    for (const one of [embedder, own])
      for await (const { vectors } of api.embedStream({ files: [file('text.txt')] }, { embedder: one }))
        results.push(vectors)
    return results
  },
  safetensors: () => {
    api.saveSafetensors(file('a.safetensors'), { a: drawn(300, 16), b: drawn(40, 3) })
    return [api.loadSafetensors(file('a.safetensors')), api.inspectSafetensors(file('a.safetensors'))]
  },
  writer: () => {
    const writer = new api.TensorWriter(file('rows.safetensors'), {
      a: { dtype: 'float32', shape: [16] },
      b: { dtype: 'int32', shape: [] },
    })
    try {
      writer.write('a', drawn(300, 16))
      writer.write('b', api.arange(300))
      writer.close()
    } finally {
      writer.abort()
    }
    return api.loadSafetensors(file('rows.safetensors'))
  },
  writerAsync: async () => {
    const writer = new api.TensorWriter(file('rows.npy'), { a: { dtype: 'float32', shape: [16] } })
    try {
      await writer.writeAsync('a', drawn(300, 16))
      await writer.closeAsync()
    } finally {
      writer.abort()
    }
    return api.loadNpy(file('rows.npy'))
  },
  word2vec: () => {
    const words = Array.from({ length: 700 }, (_, i) => `w${i}`)
    const results: unknown[] = []
    for (const binary of [true, false]) {
      api.saveWord2Vec(file('v.bin'), words, drawn(700, 16), { binary })
      const vectors = api.loadWord2Vec(file('v.bin'), { binary })
      results.push(vectors.mostSimilar('w3', { topN: 600 }), vectors.similarity('w1', 'w2'))
    }
    api.saveWord2Vec(file('v.txt'), words, drawn(700, 16), { header: false })
    const vectors = api.loadGlove(file('v.txt'))
    api.saveProjector(file('projector'), vectors)
    results.push(vectors.similarity('w1', 'w2'))
    return results
  },
  model: () => {
    const words = Array.from({ length: 900 }, (_, i) => `w${i}`)
    rmSync(file('model'), { recursive: true, force: true })
    api.saveModel(file('model'), { objective: 'mine', tensors: { 'token.weight': drawn(900, 16) }, vocabulary: words })
    return [...api.loadModel(file('model')).vectors.mostSimilar('w3')]
  },
  modelOffTheThread: async () => {
    const words = Array.from({ length: 900 }, (_, i) => `w${i}`)
    rmSync(file('model'), { recursive: true, force: true })
    const parts = { objective: 'mine', tensors: { 'token.weight': drawn(900, 16) } }
    await api.saveModelAsync(file('model'), { ...parts, vocabulary: words })
    const model = await api.loadModelAsync(file('model'), { verify: true })
    const found = await model.vectors.mostSimilarAsync('w3', { topN: 600 })
    const tokenizer = api.Tokenizer.fromFile(join(__dirname, '../../../testdata/golden/hf/wordpiece.json'))
    const table = drawn(tokenizer.vocabSize, 4)
    await api.saveModelAsync(file('other'), { ...parts, tensors: { 'token.weight': table }, vocabulary: tokenizer })
    const other = await api.loadModelAsync(file('other'))
    return [...found, other.tokenizer!.vocabSize]
  },
  modelOfAnotherKind: () => {
    mkdirSync(file('pointer'), { recursive: true })
    writeFileSync(file('pointer/model.json'), 'version https://git-lfs.github.com/spec/v1\n')
    try {
      return api.loadModel(file('pointer'))
    } catch (error) {
      if (error instanceof api.FormatError) return error.message
      throw error
    }
  },
}
