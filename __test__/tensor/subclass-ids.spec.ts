import test from 'ava'
import { Script, createContext } from 'node:vm'
import {
  attentionMask,
  crossEntropy,
  DataLoader,
  Embedding,
  EmbeddingBag,
  ones,
  positionIds,
  RotaryEmbedding,
  TokenPositionEmbedding,
  zeros,
  type IntArray,
  type Tensor,
} from '../../index.js'

/** How often the user's constructor was called since `made`. */
let calls = 0

const KINDS = [Int8Array, Uint8Array, Int16Array, Uint16Array, Int32Array, Uint32Array, BigInt64Array, BigUint64Array]

/** An array of a subclass whose constructor and methods are all the user's. */
function made(Kind: (typeof KINDS)[number], values: number[]): IntArray {
  class Own extends (Kind as Int32ArrayConstructor) {
    constructor(...args: unknown[]) {
      super(...(args as [number]))
      calls++
    }
    static get [Symbol.species]() {
      return Own as never
    }
    override get [Symbol.toStringTag](): 'Int32Array' {
      return 'Float32Array' as never
    }
    override keys(): never {
      throw new Error('a method of the user')
    }
    override slice = this.keys
    override subarray = this.keys
    override set = this.keys
    override findIndex = this.keys
  }
  const array = new Own(values.length)
  const isWide = array instanceof BigInt64Array || array instanceof BigUint64Array
  values.forEach((value, i) => (array[i] = (isWide ? BigInt(value) : value) as number))
  calls = 0
  return array
}

for (const Kind of KINDS) {
  test.serial(`ids of a subclass of ${Kind.name} are read without calling its constructor`, (t) => {
    const layer = new Embedding(8, 4)
    const bag = new EmbeddingBag(8, 4)
    const input = new TokenPositionEmbedding({ vocabSize: 8, contextLength: 4, segments: 2, dim: 4 })
    const list = [3, 0, 1, 2]
    const ids = made(Kind, list)
    const long = made(
      Kind,
      Array.from({ length: 5000 }, (_, i) => i % 8),
    )
    const gradients: [() => void, Tensor][] = [
      [() => layer.forward(ids).sum().backward(), layer.weight],
      [() => layer.forward(long).sum().backward(), layer.weight],
      [
        () =>
          bag
            .forward(ids, made(Kind, [0, 2]))
            .sum()
            .backward(),
        bag.weight,
      ],
      [
        () =>
          input
            .forward(ids, { shape: [2, 2], positions: made(Kind, [1, 0]), segments: made(Kind, [1, 0]) })
            .sum()
            .backward(),
        input.token.weight,
      ],
    ]
    for (const [run, weight] of gradients) {
      run()
      t.is((weight.grad as Tensor).dtype, 'float32')
    }
    t.deepEqual(bag.forward(ids, made(Kind, [0, 2])).toArray(), bag.forward(list, [0, 2]).toArray())
    const x = ones([2, 2, 1, 4])
    x.requiresGrad = true
    const positions = made(Kind, [1, 0])
    const rotated = new RotaryEmbedding({ dim: 4 }).forward(x, { positions })
    positions[0] = positions[1]
    rotated.sum().backward()
    const turned = ones([2, 2, 1, 4])
    turned.requiresGrad = true
    new RotaryEmbedding({ dim: 4 })
      .forward(turned, { positions: [1, 0] })
      .sum()
      .backward()
    t.deepEqual(
      (x.grad as Tensor).toArray(),
      (turned.grad as Tensor).toArray(),
      'positions of the way back are those of forward',
    )
    t.is(crossEntropy(zeros([4, 4]), ids).size, 1)
    t.deepEqual(attentionMask(ids, 0).toArray(), [true, false, true, true] as never)
    t.deepEqual(positionIds(ids).toArray(), [0, 0, 1, 2])
    t.is(DataLoader.over(ids as never, { maxLength: 2, stride: 1, batchSize: 1 }).length, 2)
    t.is(calls, 0)
  })
}

test.serial('backward through ids in a Buffer keeps a copy and gives no warning', async (t) => {
  const warnings: Error[] = []
  const listen = (warning: Error) => void warnings.push(warning)
  process.on('warning', listen)
  const layer = new Embedding(256, 2)
  const ids = Buffer.from([1, 1, 3])
  const result = layer.forward(ids)
  ids.fill(7)
  result.backward(ones([3, 2]))
  await new Promise(setImmediate)
  process.off('warning', listen)
  t.deepEqual(warnings, [])
  const grad = (layer.weight.grad as Tensor).toArray() as number[][]
  t.deepEqual(
    [grad[1], grad[3], grad[7]],
    [
      [2, 2],
      [1, 1],
      [0, 0],
    ],
  )
})

test("subclasses of another realm's arrays are read as arrays", (t) => {
  const ids = new Script('new Uint16Array([2, 0])').runInContext(createContext()) as Uint16Array
  const layer = new Embedding(4, 3)
  t.deepEqual(layer.forward(ids).toArray(), layer.forward([2, 0]).toArray())
})
