// Values of other realms, and tokenbed itself loaded in one, as in Jest, in Vitest's vmThreads and in jsdom.
// `npm run hosts` runs those programs themselves.

import test from 'ava'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as tokenbed from '../../index.js'
import { isRangeError, messageOf } from '../../api/base/realm.js'
import { refuses } from '../support/errors.js'
import { foreign, loadedInRealm } from '../support/realm.js'
import { temporaryFolder } from '../support/temporary.js'

const {
  createDataLoader,
  Embedding,
  EmbeddingBag,
  full,
  Generator,
  loadModel,
  loadSafetensors,
  manualSeed,
  ones,
  quantize,
  QuantizedTable,
  randn,
  resizeVocabulary,
  saveModel,
  saveSafetensors,
  scope,
  SGD,
  tableHealth,
  tensor,
  TensorWriter,
  TokenPositionEmbedding,
  Tokenizer,
  Trainer,
  Vectors,
  zeros,
} = tokenbed
const base = temporaryFolder()
const folder = () => mkdtempSync(join(base, 'x-'))

const INTEGERS = ['Int8Array', 'Uint8Array', 'Int16Array', 'Uint16Array', 'Int32Array', 'Uint32Array']
const WIDE = ['BigInt64Array', 'BigUint64Array']

/** An array of another realm: itself, a part of a longer buffer, over shared memory, and of a subclass of its kind. */
function arrays(kind: string, values: readonly number[]): { what: string; array: any }[] {
  const list = values.map((value) => (WIDE.includes(kind) ? `${value}n` : value)).join(', ')
  const count = values.length
  return [
    { what: kind, array: foreign(`${kind}.of(${list})`) },
    {
      what: `a part of a ${kind}`,
      array: foreign(`${kind}.of(0${WIDE.includes(kind) ? 'n' : ''}, ${list}).subarray(1)`),
    },
    {
      what: `a shared ${kind}`,
      array: foreign(
        `(() => { const a = new ${kind}(new SharedArrayBuffer(${count} * ${kind}.BYTES_PER_ELEMENT)); a.set([${list}]); return a })()`,
      ),
    },
    { what: `a class over ${kind}`, array: foreign(`new (class Mine extends ${kind} {})([${list}])`) },
  ]
}

test('ids of every kind may come from another realm', async (t) => {
  manualSeed(1)
  const [layer, bag] = [new Embedding(10, 3), new EmbeddingBag(10, 3)]
  const input = new TokenPositionEmbedding({ vocabSize: 10, contextLength: 4, dim: 3 })
  const tokenizer = Tokenizer.load('gpt2')
  for (const kind of [...INTEGERS, ...WIDE]) {
    for (const { what, array } of arrays(kind, [1, 2, 3])) {
      t.deepEqual(layer.forward(array), layer.forward([1, 2, 3]), what)
      t.deepEqual(await layer.forwardAsync(array), layer.forward([1, 2, 3]), what)
      t.deepEqual(bag.forward(array, foreign('[0, 2, 3]')), bag.forward([1, 2, 3], [0, 2, 3]), what)
      t.deepEqual(input.forward(array, { shape: foreign('[1, 3]') }), input.forward([[1, 2, 3]]), what)
      t.is(tokenizer.decode(array), tokenizer.decode([1, 2, 3]), what)
      t.deepEqual(
        Array.from(
          createDataLoader(array, { maxLength: 1, stride: 1, batchSize: 2, shuffle: false }),
        )[0].inputs.toArray(),
        [[1], [2]],
        what,
      )
    }
  }
  t.deepEqual(
    layer.forward(foreign('[[1, 2], [3, 4]]')),
    layer.forward([
      [1, 2],
      [3, 4],
    ]),
  )
  t.deepEqual(
    bag.forward(foreign('{ values: [1, 2, 3], offsets: [0, 2, 3] }')),
    bag.forward({ values: [1, 2, 3], offsets: [0, 2, 3] }),
  )
  t.is(tokenizer.decode(foreign('({ length: 2, 0: 1, 1: 2 })')), tokenizer.decode([1, 2]))
  refuses(t, () => layer.forward(foreign('Float32Array.of(1)')), 'DTYPE', 'Float32Array')
})

test('ids of another realm are not copied if nobody else can write to their memory', (t) => {
  const ids = foreign('Uint32Array.of(1, 2, 3, 4)')
  const loader = createDataLoader(ids, { maxLength: 1 })
  t.is(loader.ids.buffer, ids.buffer)
})

test('numbers of every kind may come from another realm', (t) => {
  const DTYPES: Record<string, tokenbed.DType> = {
    Float32Array: 'float32',
    Float64Array: 'float64',
    Int8Array: 'int8',
    Uint8Array: 'uint8',
    Int32Array: 'int32',
    BigInt64Array: 'int64',
  }
  for (const [kind, dtype] of Object.entries(DTYPES)) {
    for (const { what, array } of arrays(kind, [1, 2, 3])) {
      t.deepEqual(tensor(array), tensor([1, 2, 3], { dtype }), what)
      t.deepEqual(zeros([3], { dtype }).set(array), tensor([1, 2, 3], { dtype }), what)
      t.deepEqual(zeros([3]).set(array).toArray(), [1, 2, 3], what)
      array[0] = WIDE.includes(kind) ? 9n : 9
    }
  }
  const bits = foreign('Uint16Array.of(0x3c00, 0x4000)')
  t.deepEqual(tensor(bits, { dtype: 'float16' }).toArray(), [1, 2])
  t.deepEqual(
    tensor(foreign('[[1, 2], [3, 4]]')),
    tensor([
      [1, 2],
      [3, 4],
    ]),
  )
  t.deepEqual(tensor(foreign('[true, false]')).toArray(), [true, false])
  t.is(tensor(foreign('Float32Array.of(1, 2)'), foreign('{ shape: [2, 1], requiresGrad: true }')).shape.length, 2)
  refuses(t, () => tensor(foreign('new DataView(new ArrayBuffer(8))')), 'USAGE', 'DataView')
})

test('copying an array of another realm is as fast as copying one of this realm', (t) => {
  const [own, other] = [new Float32Array(1e6), foreign('new Float32Array(1e6)')]
  const milliseconds = (array: Float32Array) =>
    Math.min(
      ...Array.from({ length: 7 }, () => {
        const start = process.cpuUsage()
        tensor(array).dispose()
        return process.cpuUsage(start).user / 1e3
      }),
    )
  const [ours, theirs] = [milliseconds(own), milliseconds(other)]
  t.true(theirs < 5 * ours + 5, `${ours} ms, ${theirs} ms`)
})

test('named tensors may be Maps and objects of any realm, and nothing else', (t) => {
  const path = join(folder(), 'x.safetensors')
  const [a, b] = [ones([2]), zeros([3])]
  const containers = [
    new Map([
      ['a', a],
      ['b', b],
    ]),
    foreign('new Map()').set('a', a).set('b', b),
    foreign('new (class Mine extends Map {})()').set('a', a).set('b', b),
    { a, b },
    Object.assign(foreign('{}'), { a, b }),
    Object.assign(Object.create(null), { a, b }),
    Object.assign(foreign('Object.create(null)'), { a, b }),
    new (class Both {
      a = a
      b = b
    })(),
  ]
  for (const container of containers) {
    saveSafetensors(path, container, { metadata: foreign('{ from: "there" }') })
    t.deepEqual(
      [...loadSafetensors(path)].map(([name, x]) => [name, x.toArray()]),
      [
        ['a', [1, 1]],
        ['b', [0, 0, 0]],
      ],
    )
    t.true(readFileSync(path).includes('"from":"there"'))
  }
  saveSafetensors(path, foreign('{}'))
  t.is(loadSafetensors(path).size, 0)
  saveSafetensors(path, foreign('new Map()'))
  t.is(loadSafetensors(path).size, 0)
  // These have no named properties. Without a check, a file without tensors would be written.
  for (const one of [
    'new Set([1])',
    'Promise.resolve({})',
    '[]',
    'new Date()',
    'new WeakMap()',
    '/x/',
    'new Uint8Array(0)',
    '[1]',
    '"a"',
    'null',
    'new Error("x")',
    'new (class Empty {})()',
    '() => {}',
  ]) {
    for (const value of [foreign(one), new Function(`return (${one})`)()]) {
      refuses(
        t,
        () => saveSafetensors(path, value),
        'USAGE',
        'saveSafetensors: expected an object or a Map of tensors by name',
      )
      refuses(
        t,
        () => saveModel(join(base, 'model'), { objective: 'x', tensors: value, vocabulary: ['w'] }),
        'USAGE',
        'saveModel: expected an object or a Map of tensors by name',
      )
    }
  }
  refuses(t, () => saveSafetensors(path, ones([1]) as never), 'USAGE', 'tensors by name')
  for (const one of ['new Set(["a"])', '["a"]', 'Promise.resolve()'])
    refuses(t, () => saveSafetensors(path, { a }, { metadata: foreign(one) }), 'USAGE', 'metadata')
  t.is(loadSafetensors(path).size, 0)
})

test('options may come from any realm, and values without named properties are rejected', (t) => {
  t.is(new Embedding(4, 3, foreign('{ paddingIdx: 1 }')).weight.toArray()[1][0], 0)
  t.is(new Embedding(4, 3, foreign('Object.assign(Object.create(null), { paddingIdx: 1 })')).weight.toArray()[1][0], 0)
  t.deepEqual(full(foreign('[2]'), 3, foreign('{ dtype: "int32" }')), tensor([3, 3], { dtype: 'int32' }))
  t.notThrows(() => new Embedding(4, 3, foreign('{}')))
  for (const one of [
    'new Map([["paddingIdx", 1]])',
    'new Set()',
    'Promise.resolve({ paddingIdx: 1 })',
    'new Date()',
    '[]',
    'new Float32Array(0)',
  ]) {
    for (const value of [foreign(one), new Function(`return (${one})`)()])
      refuses(t, () => new Embedding(4, 3, value), 'USAGE', 'options must be')
  }
})

test('states, bytes, sets, lists and models may come from another realm', (t) => {
  const generator = new Generator(5)
  const state = generator.getState()
  const other = foreign(`Uint8Array.of(${state})`)
  const drawn = randn([3], { generator })
  t.deepEqual(randn([3], { generator: generator.setState(other) }), drawn)

  const table = quantize(ones([2, 8]), 'int8')
  t.deepEqual(QuantizedTable.fromBytes('int8', foreign('[2, 8]'), foreign(`Uint8Array.of(${table.bytes})`)), table)

  const tokenizer = Tokenizer.load('gpt2')
  for (const set of ["new Set(['<|endoftext|>'])", "new (class Mine extends Set {})(['<|endoftext|>'])"]) {
    t.deepEqual(Array.from(tokenizer.encode('a<|endoftext|>', { allowedSpecial: foreign(set) })), [64, 50256])
    t.notThrows(() => tokenizer.encode('a<|endoftext|>', { disallowedSpecial: foreign('new Set()') }))
  }
  t.deepEqual(Array.from(tokenizer.encodeBatch(foreign('["Hello", "world"]')).ids), [15496, 6894])

  const vectors = new Vectors(randn([3, 2], { generator }), foreign('["a", "b", "c"]'))
  t.deepEqual(vectors.mostSimilar(foreign('Float32Array.of(1, 2)')), vectors.mostSimilar([1, 2]))
  t.deepEqual(vectors.mostSimilar(foreign('[1, 2]')), vectors.mostSimilar([1, 2]))
  t.deepEqual(
    vectors.mostSimilar(foreign('{ positive: ["a", Float64Array.of(1, 2)] }')),
    vectors.mostSimilar({ positive: ['a', [1, 2]] }),
  )

  const path = folder()
  saveModel(path, {
    objective: 'cbow',
    tensors: foreign('new Map()').set('token.weight', ones([2, 3])),
    vocabulary: foreign('["a", "b"]'),
    counts: foreign('Float64Array.of(2, 1)'),
    labels: foreign('["x", "y"]'),
    training: foreign('{ epochs: 2, list: [1, { deep: null }] }'),
  })
  const model = loadModel(path)
  t.deepEqual(Array.from(model.counts!), [2, 1])
  t.deepEqual(model.labels, ['x', 'y'])
  t.deepEqual(model.description.training, { epochs: 2, list: [1, { deep: null }] } as never)
  refuses(
    t,
    () =>
      saveModel(path, {
        objective: 'x',
        tensors: { 'token.weight': ones([1, 1]) },
        vocabulary: ['a'],
        training: foreign('{ when: new Date(0) }'),
      }),
    'USAGE',
    'training.when',
  )

  const resized = resizeVocabulary(
    { tables: Object.assign(foreign('{}'), { x: ones([3, 2]) }), counts: foreign('[3, 2, 1]') },
    foreign('{ keep: Int32Array.of(0, 2) }'),
  )
  t.deepEqual(resized.tables.x.shape, [2, 2])
  t.deepEqual(
    tableHealth(ones([3, 2]), { counts: foreign('Float32Array.of(1, 2, 3)') }),
    tableHealth(ones([3, 2]), { counts: [1, 2, 3] }),
  )

  const kept = scope(() => foreign('(x) => new Map([["a", new Set([[x, { x }]])]])')(ones([2])))
  t.false([...[...kept.values()][0]][0][0].disposed)
})

test('optimizers and writers accept values of another realm', (t) => {
  const learned = ones([2], { requiresGrad: true })
  const groups = foreign('(params) => [{ params: [params], lr: 0.5 }]')(learned)
  const optimizer = new SGD(groups, foreign('{ lr: 0.1, momentum: 0.9 }'))
  learned.sum().backward()
  optimizer.step()
  t.deepEqual(learned.toArray(), [0.5, 0.5])
  const state = foreign('(text) => JSON.parse(text)')(JSON.stringify({ ...optimizer.stateDict(), state: {} }))
  t.notThrows(() =>
    new SGD([learned], { lr: 0.1, momentum: 0.9 }).loadStateDict({ ...state, state: optimizer.stateDict().state }),
  )
  const adam = new tokenbed.Adam([learned], foreign('{ betas: [0.8, 0.9] }'))
  t.deepEqual(adam.groups[0].options.betas, [0.8, 0.9])

  const path = join(folder(), 'x.npy')
  for (const { what, array } of arrays('Float32Array', [1, 2])) {
    const writer = new TensorWriter(path, foreign('{ x: { dtype: "float32", shape: [2] } }'))
    writer.write('x', array)
    writer.close()
    t.deepEqual(tokenbed.loadNpy(path).toArray(), [[1, 2]], what)
  }
})

test('corpora of ids and signals may come from another realm', async (t) => {
  const of = async (ids: Uint32Array) => {
    const trainer = new Trainer(
      ids,
      foreign('{ objective: "next-token", vocabSize: 5, dim: 4, contextLength: 2, epochs: 1 }'),
    )
    return (await trainer.run()).tensors['token.weight']
  }
  const wanted = await of(Uint32Array.of(1, 2, 3, 4, 1, 2))
  for (const kind of ['Uint32Array', 'Int32Array']) {
    for (const { what, array } of arrays(kind, [1, 2, 3, 4, 1, 2])) t.deepEqual(await of(array), wanted, what)
  }
  const signal = foreign('{ aborted: true, reason: 1, addEventListener() {}, removeEventListener() {} }')
  await t.throwsAsync(new Embedding(4, 2).forwardAsync([1], { signal }), { instanceOf: tokenbed.AbortedError })
})

test('tokenbed in another realm returns values of that realm', async (t) => {
  const realm = loadedInRealm()
  const is = (value: unknown, kind: string) =>
    t.true(value instanceof realm.evaluate(kind), `${Object.prototype.toString.call(value)} is no ${kind} of the realm`)
  const { tokenbed: its } = realm
  const tokenizer = its.Tokenizer.load('gpt2')
  is(tokenizer.encode('Hello, world!'), 'Uint32Array')
  t.deepEqual(Array.from(tokenizer.encode('Hello, world!')), [15496, 11, 995, 0])
  const batch = tokenizer.encodeBatch(['Hello', 'world'])
  is(batch.ids, 'Uint32Array')
  is(batch.offsets, 'Uint32Array')
  is(tokenizer.tokenBytes(15496), 'Uint8Array')
  for await (const ids of its.streamIds(
    {
      pieces: (async function* () {
        yield 'Hello, world!'
      })(),
    },
    { tokenizer },
  ))
    is(ids, 'Uint32Array')
  is(new its.Generator(1).getState(), 'Uint8Array')
  is(its.tensor([1, 2]).data, 'Float32Array')
  is(its.tensor([1, 2]).toArray(), 'Array')
  is(its.tensor([1, 2]).shape, 'Array')
  const path = join(folder(), 'x.safetensors')
  its.saveSafetensors(path, { a: its.ones([2]) })
  const read = its.loadSafetensors(path)
  is(read, 'Map')
  is(read.get('a')!.shape, 'Array')
  is(read.get('a')!.data, 'Float32Array')
  is((await new its.Embedding(4, 2).forwardAsync([1])).data, 'Float32Array')
  is(its.capabilities().features, 'Array')
  is(its.memoryUsage(), 'Object')
  const found = new its.Vectors(its.randn([3, 2]), ['a', 'b', 'c']).mostSimilar('a')
  is(found, 'Array')
  is(found[0], 'Object')
  const trainer = new its.Trainer(Uint32Array.of(1, 2, 3, 1, 2), {
    objective: 'next-token',
    vocabSize: 5,
    dim: 4,
    contextLength: 2,
    epochs: 1,
  })
  const result = await trainer.run()
  is(result.counts, 'Float64Array')
  is(result.training, 'Object')
  const error = t.throws(() => its.loadSafetensors('missing'), { any: true })
  is(error, 'Error')
  is(error, 'tokenbed.FileError')
})

test("tokenbed loads in a realm that lacks Node's additions", async (t) => {
  const realm = loadedInRealm({ structuredClone: undefined, TextDecoder: undefined, performance: undefined })
  const { tokenbed: its } = realm
  t.is(realm.evaluate('typeof structuredClone + typeof TextDecoder + typeof performance'), 'undefined'.repeat(3))
  const shown = its.randn([300, 300])
  const { data } = shown
  shown.dispose()
  t.is(data.length, 0)
  const learned = its.ones([2], { requiresGrad: true })
  const optimizer = new its.Adam([learned])
  learned.sum().backward()
  optimizer.step()
  t.notThrows(() => new its.Adam([learned]).loadStateDict(optimizer.stateDict()))
  const path = folder()
  its.saveModel(path, { objective: 'x', tensors: { 'token.weight': its.ones([2, 2]) }, vocabulary: ['ä', 'b'] })
  t.deepEqual(Array.from(its.loadModel(path).words!), ['ä', 'b'])
  // Our own code contains `using` and a method called "undefined".
  t.is(new its.Vectors(its.ones([2, 2]), ['a', 'b']).vector('a').length, 2)
  const resized = its.resizeVocabulary({ tables: { a: its.ones([3, 2]), b: its.ones([3, 2]) } }, { keep: [0, 1] })
  t.is(resized.tables.a.shape[0], 2)
  for (const kind of [its.Tensor, its.SparseGrad, its.QuantizedTable, its.Optimizer, its.TensorWriter])
    t.false(Object.hasOwn(kind.prototype, 'undefined'), kind.name)
})

test('errors of the system and of V8 become errors of this package in another realm', (t) => {
  t.true(
    isRangeError(foreign('new RangeError("x")')) &&
      !isRangeError(foreign('new TypeError("x")')) &&
      !isRangeError('RangeError'),
  )
  t.is(messageOf(foreign('new Error("why")')), 'why')
  // Jest shares these two.
  const { tokenbed: its } = loadedInRealm({ ArrayBuffer, Uint8Array })
  t.deepEqual(its.ones([300, 300]).sum().item(), 90000)
  writeFileSync(join(base, 'broken.json'), '{')
  const error = t.throws(() => its.Tokenizer.fromFile(join(base, 'broken.json')), { any: true })
  t.is((error as { code: string }).code, 'FORMAT')
})

test('our code does not need a global Symbol.dispose', (t) => {
  for (const name of ['index.js', 'api/vectors/vectors.js', 'api/surgery/resize.js', 'cli/commands/vector-file.js']) {
    t.false(readFileSync(join(__dirname, '../..', name), 'utf8').includes('__addDisposableResource'), name)
  }
})
