// Code around the code blocks of README.md and docs/ when they run: what a reader of the page has at that point, and a
// check of the result.

/** Code to run before and after a block. */
export interface Surroundings {
  readonly before?: string
  readonly after?: string
}

const TABLE = 'const layer = new Embedding(50, 8)'
const INPUT = 'const layer = new TokenPositionEmbedding({ vocabSize: 50, contextLength: 16, dim: 8 })'
const WORDS = "const words = ['whale', 'ship', 'boat', 'sea', 'sky', 'king', 'queen', 'man', 'woman']"

const REVIEWS = `import { readFileSync, writeFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
writeFileSync('reviews.jsonl.gz', gzipSync(readFileSync('reviews.jsonl')))`

/**
 * The surroundings of each page's TypeScript blocks, in their order on the page. Pages without such blocks are left
 * out.
 */
export const SURROUNDINGS: Record<string, readonly Surroundings[]> = {
  'README.md': [{}],
  'docs/errors.md': [{}],
  'docs/guide/machines.md': [
    {},
    {
      before: `${INPUT}\nconst ids = Int32Array.of(1, 2, 3)\nconst out = zeros([3, 8])`,
      after: 'if (mean.shape[0] !== 8) throw new Error(String(mean))',
    },
    { before: TABLE },
    { after: 'if (sum.shape.length !== 0) throw new Error(String(sum))' },
  ],
  // The first block trains, and has a test of its own.
  'docs/guide/training.md': [
    {},
    {
      before: 'const [values, lengths] = [[1, 2, 3, 7, 40, 41], [2, 1, 0, 1, 1, 1]]',
      after: 'if (x.shape.join() !== "2,136") throw new Error(String(x.shape))',
    },
    {},
    { after: 'if (!(record.heldOut!.length > 0)) throw new Error(String(record))' },
    { after: 'if (!(training.heldOut!.length > 0)) throw new Error(String(embedding))' },
    {
      before: "import type { TrainResult } from 'tokenbed'",
      after: 'if (!(best.training.heldOut!.length > 0)) throw new Error(String(best))',
    },
    { after: 'if ((await grown.run()).counts.length !== 5) throw new Error("words")' },
  ],
  'docs/guide/gradients.md': [
    { after: 'if (String(layer.weight.grad).length === 0) throw new Error(String(loss))' },
    { after: 'if (head.weight.grad === null) throw new Error(String(loss))' },
    {},
    { after: 'if (best.item() !== 18 || String(indices.toArray()) !== "0,2,1,2") throw new Error(String(values))' },
    { after: 'if (scores.shape.length !== 4) throw new Error(String(scores))' },
    { after: 'schedule.step()' },
    { after: 'if (optimizers.length !== 2 || small.lr !== 0.01) throw new Error(String(small))' },
    {},
  ],
  'docs/guide/ids.md': [
    { after: "if (text !== 'Hello, world!') throw new Error(text)" },
    {
      before: "const tokenizer = Tokenizer.load('gpt2')",
      after: `if (tokens[0].text !== 'Call' || tokens.at(-1)!.text !== '\u{1f40b}') throw new Error(JSON.stringify(tokens))`,
    },
    {
      before:
        "const tokenizer = Tokenizer.load('gpt2')\nconst texts = ['a', 'a b']\nconst bag = new EmbeddingBag(50257, 8)",
      after: 'if (String(vectors.toArray()) !== String(same.toArray())) throw new Error(String(also))',
    },
    {
      before: "const tokenizer = Tokenizer.load('gpt2')\nconst texts = ['a', ' b'.repeat(500)]",
      after: 'if (String(samples) !== "0,1,1") throw new Error(String([ids, mask, samples]))',
    },
    {
      before: "const tokenizer = Tokenizer.load('gpt2')",
      after: 'if (String(tagged.wordIds) !== "0,1,2,3") throw new Error(String([pair.typeIds, tagged.wordIds]))',
    },
    { after: 'if (ranks.vocabSize !== 2001) throw new Error(String(ranks.vocabSize))' },
    {
      before: "const tokenizer = Tokenizer.load('gpt2')\nconst texts = ['a', 'a b']",
      after: 'if (String(mask.toArray()) !== "true,false,true,true") throw new Error(String(ids))',
    },
  ],
  'docs/guide/windows.md': [
    {},
    {},
    { after: 'if (loader.windows !== 3) throw new Error(String(loader.windows))' },
    { after: 'if (weighted.length !== 25 || stream === null) throw new Error(String(weighted.length))' },
  ],
  'docs/guide/positions.md': [
    { after: 'if (earlier.shape[1] !== 1) throw new Error(String(vectors))' },
    {
      after: `for (const [name, part] of Object.entries(layer.stateDict())) {
        if (part.data[0] !== name.length || part.data.at(-1) !== name.length) throw new Error(name)
      }`,
    },
    { before: `${INPUT}\nconst vectors = randn([2, 3, 8])` },
    {
      before: "const file = new Map([['wq.weight', randn([64, 8])]])",
      after: 'if (wq.shape[0] !== 64) throw new Error(String(wq))',
    },
    {
      before: "const query = randn([2, 5, 4, 128])\nconst positions = zeros([3, 2, 5], { dtype: 'int32' })",
      after: 'if (rotary.forward(query).shape.join() !== "2,5,4,128") throw new Error(String(query.shape))',
    },
    {
      before: `${INPUT}
        const [next, past, heads] = [5, 7, 2]
        const [query, keys] = [randn([1, heads, 1, 4]), randn([1, heads, past + 1, 4])]
        const [allKeys, memoryAndKeys] = [keys, keys]
        const rotary = new RotaryEmbedding({ dim: 4 })
        const t5 = new T5RelativeBias({ heads, bidirectional: false })
        const shaw = new ShawRelativePositions({ maxDistance: 4, headDim: 4 })
        const xl = new TransformerXLPositions({ heads, headDim: 4, dim: 8 })`,
    },
    {
      before: `${INPUT}
        const tokenizer = Tokenizer.fromFile('padding.json')
        const ids = [[1, 2, 0], [3, 0, 0]]
        const rotary = new RotaryEmbedding({ dim: 4 })
        const [query, x] = [randn([2, 3, 2, 4]), randn([4, 2, 4])]
        const [values, offsets] = [[1, 2, 3, 4], [0, 3, 4]]`,
      after: 'if (String(mask.toArray()) !== "true,true,false,true,false,false") throw new Error(String(mask))',
    },
    {
      before: `const [vocabSize, dim] = [50, 8]\n${INPUT}`,
      after: 'if (longer.position.weight.shape[0] !== 2048) throw new Error(String(longer.position.weight))',
    },
  ],
  'docs/search.md': [
    {
      before: 'const [queries, rows] = [randn([3, 8]), randn([50, 8])]',
      after: "if (ids.shape.join() !== '3,10' || scores.dtype !== 'float32') throw new Error(String(ids))",
    },
    {
      before: 'const rows = randn([50, 8])\nconst lines = Array.from({ length: 50 }, (_, i) => `line ${i}`)',
      after:
        'if (labels.length !== 50 || unique.length === 0 || centers.shape[0] !== 8) throw new Error(String(inertia))',
    },
    {
      before: "const text = 'It rose. It blew. '.repeat(200)",
      after: "if (chunks.map((chunk) => text.slice(chunk.start, chunk.end)).length < 2) throw new Error('one chunk')",
    },
  ],
  'docs/vectors.md': [
    {
      before: `${WORDS}\nconst counts = new Float64Array(words.length).fill(1)\nconst layer = new Embedding(words.length, 8)`,
      after:
        "if (model.objective !== 'skip-gram' || model.words!.length !== words.length) throw new Error(model.objective)",
    },
    { before: "const model = loadModel('words')" },
    { before: "const { vectors } = loadModel('words')" },
    {
      before: "const { vectors } = loadModel('words')",
      after: 'if (more.size !== 10) throw new Error(String(more.size))',
    },
    { before: "const { vectors } = loadModel('words')" },
    { before: "const texts = ['good', 'bad and good']" },
    {
      before: "const model = loadModel('words')",
      after: 'if (vectors.size !== 9) throw new Error(String(vectors.size))',
    },
    {
      before: 'const [weight, table] = [randn([3, 8]), randn([2, 8])]',
      after:
        "if (String(loadWord2Vec('llama.bin', { escape: true }).words) !== String(vectors.tokens())) throw new Error(String(vectors.tokens()))",
    },
    {
      before: `${WORDS}\nconst counts = words.map((_, i) => 10 * i)
        const [layer, head] = [new Embedding(words.length, 8), randn([words.length, 8], { requiresGrad: true })]
        const optimizer = new AdamW([layer.weight, head])
        const [whale, boat] = [0, 2]`,
      after:
        'if (after.tables.token.numEmbeddings !== after.tables.head.shape[0] || optimizer2.lr !== optimizer.lr) throw new Error(String(after.tables.head))',
    },
    { after: 'if (near.length !== 3) throw new Error(String(near.length))' },
  ],
  'docs/guide/tables.md': [
    {},
    {},
    { after: 'if (vectors.shape.length !== 2) throw new Error(String(vectors))' },
    { after: 'if (String(x.shape) !== "1,3,16") throw new Error(String(x))' },
    { after: 'if (metadata.get("general.name") !== "small" || tensors.size !== 1) throw new Error(String(ids))' },
    {},
    {},
    { after: "if (loadNpz('copy.npz').size !== arrays.size) throw new Error(String(arrays.size))" },
    { after: "if (loadWord2Vec('glove.bin').size !== vectors.size) throw new Error(String(vectors.size))" },
    { after: 'if (String(names) !== "a,b c,é" || dim !== 4) throw new Error(String(names))' },
  ],
  'docs/guide/text-to-vectors.md': [
    { after: 'if (String(many.shape) !== "3,16") throw new Error(String(many.shape))' },
    { after: 'if (vector.shape[0] !== 64) throw new Error(String(vector))' },
    { after: "if (TextEmbedder.load('text-embedder').dim !== embedder.dim) throw new Error(String(embedder.dim))" },
    { after: 'if (vectors.shape[1] !== vector.length) throw new Error(String(vectors))' },
  ],
  'docs/guide/pipelines.md': [
    { before: REVIEWS },
    {},
    {
      before: "import { hasSubscribers } from 'node:diagnostics_channel'",
      after: "if (!hasSubscribers('tokenbed:batch')) throw new Error('nobody listens')",
    },
    {
      before: `${REVIEWS}\nimport { rmSync } from 'node:fs'\nrmSync('vectors', { recursive: true, force: true })`,
      after: 'if (manifest.rows !== 2) throw new Error(String(manifest.rows))',
    },
    { after: 'if (hits + misses !== 4) throw new Error(String([hits, misses]))' },
  ],
  'docs/corpora.md': [
    { after: 'if (loader.ids.length !== info.ids || info.documents !== 2) throw new Error(JSON.stringify(info))' },
  ],
}
