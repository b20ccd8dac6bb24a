// Runs every function that needs memory, with each of its requests for memory refused in turn. Each run must give an
// error of this package or the right result, and the same objects must give the right result afterwards. The scenarios
// cover every export of the native side.
//
//   node exhausted.js scenario [first request]
//
// prints a line of JSON before each request is refused, so that the parent knows which one ended the process.

import { called, exported, refusing } from '../support/failing.js'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import * as api from '../../index.js'
import { root } from '../support/golden.js'
import { temporaryFolder } from '../support/temporary.js'
import { drawn, functions, ids, learned, losses } from './exhausted-functions.js'

const { Embedding, EmbeddingBag, Generator, Tensor, Tokenizer, Trainer } = api
const folder = temporaryFolder()
const file = (name: string) => join(folder, name)
const golden = join(root, 'testdata/golden/pretrained')
const TEXT = Array.from(
  { length: 4000 },
  (_, i) => `word${(i * 31) % 97} of line ${i % 13}${i % 20 === 0 ? '\n' : ' '}`,
).join('')
const tokenizer = () => Tokenizer.load('gpt2')

/** A digest of any result. */
function digest(value: unknown): string {
  const hash = createHash('sha256')
  const walk = (it: unknown): void => {
    if (it instanceof Tensor) walk([it.dtype, it.shape, it.data])
    else if (ArrayBuffer.isView(it)) hash.update(Buffer.from(it.buffer, it.byteOffset, it.byteLength))
    else if (it instanceof Map) walk([...it])
    else if (Array.isArray(it)) it.forEach(walk)
    else hash.update(JSON.stringify(it) ?? 'nothing')
  }
  walk(value)
  return hash.digest('hex')
}

const step = async (make: (params: api.Tensor[]) => { step(): void; zeroGrad(): void }, sparse: boolean) => {
  const layer = new Embedding(600, 16, { sparse, generator: new Generator(1) })
  const optimizer = make([layer.weight])
  for (let i = 0; i < 3; i++) {
    layer.forward(ids(2000, 600)).sum().backward()
    optimizer.step()
    optimizer.zeroGrad()
  }
  return layer.weight.clone()
}

const PAIRS = { dim: 16, epochs: 1, minCount: 1, seed: 1 } as const
async function* cut(): AsyncGenerator<string> {
  yield TEXT.slice(0, 9000)
  yield TEXT.slice(9000)
}
const pieces = () => ({ pieces: cut() })
const LABELLED = Array.from({ length: 300 }, (_, i) => ({ text: `a${i} b${i % 7} c`, label: i % 2 ? 'x' : 'y' }))
const train = async (options: api.TrainerOptions, source: () => api.Corpus = pieces) => {
  const { tensors } = await new Trainer(source(), options).run({ steps: 3 })
  return Object.values(tensors)
}
async function collected(stream: AsyncIterable<Uint32Array>): Promise<number[]> {
  const all: number[] = []
  for await (const part of stream) all.push(...part)
  return all
}

/** A folder of token ids, written once. */
const corpus = () => once('corpus', () => api.saveTokens(file('ids'), { ids: [ids(9000, 900), ids(50, 40)] }))

function writeText(): void {
  if (!existsSync(file('text.txt'))) writeFileSync(file('text.txt'), TEXT)
}

/** Objects that are made once and kept between runs of a scenario. */
const made = new Map<string, unknown>()
function once<T>(name: string, make: () => T): T {
  if (!made.has(name)) made.set(name, make())
  return made.get(name) as T
}

const scenarios: Record<string, () => unknown> = {
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
  bagAsync: async () => {
    const layer = once('bagAsync', () => new EmbeddingBag(900, 8, { mode: 'sum', generator: new Generator(1) }))
    const offsets = Int32Array.from({ length: 1200 }, (_, i) => i * 2)
    return layer.forwardAsync(ids(2400, 900), offsets)
  },
  quantized: async () => {
    const weight = once('quantized', () => drawn(900, 64))
    const results: unknown[] = []
    for (const kind of ['int8', 'int4', 'float16'] as const) {
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
  arithmetic: () => {
    const [a, b] = [drawn(64, 96), drawn(96, 64)]
    const sum = a.transpose(0, 1).add(b).sub(1).mul(2).div(3)
    const unary = [sum.relu(), sum.gelu(), sum.tanh(), sum.sigmoid(), sum.sqrt(), sum.softmax(0), sum.logSoftmax(1)]
    const grown = [a.clone(), b.clone()]
    for (const one of grown) one.requiresGrad = true
    const grads = learned(grown, () => grown[0].matmul(grown[1]).gelu().softmax(0).mean(0).sum())
    return [...unary, a.to('float64'), a.to('float16'), a.sum(0), a.mean(1), api.concat([a, a], 1), ...grads]
  },
  functions,
  losses,
  network: () => {
    const parts = [drawn(300, 64), drawn(64), drawn(64)]
    for (const part of parts) part.requiresGrad = true
    const targets = ids(300, 64)
    return [
      learned(parts, () => api.layerNorm(parts[0], parts[1], parts[2])),
      learned([parts[0]], () => api.crossEntropy(parts[0], targets)),
      learned([parts[0]], () => api.dropout(parts[0], 0.5, { generator: new Generator(1) })),
    ]
  },
  draws: () => {
    const generator = new Generator(1)
    const state = generator.getState()
    const all = [api.randn([3000], { generator }), api.rand([3000], { generator }), api.randperm(3000, { generator })]
    const wide = { generator, dtype: 'float64' as const }
    all.push(api.randn(3000, wide), api.rand(3000, wide), api.randint(9, [3000], { generator }))
    all.push(api.multinomial(api.ones(3000), 900, { replacement: true, generator }))
    generator.setState(state)
    return [...all, api.randperm(300, { generator }), generator.manualSeed(2).getState()]
  },
  parallelDraws: () => api.randn([600_000], { generator: new Generator(1) }).sum(),
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
  dense: () => {
    const weight = api.randn([600, 16], { generator: new Generator(1), requiresGrad: true })
    const optimizer = new api.AdamW([weight], { lr: 0.1 })
    for (let i = 0; i < 2; i++) {
      weight.mul(weight).sum().backward()
      api.clipGradNorm([weight], 0.5)
      optimizer.lr = 0.1 / (i + 1)
      optimizer.step()
      optimizer.zeroGrad()
    }
    return weight.clone()
  },
  accumulated: () => {
    const layer = new Embedding(600, 16, { generator: new Generator(1) })
    layer.weight.grad = api.zeros([600, 16])
    layer.forward(ids(2000, 600)).sum().backward()
    const part = layer.weight.narrow(0, 10, 500).mul(2)
    const { grad } = layer.weight
    layer.weight.dispose()
    return [grad, part]
  },
  large: () => api.zeros([1100, 1000]).sum(),
  sgd: () => step((params) => new api.SGD(params, { lr: 0.1, momentum: 0.9 }), true),
  adam: () => step((params) => new api.Adam(params, { lr: 0.1 }), false),
  lazyAdam: () => step((params) => new api.AdamW(params, { lr: 0.1 }), true),
  sparseAdam: () => step((params) => new api.SparseAdam(params, { lr: 0.1 }), true),
  rmsprop: () => step((params) => new api.RMSprop(params, { momentum: 0.9, centered: true }), true),
  lion: () => step((params) => new api.Lion(params, { lr: 0.1, maximize: true }), true),
  amsgrad: () => step((params) => new api.Adam(params, { lr: 0.1, amsgrad: true }), true),
  adagrad: () => step((params) => new api.Adagrad(params, { lr: 0.1 }), true),
  rowAdagrad: () => step((params) => new api.RowWiseAdagrad(params, { lr: 0.1 }), true),
  clip: () => {
    const layers = [true, false].map((sparse) => new Embedding(3000, 8, { sparse, generator: new Generator(1) }))
    for (const { weight, ...layer } of layers.map((it) => ({ weight: it.weight, forward: it.forward.bind(it) }))) {
      layer.forward(ids(2000, 3000)).sum().backward()
      layer.forward(ids(100, 3000)).sum().backward()
      void weight
    }
    const weights = layers.map(({ weight }) => weight)
    const norm = api.clipGradNorm(weights, 0.5)
    api.clipGradNorm(weights, 0.5, { normType: 3 })
    api.clipGradValue(weights, 0.001)
    return [norm, ...weights.map(({ grad }) => (grad instanceof Tensor ? grad : grad!.toDense()))]
  },
  encode: () => [tokenizer().encode(TEXT), tokenizer().count(TEXT), tokenizer().encode('x'.repeat(20_000))],
  encodeBatch: () => {
    const texts = TEXT.split('\n')
    const { ids, offsets } = tokenizer().encodeBatch(texts)
    const padded = tokenizer().encodeBatch(texts, { padding: 'longest' } as never) as never as {
      ids: unknown
      mask: unknown
      lengths: unknown
    }
    return [ids, offsets, padded.ids, padded.mask, padded.lengths]
  },
  encodeOffsets: () => {
    const path = join(__dirname, '../../../testdata/golden/hf/wordpiece.json')
    const file = once('located', () => Tokenizer.fromFile(path))
    return [tokenizer(), file].flatMap((it) => {
      const { ids, starts, ends } = it.encodeOffsets(TEXT)
      return [ids, starts, ends]
    })
  },
  encodePair: () => {
    const { ids, typeIds, wordIds } = tokenizer().encodePair(TEXT, TEXT, { maxLength: 900 })
    const rows = tokenizer().encodeBatch(TEXT.split('\n'), { maxLength: 20, overflow: true, stride: 5 })
    return [ids, typeIds, wordIds, rows.ids, rows.samples, tokenizer().vocabulary().size, tokenizer().id(' the')]
  },
  pretokenized: () => [tokenizer().encodeOffsets(TEXT.split(' '), { pretokenized: true }).ids],
  encodeAsync: async () => [await tokenizer().encodeAsync(TEXT), await tokenizer().encodeAsync('x'.repeat(600_000))],
  encodeBatchAsync: async () => {
    const texts = TEXT.split('\n')
    const { ids, offsets } = await tokenizer().encodeBatchAsync(texts)
    const padded = await tokenizer().encodeBatchAsync(texts, { padding: 'longest' } as never)
    return [ids, offsets, ...Object.values(padded)]
  },
  tokenizerFile: () => {
    const name = join(__dirname, '../../../testdata/golden/hf/wordpiece.json')
    const it = once('file', () => Tokenizer.fromFile(name))
    const encoded = it.encode('the quick brown fox '.repeat(40))
    const decoder = it.decoder()
    return [encoded, it.decode(encoded), decoder.write(encoded), decoder.end()]
  },
  decode: () => {
    const wide = BigInt64Array.from(tokenizer().encode(TEXT), BigInt)
    const decoder = tokenizer().decoder()
    return [
      tokenizer().decode(wide),
      ...Array.from({ length: 3 }, (_, id) => tokenizer().tokenBytes(id)),
      decoder.write(wide),
      decoder.end(),
      tokenizer().token(5),
    ]
  },
  loader: () => {
    const loader = api.createDataLoader(ids(20_000, 900), {
      batchSize: 16,
      maxLength: 64,
      stride: 8,
      generator: new Generator(1),
    })
    const first = [...loader].flatMap(({ inputs, targets }) => [inputs, targets])
    const inOrder = api.createDataLoader(ids(20_000, 900), { batchSize: 16, maxLength: 64, stride: 64, shuffle: false })
    return [...first.slice(0, 4), ...[...inOrder].map(({ inputs }) => inputs)]
  },
  streamPieces: async () => collected(api.streamIds(pieces(), { tokenizer: tokenizer() })),
  streamTexts: async () => collected(api.streamIds({ texts: [TEXT, TEXT] }, { tokenizer: tokenizer() })),
  loaderFiles: () => {
    writeText()
    return api.createDataLoader({ files: [file('text.txt'), file('text.txt')] }, { tokenizer: tokenizer() }).ids
  },
  streamFiles: async () => {
    writeText()
    return collected(api.streamIds({ files: [file('text.txt')] }, { tokenizer: tokenizer() }))
  },
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
  nextTokenFolder: async () => {
    const { path } = await corpus()
    return train({ objective: 'next-token', dim: 4, contextLength: 16, seed: 1, softmax: { samples: 16 } }, () => ({
      folder: path,
    }))
  },
  pairsFolder: async () => {
    const { path } = await corpus()
    return train({ ...PAIRS, dim: 4, objective: 'skip-gram' }, () => ({ folder: path }))
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
  pretrained: () =>
    ['gpt2-shards', 'gpt2-bin', 'bert'].map((name) => {
      const model = api.loadPretrained(join(golden, name))
      return [model.token, model.position, model.layer().forward([[3, 4, 5]])]
    }),
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
  neighbours: () => {
    const words = Array.from({ length: 700 }, (_, i) => `w${i}`)
    const vectors = new api.Vectors(drawn(700, 16), words, { fixed: true })
    const queries = words.slice(0, 90)
    return [vectors.mostSimilarBatch(queries, { topN: 300 }), vectors.add(['x'], [vectors.vector('w1')]).vector('x')]
  },
  skipGram: () => train({ ...PAIRS, objective: 'skip-gram' }),
  cbow: () => train({ ...PAIRS, objective: 'cbow' }),
  nextToken: () => train({ objective: 'next-token', dim: 16, contextLength: 16, seed: 1, minCount: 1 }),
  nextTokenSampled: () =>
    train(
      {
        objective: 'next-token',
        dim: 16,
        contextLength: 16,
        seed: 1,
        tied: true,
        softmax: { samples: 64 },
        vocabSize: 300,
      },
      () => Uint32Array.from(ids(9000, 300)),
    ),
  classify: () => train({ objective: 'classify', dim: 16, seed: 1 }, () => LABELLED),
  classifyTexts: () =>
    train({ objective: 'classify', dim: 16, seed: 1, tokenizer: tokenizer() }, () => ({ examples: LABELLED })),
  tokens: () =>
    train({ ...PAIRS, objective: 'skip-gram' }, () => ({
      tokens: TEXT.split('\n').map((line) => line.match(/\S+/g) ?? []),
    })),
  classifyFiles: () => {
    const lines = Array.from({ length: 300 }, (_, i) => `__label__${i % 2} a${i} b${i % 7} c\n`).join('')
    writeFileSync(file('lines.txt'), lines)
    return train({ objective: 'classify', dim: 16, seed: 1, tokenizer: tokenizer() }, () => ({
      files: [file('lines.txt')],
    }))
  },
  checkpoint: async () => {
    const path = file('run.safetensors')
    const source = Uint32Array.from(ids(9000, 300))
    await new Trainer(source, { ...PAIRS, objective: 'skip-gram', vocabSize: 300 }).run({
      steps: 2,
      checkpoint: { path },
    })
    const { tensors } = await (await Trainer.resume(path, source)).run({ steps: 2 })
    return Object.values(tensors)
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
  model: () => {
    const words = Array.from({ length: 900 }, (_, i) => `w${i}`)
    rmSync(file('model'), { recursive: true, force: true })
    api.saveModel(file('model'), { objective: 'mine', tensors: { 'token.weight': drawn(900, 16) }, vocabulary: words })
    return [...api.loadModel(file('model')).vectors.mostSimilar('w3')]
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
  sharing: () => {
    const table = drawn(900, 16)
    const handle = table.share()
    const other = Tensor.fromShared(handle)
    const sum = other.mul(2)
    other.dispose()
    table.unshare()
    return sum
  },
  facts: () => {
    const { isa } = api.capabilities()
    api.setNumThreads(2)
    return [isa, api.getNumThreads()]
  },
}

async function main(name: string, first: number): Promise<void> {
  const run = scenarios[name]
  // The scenario runs twice, so that one-time allocations are made before the test, and results that vary are noticed.
  const wanted = digest(await run())
  if (digest(await run()) !== wanted) throw new Error(`${name} has another result each time`)
  for (let request = first; ; request++) {
    writeSync(1, `${JSON.stringify({ request })}\n`)
    const { value, error, reached } = await refusing(request, async () => digest(await run()))
    if (error !== undefined && !(error instanceof api.MemoryError))
      throw new Error(`${name}, request ${request}: another error`, { cause: error })
    if (error === undefined && value !== wanted) throw new Error(`${name}, request ${request}: a wrong result`)
    if (error !== undefined && !reached)
      throw new Error(`${name}, request ${request}: an error before it`, { cause: error })
    if (digest(await run()) !== wanted) throw new Error(`${name}, request ${request}: another result afterwards`)
    if (!reached) break
  }
  writeSync(1, `${JSON.stringify({ called: [...called] })}\n`)
}

if (process.argv[2] === undefined) writeSync(1, JSON.stringify({ scenarios: Object.keys(scenarios), exported }))
else void main(process.argv[2], Number(process.argv[3] ?? 1))
