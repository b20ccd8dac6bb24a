// Objects with private contents, passed to functions that copy, compare, count and print objects: each gives an error
// or uses the contents.

import test, { type ExecutionContext } from 'ava'
import assert from 'node:assert'
import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { inspect, isDeepStrictEqual } from 'node:util'
import { deserialize, serialize } from 'node:v8'
import { MessageChannel, Worker } from 'node:worker_threads'
import * as tokenbed from '../../index.js'
import { refuses } from '../support/errors.js'
import { root } from '../support/golden.js'
import { temporaryFolder } from '../support/temporary.js'

const {
  arange,
  concat,
  createDataLoader,
  Embedding,
  EmbeddingBag,
  Generator,
  ones,
  quantize,
  randn,
  saveModel,
  loadModel,
  SGD,
  tensor,
  Tensor,
  Tokenizer,
  zeros,
} = tokenbed
const base = temporaryFolder()
const folderOfIds = join(base, 'ids')
/** Opened before the tests, because opening takes a turn of the event loop. */
const rowStores: tokenbed.RowStore[] = []

test.before(async () => {
  await tokenbed.saveTokens(folderOfIds, { texts: ['one', 'two'] })
  const rows = { rows: 4, dim: 2, dtype: 'float32', read: async () => [] } as const
  for (let i = 0; i < 100; i++) rowStores.push(await tokenbed.RowStore.open(rows))
})

function sparseGrad(rows: number[][] = [[1, 2]]): tokenbed.SparseGrad {
  const layer = Embedding.fromPretrained(zeros([4, rows[0].length]), { freeze: false, sparse: true })
  layer.forward([2]).mul(tensor(rows)).sum().backward()
  return layer.weight.grad as tokenbed.SparseGrad
}

function model(): tokenbed.Model {
  const folder = mkdtempSync(join(base, 'm-'))
  saveModel(folder, { objective: 'cbow', tensors: { 'token.weight': ones([2, 3]) }, vocabulary: ['a', 'b'] })
  return loadModel(folder)
}

const learned = () => ones([2, 2], { requiresGrad: true })

/** A fresh object of each class. */
const MAKERS: Record<string, () => object> = {
  Tensor: () =>
    tensor([
      [1, 2],
      [3, 4],
    ]),
  TextEmbedder: () => tokenbed.TextEmbedder.load(join(root, 'testdata/golden/embed/m2v-f32')),
  SparseGrad: () => sparseGrad(),
  Generator: () => new Generator(1),
  Embedding: () => new Embedding(4, 3),
  EmbeddingBag: () => new EmbeddingBag(4, 3),
  EmbeddingBagCollection: () =>
    new tokenbed.EmbeddingBagCollection([{ name: 'words', numEmbeddings: 4, embeddingDim: 3 }]),
  QuantizedTable: () => quantize(ones([2, 8]), 'int8'),
  TokenPositionEmbedding: () => new tokenbed.TokenPositionEmbedding({ vocabSize: 4, contextLength: 2, dim: 3 }),
  RotaryEmbedding: () => new tokenbed.RotaryEmbedding({ dim: 4 }),
  ShawRelativePositions: () => new tokenbed.ShawRelativePositions({ maxDistance: 2, headDim: 4 }),
  T5RelativeBias: () => new tokenbed.T5RelativeBias({ bidirectional: true, heads: 2 }),
  TransformerXLPositions: () => new tokenbed.TransformerXLPositions({ heads: 2, headDim: 4, dim: 8 }),
  SGD: () => new SGD([learned()], { lr: 0.1 }),
  Adam: () => new tokenbed.Adam([learned()]),
  AdamW: () => new tokenbed.AdamW([learned()]),
  SparseAdam: () => new tokenbed.SparseAdam([learned()]),
  Adagrad: () => new tokenbed.Adagrad([learned()]),
  RowWiseAdagrad: () => new tokenbed.RowWiseAdagrad([learned()]),
  'a group of parameters': () => new SGD([learned()], { lr: 0.1 }).groups[0],
  RMSprop: () => new tokenbed.RMSprop([learned()]),
  Lion: () => new tokenbed.Lion([learned()]),
  Adafactor: () => new tokenbed.Adafactor([learned()]),
  Muon: () => new tokenbed.Muon(new tokenbed.Linear(3, 2, { bias: false }).parameters()),
  Linear: () => new tokenbed.Linear(3, 2),
  LayerNorm: () => new tokenbed.LayerNorm(3),
  Dropout: () => new tokenbed.Dropout(),
  StepLR: () => new tokenbed.StepLR(new SGD([learned()], { lr: 0.1 }), { stepSize: 2 }),
  MultiStepLR: () => new tokenbed.MultiStepLR(new SGD([learned()], { lr: 0.1 }), { milestones: [1] }),
  ExponentialLR: () => new tokenbed.ExponentialLR(new SGD([learned()], { lr: 0.1 }), { gamma: 0.9 }),
  PolynomialLR: () => new tokenbed.PolynomialLR(new SGD([learned()], { lr: 0.1 })),
  LambdaLR: () => new tokenbed.LambdaLR(new SGD([learned()], { lr: 0.1 }), () => 1),
  CosineAnnealingWarmRestarts: () =>
    new tokenbed.CosineAnnealingWarmRestarts(new SGD([learned()], { lr: 0.1 }), { t0: 2 }),
  OneCycleLR: () => new tokenbed.OneCycleLR(new tokenbed.Adam([learned()]), { maxLr: 1, totalSteps: 10 }),
  ReduceLROnPlateau: () => new tokenbed.ReduceLROnPlateau(new SGD([learned()], { lr: 0.1 })),
  ChainedScheduler: () =>
    new tokenbed.ChainedScheduler([new tokenbed.StepLR(new SGD([learned()], { lr: 0.1 }), { stepSize: 2 })]),
  LRSchedule: () => new tokenbed.LRSchedule(new SGD([learned()], { lr: 0.1 }), { type: 'constant' }),
  Tokenizer: () => Tokenizer.fromFile(join(root, 'testdata/golden/hf/wordlevel.json')),
  TokenDecoder: () => Tokenizer.load('gpt2').decoder(),
  DataLoader: () => createDataLoader([1, 2, 3, 4, 5], { maxLength: 2 }),
  RowStore: () => rowStores.pop()!,
  FastText: () => tokenbed.loadFastText(join(root, 'testdata/golden/fasttext/skipgram-ns.bin')),
  Vectors: () => new tokenbed.Vectors(ones([2, 3]), ['a', 'b']),
  Trainer: () => new tokenbed.Trainer(Uint32Array.of(1, 2, 3), { objective: 'next-token', vocabSize: 4 }),
  Model: model,
  TokenFolder: () => tokenbed.openTokens(folderOfIds),
  TensorWriter: () => {
    const writer = new tokenbed.TensorWriter(join(base, `x${Math.random()}.safetensors`), {
      x: { dtype: 'float32', shape: [2] },
    })
    writer.abort()
    return writer
  },
}

test('every exported class is in the list', (t) => {
  const isClass = (one: unknown) =>
    typeof one === 'function' &&
    /^class\b/.test(Function.prototype.toString.call(one)) &&
    !(one.prototype instanceof Error)
  const classes = Object.entries(tokenbed)
    .filter(([name, one]) => isClass(one) && name !== 'Optimizer' && name !== 'LRScheduler')
    .map(([name]) => name)
  t.deepEqual(
    classes.filter((name) => !(name in MAKERS)),
    [],
  )
})

/** The error that everything that copies objects throws. */
function notCloned(t: ExecutionContext, run: () => unknown, what: string): void {
  const error = t.throws(run, { any: true }, what) as Error
  t.regex(error.message, /cannot be cloned or posted: .* could not be cloned/, what)
}

for (const [name, make] of Object.entries(MAKERS)) {
  test(`${name} cannot be cloned or posted`, (t) => {
    const it = make()
    notCloned(t, () => structuredClone(it), 'structuredClone')
    notCloned(t, () => structuredClone({ deep: [it] }), 'inside of another')
    notCloned(t, () => serialize(it), 'v8.serialize')
    const { port1, port2 } = new MessageChannel()
    notCloned(t, () => port1.postMessage(it), 'postMessage')
    port1.close()
    port2.close()
    notCloned(t, () => new Worker('', { eval: true, workerData: it }), 'workerData')
  })

  test(`${name} does not become an empty array`, (t) => {
    const it = make() as ArrayLike<number>
    const arrays: (() => unknown)[] =
      name === 'DataLoader'
        ? []
        : [
            () => Array.from(it),
            () => new Float32Array(it),
            () => Float32Array.from(it),
            () => new Float64Array(4).set(it),
            () => Buffer.from(it as never),
            () => it.length,
            () => Array.prototype.map.call(it, (x) => x),
            () => Reflect.apply(Math.max, null, it as never),
          ]
    for (const run of arrays) refuses(t, run, 'USAGE', 'length', 'nor elements by index')
    if (name !== 'DataLoader') t.throws(() => [...(it as never)], { instanceOf: TypeError })
    else t.is([...(it as never)].length, it.length)
  })

  test(`${name} does not equal one with other contents`, (t) => {
    const [a, b] = [make(), make()]
    t.notThrows(() => assert.deepStrictEqual(a, a))
    t.true(isDeepStrictEqual({ a }, { a }))
    const isByContents = ['Tensor', 'SparseGrad', 'QuantizedTable'].includes(name)
    t.is(isDeepStrictEqual(a, b), isByContents)
    t.is(isDeepStrictEqual({ x: [a] }, { x: [b] }), isByContents)
    t.false(isDeepStrictEqual(a, { ...a }))
    if (!isByContents) t.throws(() => assert.deepStrictEqual(a, b), { instanceOf: assert.AssertionError })
    // Some libraries ask for these.
    t.is(a.valueOf(), a)
    t.is(Object.prototype.toString.call(a), Object.prototype.toString.call(a))
    if (name !== 'a group of parameters') t.true(Object.prototype.toString.call(a).startsWith(`[object ${name} `))
  })

  test(`printing ${name} does not show members that exist only to prevent copies`, (t) => {
    const shown = inspect({ it: make() }, { depth: 4 })
    t.false(/structuredClone|cloned/.test(shown), shown)
    t.regex(inspect([[make()]], { depth: 0 }), /^\[ \[Array\] \]$/)
    t.regex(inspect([make()], { depth: 0 }), /\w/)
  })

  if (['Tensor', 'SparseGrad'].includes(name)) continue
  test(`${name} cannot be converted to JSON`, (t) => {
    const error = refuses(t, () => JSON.stringify({ it: make() }), 'USAGE', 'toJSON: it has no JSON form: ')
    if (name !== 'a group of parameters') t.true(error.message.startsWith(`${name}.toJSON`), error.message)
  })
}

test('tensors become arrays of numbers in JSON', (t) => {
  const json = (it: unknown) => JSON.parse(JSON.stringify(it))
  t.deepEqual(
    json({
      a: tensor([
        [1, 2.5],
        [-3, 0.1],
      ]),
      b: tensor(7),
    }),
    {
      a: [
        [1, 2.5],
        [-3, Math.fround(0.1)],
      ],
      b: 7,
    },
  )
  t.is(
    JSON.stringify(
      tensor([
        [1, 2],
        [3, 4],
      ]),
    ),
    '[[1,2],[3,4]]',
  )
  t.deepEqual(json(tensor([true, false] as never)), [true, false])
  for (const dtype of ['float32', 'float64', 'float16', 'bfloat16', 'int8', 'uint8', 'int32', 'int64'] as const) {
    const x = tensor(
      [
        [1, 2, 3],
        [4, 5, 100],
      ],
      { dtype },
    )
    t.deepEqual(json(x), x.toArray(), dtype)
  }
  t.deepEqual(json(zeros([2, 0])), [[], []])
  t.deepEqual(json(new Embedding(2, 2).weight.detach().set([1, 2, 3, 4])), [
    [1, 2],
    [3, 4],
  ])
  t.deepEqual(json(ones([1024, 1024]).sum(1)).length, 1024)
  t.deepEqual(json(sparseGrad([[5, 6]])), { shape: [4, 2], ids: [2], rows: [[5, 6]] })
})

test('numbers without a JSON form are errors that name their place', (t) => {
  const string = (it: unknown) => () => JSON.stringify({ it })
  refuses(
    t,
    string(
      tensor([
        [1, 2],
        [NaN, 4],
      ]),
    ),
    'USAGE',
    'Tensor.toJSON',
    '[1, 0] is NaN',
  )
  refuses(t, string(tensor([Infinity])), 'USAGE', '[0] is Infinity')
  refuses(t, string(tensor(-Infinity)), 'USAGE', '[] is -Infinity')
  refuses(t, string(tensor([1, 2], { dtype: 'bfloat16' }).div(0)), 'USAGE', '[0] is Infinity')
  refuses(t, string(tensor(new BigInt64Array([1n, 2n ** 60n]))), 'USAGE', '[1] is 1152921504606846976')
  refuses(t, string(zeros([1025, 1024])), 'USAGE', '1049600 elements', '1048576', 'saveSafetensors')
  t.notThrows(string(zeros([1024, 1024])))
  const gone = ones([2])
  gone.dispose()
  refuses(t, string(gone), 'USAGE', 'disposed')
})

test('tensors are equal if type, shape and every element are equal', (t) => {
  const equal = (a: unknown, b: unknown) => isDeepStrictEqual(a, b)
  t.throws(() => assert.deepStrictEqual(tensor([1, 2]), tensor([3, 4])), { instanceOf: assert.AssertionError })
  t.notThrows(() => assert.deepStrictEqual(tensor([1, 2]), tensor([1, 2])))
  t.throws(() => assert.notDeepStrictEqual(tensor([1, 2]), tensor([1, 2])), { instanceOf: assert.AssertionError })
  t.true(equal(new Map([['a', tensor([1, 2])]]), new Map([['a', tensor([1, 2])]])))
  t.false(equal(new Map([['a', tensor([1, 2])]]), new Map([['a', tensor([1, 3])]])))
  t.false(equal(tensor([1, 2]), tensor([1, 2], { dtype: 'float64' })))
  t.false(equal(tensor([1, 2]), tensor([[1, 2]])))
  t.false(equal(tensor([1, 2]), [1, 2]))
  for (const dtype of ['float32', 'float64', 'float16', 'bfloat16'] as const) {
    t.true(equal(tensor([NaN, 1], { dtype }), tensor([0, 1], { dtype }).div(tensor([0, 1], { dtype }))), dtype)
    t.false(equal(tensor([0], { dtype }), tensor([-0], { dtype })), dtype)
    t.false(equal(tensor([Infinity], { dtype }), tensor([NaN], { dtype })), dtype)
    t.false(equal(tensor([Infinity], { dtype }), tensor([-Infinity], { dtype })), dtype)
  }
  t.true(equal(tensor([1, 2, 3]).narrow(0, 1, 2), tensor([2, 3])))
  t.true(equal(Embedding.fromPretrained(ones([2, 3])).weight, ones([2, 3])))
  const x = tensor([1, 2, 3])
  const before = Object.prototype.toString.call(x)
  t.not(Object.prototype.toString.call(x.set([4], 2)), before)
  t.is(Object.prototype.toString.call(x.set([3], 2)), before)
})

test('equality notices every small change of an element', (t) => {
  const generator = new Generator(7)
  const tags = new Map<string, string>()
  const add = (x: tokenbed.Tensor, what: string) => {
    const tag = Object.prototype.toString.call(x)
    t.is(tags.get(tag), undefined, `${what} as ${tags.get(tag)}`)
    tags.set(tag, what)
  }
  const x = randn([64], { generator })
  add(x, 'itself')
  for (let i = 0; i < 64; i++) {
    // Two sign changes alter only the highest bits.
    for (let j = 0; j < i; j++) {
      const data = Float32Array.from(x.data as Float32Array)
      data[i] *= -1
      data[j] *= -1
      add(tensor(data), `signs of ${i} and ${j}`)
    }
    const swapped = Float32Array.from(x.data as Float32Array)
    ;[swapped[i], swapped[(i + 1) % 64]] = [swapped[(i + 1) % 64], swapped[i]]
    add(tensor(swapped), `${i} swapped`)
    for (let bit = 0; bit < 32; bit++) {
      const bits = new Int32Array(Float32Array.from(x.data as Float32Array).buffer)
      bits[i] ^= 1 << bit
      add(tensor(new Float32Array(bits.buffer)), `bit ${bit} of ${i}`)
    }
  }
  for (let n = 0; n < 3000; n++) add(zeros([n]), `${n} zeros`)
  for (let n = 0; n < 256; n++) add(tensor(Uint8Array.of(n)), `the byte ${n}`)
})

test('quantized tables and gradients are compared by their contents', (t) => {
  const table = ones([3, 8])
  for (const kind of ['int8', 'int4', 'int2', 'float8', 'float16', 'bfloat16'] as const) {
    t.true(isDeepStrictEqual(quantize(table, kind), quantize(table, kind)), kind)
    t.false(isDeepStrictEqual(quantize(table, kind), quantize(table.mul(2), kind)), kind)
  }
  t.false(isDeepStrictEqual(sparseGrad([[1, 2]]), sparseGrad([[1, 3]])))
  const gone = quantize(table, 'int8')
  gone.dispose()
  t.is(Object.prototype.toString.call(gone), '[object QuantizedTable disposed]')
})

test('a tensor of one element acts as a number in arithmetic, and a longer one is an error', (t) => {
  const [one, two] = [tensor([[0.5]]), tensor([1, 2])] as unknown as [number, number]
  t.is(one * 2, 1)
  t.is(one + 1, 1.5)
  t.true(one < 1 && one > 0.25)
  t.is(Math.max(one, 0.25), 0.5)
  t.is(Number(tensor(true as never)), 1)
  t.is(Number(arange(1)), 0)
  t.is((tensor(new BigInt64Array([2n ** 60n])) as never) + (1n as never), (2n ** 60n + 1n) as never)
  for (const run of [
    () => two * 2,
    () => -two,
    () => Number(two),
    () => two < 3,
    () => Math.sqrt(two),
    () => isNaN(two),
  ])
    refuses(t, run, 'SHAPE', 'a tensor of shape [2] cannot be converted to a number', 'mul')
  // Where text is wanted, the printed form is used.
  t.is(`${two} ${one}`, 'tensor([1., 2.]) tensor([[0.5000]])')
  t.is('' + two, 'tensor([1., 2.])')
})

test('prototypes and objects without contents can be inspected', (t) => {
  for (const one of Object.values(tokenbed)) {
    if (
      typeof one !== 'function' ||
      !/^class\b/.test(Function.prototype.toString.call(one)) ||
      one.prototype instanceof Error
    )
      continue
    for (const it of [one.prototype, Object.create(one.prototype as object)] as object[]) {
      t.regex(Object.prototype.toString.call(it), /^\[object \w+\]$/)
      t.notThrows(() => inspect(it))
      t.is(it.valueOf(), it)
    }
  }
  refuses(
    t,
    () => JSON.stringify(Object.create(Tensor.prototype)),
    'USAGE',
    'an object that no constructor of this class made',
  )
})

test('correct use of these functions still works', async (t) => {
  const x = concat([ones([2]), zeros([1])])
  t.deepEqual(structuredClone(x.data), Float32Array.of(1, 1, 0))
  t.deepEqual(deserialize(serialize(x.toArray())), [1, 1, 0])
  t.deepEqual(Array.from(x.data as Float32Array), [1, 1, 0])
  const index = JSON.stringify(join(root, 'dist/index.js'))
  const worker = new Worker(
    `const { parentPort, workerData } = require('node:worker_threads'); parentPort.postMessage(require(${index}).Tensor.fromShared(workerData).toArray())`,
    { eval: true, workerData: x.share() },
  )
  t.deepEqual(await new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject)), [1, 1, 0])
})
