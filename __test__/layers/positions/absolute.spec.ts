import test from 'ava'
import {
  interpolatePositions,
  ones,
  randn,
  sinusoidalPositions,
  TokenPositionEmbedding,
  zeros,
} from '../../../index.js'
import { digest, isGolden } from '../../support/compare.js'
import { refuses } from '../../support/errors.js'
import { elements, fromGolden, readGolden, type Golden } from '../../support/golden.js'

interface Sinusoids {
  length: number
  dim: number
  layout: 'half' | 'interleaved'
  out: Golden
}
interface Interpolation {
  table: Golden
  length: number
  alignCorners: boolean
  out: Golden
}
const { sinusoids, interpolations } = readGolden<{ sinusoids: Sinusoids[]; interpolations: Interpolation[] }>(
  'positions/positions.json',
)

for (const { length, dim, layout, out } of sinusoids) {
  test(`sinusoids equal Transformers': (${length}, ${dim}), ${layout}`, (t) => {
    isGolden(t, sinusoidalPositions(length, dim, { layout }), out, 'the table')
  })
}

test('sinusoids may start anywhere, have another wavelength and fill an existing tensor', (t) => {
  const whole = sinusoidalPositions(30, 10)
  t.is(digest(sinusoidalPositions(4, 10, { offset: 26 })), digest(whole.narrow(0, 26, 4)))
  const out = ones([30, 10])
  t.is(sinusoidalPositions(30, 10, { out }), out)
  t.is(digest(out), digest(whole))
  t.is(sinusoidalPositions(2, 4, { maxWavelength: 100 }).toArray()[1][2], Math.fround(Math.sin(0.1)))
  t.deepEqual(sinusoidalPositions(0, 4).shape, [0, 4])
  // Angles are computed in float64, also at a million.
  const far = sinusoidalPositions(1, 8, { offset: 1_000_000, layout: 'half' }).data as Float32Array
  for (let i = 0; i < 4; i++) {
    const angle = 1_000_000 / 10000 ** ((2 * i) / 8)
    t.true(Math.abs(far[i] - Math.sin(angle)) < 3.1e-8 && Math.abs(far[4 + i] - Math.cos(angle)) < 3.1e-8)
  }
})

test('rejects impossible sinusoids', (t) => {
  refuses(t, () => sinusoidalPositions(4, 7), 'USAGE', 'even', '7')
  refuses(t, () => sinusoidalPositions(4, 0), 'USAGE', 'dim')
  refuses(t, () => sinusoidalPositions(-1, 4), 'USAGE', 'length')
  refuses(t, () => sinusoidalPositions(1.5, 4), 'USAGE', 'length')
  refuses(
    t,
    () => sinusoidalPositions(2, 4, { layout: 'split' as never }),
    'USAGE',
    '"split"'.slice(1, -1),
    'interleaved',
  )
  refuses(t, () => sinusoidalPositions(2, 4, { maxWavelength: 0 }), 'USAGE', 'maxWavelength')
  refuses(t, () => sinusoidalPositions(2, 4, { offset: -1 }), 'USAGE', 'offset')
  refuses(t, () => sinusoidalPositions(2, 4, { out: zeros([2, 5]) }), 'SHAPE', '[2, 5]')
  refuses(t, () => sinusoidalPositions(2, 4, { wavelength: 1 } as never), 'USAGE', '"wavelength"')
})

/** PyTorch interpolates in float32, among 5 rows of numbers below 1; each position is off by a few units of float32. */
const INTERPOLATION = 5 * 2 ** -22

for (const { table, length, alignCorners, out } of interpolations) {
  test(`equals torch.nn.functional.interpolate: ${table.s[0]} to ${length}, alignCorners ${alignCorners}`, (t) => {
    const found = interpolatePositions(fromGolden(table), length, { alignCorners })
    t.deepEqual(found.shape, out.s)
    const wanted = elements(out) as Float32Array
    ;(found.data as Float32Array).forEach((value, i) => t.true(Math.abs(value - wanted[i]) <= INTERPOLATION))
  })
}

test('the error about a context that is too short says how to stretch the table, and that works', (t) => {
  const sizes = { vocabSize: 5, dim: 6 }
  const layer = new TokenPositionEmbedding({ ...sizes, contextLength: 4 })
  const ids = [1, 2, 3, 4, 0, 1]
  refuses(t, () => layer.forward(ids), 'SHAPE', '6 ids', '4 positions of contextLength', 'interpolatePositions')
  refuses(
    t,
    () => layer.forward([1], { positions: [4] }),
    'TOKEN_INDEX',
    'position 4 at [0]',
    '4 rows',
    'interpolatePositions',
  )
  const longer = new TokenPositionEmbedding({ ...sizes, contextLength: 8 })
  const table = interpolatePositions(layer.position.weight, 8)
  longer.loadStateDict({ ...layer.stateDict(), 'position.weight': table })
  t.deepEqual(longer.forward(ids).shape, [6, 6])
  t.true(table.requiresGrad)
  t.false(interpolatePositions(layer.position.weight.detach(), 8).requiresGrad)
  t.is(digest(interpolatePositions(layer.position.weight, 4)), digest(layer.position.weight))
  const ends = interpolatePositions(layer.position.weight, 7, { alignCorners: true })
  t.is(digest(ends.narrow(0, 6, 1)), digest(layer.position.weight.narrow(0, 3, 1)))
})

test('rejects tables that cannot be stretched', (t) => {
  refuses(t, () => interpolatePositions(zeros([3]), 4), 'SHAPE', '[3]')
  refuses(t, () => interpolatePositions(zeros([0, 3]), 4), 'SHAPE', '[0, 3]')
  refuses(t, () => interpolatePositions(zeros([2, 3], { dtype: 'float16' }), 4), 'DTYPE', "to('float32')")
  refuses(t, () => interpolatePositions(randn([2, 3]), -4), 'USAGE', 'newLength')
  refuses(t, () => interpolatePositions(randn([2, 3]), 4, { alignCorners: 1 as never }), 'USAGE', 'alignCorners')
  t.deepEqual(interpolatePositions(randn([2, 3]), 0).shape, [0, 3])
})
