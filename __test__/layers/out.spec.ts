import test from 'ava'
import { Embedding, tensor, TokenPositionEmbedding, zeros, type Ids, type Tensor } from '../../index.js'
import { digest } from '../support/compare.js'
import { refuses } from '../support/errors.js'

interface Case {
  weight: Tensor
  forward: (ids: Ids, out?: Tensor) => Tensor
}

const LAYERS: [string, () => Case][] = [
  [
    'Embedding',
    () => {
      const layer = new Embedding(10, 4)
      return { weight: layer.weight, forward: (ids, out) => layer.forward(ids, { out }) }
    },
  ],
  [
    'Embedding with maxNorm',
    () => {
      const layer = new Embedding(10, 4, { maxNorm: 0.5 })
      return { weight: layer.weight, forward: (ids, out) => layer.forward(ids, { out }) }
    },
  ],
  [
    'TokenPositionEmbedding',
    () => {
      const layer = new TokenPositionEmbedding({ vocabSize: 10, contextLength: 4, dim: 4 })
      return { weight: layer.token.weight, forward: (ids, out) => layer.forward(ids, { out }) }
    },
  ],
]

for (const [name, make] of LAYERS) {
  test(`${name}: out is filled and returned, and is not recorded`, (t) => {
    const { forward } = make()
    const out = zeros([2, 2, 4], { requiresGrad: true })
    const { data } = out
    t.is(
      forward(
        [
          [1, 2],
          [3, 4],
        ],
        out,
      ),
      out,
    )
    t.false(out.requiresGrad)
    t.is(out.data, data)
    t.deepEqual(
      out.toArray(),
      forward([
        [1, 2],
        [3, 4],
      ]).toArray(),
    )
  })

  test(`${name}: out may be a part, a table, empty or undefined`, (t) => {
    const { forward } = make()
    const all = zeros([6, 4])
    forward([5, 6], all.narrow(0, 2, 2))
    const expected = forward([5, 6]).toArray()
    const none = [0, 0, 0, 0]
    t.deepEqual(all.toArray(), [none, none, ...expected, none, none])
    const table = new Embedding(2, 4).weight
    t.deepEqual(forward([5, 6], table).toArray(), expected)
    t.deepEqual(forward([], zeros([0, 4])).toArray(), [])
    t.deepEqual(forward([5, 6], undefined).toArray(), expected)
  })

  test(`${name}: rejects an out that does not fit, without changes`, (t) => {
    const { weight, forward } = make()
    const before = digest(weight)
    const gone = zeros([2, 4])
    gone.dispose()
    refuses(
      t,
      () => forward([1, 2], zeros([3, 4])),
      'SHAPE',
      'out must have the shape of the result, [2, 4], not [3, 4]',
    )
    refuses(t, () => forward([1, 2], zeros([8])), 'SHAPE', 'not [8]')
    refuses(t, () => forward([1, 2], zeros([2, 4], { dtype: 'float64' })), 'DTYPE', 'float64')
    refuses(t, () => forward([1, 2], zeros([2, 4], { dtype: 'int32' })), 'DTYPE', 'int32')
    refuses(t, () => forward([1, 2], gone), 'USAGE', 'disposed')
    refuses(t, () => forward([1, 2], [0] as never), 'USAGE', 'out must be a tensor')
    refuses(t, () => forward([1, 2], new Float32Array(8) as never), 'USAGE', 'out must be a tensor')
    refuses(t, () => forward([1, 2], null as never), 'USAGE', 'null')
    t.is(digest(weight), before)
    t.deepEqual(forward([1, 2], zeros([2, 4])).shape, [2, 4])
  })

  test(`${name}: a bad id leaves out unchanged`, (t) => {
    const { forward } = make()
    const out = zeros([3, 4]).add(7)
    refuses(t, () => forward([1, 10, 2], out), 'TOKEN_INDEX', 'id 10 at [1]')
    t.true(
      out
        .toArray()
        .flat()
        .every((x: number) => x === 7),
    )
  })

  test(`${name}: rejects an out that shares memory with what is read`, (t) => {
    const { weight, forward } = make()
    refuses(t, () => forward([1, 2], weight.narrow(0, 4, 2)), 'USAGE', 'shares memory')
    const ids = zeros([4])
    const same = tensor([1, 2, 3, 4], { dtype: 'int32' })
    new Uint8Array(ids.data.buffer).set(new Uint8Array(same.data.buffer.slice(0, 16)))
    refuses(t, () => forward(new Int32Array(ids.data.buffer, 0, 1), ids.reshape(1, 4)), 'USAGE', 'shares memory')
  })
}

test('maxNorm rescales nothing if out shares memory with the weight', (t) => {
  const weight = tensor([
    [3, 4],
    [6, 8],
  ])
  const layer = Embedding.fromPretrained(weight, { maxNorm: 1 })
  refuses(t, () => layer.forward([0, 1], { out: weight }), 'USAGE', 'shares memory')
  t.deepEqual(weight.toArray(), [
    [3, 4],
    [6, 8],
  ])
})
