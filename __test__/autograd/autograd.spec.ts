import test from 'ava'
import { noGrad, ones, scope, tensor, type Tensor } from '../../index.js'
import { refuses } from '../support/errors.js'

const leaf = (data: number[]) => tensor(data, { requiresGrad: true })

test('gradients of leaves sum over all paths and over repeated calls of backward', (t) => {
  const x = leaf([1, 2, 3])
  const y = leaf([4, 5, 6])
  const way = () => x.mul(y).add(x).sub(y)
  way().backward(ones([3]))
  t.deepEqual((x.grad as Tensor).toArray(), [5, 6, 7])
  t.deepEqual((y.grad as Tensor).toArray(), [0, 1, 2])
  way().backward(tensor([1, 0, 2]))
  t.deepEqual((x.grad as Tensor).toArray(), [10, 6, 21])
  t.is(way().gradFn, 'SubBackward')
  t.regex(way().toString(), /gradFn=<SubBackward>/)
  t.is(x.gradFn, null)
})

test('a tensor used twice gets the sum of both gradients, and no two gradients share memory', (t) => {
  const x = leaf([1, 2])
  const y = leaf([1, 2])
  const given = tensor([1, 1])
  x.add(y).add(x).backward(given)
  const [a, b] = [x.grad as Tensor, y.grad as Tensor]
  t.deepEqual(a.toArray(), [2, 2])
  b.set([7, 7])
  t.deepEqual(a.toArray(), [2, 2])
  t.deepEqual(given.toArray(), [1, 1])
})

test('gradients of broadcast inputs have the shapes of the inputs', (t) => {
  const x = tensor(
    [
      [1, 2, 3],
      [4, 5, 6],
    ],
    { requiresGrad: true },
  )
  const row = leaf([1, 10, 100])
  const column = tensor([[2], [3]], { requiresGrad: true })
  x.mul(row)
    .mul(column)
    .backward(ones([2, 3]))
  t.deepEqual((row.grad as Tensor).toArray(), [14, 19, 24])
  t.deepEqual((column.grad as Tensor).toArray(), [[321], [654]])
  t.deepEqual((x.grad as Tensor).toArray(), [
    [2, 20, 200],
    [3, 30, 300],
  ])
})

test('a graph outlives the scope and the disposal of its inputs, except for leaves', (t) => {
  const x = leaf([3])
  const y = scope(() => {
    const inner = x.mul(x)
    return inner.mul(inner)
  })
  y.backward()
  t.is((x.grad as Tensor).item(), 4 * 27)
  const z = x.mul(x).mul(x)
  const gone = leaf([1])
  const w = gone.mul(2)
  gone.dispose()
  refuses(t, () => w.backward(), 'USAGE', 'disposed')
  z.dispose()
  scope(() => x.mul(2).backward())
  t.is((x.grad as Tensor).item(), 4 * 27 + 2)
})

test('backward frees the graph unless it is retained', (t) => {
  const x = leaf([2])
  const y = x.mul(x)
  const z = y.mul(y)
  z.backward(undefined, { retainGraph: true })
  z.backward()
  t.is((x.grad as Tensor).item(), 64)
  refuses(t, () => z.backward(), 'USAGE', 'freed the graph at MulBackward')
  refuses(t, () => y.backward(), 'USAGE', 'freed the graph')
  t.is((x.grad as Tensor).item(), 64)
})

test('backward refuses inputs that were changed in place', (t) => {
  const x = leaf([2])
  const y = tensor([3])
  const z = x.mul(y)
  y.set([4])
  refuses(t, () => z.backward(), 'USAGE', 'needs was changed in place')
  t.is(x.grad, null)
})

test('backward rejects wrong use', (t) => {
  const x = leaf([1, 2])
  refuses(t, () => tensor([1]).backward(), 'USAGE', 'not computed from any tensor that requires gradients')
  refuses(t, () => noGrad(() => x.mul(2)).backward(), 'USAGE', 'not computed from any')
  refuses(t, () => x.mul(2).backward(), 'USAGE', 'shape [2] has more than one element')
  refuses(t, () => x.mul(2).backward(ones([3])), 'SHAPE', 'shape [3], but the tensor has shape [2]')
  refuses(t, () => x.mul(2).backward(ones([2], { dtype: 'float64' })), 'DTYPE', 'float64, but the tensor is float32')
  refuses(t, () => x.mul(2).backward([1, 1] as never), 'USAGE', 'gradOutput must be a tensor')
  refuses(t, () => (x.mul(2).requiresGrad = false), 'USAGE', 'detach()')
  refuses(t, () => (x.grad = ones([3])), 'SHAPE')
  refuses(t, () => x.mul(2).backward(ones([2]), { retain: true } as never), 'USAGE', 'retain')
})

test('detach and noGrad record nothing, and a leaf is its own graph', (t) => {
  const x = leaf([5])
  t.is(x.mul(2).detach().requiresGrad, false)
  t.is(noGrad(() => x.mul(2)).gradFn, null)
  x.backward()
  t.is((x.grad as Tensor).item(), 1)
  x.grad = null
  t.is(x.grad, null)
})
