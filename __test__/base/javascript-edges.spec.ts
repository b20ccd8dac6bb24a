// JavaScript values that are not what they look like. Each gives a typed error, or the error that the caller's own code
// throws.

import test from 'ava'
import { inspect } from 'node:util'
import { createContext, runInContext } from 'node:vm'
import {
  Adam,
  clipGradNorm,
  concat,
  createDataLoader,
  Embedding,
  EmbeddingBag,
  Generator,
  LRSchedule,
  noGrad,
  ones,
  Optimizer,
  quantize,
  QuantizedTable,
  resizeVocabulary,
  saveSafetensors,
  scope,
  SparseGrad,
  Tensor,
  tensor,
  TensorWriter,
  Tokenizer,
  Trainer,
  Vectors,
  zeros,
} from '../../index.js'
import { isDense } from '../../api/autograd/tape.js'
import { show } from '../../api/base/validate.js'
import { refuses } from '../support/errors.js'
import { temporaryFolder } from '../support/temporary.js'

const any = (value: unknown): any => value

/** A proxy whose every trap throws a TypeError. */
function revoked(target: object = {}): any {
  const { proxy, revoke } = Proxy.revocable(target, {})
  revoke()
  return proxy
}

function detached<T extends Uint8Array | Int32Array | Float32Array>(array: T): T {
  structuredClone(array.buffer, { transfer: [array.buffer as ArrayBuffer] })
  return array
}

/** An array that has a length and no elements. */
function sparse(...first: unknown[]): any[] {
  const list = [...first]
  list.length = 2 ** 32 - 1
  return list
}

class Own extends Error {}
const own = (): never => {
  throw new Own('by the caller')
}

test('scope and noGrad accept only functions', (t) => {
  for (const value of [5, undefined, null, {}, 'a', Symbol('s'), revoked(), revoked(() => 1)]) {
    refuses(t, () => scope(any(value)), 'USAGE', 'scope takes a function, not')
    refuses(t, () => noGrad(any(value)), 'USAGE', 'noGrad takes a function, not')
  }
  // Recording and scopes are as they were before.
  t.true(ones([1], { requiresGrad: true }).mul(2).requiresGrad)
})

test('an object that only has the prototype is not accepted as a tensor anywhere', (t) => {
  const fake = any(Object.create(Tensor.prototype))
  const x = ones([2, 2])
  t.false(fake instanceof Tensor)
  t.true(x instanceof Tensor)
  refuses(t, () => x.add(fake), 'USAGE', 'add: the operand must be a tensor or a number, not')
  refuses(t, () => x.matmul(fake), 'USAGE', 'matmul: the operand must be a tensor')
  refuses(t, () => concat([x, fake]), 'USAGE', 'concat')
  refuses(t, () => x.set(fake), 'USAGE')
  refuses(t, () => Embedding.fromPretrained(fake), 'USAGE', 'a table must be a tensor')
  refuses(t, () => new Adam([fake]), 'USAGE')
  refuses(t, () => clipGradNorm([fake], 1), 'USAGE', 'a parameter must be a tensor')
  refuses(t, () => saveSafetensors('never', { a: fake }), 'USAGE', '"a" is')
  const layer = new Embedding(4, 2)
  refuses(t, () => layer.forward(fake), 'USAGE', 'ids must be an integer tensor')
  refuses(t, () => layer.forward([1], { out: fake }), 'USAGE')
  refuses(t, () => (layer.weight = fake), 'USAGE')
  refuses(t, () => layer.loadStateDict({ weight: fake }), 'USAGE', '"weight" is')
})

test('an object that only has the prototype is not accepted for any other class', (t) => {
  const layer = new Embedding(4, 2)
  refuses(t, () => new Embedding(4, 2, { generator: any(Object.create(Generator.prototype)) }), 'USAGE', 'generator')
  refuses(
    t,
    () => Embedding.fromPretrained(any(Object.create(QuantizedTable.prototype))),
    'USAGE',
    'a table must be a tensor',
  )
  refuses(t, () => (layer.weight.grad = any(Object.create(SparseGrad.prototype))), 'USAGE', 'grad must be a tensor')
  refuses(t, () => createDataLoader('a', { tokenizer: any(Object.create(Tokenizer.prototype)) }), 'USAGE', 'tokenizer')
  refuses(t, () => new LRSchedule(any(Object.create(Optimizer.prototype)), { type: 'constant' }), 'USAGE')
  refuses(
    t,
    () => resizeVocabulary({ tables: { a: any(Object.create(EmbeddingBag.prototype)) } }, { keep: [0] }),
    'USAGE',
    '"a" must be',
  )
  refuses(t, () => new Vectors(ones([1, 1]), any(Object.create(Tokenizer.prototype))), 'USAGE')
})

test('methods called on such an object throw a typed error', async (t) => {
  const fake = any(Object.create(Tensor.prototype))
  for (const run of [
    () => fake.add(1),
    () => fake.data,
    () => fake.toArray(),
    () => fake.dispose(),
    () => fake.disposed,
    () => fake.requiresGrad,
    () => (fake.requiresGrad = true),
    () => `${fake}`,
  ]) {
    refuses(t, run, 'USAGE', 'was called on an object that no constructor of this class made, not on a Tensor')
  }
  const proxy = any(new Proxy(ones([2]), {}))
  refuses(t, () => proxy.sum(), 'USAGE', 'Tensor.sum was called on')
  const { forward, forwardAsync } = Embedding.prototype
  for (const receiver of [undefined, null, 5, Symbol('s'), {}, Object.create(Embedding.prototype), revoked()]) {
    refuses(t, () => Reflect.apply(forward, receiver, [[1]]), 'USAGE', 'Embedding.forward was called on')
    const error = await t.throwsAsync(async () => Reflect.apply(forwardAsync, receiver, [[1]]))
    t.regex(error.message, /Embedding\.forwardAsync was called on/)
  }
  for (const kind of [
    Generator,
    Tokenizer,
    Vectors,
    Trainer,
    TensorWriter,
    QuantizedTable,
    SparseGrad,
    Optimizer,
    LRSchedule,
    EmbeddingBag,
  ]) {
    for (const key of Reflect.ownKeys(kind.prototype)) {
      const { value, get } = Object.getOwnPropertyDescriptor(kind.prototype, key)!
      const run = value ?? get
      // Members that are read to show an object answer for these objects, too.
      if (typeof run !== 'function' || ['constructor', 'valueOf', Symbol.toStringTag, inspect.custom].includes(key))
        continue
      const error: any = await Promise.resolve()
        .then(() => Reflect.apply(run, Object.create(kind.prototype), []))
        .then(
          () => null,
          (thrown) => thrown,
        )
      t.is(error?.code, 'USAGE', `${kind.name}.${String(key)}: ${error}`)
    }
  }
})

test('subclasses of our classes are accepted, and their own members are read', (t) => {
  class Mine extends Embedding {}
  const [mine, theirs] = [new Mine(2, 2), new Embedding(2, 2)]
  t.true(mine instanceof Mine && mine instanceof Embedding)
  t.false((theirs as unknown) instanceof Mine)
  t.true(isDense(mine.weight))
  t.deepEqual(mine.forward([1]).shape, [1, 2])
})

test('revoked proxies are not accepted as arrays, objects or ids', (t) => {
  const layer = new Embedding(4, 2)
  for (const target of [{}, []]) {
    const gone = revoked(target)
    t.is(show(gone), '<Revoked Proxy>')
    refuses(t, () => layer.forward(gone), 'USAGE', '<Revoked Proxy>')
    refuses(t, () => layer.forward([1], gone), 'USAGE', 'options must be an object')
    refuses(t, () => layer.forward([gone]), 'USAGE')
    refuses(t, () => zeros(gone), 'USAGE', 'a shape must be an array')
    refuses(t, () => tensor(gone), 'USAGE')
    refuses(t, () => concat(gone), 'USAGE')
    refuses(t, () => new Adam(gone), 'USAGE')
    refuses(t, () => layer.loadStateDict(gone), 'USAGE')
    refuses(t, () => Tensor.fromShared(gone), 'USAGE', 'a result of share()')
    refuses(
      t,
      () => resizeVocabulary({ tables: { a: layer }, words: gone }, { keep: [0] }),
      'USAGE',
      'words must be an array',
    )
    refuses(t, () => createDataLoader([1, 2, 3, 4], { maxLength: 2 }).load(gone), 'USAGE', 'expected a state')
  }
  t.is(scope(() => revoked()) === null, false)
})

test('error messages can show any value', (t) => {
  const nothing = Object.create(null)
  const throwing = { [Symbol.for('nodejs.util.inspect.custom')]: own, toString: own, [Symbol.toPrimitive]: own }
  t.is(show(Symbol('s')), 'Symbol(s)')
  t.is(show(nothing), '[Object: null prototype] {}')
  t.is(show(throwing), 'an object that cannot be shown')
  const x = ones([2, 2])
  for (const value of [Symbol('s'), nothing, throwing, detached(new Float32Array(4)), sparse('a'), 1n, -0]) {
    if (value !== -0 && value !== undefined) refuses(t, () => x.transpose(any(value), 0), 'SHAPE', 'dimension')
    refuses(t, () => x.reshape(any(value), -2), 'USAGE', 'reshape')
    refuses(
      t,
      () =>
        new TensorWriter(temporaryFolder() + '/a.npy', { a: { dtype: 'float32', shape: [1] } }).write(any(value), x),
      'USAGE',
      'no tensor is called',
    )
  }
})

test('detached buffers are rejected', (t) => {
  refuses(t, () => new Generator().setState(detached(new Uint8Array(5056))), 'USAGE', 'transferred')
  refuses(t, () => tensor(detached(new Float32Array(2))), 'USAGE', 'transferred')
  refuses(t, () => new Embedding(2, 2).forward(detached(new Int32Array(2))), 'USAGE', 'transferred')
})

test('an empty array with a length of 2^32 - 1 is rejected at once', (t) => {
  const [x, layer] = [ones([2, 2]), new Embedding(4, 2)]
  const start = performance.now()
  for (const run of [
    () => concat(sparse(x)),
    () => clipGradNorm(sparse(x), 1),
    () => new Adam(sparse(layer.weight)),
    () => new Adam([{ params: sparse(layer.weight) }]),
    () => layer.forward(sparse(1)),
    () => zeros(sparse(1)),
    () => tensor(sparse(1)),
    () => x.transpose(any(sparse('a')), 0),
    () => x.sum(any(sparse())),
    () => new Vectors(ones([1, 1]), sparse('a')),
    () => new Vectors(ones([1, 1]), ['a']).doesntMatch(sparse('a')),
    () => new Vectors(ones([1, 1]), ['a']).mostSimilar({ positive: sparse('a') }),
    () => Tokenizer.load('gpt2').encodeBatch(sparse('a')),
    () => Tokenizer.load('gpt2').decode({ length: 2 ** 31, 0: 1 }),
    () => Tokenizer.load('gpt2').decode(any({ length: 2 ** 53 - 1 })),
    () => resizeVocabulary({ tables: { a: layer } }, { keep: sparse(0) }),
    () => resizeVocabulary({ tables: { a: layer } }, { remove: { length: 2 ** 40 } }),
    () => resizeVocabulary({ tables: { a: layer } }, { add: sparse({}) }),
    () => resizeVocabulary({ tables: { a: layer } }, { add: 2 ** 31 }),
    () => Tensor.fromShared({ ...x.share(), shape: sparse(1) }),
    () => new LRSchedule(new Adam([layer.weight]), { type: 'constant' }).at(1, any(sparse(1))),
  ]) {
    const error = t.throws(run, { any: true }) as { code: string }
    t.regex(error.code, /^(USAGE|SHAPE|DTYPE)$/, `${run}: ${String(error)}`)
  }
  t.true(performance.now() - start < 20_000)
})

test("errors thrown by the caller's own code come out unchanged", (t) => {
  const layer = new Embedding(4, 2)
  const reading = (key: PropertyKey, value: object = {}) =>
    Object.defineProperty(value, key, { get: own, enumerable: true })
  const proxy = (trap: string) => any(new Proxy([], { [trap]: own }))
  for (const run of [
    () => scope(own),
    () => noGrad(own),
    () => layer.forward([1], reading('out')),
    () => layer.forward(any(reading(0, [1]))),
    () => zeros(any(reading(0, [1]))),
    () => new Embedding(2, 2, reading('paddingIdx')),
    () => concat(any(reading(0, [1]))),
    () => layer.forward(proxy('get')),
    () => scope(() => proxy('has')),
    () => new Adam([layer.weight], reading('lr')),
  ]) {
    t.throws(run, { instanceOf: Own }, String(run))
  }
  t.true(ones([1], { requiresGrad: true }).mul(2).requiresGrad)
})

test('a value is read once, and the value that was checked is used', (t) => {
  // The value is small at the first read and large afterwards; the shared memory has 4 elements.
  const handle = ones([4]).share()
  let reads = 0
  const shape = Object.defineProperty([0], 0, { get: () => (reads++ === 0 ? 4 : 2 ** 20) })
  t.deepEqual(Tensor.fromShared({ ...handle, shape }).shape, [4])
  t.is(reads, 1)
})

test('a scope keeps tensors in containers of another realm', (t) => {
  const context = createContext({})
  const foreign = (source: string) => runInContext(source, context) as (x: Tensor) => any
  const makers: [string, (made: any) => Tensor][] = [
    ['(x) => [x]', (made) => made[0]],
    ['(x) => ({ x })', (made) => made.x],
    ['(x) => new Map([["x", { x: [x] }]])', (made) => made.get('x').x[0]],
    ['(x) => new Set([x])', (made) => Array.from(made as Set<Tensor>)[0]],
    ['(x) => Object.assign(Object.create(null), { x })', (made) => made.x],
  ]
  for (const [source, get] of makers) {
    const made = scope(() => foreign(source)(ones([2]).add(1)))
    t.deepEqual(get(made).toArray(), [2, 2], source)
  }
})

test('a scope looks through chains deeper than the stack, and through empty arrays', (t) => {
  const made = scope(() => {
    let chain: any = { x: ones([1]) }
    for (let i = 0; i < 100_000; i++) chain = [chain]
    return { chain, list: sparse(ones([1])) }
  })
  t.deepEqual(made.list[0].toArray(), [1])
  let at = made.chain
  while (Array.isArray(at)) [at] = at
  t.deepEqual(at.x.toArray(), [1])
})

test('shared memory that was let go is freed when it is opened and unshared', (t) => {
  // The tensor that shared it may have been collected, and the one opened here takes its place.
  const handle = ones([4]).share()
  const again = Tensor.fromShared(handle)
  again.unshare()
  refuses(t, () => Tensor.fromShared(handle), 'USAGE', 'no longer shared')
})

test('quantized tables, optimizers and models can only be made by their functions', (t) => {
  refuses(t, () => new (any(Tensor))(revoked()), 'USAGE', 'not from new')
  refuses(t, () => new (any(QuantizedTable))(Symbol('s')), 'USAGE', 'not from new')
  refuses(t, () => new (any(Optimizer))(sparse('a'), []), 'USAGE', 'an Optimizer cannot be made with new Optimizer')
  t.true(quantize(ones([2, 2]), 'int8') instanceof QuantizedTable)
})
