import test from 'ava'
import { Embedding, Generator, manualSeed, rand, randn, randperm } from '../../index.js'
import { defaultGenerator } from '../../api/tensor/random.js'
import { digest } from '../support/compare.js'
import { drawCases, runStep, seeded } from '../support/draws.js'
import { refuses } from '../support/errors.js'

for (const { name, seed, steps } of drawCases) {
  test(`draws equal PyTorch's: ${name}`, (t) => {
    const source = seeded(BigInt(seed), false)
    for (const step of steps) runStep(t, step, source)
  })

  // Epochs differ between the default generator and a loader's own.
  if (steps.some(({ op, shape }) => op === 'epoch' || (shape ?? []).length > 1)) continue
  test(`draws from an explicit generator equal PyTorch's: ${name}`, (t) => {
    const source = seeded(BigInt(seed), true)
    for (const step of steps) runStep(t, step, source)
  })
}

test('there are many cases to compare', (t) => {
  t.true(drawCases.length > 30)
  t.true(drawCases.some(({ name }) => name === 'normal 50257 x 768'))
})

test('equal seeds give the same draws, as numbers or as bigints', (t) => {
  for (const [a, b] of [
    [123, 123n],
    [-1, 2n ** 64n - 1n],
    [-5n, 2n ** 64n - 5n],
    [2 ** 32 + 5, 5],
  ] as const) {
    t.is(
      digest(randn([40], { generator: new Generator(a) })),
      digest(randn([40], { generator: new Generator(b) })),
      `${a}`,
    )
  }
  t.not(digest(randn([40], { generator: new Generator(1) })), digest(randn([40], { generator: new Generator(2) })))
})

test('a seed must be an integer of 64 bits', (t) => {
  const bad = [1.5, NaN, Infinity, 2 ** 53, '1', null, undefined, 2n ** 64n, -(2n ** 63n) - 1n, {}, true]
  for (const seed of bad) {
    if (seed !== undefined) refuses(t, () => new Generator(seed as never), 'USAGE', 'Generator: a seed')
    refuses(t, () => manualSeed(seed as never), 'USAGE', 'manualSeed: a seed')
  }
  const generator = new Generator(3)
  const before = generator.getState()
  refuses(t, () => generator.manualSeed(0.5), 'USAGE', '0.5')
  t.deepEqual(generator.getState(), before)
})

test('a generator without a seed starts like a fresh torch.Generator', (t) => {
  t.deepEqual(new Generator().getState(), new Generator(67280421310721n).getState())
})

test('manualSeed reseeds only the default generator', (t) => {
  const own = new Generator(9)
  const before = own.getState()
  manualSeed(123)
  const first = digest(randn([20]))
  manualSeed(123)
  t.is(digest(randn([20])), first)
  t.deepEqual(own.getState(), before)
})

test('functions with an explicit generator do not use the default one', (t) => {
  manualSeed(1)
  const before = defaultGenerator().getState()
  const generator = new Generator(2)
  randn([20], { generator })
  rand([20], { generator })
  randperm(20, { generator })
  new Embedding(5, 5, { generator })
  t.deepEqual(defaultGenerator().getState(), before)
  t.notDeepEqual(generator.getState(), new Generator(2).getState())
})

test('draws depend on the order of the calls', (t) => {
  manualSeed(7)
  const [a, b] = [new Embedding(10, 8), new Embedding(3, 2)]
  manualSeed(7)
  t.is(digest(randn([10, 8])), digest(a.weight))
  t.is(digest(randn([3, 2])), digest(b.weight))
})

test('a state can be saved and restored', (t) => {
  const a = new Generator(5)
  randn([3], { generator: a })
  const state = a.getState()
  const next = digest(randn([7], { generator: a }))
  t.is(state.length, 5056)
  t.is(digest(randn([7], { generator: new Generator().setState(state) })), next)
  t.is(digest(randn([7], { generator: a.setState(state) })), next)
  const buffer = Buffer.from(state)
  t.is(digest(randn([7], { generator: a.setState(buffer) })), next)
})

test('bytes that are not a state are rejected and change nothing', (t) => {
  const generator = new Generator(5)
  const before = generator.getState()
  const damaged = before.slice()
  damaged.fill(255, 8, 12)
  for (const bytes of [new Uint8Array(0), new Uint8Array(5055), new Uint8Array(5056), damaged]) {
    refuses(t, () => generator.setState(bytes), 'USAGE')
  }
  for (const value of [null, 'state', [1, 2], new Float32Array(1264), new ArrayBuffer(5056)]) {
    refuses(t, () => generator.setState(value as never), 'USAGE', 'Uint8Array')
  }
  t.deepEqual(generator.getState(), before)
})

test('draws are float32, permutations are int32, and draws may require a gradient', (t) => {
  t.is(rand([2]).dtype, 'float32')
  t.is(randperm(3).dtype, 'int32')
  t.true(randn([2], { requiresGrad: true }).requiresGrad)
  t.false(rand([2]).requiresGrad)
  t.deepEqual(rand([0, 3]).shape, [0, 3])
  t.deepEqual(
    [...randperm(50).data].map(Number).sort((a, b) => a - b),
    [...Array(50).keys()],
  )
  t.true([...rand([1000]).data].every((x) => Number(x) >= 0 && Number(x) < 1))
})

test('rejects arguments that cannot be drawn', (t) => {
  const generator = new Generator(5)
  const before = generator.getState()
  refuses(t, () => randn([1e12, 1e6], { generator }), 'USAGE', 'GiB')
  refuses(t, () => rand([-1], { generator }), 'USAGE', '-1')
  refuses(t, () => randperm(1.5, { generator }), 'USAGE', '1.5')
  refuses(t, () => randperm(-1, { generator }), 'USAGE', '-1')
  refuses(t, () => randn([2], { generatr: generator } as never), 'USAGE', '"generatr"', 'generator, requiresGrad')
  refuses(t, () => randn([2], { generator: 5 } as never), 'USAGE', 'Generator', '5')
  refuses(t, () => randn([2], { generator, requiresGrad: 1 } as never), 'USAGE', 'requiresGrad')
  t.deepEqual(generator.getState(), before)
})
