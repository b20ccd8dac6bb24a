// The world of a fuzzer's run: live objects of every class, files, and good values for every kind of argument.

import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as tb from '../../index.js'
import { root } from '../support/golden.js'
import { UserError } from './hostile.js'
import type { Random } from './random.js'
import type { Slot } from './surface.js'

/** Number of objects of each class that are kept. */
const KEPT = 6
const [ROWS, DIM] = [8, 4]
const DTYPES = ['float32', 'float64', 'float16', 'bfloat16', 'int8', 'uint8', 'int32', 'int64', 'bool'] as const
const WORDS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
const TEXTS = ['a', 'The whale.', 'a b c d e f g h a b c d', '', 'naïve 🐳', '<|endoftext|>']

export class World {
  readonly #live = new Map<string, object[]>()
  readonly #files: Record<string, string> = {}
  readonly #folder: string
  readonly #shared = new Map<number, tb.SharedTable>()
  #next = 0
  /** Opened once, because opening takes a turn of the event loop. */
  store!: tb.RowStore
  /** The source of random numbers: that of the current step. */
  random!: Random

  constructor(folder: string) {
    this.#folder = folder
  }

  /** Files to be read. They are written once, before any hostile call. */
  async prepare(random: Random): Promise<void> {
    this.random = random
    const at = (name: string) => (this.#files[name] = join(this.#folder, name))
    mkdirSync(this.#folder, { recursive: true })
    const table = this.matrix()
    tb.saveSafetensors(at('safetensors'), { a: table })
    tb.saveNpy(at('npy'), table)
    tb.saveNpz(at('npz'), { a: table })
    this.#files.torch = join(root, 'testdata/golden/pretrained/torch/types.pt')
    this.#files.pretrained = join(root, 'testdata/golden/pretrained/gpt2')
    tb.saveWord2Vec(at('word2vec'), WORDS, table)
    tb.saveWord2Vec(at('glove'), WORDS, table, { header: false })
    tb.saveModel(at('folder'), { objective: 'test', tensors: { 'token.weight': table }, vocabulary: WORDS })
    const vocab = Object.fromEntries(WORDS.map((word, id) => [word, id]))
    writeFileSync(
      at('file'),
      JSON.stringify({ model: { type: 'WordLevel', vocab, unk_token: 'a' }, pre_tokenizer: { type: 'Whitespace' } }),
    )
    writeFileSync(at('text'), `${TEXTS[2]}\n`.repeat(20))
    await tb.saveTokens(at('tokens'), { texts: TEXTS.map((text) => text.replaceAll('<|endoftext|>', '')) })
    this.store = await tb.RowStore.open({ file: this.#files.safetensors })
    this.#files.checkpoint = this.#files.safetensors
    copyFileSync(join(root, 'testdata/golden/gguf/tokenizer-llama.gguf'), at('gguf'))
    this.#files.fasttext = join(root, 'testdata/golden/fasttext/sup-ova-cut.ftz')
  }

  /** Lets go of everything that is kept, and ends all sharing. */
  clear(): void {
    for (const handle of this.#shared.values()) {
      try {
        using tensor = tb.Tensor.fromShared(handle)
        tensor.unshare()
      } catch (error) {
        // Some handles were ended before.
        if (!(error instanceof tb.UsageError)) throw error
      }
    }
    this.#shared.clear()
    this.#live.clear()
  }

  /** Keeps the result of a call if it is an object of the package. */
  keep(made: unknown): void {
    if (typeof made !== 'object' || made === null) return
    if ('process' in made && 'id' in made) this.#shared.set(made.id as number, made as tb.SharedTable)
    const kind = made.constructor?.name
    if (
      !MAKERS.has(kind) ||
      !(kind in tb) ||
      !(made instanceof (tb as unknown as Record<string, new () => object>)[kind])
    ) {
      if (Array.isArray(made)) made.slice(0, 4).forEach((one) => this.keep(one))
      return
    }
    const live = this.#live.get(kind) ?? []
    if (live.length < KEPT) live.push(made)
    else live[this.random.below(KEPT)] = made
    this.#live.set(kind, live)
  }

  /** An object of a class, either fresh or used before. */
  one(kind: string, fresh = false): object {
    const live = this.#live.get(kind) ?? []
    if (!fresh && live.length > 0 && this.random.chance(0.7)) return this.random.pick(live)
    const made = MAKERS.get(kind)!(this)
    this.keep(made)
    return made
  }

  /** Any object of the package. */
  any(): object {
    return this.one(this.random.pick(Array.from(MAKERS.keys())))
  }

  matrix(rows = ROWS, dim = DIM, requiresGrad = false): tb.Tensor {
    return tb.tensor(
      Float32Array.from({ length: rows * dim }, (_, i) => (i % 13) / 13 - 0.4),
      { shape: [rows, dim], requiresGrad },
    )
  }

  /** An action while a value is read: objects are disposed, memory moves, or the value's own code throws. */
  mischief(): void {
    const { random } = this
    switch (random.below(6)) {
      case 0:
        return (this.one('Tensor') as tb.Tensor).dispose()
      case 1: {
        // Moves the buffer away from whoever holds it.
        const { buffer } = (this.one('Tensor') as tb.Tensor).data
        if (buffer instanceof ArrayBuffer && buffer.byteLength > 0) structuredClone(buffer, { transfer: [buffer] })
        return
      }
      case 2:
        return (this.one('Embedding') as tb.Embedding).weight.dispose()
      case 3:
        return this.keep((this.one('Tensor') as tb.Tensor).share())
      case 4:
        return (this.one('QuantizedTable') as tb.QuantizedTable).dispose()
      default:
        throw new UserError('thrown while a value was read')
    }
  }

  /** A good value for a slot. */
  value(slot: Slot): unknown {
    if (typeof slot === 'string') return this.#named(slot)
    if (Array.isArray(slot))
      return Array.from({ length: 1 + this.random.below(3) }, () => this.value((slot as readonly [Slot])[0]))
    const options: Record<string, unknown> = {}
    // Only a few options at a time, because many contradict each other.
    for (const [name, of] of Object.entries(slot))
      if (NEEDED.has(name) || this.random.chance(0.2)) options[name] = this.value(of)
    return options
  }

  #named(kind: string): unknown {
    const { random } = this
    if (kind.startsWith('word:')) return random.pick(kind.slice(5).split(','))
    const make = VALUES[kind] ?? ((world: World) => world.#files[kind])
    const made = make(this)
    if (made === undefined && !OPTIONAL.has(kind)) throw new Error(`no value is of the kind "${kind}"`)
    return made
  }

  /** A path that only this world uses. */
  path(): string {
    return join(this.#folder, `written-${this.#next++ % 8}`)
  }

  file(name: string): string {
    return this.#files[name]
  }
}

/** Options that calls require. */
const NEEDED = new Set([
  'vocabSize',
  'contextLength',
  'dim',
  'maxDistance',
  'headDim',
  'bidirectional',
  'heads',
  'type',
  'totalSteps',
  'objective',
  'from',
  'to',
  'tokenizer',
  'tables',
  'keep',
  'a',
  'b',
  'name',
  'numEmbeddings',
  'embeddingDim',
  'token.weight',
  'vocabulary',
  'dtype of',
  'lr',
  'path',
  'minCount',
  'epochs',
  'files',
  'texts',
  'pieces',
  'ids',
  'tokens',
  'examples',
  'text',
  'label',
])
const OPTIONAL = new Set(['any', 'signal', 'offsets'])

const MAKERS = new Map<string, (world: World) => object>([
  [
    'Tensor',
    (world) =>
      world.random.chance(0.5)
        ? world.matrix(ROWS, DIM, world.random.chance(0.3))
        : tb.zeros(shapeOf(world.random), { dtype: world.random.pick(DTYPES) }),
  ],
  [
    'SparseGrad',
    () => {
      const layer = new tb.Embedding(ROWS, DIM, { sparse: true })
      layer.forward([1, 2]).sum().backward()
      return layer.weight.grad!
    },
  ],
  ['Generator', () => new tb.Generator(1)],
  [
    'Embedding',
    ({ random }) =>
      new tb.Embedding(ROWS, DIM, { sparse: random.chance(0.5), ...(random.chance(0.2) ? { maxNorm: 1 } : {}) }),
  ],
  [
    'EmbeddingBag',
    ({ random }) => new tb.EmbeddingBag(ROWS, DIM, { mode: random.pick(['sum', 'mean', 'max'] as const) }),
  ],
  [
    'EmbeddingBagCollection',
    () =>
      new tb.EmbeddingBagCollection([
        { name: 'a', numEmbeddings: ROWS, embeddingDim: DIM },
        { name: 'b', numEmbeddings: ROWS, embeddingDim: 2, mode: 'mean' },
      ]),
  ],
  [
    'QuantizedTable',
    (world) =>
      world.random.chance(0.2)
        ? tb.QuantizedTable.fromBytes('q4_0', [ROWS, 32], new Uint8Array(18 * ROWS))
        : tb.quantize(
            world.matrix(),
            world.random.pick(['float16', 'bfloat16', 'int8', 'int4', 'int2', 'float8'] as const),
          ),
  ],
  [
    'TokenPositionEmbedding',
    ({ random }) =>
      new tb.TokenPositionEmbedding({
        vocabSize: ROWS,
        contextLength: ROWS,
        dim: DIM,
        segments: 2,
        layerNorm: random.chance(0.5),
      }),
  ],
  ['RotaryEmbedding', () => new tb.RotaryEmbedding({ dim: DIM })],
  ['ShawRelativePositions', () => new tb.ShawRelativePositions({ maxDistance: 2, headDim: DIM })],
  ['T5RelativeBias', () => new tb.T5RelativeBias({ bidirectional: true, heads: 2 })],
  ['TransformerXLPositions', () => new tb.TransformerXLPositions({ heads: 2, headDim: DIM, dim: 8 })],
  ['Optimizer', (world) => world.one('Adam')],
  ['SGD', (world) => new tb.SGD(learned(world), { lr: 0.1, momentum: 0.5 })],
  ['Adam', (world) => new tb.Adam(learned(world))],
  ['AdamW', (world) => new tb.AdamW(learned(world))],
  ['SparseAdam', () => new tb.SparseAdam(new tb.Embedding(ROWS, DIM, { sparse: true }).parameters())],
  ['Adagrad', (world) => new tb.Adagrad(learned(world))],
  ['RowWiseAdagrad', (world) => new tb.RowWiseAdagrad(learned(world))],
  ['RMSprop', (world) => new tb.RMSprop(learned(world), { momentum: 0.5, centered: true })],
  ['Lion', (world) => new tb.Lion(learned(world))],
  ['Adafactor', (world) => new tb.Adafactor(learned(world))],
  ['Muon', () => new tb.Muon(new tb.Linear(DIM, 2, { bias: false }).parameters())],
  ['Linear', () => new tb.Linear(DIM, 2)],
  ['LayerNorm', () => new tb.LayerNorm(DIM)],
  ['Dropout', () => new tb.Dropout()],
  ['LRScheduler', (world) => world.one('StepLR')],
  ['StepLR', (world) => new tb.StepLR(world.one('Adam') as tb.Adam, { stepSize: 2 })],
  ['MultiStepLR', (world) => new tb.MultiStepLR(world.one('Adam') as tb.Adam, { milestones: [1, 3] })],
  ['ExponentialLR', (world) => new tb.ExponentialLR(world.one('Adam') as tb.Adam, { gamma: 0.9 })],
  ['PolynomialLR', (world) => new tb.PolynomialLR(world.one('Adam') as tb.Adam)],
  ['LambdaLR', (world) => new tb.LambdaLR(world.one('Adam') as tb.Adam, () => 1)],
  [
    'CosineAnnealingWarmRestarts',
    (world) => new tb.CosineAnnealingWarmRestarts(world.one('Adam') as tb.Adam, { t0: 3 }),
  ],
  ['OneCycleLR', (world) => new tb.OneCycleLR(world.one('Adam') as tb.Adam, { maxLr: 1, totalSteps: 100 })],
  ['ReduceLROnPlateau', (world) => new tb.ReduceLROnPlateau(world.one('Adam') as tb.Adam)],
  ['ChainedScheduler', (world) => new tb.ChainedScheduler([world.one('StepLR') as tb.StepLR])],
  ['LRSchedule', (world) => new tb.LRSchedule(world.one('Adam') as tb.Adam, { type: 'cosine', totalSteps: 10 })],
  [
    'Tokenizer',
    (world) => (world.random.chance(0.5) ? tb.Tokenizer.load('gpt2') : tb.Tokenizer.fromFile(world.file('file'))),
  ],
  ['TokenDecoder', (world) => (world.one('Tokenizer') as tb.Tokenizer).decoder()],
  [
    'DataLoader',
    () =>
      tb.createDataLoader(
        Int32Array.from({ length: 40 }, (_, i) => i % ROWS),
        { batchSize: 2, maxLength: 4 },
      ),
  ],
  ['TokenFolder', (world) => tb.openTokens(world.file('tokens'))],
  ['RowStore', (world) => world.store],
  ['FastText', () => tb.loadFastText(join(root, 'testdata/golden/fasttext/sup-ova.bin'))],
  ['TextEmbedder', () => tb.TextEmbedder.load(join(root, 'testdata/golden/embed/m2v-f32'))],
  ['Vectors', (world) => new tb.Vectors(world.matrix(), WORDS)],
  [
    'Trainer',
    (world) =>
      new tb.Trainer({ files: [world.file('text')] }, { objective: 'skip-gram', dim: DIM, minCount: 1, epochs: 1 }),
  ],
  ['Model', (world) => tb.loadModel(world.file('folder'))],
  [
    'TensorWriter',
    (world) => new tb.TensorWriter(`${world.path()}.safetensors`, { a: { dtype: 'float32', shape: [DIM] } }),
  ],
])

/** Leaves that require gradients and have them. */
function learned(world: World): tb.Tensor[] {
  const tensors = [world.matrix(ROWS, DIM, true), tb.zeros([DIM], { requiresGrad: true })]
  for (const one of tensors) one.mul(one).sum().backward()
  return tensors
}

const shapeOf = (random: Random) => random.pick<number[]>([[ROWS, DIM], [2, 3], [DIM], [], [0, 3], [2, 3, DIM], [1]])

const VALUES: Record<string, (world: World) => unknown> = {
  any: (world) => world.any(),
  boolean: ({ random }) => random.chance(0.5),
  one: () => 1,
  small: ({ random }) => random.below(5),
  size: ({ random }) => random.below(10),
  even: ({ random }) => random.pick([2, 4, 8]),
  hundred: ({ random }) => random.pick([16, 32, 100, 128]),
  integer: ({ random }) => random.below(20) - 5,
  axis: ({ random }) => random.below(5) - 2,
  number: ({ random }) => random.next() * 4 - 1,
  probability: ({ random }) => random.next(),
  rate: ({ random }) => random.next() / 10,
  threads: ({ random }) => 1 + random.below(3),
  seed: ({ random }) => (random.chance(0.5) ? random.below(100) : BigInt(random.below(100))),
  rows: () => ROWS,
  dim: () => DIM,
  id: ({ random }) => random.below(ROWS),
  shape: ({ random }) => shapeOf(random),
  dtype: ({ random }) => random.pick(DTYPES),
  resultType: ({ random }) => random.pick(['float32', 'float16', 'bfloat16']),
  tensor: (world) => world.one('Tensor'),
  operand: (world) => (world.random.chance(0.5) ? world.one('Tensor') : world.random.next()),
  grad: (world) => world.random.pick([null, world.one('Tensor'), world.one('SparseGrad')]),
  numbers: ({ random }) =>
    random.pick<unknown>([
      [1, 2, 3],
      Float32Array.of(1, 2),
      [[1], [2]],
      new Float64Array(ROWS),
      [0, 1, 1, 0, 2, 1, 0, 3],
    ]),
  row: () => tb.ones([DIM]),
  heads: () => tb.ones([1, 2, 3, DIM]),
  table: (world) => (world.random.chance(0.8) ? world.matrix() : world.one('QuantizedTable')),
  learned: (world) => learned(world),
  params: (world) => (world.random.chance(0.5) ? learned(world) : [{ params: learned(world), lr: 0.1 }]),
  ids: (world) => ids(world),
  offsets: ({ random }) => random.pick<unknown>([undefined, undefined, [0, 2], Int32Array.of(0, 1)]),
  ragged: (world) =>
    world.random.chance(0.5) ? ids(world) : { values: Int32Array.of(1, 2, 3), offsets: Int32Array.of(0, 2, 3) },
  layerNorm: ({ random }) => random.pick<unknown>([true, false, { eps: 1e-5 }]),
  scaling: ({ random }) =>
    random.pick<unknown>([
      { type: 'linear', factor: 2 },
      { type: 'dynamic', factor: 2, originalContext: 8 },
      { type: 'yarn', factor: 2, originalContext: 8, mscale: 1, mscaleAllDim: 0.5 },
      { type: 'longrope', factor: 2, originalContext: 8, shortFactor: [1, 2], longFactor: [2, 3] },
      { type: 'proportional', partialRotaryFactor: 0.5 },
    ]),
  signal: ({ random }) => random.pick<unknown>([undefined, new AbortController().signal, AbortSignal.abort()]),
  state: (world) => (world.one('Embedding') as tb.Embedding).stateDict(),
  shared: (world) => {
    const handle = (world.one('Tensor') as tb.Tensor).share()
    world.keep(handle)
    return handle
  },
  generator: (world) => world.one('Generator'),
  generatorState: (world) => (world.one('Generator') as tb.Generator).getState(),
  optimizer: (world) => world.one('Adam'),
  optimizerState: (world) => (world.one('Adam') as tb.Adam).stateDict(),
  scheduleState: (world) => (world.one('LRSchedule') as tb.LRSchedule).stateDict(),
  loaderState: (world) => (world.one('DataLoader') as tb.DataLoader).state(),
  betas: () => [0.9, 0.99],
  tokenizer: (world) => world.one('Tokenizer'),
  vectors: (world) => world.one('Vectors'),
  special: ({ random }) => random.pick<unknown>(['all', new Set(), new Set(['<|endoftext|>'])]),
  text: ({ random }) => random.pick(TEXTS),
  word: ({ random }) => random.pick(WORDS),
  words: () => WORDS,
  query: (world) =>
    world.random.pick<unknown>([
      'a',
      { positive: ['a', 'b'], negative: ['c'] },
      new Float32Array(DIM).fill(1),
      tb.ones([DIM]),
    ]),
  'quantized kind': ({ random }) =>
    random.pick(['float16', 'bfloat16', 'int8', 'int4', 'int2', 'float8', 'q8_0', 'q4_k']),
  bytes: () => new Uint8Array(ROWS * DIM * 2),
  callback: (world) => () => world.matrix().add(1),
  'text file': (world) => world.file('text'),
  corpus: (world) =>
    world.random.pick<unknown>([
      { files: [world.file('text')] },
      { texts: new Set(TEXTS) },
      { tokens: [WORDS, ['a b']] },
      { folder: world.file('tokens') },
      Int32Array.from({ length: 50 }, (_, i) => i % ROWS),
      [
        { text: 'a b', label: 'x' },
        { text: 'c', label: 'y' },
      ],
    ]),
  objective: ({ random }) => random.pick(['skip-gram', 'cbow', 'next-token', 'classify']),
  'loader source': (world) =>
    world.random.pick<unknown>([
      'a b c d e f g h',
      { folder: world.file('tokens') },
      { texts: new Set(TEXTS) },
      Int32Array.from({ length: 40 }, (_, i) => i % ROWS),
      [1, 2, 3, 4, 5, 6],
    ]),
  source: (world) =>
    world.random.pick<unknown>([
      { files: [world.file('text')] },
      { pieces: new Set(['a b ', 'c d']) },
      { folder: world.file('tokens') },
      { texts: TEXTS.values() },
      [1, 2, 3],
    ]),
  additions: ({ random }) => random.pick<unknown>([2, [{ word: 'new' }], [{ word: 'new', from: 'zeros' }]]),
  path: (world) => world.path(),
  'writer name': () => 'a',
}

function ids({ random }: World): unknown {
  return random.pick<() => unknown>([
    () => [0, 1, 2],
    () => [
      [1, 2],
      [3, 4],
    ],
    () => Int32Array.of(1, 2, 7),
    () => Uint32Array.of(0, 3),
    () => BigInt64Array.of(1n, 2n),
    () => Uint8Array.of(1),
    () => tb.tensor([1, 2, 3], { dtype: 'int32' }),
    () =>
      tb.tensor(
        [
          [1, 2],
          [3, 0],
        ],
        { dtype: 'int64' },
      ),
    () => new Int32Array(new SharedArrayBuffer(16)),
    () => [1, 9],
  ])()
}
