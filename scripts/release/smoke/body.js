// What a user's first programs do, with all that crosses into the native part; prints one JSON object. The same on
// every runtime, and to the bit: smoke.mjs, smoke.cjs and smoke.ts are this after an import each.
const hash = (array) =>
  createHash('sha256')
    .update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength))
    .digest('hex')
    .slice(0, 16)

manualSeed(123)
const tokenizer = Tokenizer.load('gpt2')
const layer = new TokenPositionEmbedding({ vocabSize: tokenizer.vocabSize, contextLength: 4, dim: 256 })
const text = 'In the heart of the city stood the old library, a relic from a bygone era.'
const batches = []
for (const { inputs } of createDataLoader(text, { batchSize: 2, maxLength: 4, stride: 4, shuffle: false }))
  batches.push(hash(layer.forward(inputs).data))

const ids = [
  [1, 2],
  [3, 0],
]
const embedding = new Embedding(6, 3, { paddingIdx: -1 })
const away = await embedding.forwardAsync(ids)
const bags = new EmbeddingBag(6, 8, { mode: 'mean' }).forward(ids)
const table = quantize(randn([6, 8]), 'int8')
const file = join(mkdtempSync(join(tmpdir(), 'tokenbed-smoke-')), 'x.safetensors')
saveSafetensors(file, { weight: embedding.weight })
const loaded = loadSafetensors(file).get('weight')

let refused
try {
  embedding.forward([[1, 6]])
} catch (error) {
  refused = { code: error.code, known: error instanceof TokenIndexError, message: error.message }
}

const worker = new Worker(new URL(WORKER, BASE))
const [fromWorker] = await once(worker, 'message')
await worker.terminate()

const result = {
  batches,
  lookup: hash(embedding.forward(ids).data),
  async: hash(away.data) === hash(embedding.forward(ids).data),
  bags: hash(bags.data),
  quantized: hash(Embedding.fromPretrained(table).forward(ids).data),
  saved: hash(loaded.data) === hash(embedding.weight.data),
  tokens: [...tokenizer.encode('Hello, world!')],
  refused,
  worker: fromWorker,
  kernels: Object.fromEntries(
    selfTest()
      .filter(({ isa }) => isa === 'scalar')
      .map(({ op, digest }) => [op, digest]),
  ),
  wrongKernels: selfTest().filter(({ ok }) => !ok).length,
}
console.log(JSON.stringify(result))
