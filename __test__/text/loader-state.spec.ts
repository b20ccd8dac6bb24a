import test from 'ava'
import { createDataLoader, Generator, manualSeed, randn, type Batch, type DataLoader } from '../../index.js'
import { defaultGenerator } from '../../api/tensor/random.js'
import { runScript } from '../support/child.js'
import { digest } from '../support/compare.js'
import { firsts, orders } from '../support/epochs.js'
import { refuses } from '../support/errors.js'

const ids = Array.from({ length: 24 }, (_, i) => i)

interface Kind {
  name: string
  options: { batchSize: number; maxLength: number; stride: number; dropLast: boolean; shuffle: boolean }
  own: boolean
}

const KINDS: Kind[] = [true, false].flatMap((shuffle) =>
  [true, false].flatMap((own) =>
    [true, false].map((dropLast) => ({
      name: `${shuffle ? 'shuffled' : 'in order'}, ${own ? 'an own' : 'the default'} generator, ${dropLast ? 'dropLast' : 'a short last batch'}`,
      options: { batchSize: 4, maxLength: 2, stride: 1, dropLast, shuffle },
      own,
    })),
  ),
)

/** A loader whose generator is at `seed`. */
function make({ options, own }: Kind, seed: number): DataLoader {
  if (!own) manualSeed(seed)
  return createDataLoader(ids, { ...options, ...(own ? { generator: new Generator(seed) } : {}) })
}

/**
 * The state after this many epochs and batches, and the batches that follow: the rest of the epoch and two more epochs.
 */
function interrupted(kind: Kind, epochs: number, batches: number): { state: object; rest: number[][][] } {
  const loader = make(kind, 7)
  orders(loader, epochs)
  const iterator = loader[Symbol.iterator]()
  for (let i = 0; i < batches; i++) iterator.next()
  const state = loader.state()
  const generator = defaultGenerator().getState()
  const rest: number[][] = []
  for (let next = iterator.next(); !next.done; next = iterator.next()) rest.push(firsts(next.value))
  const later = orders(loader, 2)
  if (!kind.own) defaultGenerator().setState(generator)
  return { state, rest: [rest, ...later] }
}

for (const kind of KINDS) {
  test(`${kind.name}: resumes after every batch from a state in JSON`, (t) => {
    const { length } = make(kind, 7)
    for (const epochs of [0, 2]) {
      for (let batches = 1; batches <= length; batches++) {
        const { state, rest } = interrupted(kind, epochs, batches)
        const text = JSON.stringify(state)
        t.true(text.length < 16_384)
        const other = make(kind, 1234).load(JSON.parse(text))
        t.deepEqual(orders(other, 3), rest, `epoch ${epochs}, batch ${batches}`)
      }
    }
  })

  test(`${kind.name}: a state between epochs resumes with the next epoch`, (t) => {
    const loader = make(kind, 7)
    orders(loader, 1)
    const state = loader.state()
    const expected = orders(loader, 2)
    t.deepEqual(orders(make(kind, 1234).load(state), 2), expected)
    t.deepEqual(orders(loader.load(state), 2), expected)
  })

  test(`${kind.name}: resumes in another process`, async (t) => {
    const { state, rest } = interrupted(kind, 1, 3)
    const { code, stdout, stderr } = await runScript('lifetime/resume.js', [JSON.stringify({ state, ...kind })])
    t.is(code, 0, stderr)
    t.deepEqual(JSON.parse(stdout), rest)
  })
}

test('draws between batches are reproduced, too', (t) => {
  const kind = KINDS[1]
  manualSeed(7)
  const loader = createDataLoader(ids, kind.options)
  const iterator = loader[Symbol.iterator]()
  iterator.next()
  randn([5])
  const state = loader.state()
  const expected = [firsts(iterator.next().value), digest(randn([5])), digest(randn([20]))]
  manualSeed(0)
  const other = createDataLoader(ids, kind.options).load(state)
  const [first] = [firsts(other[Symbol.iterator]().next().value)]
  t.deepEqual([first, digest(randn([5])), digest(randn([20]))], expected)
})

test('a loop that was left by break can be resumed', (t) => {
  const kind = KINDS[3]
  const loader = make(kind, 7)
  const seen: number[][] = []
  for (const batch of loader) {
    seen.push(firsts(batch))
    if (seen.length === 2) break
  }
  const [whole] = orders(make(kind, 7), 1)
  const [rest] = orders(make(kind, 99).load(loader.state()), 1)
  t.deepEqual([...seen, ...rest], whole)
})

test('rejects states of other loaders without changes', (t) => {
  const kind = KINDS[2]
  const loader = make(kind, 7)
  const iterator = loader[Symbol.iterator]()
  iterator.next()
  const state = loader.state() as Record<string, unknown>
  const other = createDataLoader(ids.slice(1), { ...kind.options, generator: new Generator(7) })
  const bad: [unknown, string][] = [
    [null, 'null'],
    [undefined, 'undefined'],
    ['state', "'state'"],
    [5, '5'],
    [[], '[]'],
    [{}, '{}'],
    [{ ...state, version: 2 }, 'expected a state'],
    [{ ...state, windows: 5 }, '5 windows'],
    [{ ...state, windows: undefined }, 'undefined windows'],
    [{ ...state, batch: -1 }, '-1'],
    [{ ...state, batch: 1.5 }, '1.5'],
    [{ ...state, batch: 1000 }, '1000'],
    [{ ...state, batch: '1' }, "'1'"],
    [{ ...state, epoch: 5 }, 'expected a state'],
    [{ ...state, epoch: null, now: null }, 'expected a state'],
    [{ ...state, epoch: 'AAAA' }, '5056 bytes'],
    [{ ...state, epoch: 'no base64!' }, 'bytes'],
    [{ ...state, now: 'AAAA' }, '5056 bytes'],
    [{ ...state, epoch: Buffer.alloc(5056).toString('base64') }, 'seeded'],
  ]
  for (const [value, part] of bad) {
    refuses(t, () => loader.load(value as object), 'USAGE', part)
    t.deepEqual(loader.state(), state)
  }
  refuses(t, () => other.load(state), 'USAGE', '22 windows', '21')
  t.deepEqual(orders(make(kind, 7), 1)[0].slice(1), [...iteratorRest(iterator)])
})

function* iteratorRest(iterator: Iterator<Batch>): Iterable<number[]> {
  for (let next = iterator.next(); !next.done; next = iterator.next()) yield firsts(next.value)
}
