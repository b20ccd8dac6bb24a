import test from 'ava'
import {
  concat,
  crossEntropy,
  dropout,
  Generator,
  getNumThreads,
  layerNorm,
  manualSeed,
  memoryUsage,
  noGrad,
  ones,
  randn,
  scope,
  setNumThreads,
  tensor,
  type Tensor,
  zeros,
} from '../../index.js'
import { digest } from '../support/compare.js'
import { refuses } from '../support/errors.js'

const leaf = (data: never[] | number[] | number[][]) => tensor(data, { requiresGrad: true })
const grad = (x: Tensor) => x.grad as Tensor

// Hostile input -------------------------------------------------------------------------------------------------------

test('crossEntropy rejects arguments that do not fit', (t) => {
  const x = randn([2, 3])
  refuses(t, () => crossEntropy([1] as never, [0]), 'USAGE', 'expected a tensor')
  refuses(t, () => crossEntropy(tensor([[1, 2]], { dtype: 'int32' }), [0]), 'DTYPE', 'int32')
  refuses(t, () => crossEntropy(tensor(1), [0]), 'SHAPE', 'dimension of classes')
  refuses(t, () => crossEntropy(x, [0]), 'SHAPE', 'logits of shape [2, 3] must have the shape [2], not [1]')
  refuses(t, () => crossEntropy(x, [[0, 1]]), 'SHAPE')
  refuses(t, () => crossEntropy(x, tensor([0, 1])), 'DTYPE', 'float32')
  refuses(t, () => crossEntropy(x, [0, 1.5]), 'USAGE', '1.5')
  refuses(t, () => crossEntropy(x, [0, 1], { ignoreIndex: 0.5 }), 'USAGE', 'ignoreIndex')
  refuses(t, () => crossEntropy(x, [0, 1], { reduction: 'max' as never }), 'USAGE', 'reduction', 'max')
  refuses(t, () => crossEntropy(x, [0, 1], { weight: x }), 'SHAPE', 'weight', '[3]', '[2, 3]')
})

test('crossEntropy: a target out of range is an error with its place', (t) => {
  const x = randn([2, 3, 2])
  const error = refuses(
    t,
    () =>
      crossEntropy(x, [
        [0, 1],
        [3, -1],
      ]),
    'TOKEN_INDEX',
    'target 3 at [1, 0]',
    '3 classes',
    '(1 more)',
  )
  t.deepEqual([error.position, error.value, error.size, error.count], [[1, 0], 3, 3, 2])
  refuses(t, () => crossEntropy(randn([1, 3]), [-100], { ignoreIndex: -1 }), 'TOKEN_INDEX', '-100')
  refuses(t, () => crossEntropy(randn([1, 3]), BigInt64Array.of(2n ** 40n)), 'TOKEN_INDEX', '1099511627776')
  refuses(t, () => crossEntropy(zeros([1, 0]), [0]), 'TOKEN_INDEX', '0 classes')
})

test('crossEntropy gives NaN and no gradient if every target is ignored, as in PyTorch', (t) => {
  const x = leaf([
    [1, 2],
    [3, 4],
  ])
  const loss = crossEntropy(x, [-100, -100])
  t.is(loss.item(), NaN)
  loss.backward()
  t.deepEqual(grad(x).toArray(), [
    [0, 0],
    [0, 0],
  ])
  t.is(crossEntropy(x, [-100, -100], { reduction: 'sum' }).item(), 0)
  t.is(crossEntropy(zeros([0, 3]), zeros([0], { dtype: 'int32' })).item(), NaN)
  t.deepEqual(crossEntropy(zeros([1, 0]), [-100], { reduction: 'none' }).toArray(), [0])
})

test('crossEntropy: backward uses the targets of forward', (t) => {
  const [x, y] = [leaf([[1, 2, 3]]), leaf([[1, 2, 3]])]
  const targets = Int32Array.of(1)
  const loss = crossEntropy(x, targets)
  targets[0] = 2
  loss.backward()
  crossEntropy(y, [1]).backward()
  t.deepEqual(grad(x).toArray(), grad(y).toArray())
})

test('layerNorm rejects arguments that do not fit', (t) => {
  const x = randn([2, 3])
  refuses(t, () => layerNorm(3 as never), 'USAGE', '3')
  refuses(t, () => layerNorm(tensor(1)), 'SHAPE')
  refuses(t, () => layerNorm(x, ones([2])), 'SHAPE', '[2]', '[2, 3]')
  refuses(t, () => layerNorm(x, ones([3]), ones([1, 3])), 'SHAPE')
  refuses(t, () => layerNorm(x, tensor(1)), 'SHAPE')
  refuses(t, () => layerNorm(x, ones([3], { dtype: 'int32' })), 'DTYPE')
  refuses(t, () => layerNorm(x, undefined, undefined, NaN), 'USAGE', 'eps')
  refuses(t, () => layerNorm(x, undefined, undefined, -1), 'USAGE', 'eps')
  t.deepEqual(layerNorm(zeros([2, 0])).shape, [2, 0])
})

test('dropout: p must be a probability', (t) => {
  const x = randn([4])
  for (const p of [-0.1, 1.1, NaN, Infinity, '0.5', undefined])
    refuses(t, () => dropout(x, p as number), 'USAGE', 'p must be')
  refuses(t, () => dropout(tensor([1], { dtype: 'int32' }), 0.5), 'DTYPE')
  refuses(t, () => dropout(x, 0.5, { generator: 7 as never }), 'USAGE', 'generator')
  refuses(t, () => dropout(x, 0.5, { seed: 7 } as never), 'USAGE', '"seed"')
})

test('dropout works with p of 0 and 1, and with the default generator', (t) => {
  const x = leaf([1, NaN, Infinity])
  t.deepEqual(dropout(x, 0).toArray(), [1, NaN, Infinity])
  dropout(x, 0).backward(ones([3]))
  t.deepEqual(grad(x).toArray(), [1, 1, 1])
  t.deepEqual(dropout(x, 1).toArray(), [0, NaN, NaN])
  manualSeed(7)
  const a = dropout(ones([1000]), 0.3)
  t.deepEqual(a.toArray(), dropout(ones([1000]), 0.3, { generator: new Generator(7) }).toArray())
  const kept = a.toArray().filter((value: number) => value !== 0)
  t.true(
    kept.every((value: number) => value === Math.fround(1 / Math.fround(0.7))) &&
      kept.length > 600 &&
      kept.length < 800,
  )
})

test('NaN and infinity give NaN in forward and backward', (t) => {
  for (const bad of [NaN, Infinity]) {
    const x = leaf([[1, bad, 2]])
    for (const op of [
      () => x.softmax(1),
      () => x.logSoftmax(1),
      () => crossEntropy(x, [0]),
      () => layerNorm(x),
      () => x.matmul(ones([3, 1])).sub(x.sum()),
    ]) {
      const out = op()
      t.true(out.toArray().flat?.().some(Number.isNaN) ?? Number.isNaN(out.item()), `${out.gradFn} of ${bad}`)
      x.grad = null
      out.sum().backward()
      t.true(
        out.gradFn === 'SubBackward' || grad(x).toArray().flat().some(Number.isNaN),
        `${out.gradFn} of ${bad}, back`,
      )
    }
  }
})

test('empty tensors have empty gradients, and zeros where they were broadcast', (t) => {
  const [x, y] = [zeros([2, 0, 3], { requiresGrad: true }), zeros([1, 0, 1], { requiresGrad: true })]
  const z = zeros([3], { requiresGrad: true })
  x.mul(y).add(z).sum().backward()
  t.deepEqual(grad(x).shape, [2, 0, 3])
  t.deepEqual(grad(y).shape, [1, 0, 1])
  t.deepEqual(grad(z).toArray(), [0, 0, 0])
})

test('integers cannot require a gradient', (t) => {
  const x = leaf([1.5, 2])
  const whole = x.to('int32')
  t.is(whole.requiresGrad, false)
  const mixed = x.mul(tensor([2, 3], { dtype: 'int64' }))
  mixed.sum().backward()
  t.deepEqual(grad(x).toArray(), [2, 3])
})

// The tape ------------------------------------------------------------------------------------------------------------

const SAVED: [string, (x: Tensor, y: Tensor) => Tensor, 'x' | 'y' | 'out'][] = [
  ['mul', (x, y) => x.mul(y), 'y'],
  ['div', (x, y) => x.div(y), 'y'],
  ['div, its result', (x, y) => x.div(y), 'out'],
  ['matmul', (x, y) => x.matmul(y), 'y'],
  ['relu', (x) => x.relu(), 'out'],
  ['gelu', (x) => x.gelu(), 'x'],
  ['tanh', (x) => x.tanh(), 'out'],
  ['sigmoid', (x) => x.sigmoid(), 'out'],
  ['sqrt', (x) => x.sqrt(), 'out'],
  ['exp', (x) => x.exp(), 'out'],
  ['log', (x) => x.log(), 'x'],
  ['pow', (x) => x.pow(2.5), 'x'],
  ['pow, its exponent', (x, y) => x.pow(y), 'y'],
  ['maximum', (x, y) => x.maximum(y), 'y'],
  ['clamp', (x) => x.clamp(0, 1), 'x'],
  ['softmax', (x) => x.softmax(0), 'out'],
  ['logSoftmax', (x) => x.logSoftmax(1), 'out'],
  ['crossEntropy', (x) => crossEntropy(x, [0, 1]), 'x'],
  ['layerNorm', (x) => layerNorm(x), 'x'],
  ['layerNorm, its weight', (x, y) => layerNorm(x, y), 'y'],
]

for (const [what, op, which] of SAVED) {
  test(`${what}: backward rejects inputs that were changed in place`, (t) => {
    const [x, y] = [
      leaf([
        [1, 2],
        [3, 4],
      ]),
      leaf([
        [5, 6],
        [7, 8],
      ]),
    ]
    const out = op(x, y)
    const saved = { x, y, out }[which]
    saved.set([2])
    refuses(t, () => out.sum().backward(), 'USAGE', 'changed in place', out.gradFn!)
    t.is(x.grad, null)
  })
}

test('a tensor used in several places gets the sum of its gradients', (t) => {
  const x = leaf([
    [0.5, -1],
    [2, 1],
  ])
  const parts = [
    (x: Tensor) => x.matmul(x),
    (x: Tensor) => x.softmax(1),
    (x: Tensor) => layerNorm(x),
    (x: Tensor) => x.div(x.mul(x).add(1)),
  ]
  const wanted = parts.map((part) => {
    const y = x.detach().clone()
    y.requiresGrad = true
    part(y).sum().backward()
    return grad(y)
  })
  parts
    .map((part) => part(x))
    .reduce((sum, part) => sum.add(part))
    .sum()
    .backward()
  const sum = wanted
    .reduce((sum, one) => sum.add(one))
    .toArray()
    .flat()
  grad(x)
    .toArray()
    .flat()
    .forEach((value: number, i: number) => t.true(Math.abs(value - sum[i]) < 1e-5, `${value} ${sum[i]}`))
})

test('no op records anything under noGrad or after detach', (t) => {
  const x = leaf([
    [1, 2],
    [3, 4],
  ])
  const ops = [
    () => x.matmul(x),
    () => x.gelu(),
    () => x.sum(),
    () => concat([x, x]),
    () => crossEntropy(x, [0, 1]),
    () => layerNorm(x),
    () => dropout(x, 0.5),
  ]
  for (const op of ops) {
    t.is(noGrad(op).gradFn, null)
    t.not(op().gradFn, null)
    t.is(op().detach().gradFn, null)
  }
})

test('gradients that nobody needs are not computed', (t) => {
  const x = leaf([
    [1, 2],
    [3, 4],
  ])
  const y = tensor([
    [1, 2],
    [3, 4],
  ])
  for (const op of [
    (a: Tensor, b: Tensor) => a.matmul(b),
    (a: Tensor, b: Tensor) => a.div(b),
    (a: Tensor, b: Tensor) => layerNorm(a, b),
    (a: Tensor, b: Tensor) => concat([a, b]),
  ]) {
    op(x, y).sum().backward()
    op(y, x).sum().backward()
    t.is(y.grad, null)
  }
})

// Threads and memory --------------------------------------------------------------------------------------------------

/** A training step of a network with every expensive op. Returns the loss and all gradients. */
function step(): string[] {
  manualSeed(5)
  const parameters = [randn([300, 520]), randn([520]), randn([520]), randn([520, 2050]), randn([2050])]
  for (const one of parameters) one.requiresGrad = true
  const [x, weight, bias, head, offset] = parameters
  const hidden = dropout(layerNorm(x, weight, bias).gelu(), 0.1)
  const logits = hidden.matmul(head).add(offset)
  const targets = Int32Array.from({ length: 300 }, (_, i) => (i * 37) % 2050)
  const loss = crossEntropy(logits, targets).add(logits.softmax(1).mul(logits.tanh()).mean())
  loss.backward()
  return [digest(loss), ...parameters.map((one) => digest(grad(one)))]
}

test.serial('gradients have the same bits at 1, 2 and 8 threads', (t) => {
  const before = getNumThreads()
  try {
    setNumThreads(1)
    const wanted = step()
    for (const threads of [2, 8]) {
      setNumThreads(threads)
      t.deepEqual(step(), wanted, `${threads} threads`)
    }
  } finally {
    setNumThreads(before)
  }
})

test.serial('backward returns memory that only the graph held to the pool', (t) => {
  const bytes = 2 ** 20
  const x = randn([bytes / 4])
  x.requiresGrad = true
  // The graph alone holds eight results. One result is freed at once, and one gradient stays.
  const chain = () =>
    scope(() =>
      Array.from({ length: 8 })
        .reduce<Tensor>((y) => y.tanh(), x)
        .sum(),
    )
  const run = () => {
    const loss = chain()
    const held = memoryUsage().pool
    loss.backward()
    loss.dispose()
    return { held, freed: memoryUsage().pool }
  }
  run()
  x.grad = null
  const { held, freed } = run()
  t.true(freed - held >= 7 * bytes, `${freed - held} of ${8 * bytes} bytes came back`)
  // A graph that is dropped by dispose returns all of its memory, too.
  const unused = chain()
  const before = memoryUsage().pool
  unused.dispose()
  t.true(memoryUsage().pool - before >= 8 * bytes)
  // A second run takes no more memory than the first.
  x.grad = null
  const again = run()
  t.is(again.freed, freed)
})

test.serial('scope alone keeps the memory of a training loop flat', (t) => {
  const [w, b] = [randn([64, 64]), zeros([64])]
  for (const one of [w, b]) one.requiresGrad = true
  const targets = Int32Array.from({ length: 512 }, (_, i) => i % 64)
  let least = Infinity
  let most = 0
  for (let i = 0; i < 50; i++) {
    scope(() => crossEntropy(randn([512, 64]).matmul(w).add(b).relu(), targets).backward())
    w.grad = b.grad = null
    const { total } = memoryUsage()
    // Memory of earlier tests may be collected meanwhile, which is no growth.
    if (i > 10) least = Math.min(least, total)
    most = Math.max(most, total - least)
  }
  // It would be half a megabyte a round and more, if results stayed.
  t.true(most < 2 ** 23, `${most} bytes`)
})
