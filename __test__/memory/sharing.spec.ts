import test from 'ava'
import { arange, concat, Embedding, tensor, zeros, type Tensor } from '../../index.js'
import { refuses } from '../support/errors.js'

/** Whether writing to one tensor shows in the other. */
function shares(a: Tensor, b: Tensor): boolean {
  const before = b.data[0]
  a.data[a.size - 1] = 41 as never
  a.data[0] = 42 as never
  const after = b.data[0]
  a.data[0] = before
  return after !== before
}

const SHARING: [string, (x: Tensor) => Tensor][] = [
  ['reshape', (x) => x.reshape(6)],
  ['detach', (x) => x.detach()],
  ['to the same type', (x) => x.to(x.dtype)],
  ['narrow along dimension 0', (x) => x.narrow(0, 0, 1)],
  ['reshape of a narrow', (x) => x.narrow(0, 0, 2).reshape(3, 2).narrow(0, 0, 1)],
]

const COPYING: [string, (x: Tensor) => Tensor][] = [
  ['clone', (x) => x.clone()],
  ['to another type', (x) => x.to(x.dtype === 'float32' ? 'float64' : 'float32')],
  ['narrow along dimension 1', (x) => x.narrow(1, 0, 2)],
  ['transpose', (x) => x.transpose(0, 1)],
  ['transpose of one dimension with itself', (x) => x.transpose(0, 0)],
  ['concat of one', (x) => concat([x])],
  ['add', (x) => x.add(0)],
  ['relu', (x) => x.relu()],
]

const ORIGINS: [string, () => Tensor][] = [
  ['an activation', () => arange(6).reshape(2, 3).to('float32')],
  ['a table', () => new Embedding(2, 3).weight.set([0, 1, 2, 3, 4, 5])],
]

for (const [origin, make] of ORIGINS) {
  for (const [name, view] of SHARING) {
    test(`${origin}: ${name} shares memory in both directions`, (t) => {
      const x = make()
      t.true(shares(x, view(x)))
      t.true(shares(view(x), x))
    })

    test(`${origin}: ${name} outlives its disposed origin`, (t) => {
      const x = make()
      const y = view(x)
      const values = y.toArray()
      x.dispose()
      refuses(t, () => x.data, 'USAGE', 'disposed')
      t.deepEqual(y.toArray(), values)
      y.dispose()
      refuses(t, () => y.data, 'USAGE', 'disposed')
    })
  }

  for (const [name, op] of COPYING) {
    test(`${origin}: ${name} makes new memory`, (t) => {
      const x = make()
      t.false(shares(x, op(x)))
      t.false(shares(op(x), x))
    })
  }
}

test('data is always the same live array', (t) => {
  for (const x of [zeros([3]), new Embedding(3, 1).weight]) {
    t.is(x.data, x.data)
    x.data[1] = 5
    t.is(x.toArray().flat()[1], 5)
    x.set([6], 1)
    t.is(x.data[1], 6)
  }
})

test('a layer sees what is written into its table through data and set', (t) => {
  const embedding = new Embedding(3, 2)
  embedding.weight.data[2] = 7
  t.is(embedding.forward([1]).data[0], 7)
  embedding.weight.set([8, 9], 4)
  t.deepEqual(embedding.forward([2]).toArray(), [[8, 9]])
  t.deepEqual([...embedding.weight.data.subarray(4)], [8, 9])
})

test('writing to a narrowed tensor changes its part of the original', (t) => {
  const x = tensor(
    [
      [1, 2],
      [3, 4],
      [5, 6],
    ],
    { dtype: 'float16' },
  )
  x.narrow(0, 1, 1).set([30, 40])
  x.narrow(0, -1, 1).data[0] = 0
  t.deepEqual(x.toArray(), [
    [1, 2],
    [30, 40],
    [0, 6],
  ])
})
