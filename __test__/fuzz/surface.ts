// Every function of the package and its arguments. A name that the module exports and this file lacks is an error.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as tokenbed from '../../index.js'
import { DRAWN, GENERATOR, GIVEN, INIT, LAYER, LEARNING, TABLE, TRAINER, type Slot } from './surface-learning.js'
import { CLASSES_OF_VECTORS, FUNCTIONS_OF_VECTORS } from './surface-vectors.js'

export type { Slot } from './surface-learning.js'

const RESULT = { out: 'tensor', dtype: 'resultType' }
const BAG = { ...TABLE, mode: 'word:sum,mean,max', includeLastOffset: 'boolean' }
const BAG_CALL = { perSampleWeights: 'tensor', dtype: 'resultType' }
const PLACE = { positionOffset: 'small', positions: 'ids', segments: 'ids', mask: 'ids' }
const INPUT = {
  vocabSize: 'rows',
  contextLength: 'rows',
  dim: 'dim',
  segments: 'small',
  layerNorm: 'layerNorm',
  scale: 'number',
  dropout: 'probability',
  paddingIdx: 'id',
  generator: 'generator',
  init: { ...INIT, token: INIT, position: INIT, segment: INIT },
  sparse: 'boolean',
}
const WINDOWS = {
  batchSize: 'small',
  maxLength: 'small',
  stride: 'small',
  dropLast: 'boolean',
  perText: 'boolean',
  paddingId: 'id',
}
const SHUFFLED = { shuffleBuffer: 'small', ...GENERATOR }
const SPECIAL = { allowedSpecial: 'special', disallowedSpecial: 'special' }
const ENCODE = { ...SPECIAL, addSpecialTokens: 'boolean' }
const BATCH = {
  ...ENCODE,
  maxLength: 'small',
  truncationSide: 'word:right,left',
  padding: 'word:longest,maxLength',
  paddingSide: 'word:right,left',
  paddingId: 'id',
  padToMultipleOf: 'small',
  overflow: 'boolean',
  stride: 'small',
  pretokenized: 'boolean',
}
const STREAM = {
  ...SPECIAL,
  tokenizer: 'tokenizer',
  invalidUtf8: 'word:throw,replace',
  maxRatio: 'hundred',
  maxHeldBytes: 'hundred',
  signal: 'signal',
}
const LOADER = {
  ...WINDOWS,
  ...SPECIAL,
  tokenizer: 'tokenizer',
  shuffle: 'boolean',
  weights: 'numbers',
  replacement: 'boolean',
  samples: 'small',
  sampler: 'callback',
  ...GENERATOR,
  invalidUtf8: 'word:throw,replace',
  maxRatio: 'hundred',
}
const SAVE_TOKENS = {
  ...SPECIAL,
  tokenizer: 'tokenizer',
  dtype: 'word:auto,u16,u32',
  lines: 'boolean',
  separator: 'text',
  force: 'boolean',
  invalidUtf8: 'word:throw,replace',
  maxRatio: 'hundred',
  maxHeldBytes: 'hundred',
  onProgress: 'callback',
  signal: 'signal',
}
const KEEP = { keepdim: 'boolean' }
const DRAW = { ...GENERATOR, dtype: 'word:float32,float64', requiresGrad: 'boolean' }
const LOSS = { reduction: 'word:mean,sum,none' }
const T5 = { bidirectional: 'boolean', numBuckets: 'even', maxDistance: 'hundred' }

type Members = Record<string, readonly Slot[]>

/**
 * The slots of a class' members. Keys are `new`, `static name`, `name` of a method or a getter, and `name=` of a
 * setter.
 */
const CLASSES: Record<string, Members> = {
  ...CLASSES_OF_VECTORS,
  Tensor: {
    new: ['any', 'any', 'any', 'any'],
    'static fromShared': ['shared'],
    disposed: [],
    data: [],
    share: [],
    unshare: [],
    requiresGrad: [],
    'requiresGrad=': ['boolean'],
    gradFn: [],
    grad: [],
    'grad=': ['grad'],
    backward: ['tensor', { retainGraph: 'boolean' }],
    set: ['numbers', 'size'],
    toArray: [],
    toJSON: [],
    item: [],
    toString: [],
    reshape: ['integer', 'integer', 'integer'],
    narrow: ['axis', 'integer', 'size'],
    transpose: ['axis', 'axis'],
    to: ['dtype'],
    clone: [],
    detach: [],
    add: ['operand'],
    sub: ['operand'],
    mul: ['operand'],
    div: ['operand'],
    matmul: ['tensor'],
    sum: ['axis', KEEP],
    mean: ['axis', KEEP],
    registerHook: ['callback'],
    logSigmoid: [],
    exp: [],
    log: [],
    log1p: [],
    abs: [],
    neg: [],
    pow: ['operand'],
    clamp: ['number', 'number'],
    maximum: ['operand'],
    minimum: ['operand'],
    eq: ['operand'],
    ne: ['operand'],
    lt: ['operand'],
    le: ['operand'],
    gt: ['operand'],
    ge: ['operand'],
    max: ['axis', KEEP],
    min: ['axis', KEEP],
    argmax: ['axis', KEEP],
    argmin: ['axis', KEEP],
    topk: ['small', 'axis', { largest: 'boolean' }],
    sort: ['axis', { descending: 'boolean' }],
    where: ['tensor', 'operand'],
    index: ['ids'],
    indexSelect: ['axis', 'ids'],
    gather: ['axis', 'ids'],
    select: ['axis', 'integer'],
    slice: ['axis', 'integer', 'integer', 'small'],
    split: ['small', 'axis'],
    view: ['integer', 'integer', 'integer'],
    flatten: ['axis', 'axis'],
    unsqueeze: ['axis'],
    squeeze: ['axis'],
    permute: ['axis', 'axis', 'axis'],
    expand: ['small', 'small', 'small'],
    relu: [],
    gelu: [],
    tanh: [],
    sigmoid: [],
    sqrt: [],
    softmax: ['axis'],
    logSoftmax: ['axis'],
    dispose: [],
    '[Symbol.dispose]': [],
  },
  SparseGrad: {
    new: ['any', 'any', 'any'],
    dtype: [],
    toDense: [],
    toJSON: [],
    dispose: [],
    '[Symbol.dispose]': [],
    toString: [],
  },
  Generator: { new: ['seed'], manualSeed: ['seed'], getState: [], setState: ['generatorState'] },
  Embedding: {
    new: ['rows', 'dim', TABLE],
    'static fromPretrained': ['table', GIVEN],
    weight: [],
    'weight=': ['table'],
    forward: ['ids', { ...RESULT, shape: 'shape' }],
    forwardAsync: ['ids', { shape: 'shape', signal: 'signal', dtype: 'resultType' }],
    dispose: [],
    '[Symbol.dispose]': [],
    ...LAYER,
  },
  EmbeddingBag: {
    new: ['rows', 'dim', BAG],
    'static fromPretrained': ['table', { ...BAG, freeze: 'boolean' }],
    weight: [],
    'weight=': ['table'],
    forward: ['ragged', 'offsets', { ...BAG_CALL, out: 'tensor' }],
    forwardAsync: ['ragged', 'offsets', { ...BAG_CALL, signal: 'signal' }],
    dispose: [],
    '[Symbol.dispose]': [],
    ...LAYER,
  },
  QuantizedTable: {
    new: ['any', 'any', 'any', 'any'],
    'static fromBytes': ['quantized kind', 'shape', 'bytes'],
    bytes: [],
    toTensor: [],
    dequantize: [],
    error: ['table'],
    dispose: [],
    '[Symbol.dispose]': [],
  },
  TokenPositionEmbedding: {
    new: [INPUT],
    'static preset': ['word:gpt2,bert,roberta,t5,llama,gemma', INPUT],
    forward: ['ragged', { out: 'tensor', shape: 'shape', ...PLACE }],
    train: ['boolean'],
    eval: [],
    forwardAsync: ['ragged', { shape: 'shape', signal: 'signal', ...PLACE }],
    dispose: [],
    '[Symbol.dispose]': [],
    ...LAYER,
  },
  ShawRelativePositions: {
    new: [{ maxDistance: 'small', headDim: 'dim', kind: 'word:relative_key,relative_key_query', ...DRAWN }],
    weight: [],
    'weight=': ['tensor'],
    forward: ['heads', 'heads'],
    dispose: [],
    '[Symbol.dispose]': [],
    ...LAYER,
  },
  T5RelativeBias: {
    new: [{ ...T5, heads: 'small', ...DRAWN }],
    weight: [],
    'weight=': ['tensor'],
    forward: ['size', 'size', { offset: 'small', out: 'tensor' }],
    dispose: [],
    '[Symbol.dispose]': [],
    ...LAYER,
  },
  TransformerXLPositions: {
    new: [{ heads: 'small', headDim: 'dim', dim: 'even', clampLength: 'small', ...DRAWN }],
    u: [],
    'u=': ['tensor'],
    v: [],
    'v=': ['tensor'],
    weight: [],
    'weight=': ['tensor'],
    forward: ['heads', 'heads'],
    dispose: [],
    '[Symbol.dispose]': [],
    ...LAYER,
  },
  ...LEARNING,
  TokenDecoder: { new: ['any', 'any'], write: ['ids'], end: [] },
  Tokenizer: {
    new: ['any', 'any', 'any'],
    'static load': ['word:gpt2,r50k_base,p50k_base'],
    'static encodingForModel': ['word:gpt2,text-davinci-003'],
    'static fromFile': [
      'file',
      { pattern: 'text', specialTokens: 'any', lowercase: 'boolean', limits: { maxGrowth: 'small' } },
    ],
    'static fromGGUF': ['gguf'],
    encode: ['text', { ...ENCODE, pretokenized: 'boolean' }],
    encodePair: [
      'text',
      'text',
      {
        ...ENCODE,
        maxLength: 'small',
        truncation: 'word:longestFirst,onlyFirst,onlySecond',
        truncationSide: 'word:right,left',
      },
    ],
    encodeBatch: [['text'], BATCH],
    encodeOffsets: ['text', { ...ENCODE, pretokenized: 'boolean' }],
    encodeAsync: ['text', { ...ENCODE, signal: 'signal' }],
    encodeBatchAsync: [['text'], { ...BATCH, signal: 'signal' }],
    count: ['text', ENCODE],
    decode: ['ids', { skipSpecialTokens: 'boolean' }],
    decodeBatch: [['ids'], { skipSpecialTokens: 'boolean' }],
    decoder: [{ skipSpecialTokens: 'boolean' }],
    tokenBytes: ['id'],
    token: ['id'],
    id: ['text'],
    vocabulary: [],
    dispose: [],
    '[Symbol.dispose]': [],
  },
  DataLoader: { new: ['any', 'any'], '[Symbol.iterator]': [], ids: [], state: [], load: ['loaderState'] },
  TokenFolder: {
    new: ['any', 'any', 'any'],
    document: ['small'],
    read: ['small', 'small'],
    dispose: [],
    '[Symbol.dispose]': [],
  },
  TensorWriter: {
    new: ['path', { a: { dtype: 'dtype', shape: 'shape' } }, { metadata: { a: 'text' } }],
    write: ['writer name', 'tensor'],
    writeAsync: ['writer name', 'tensor'],
    close: [],
    closeAsync: [],
    abort: [],
    '[Symbol.dispose]': [],
  },
}

/** The slots of functions. */
const FUNCTIONS: Members = {
  ...FUNCTIONS_OF_VECTORS,
  manualSeed: ['seed'],
  rand: ['shape', DRAW],
  randn: ['shape', DRAW],
  randint: ['integer', 'integer', 'shape', { ...GENERATOR, dtype: 'dtype' }],
  normal: ['number', 'number', 'shape', DRAW],
  bernoulli: ['tensor', GENERATOR],
  multinomial: ['tensor', 'small', { replacement: 'boolean', ...GENERATOR }],
  stack: [['tensor'], 'axis'],
  where: ['tensor', 'operand', 'operand'],
  einsum: ['text', 'tensor', 'tensor'],
  binaryCrossEntropy: ['tensor', 'tensor', { ...LOSS, weight: 'tensor' }],
  binaryCrossEntropyWithLogits: ['tensor', 'tensor', { ...LOSS, weight: 'tensor', posWeight: 'tensor' }],
  mseLoss: ['tensor', 'tensor', LOSS],
  cosineSimilarity: ['tensor', 'tensor', 'axis', 'rate'],
  normalize: ['tensor', { p: 'rate', dim: 'axis', eps: 'rate' }],
  infoNCE: ['tensor', 'tensor', { ...LOSS, temperature: 'rate', negatives: 'tensor', symmetric: 'boolean' }],
  randperm: ['size', GENERATOR],
  arange: ['integer', 'integer', 'integer', { dtype: 'dtype' }],
  concat: [['tensor'], 'axis'],
  full: ['shape', 'number', { dtype: 'dtype', requiresGrad: 'boolean' }],
  ones: ['shape', { dtype: 'dtype', requiresGrad: 'boolean' }],
  zeros: ['shape', { dtype: 'dtype', requiresGrad: 'boolean' }],
  tensor: ['numbers', { dtype: 'dtype', shape: 'shape', requiresGrad: 'boolean' }],
  crossEntropy: [
    'tensor',
    'ids',
    { ignoreIndex: 'integer', reduction: 'word:mean,sum,none', weight: 'tensor', labelSmoothing: 'probability' },
  ],
  dropout: ['tensor', 'probability', GENERATOR],
  layerNorm: ['tensor', 'row', 'row', 'rate'],
  encodingForModel: ['word:gpt2,text-davinci-003'],
  noGrad: ['callback'],
  scope: ['callback'],
  quantize: ['table', 'quantized kind'],
  interpolatePositions: ['table', 'small', { alignCorners: 'boolean' }],
  sinusoidalPositions: [
    'small',
    'even',
    { maxWavelength: 'hundred', layout: 'word:interleaved,half', offset: 'small', out: 'tensor' },
  ],
  alibiBias: ['small', 'small', 'small', { symmetric: 'boolean', offset: 'small', out: 'tensor' }],
  alibiSlopes: ['small'],
  attentionMask: ['ragged', 'id'],
  positionIds: ['ragged', { offset: 'small', padding: 'small' }],
  convertRotaryWeights: [
    'table',
    { heads: 'one', from: 'word:half,interleaved', to: 'word:half,interleaved', dim: 'even' },
  ],
  t5RelativeBuckets: ['small', 'small', { ...T5, offset: 'small' }],
  clipGradNorm: ['learned', 'number', { normType: 'rate', errorIfNonfinite: 'boolean' }],
  clipGradValue: ['learned', 'number'],
  createDataLoader: ['loader source', LOADER],
  streamBatches: ['source', { ...STREAM, ...WINDOWS, ...SHUFFLED }],
  streamIds: ['source', STREAM],
  loadSafetensors: ['safetensors'],
  inspectSafetensors: ['safetensors'],
  saveSafetensors: ['path', { a: 'tensor' }, { metadata: { a: 'text' } }],
  inspectTokens: ['tokens', { verify: 'boolean' }],
  openTokens: ['tokens', { verify: 'boolean' }],
  saveTokens: ['path', 'source', SAVE_TOKENS],
  loadGGUF: ['gguf'],
  loadNpy: ['npy'],
  saveNpy: ['path', 'tensor'],
  loadNpz: ['npz', { map: 'boolean', maxRatio: 'hundred' }],
  saveNpz: ['path', { a: 'tensor' }],
  loadTorch: ['torch', { map: 'boolean' }],
  loadPretrained: ['pretrained', { dtype: 'dtype' }],
  resizeVocabulary: [
    { tables: { a: 'table' }, words: 'words', counts: 'numbers', optimizer: 'optimizer' },
    { keep: 'ids', remove: 'ids', minCount: 'number', add: 'additions', ...GENERATOR },
  ],
  capabilities: [],
  selfTest: [],
  getNumThreads: [],
  memoryUsage: [],
  setNumThreads: ['threads'],
}

/** Sources to read, form by form. */
const TEXT_FORMS: readonly Slot[] = [
  { files: ['text file'] },
  { texts: ['text'] },
  { pieces: ['text'] },
  { ids: 'ids' },
  { ids: ['ids'] },
  { folder: 'tokens', verify: 'boolean' },
]
const CORPUS_FORMS: readonly Slot[] = [
  ...TEXT_FORMS,
  { tokens: [['word']] },
  { examples: [{ text: 'text', label: 'word' }] },
  [{ text: 'text', label: 'word' }],
]

/** The functions that read a source, once more for each form, so that the contents of each form are varied, too. */
const READING: readonly (readonly [name: string, slots: readonly Slot[]])[] = [
  ...TEXT_FORMS.flatMap((form) => [
    ['createDataLoader', [form, LOADER]] as const,
    ['streamBatches', [form, { ...STREAM, ...WINDOWS, ...SHUFFLED }]] as const,
    ['streamIds', [form, STREAM]] as const,
  ]),
  ...TEXT_FORMS.map((form) => ['saveTokens', ['path', form, SAVE_TOKENS]] as const),
  ...CORPUS_FORMS.flatMap((form) => [
    ['new Trainer', [form, TRAINER]] as const,
    ['Trainer.resume', ['checkpoint', form, { tokenizer: 'tokenizer', signal: 'signal' }]] as const,
  ]),
]

/** The package makes these errors, so their constructors get what its own code passes. */
const isError = (one: unknown) => one === Error || (typeof one === 'function' && one.prototype instanceof Error)

/** Something that can be called. */
export interface Call {
  readonly name: string
  readonly slots: readonly Slot[]
  /** The class of its receiver; null if it has none. */
  readonly receiver: string | null
  run(receiver: unknown, args: unknown[]): unknown
}

type Some = Record<PropertyKey, unknown>
const keyOf = (name: string): PropertyKey =>
  /^\[Symbol\.\w+\]$/.test(name) ? (Symbol as unknown as Record<string, symbol>)[name.slice(8, -1)] : name

function memberCall(kind: string, member: string, slots: readonly Slot[]): Call {
  const made = (tokenbed as unknown as Some)[kind] as new (...args: unknown[]) => unknown
  if (member === 'new') return { name: `new ${kind}`, slots, receiver: null, run: (_, args) => new made(...args) }
  const fixed = /^static (.+)$/.exec(member)
  if (fixed) {
    const [, name] = fixed
    return {
      name: `${kind}.${name}`,
      slots,
      receiver: null,
      run: (_, args) => ((made as unknown as Some)[name] as (...args: unknown[]) => unknown)(...args),
    }
  }
  const name = `${kind}#${member}`
  if (member.endsWith('=')) {
    const key = member.slice(0, -1)
    return { name, slots, receiver: kind, run: (receiver, [value]) => void ((receiver as Some)[key] = value) }
  }
  const key = keyOf(member)
  const isGetter = typeof owner(made.prototype as object, key)?.get === 'function'
  if (isGetter) return { name, slots, receiver: kind, run: (receiver) => (receiver as Some)[key] }
  return {
    name,
    slots,
    receiver: kind,
    run: (receiver, args) => ((receiver as Some)[key] as (...args: unknown[]) => unknown)(...args),
  }
}

function owner(prototype: object, key: PropertyKey): PropertyDescriptor | undefined {
  for (let at: object | null = prototype; at !== null; at = Object.getPrototypeOf(at) as object | null) {
    const found = Object.getOwnPropertyDescriptor(at, key)
    if (found !== undefined) return found
  }
  return undefined
}

/** Everything that is described. */
export function calls(): Call[] {
  const functions = Object.entries(FUNCTIONS).map(([name, slots]): Call => {
    const run = (tokenbed as unknown as Some)[name] as (...args: unknown[]) => unknown
    return { name, slots, receiver: null, run: (_, args) => run(...args) }
  })
  const all = [
    ...functions,
    ...Object.entries(CLASSES).flatMap(([kind, members]) =>
      Object.entries(members).map(([member, slots]) => memberCall(kind, member, slots)),
    ),
  ]
  const ofForms = READING.map(([name, slots]) => ({ ...all.find((call) => call.name === name)!, slots }))
  return [...all, ...ofForms]
}

/** Exports that nobody described, and descriptions of what no longer exists. */
export function differences(): string[] {
  const described = new Set(calls().map(({ name }) => name))
  const there = new Set(publicNames())
  const missing = Array.from(there).filter((name) => !described.has(name))
  const gone = Array.from(described).filter((name) => !there.has(name))
  return [
    ...missing.map((name) => `${name} is not described in __test__/fuzz/surface.ts`),
    ...gone.map((name) => `${name} is described, and is not there`),
  ]
}

function publicNames(): string[] {
  const declared = declarations()
  return Object.entries(tokenbed).flatMap(([name, one]) => {
    if (isError(one)) return []
    const isClass = typeof one === 'function' && /^class\b/.test(Function.prototype.toString.call(one))
    if (!isClass) return [name]
    const kind = one as unknown as { prototype: object }
    // Members that the declarations leave out are internal.
    const text = declared.get(name) ?? ''
    const isPublic = (member: string) =>
      new RegExp(`^\\s+(?:(?:static|abstract|get|set|readonly) )*${member.replace(/[[\].]/g, '\\$&')}[<(:]`, 'm').test(
        text,
      )
    const fixed = Object.getOwnPropertyNames(kind).filter(
      (member) => !['length', 'name', 'prototype'].includes(member) && isPublic(member),
    )
    return [
      `new ${name}`,
      ...fixed.map((member) => `${name}.${member}`),
      ...membersOf(kind.prototype)
        .filter((member) => isPublic(member.replace(/=$/, '')))
        .map((member) => `${name}#${member}`),
    ]
  })
}

/** The members of a prototype, and of the prototypes above it that do not belong to exported classes. */
function membersOf(prototype: object): string[] {
  const own = Reflect.ownKeys(prototype).flatMap((key) => {
    if (key === 'constructor') return []
    // Symbols are not compared by description, which differs where Node defined the symbol before the language did.
    const name = key === Symbol.dispose ? '[Symbol.dispose]' : typeof key === 'symbol' ? `[${key.description}]` : key
    const { set, get, value } = Object.getOwnPropertyDescriptor(prototype, key)!
    return [...(get !== undefined || value !== undefined ? [name] : []), ...(set !== undefined ? [`${name}=`] : [])]
  })
  const above = Object.getPrototypeOf(prototype) as object
  const isExported =
    above === Object.prototype ||
    Object.values(tokenbed).some((one) => typeof one === 'function' && one.prototype === above)
  return isExported ? own : Array.from(new Set([...own, ...membersOf(above)]))
}

/** The declaration of each class. If it extends a class that is not exported, it includes that declaration. */
function declarations(): Map<string, string> {
  const folder = join(__dirname, '..', '..', 'api')
  const texts = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.d.ts'))
    .map((path) => readFileSync(join(folder, path), 'utf8'))
  const found = new Map<string, string>()
  for (const text of texts) {
    for (const [whole, name] of text.matchAll(/^export declare (?:abstract )?class (\w+)[^{]*\{[^]*?^\}/gm))
      found.set(name, whole)
  }
  for (const [name, text] of found) {
    const above = /^export declare (?:abstract )?class \w+(?:<.*?>)? extends (\w+)/.exec(text)?.[1]
    if (above !== undefined && found.has(above) && !(above in tokenbed)) found.set(name, `${text}\n${found.get(above)}`)
  }
  return found
}
