// Neighbours and analogies, compared with gensim's, and errors about unknown tokens.

import test from 'ava'
import {
  Embedding,
  Generator,
  getNumThreads,
  quantize,
  rand,
  randn,
  setNumThreads,
  tensor,
  Tokenizer,
  UnknownTokenError,
  Vectors,
  zeros,
  type Neighbour,
} from '../../index.js'
import { refuses } from '../support/errors.js'
import { readGolden } from '../support/golden.js'

type Pairs = [string, number][]
interface Golden {
  words: string[]
  table: number[]
  own: number[]
  most_similar: Record<string, Pairs>
  of_own: Pairs
  of_some: Pairs
  analogy: Pairs
  similarity: [string, string, number][]
  doesnt_match: [string[], string][]
  rank: [string, string, number][]
}
const golden = readGolden<Golden>('vectors/vectors.json')
const dim = golden.own.length
const table = tensor(Float32Array.from(golden.table), { shape: [golden.words.length, dim] })
const vectors = new Vectors(table, golden.words)
const own = Float32Array.from(golden.own)

/** gensim computes cosines in float32, and NumPy sums in another order. */
const TOLERANCE = 5e-7

test("neighbours and analogies equal gensim's", (t) => {
  const agree = (ours: Neighbour[], theirs: Pairs, what: string) => {
    t.deepEqual(
      ours.map(({ token }) => token),
      theirs.map(([word]) => word),
      what,
    )
    ours.forEach(({ token, id, similarity }, i) => {
      t.is(golden.words[id], token)
      t.true(Math.abs(similarity - theirs[i][1]) <= TOLERANCE, `${what}: ${token} ${similarity} is not ${theirs[i][1]}`)
    })
  }
  for (const [word, theirs] of Object.entries(golden.most_similar))
    agree(vectors.mostSimilar(word, { topN: theirs.length }), theirs, word)
  agree(vectors.mostSimilar(own), golden.of_own, 'a vector')
  for (const vector of [golden.own, Float64Array.from(golden.own), tensor(own)])
    t.deepEqual(vectors.mostSimilar(vector), vectors.mostSimilar(own))
  agree(
    vectors.mostSimilar({ positive: ['king', 'woman', own], negative: ['man', 'word7'] }, { topN: 100 }),
    golden.of_some,
    'some',
  )
  agree(vectors.analogy('man', 'king', 'woman', { topN: 57 }), golden.analogy, 'an analogy')
  for (const [a, b, theirs] of golden.similarity)
    t.true(Math.abs(vectors.similarity(a, b) - theirs) <= TOLERANCE, `${a} ${b}`)
  for (const [some, theirs] of golden.doesnt_match) t.is(vectors.doesntMatch(some), theirs)
  for (const [a, b, theirs] of golden.rank) t.is(vectors.rank(a, b), theirs, `${a} ${b}`)
})

test('all functions give the same similarity for a pair', (t) => {
  const found = vectors.mostSimilar('king', { topN: 59 })
  const all = vectors.similarities('king')
  t.is(found.length, 59)
  for (const { token, id, similarity } of found) {
    t.is(vectors.similarity('king', token), similarity)
    t.is(all[id], similarity)
  }
  t.true(Math.abs(all[0] - 1) < 1e-6)
})

test('gives the same neighbours at any number of threads', (t) => {
  const large = new Vectors(
    randn([20_000, 96], { generator: new Generator(1) }),
    Array.from({ length: 20_000 }, (_, i) => `w${i}`),
  )
  const threads = getNumThreads()
  const found = [1, 2, 5].map((n) => {
    setNumThreads(n)
    return large.mostSimilar('w77', { topN: 200 })
  })
  setNumThreads(threads)
  t.deepEqual(found[1], found[0])
  t.deepEqual(found[2], found[0])
})

test('sees later changes of the table', (t) => {
  const layer = new Embedding(4, 2)
  layer.weight.set([1, 0, 0, 1, 1, 0.1, -1, 0])
  const live = new Vectors(layer.weight, ['a', 'b', 'c', 'd'])
  t.deepEqual(
    live.mostSimilar('a').map(({ token }) => token),
    ['c', 'b', 'd'],
  )
  layer.weight.set([0, 5], 6)
  t.deepEqual(
    live.mostSimilar('a').map(({ token }) => token),
    ['c', 'b', 'd'],
  )
  layer.weight.set([1, 0], 6)
  t.deepEqual(
    live.mostSimilar('a').map(({ token, similarity }) => `${token} ${similarity}`),
    ['d 1', `c ${vectors32(1, 0.1)}`, 'b 0'],
  )
  t.deepEqual([...live.vector('d')], [1, 0])
})

const vectors32 = (x: number, y: number) =>
  Math.fround(Math.fround(x) / Math.fround(Math.sqrt(Math.fround(x * x + Math.fround(y) * Math.fround(y)))))

test('handles rows of zeros, rows with NaN and empty tables', (t) => {
  const odd = new Vectors(
    tensor([
      [1, 1],
      [0, 0],
      [NaN, 1],
      [-1, -1],
    ]),
    ['a', 'zero', 'nan', 'b'],
  )
  t.deepEqual(
    odd.mostSimilar('a').map(({ token }) => token),
    ['zero', 'b'],
  )
  t.is(odd.similarity('a', 'zero'), 0)
  t.deepEqual(
    odd.mostSimilar('zero').map(({ token, similarity }) => `${token} ${similarity}`),
    ['a 0', 'b 0'],
  )
  refuses(t, () => odd.mostSimilar('nan'), 'USAGE', 'NaN')
  const none = new Vectors(zeros([0, 3]), [])
  t.deepEqual(none.mostSimilar([1, 2, 3]), [])
  t.deepEqual(vectors.mostSimilar('king', { topN: 0 }), [])
})

test('accepts tables of other types', (t) => {
  const names = (found: Neighbour[]) => found.map(({ token }) => token)
  for (const weight of [table.to('float16'), table.to('bfloat16'), quantize(table, 'int8')]) {
    t.deepEqual(
      names(new Vectors(weight, golden.words).mostSimilar('word40', { topN: 3 })),
      names(vectors.mostSimilar('word40', { topN: 3 })),
    )
  }
})

test('accepts tokens of a tokenizer', (t) => {
  const tokenizer = Tokenizer.load('gpt2')
  const weight = randn([50304, 4], { generator: new Generator(2) })
  const tokens = new Vectors(weight, tokenizer)
  t.is(tokens.size, 50257)
  t.is(tokens.words, null)
  // Tokens are found as written, or else with a leading space.
  t.is(tokens.id('whale'), tokenizer.encode(' whale')[0])
  t.is(tokens.id('the'), tokenizer.encode('the')[0])
  t.is(tokens.id(' the'), tokenizer.encode(' the')[0])
  t.is(tokens.id('<|endoftext|>'), 50256)
  t.is(tokens.token(tokens.id('whale')), 'Ġwhale')
  t.true(tokens.mostSimilar('whale', { topN: 60000 }).length === 50256)
  t.true(tokens.has('whale') && !tokens.has('whaleboat'))
  const error = refuses(
    t,
    () => tokens.mostSimilar('whaleboat'),
    'USAGE',
    'whaleboat',
    'gpt2',
    '"wh", "ale", "boat"',
  ) as UnknownTokenError
  t.deepEqual(error.nearest, ['wh', 'ale', 'boat'])
  refuses(t, () => tokens.id(''), 'USAGE', '0 tokens')
})

test('the error about an unknown word suggests the nearest spellings', (t) => {
  const list = ['the', 'whale', 'While', 'whales', 'Ahab', 'Queequeg', 'naïve', 'ship', 'hips']
  const some = new Vectors(zeros([list.length, 2]), list)
  const nearest = (word: string) => {
    const error = t.throws(() => some.mostSimilar(word), { instanceOf: UnknownTokenError })
    t.is(error.token, word)
    t.is(error.code, 'USAGE')
    t.is(error.nearest, error.nearest)
    return error.nearest
  }
  t.deepEqual(nearest('Whale'), ['whale', 'While', 'whales'])
  t.deepEqual(nearest('ahab'), ['Ahab'])
  t.deepEqual(nearest('quequeg'), ['Queequeg'])
  t.deepEqual(nearest('teh'), ['the'])
  t.deepEqual(nearest('hsip'), ['ship', 'hips'])
  t.deepEqual(nearest('naive'), ['naïve'])
  t.deepEqual(nearest('WAHLE'), ['whale', 'While', 'whales'])
  t.deepEqual(nearest('zebra'), [])
  t.deepEqual(nearest(''), [])
  t.deepEqual(nearest('x'.repeat(5000)), [])
  for (const call of [
    () => some.analogy('the', 'whale', 'shp'),
    () => some.rank('shp', 'the'),
    () => some.similarity('shp', 'the'),
    () => some.doesntMatch(['the', 'shp']),
    () => some.vector('shp'),
    () => some.id('shp'),
  ]) {
    const error = refuses(t, call, 'USAGE', "'shp'", 'nearest', '9 words') as UnknownTokenError
    t.deepEqual(error.nearest, ['ship'])
  }
  // The message contains what needs no search.
  for (const [text, variant] of [
    ['ahab', 'Ahab'],
    ['AHAB', 'Ahab'],
    [' ship ', 'ship'],
    ['nai\u0308ve', 'naïve'],
    ['NAÏVE', 'naïve'],
  ]) {
    refuses(t, () => some.id(text), 'USAGE', 'not among the 9 words', `"${variant}" is`)
  }
})

/** Optimal string alignment, as defined, ignoring case. */
function edits(a: string, b: string): number {
  const table = Array.from({ length: a.length + 1 }, (_, i) =>
    Array.from({ length: b.length + 1 }, (_, j) => (i === 0 ? j : i)),
  )
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      table[i][j] = Math.min(
        table[i - 1][j] + 1,
        table[i][j - 1] + 1,
        table[i - 1][j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1),
      )
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        table[i][j] = Math.min(table[i][j], table[i - 2][j - 2] + 1)
    }
  }
  return table[a.length][b.length]
}

test('the nearest spellings have the smallest edit distances, for words of every length', (t) => {
  const generator = new Generator(4)
  const word = (length: number) =>
    String.fromCharCode(...randint(generator, length, 3).map((n) => (n === 2 ? 0x416 : 97 + n)))
  for (let length = 1; length <= 64; length++) {
    const lengths = Array.from({ length: 40 }, (_, i) => Math.max(1, length + (i % 9) - 4))
    const words = [...new Set(lengths.map((n) => word(n)))]
    const text = word(length)
    if (words.includes(text)) continue
    const table = new Vectors(zeros([words.length, 1]), words)
    const error = t.throws(() => table.id(text), { instanceOf: UnknownTokenError })
    const near = words
      .map((one) => ({ one, far: edits(text.toLowerCase(), one.toLowerCase()) || 0.5 }))
      .filter(({ far }) => far <= Math.ceil(length / 3))
    near.sort((a, b) => a.far - b.far)
    t.deepEqual(
      error.nearest,
      near.slice(0, 3).map(({ one }) => one),
      `${text} among ${words.join(' ')}`,
    )
  }
})

function randint(generator: Generator, count: number, below: number): number[] {
  return Array.from(rand([count], { generator }).data as Float32Array, (x) => Math.floor(x * below))
}

test('among 400,000 words, an unknown one costs nothing until spellings are asked for, and little then', (t) => {
  const letters = randint(new Generator(5), 12 * 400_000, 26)
  const words = Array.from(
    { length: 400_000 },
    (_, i) =>
      `${String.fromCharCode(...letters.slice(12 * i, 12 * i + 3 + (i % 10)).map((n) => 97 + n))}${i.toString(36)}`,
  )
  words[399_999] = 'Ishmael'
  const table = new Vectors(zeros([words.length, 1]), words)
  // Processor time, because other specs run in parallel.
  const milliseconds = (run: () => void) =>
    Math.min(
      ...Array.from({ length: 7 }, () => {
        const start = process.cpuUsage()
        run()
        const { user, system } = process.cpuUsage(start)
        return (user + system) / 1e3
      }),
    )
  const unknown = (text: string) => t.throws(() => table.id(text), { instanceOf: UnknownTokenError })
  for (const text of ['Ishmeal', 'qwrtzpsdfgh', 'of sixty-four letters: '.padEnd(64, 'x')]) {
    const thrown = milliseconds(() => void unknown(text))
    t.true(thrown < 5, `${text}: ${thrown} ms until it is thrown`)
    const read = milliseconds(() => void unknown(text).nearest)
    t.true(read < 50, `${text}: ${read} ms until it is told`)
  }
  t.is(unknown('Ishmeal').nearest[0], 'Ishmael')
})

test('rejects wrong use', (t) => {
  const wrong = (query: unknown, ...parts: string[]) =>
    refuses(t, () => vectors.mostSimilar(query as string), 'USAGE', ...parts)
  wrong(5, 'a token or a vector')
  wrong(null, 'a token or a vector')
  wrong({ positive: [], negative: [] }, 'at least one token')
  wrong({ positive: 'king' }, 'positive', 'array')
  wrong({ positive: ['king'], negativ: [] }, '"negativ"')
  wrong([...golden.own.slice(1), NaN], 'element 36', 'NaN')
  wrong([...golden.own.slice(1), '1'], 'element 36')
  refuses(t, () => vectors.mostSimilar([1, 2]), 'SHAPE', '37 numbers', 'not 2')
  refuses(t, () => vectors.mostSimilar(zeros([1, 37])), 'SHAPE', '[1, 37]')
  refuses(t, () => vectors.mostSimilar('king', { topN: -1 }), 'USAGE', 'topN')
  refuses(t, () => vectors.mostSimilar('king', { topN: 1.5 }), 'USAGE', 'topN')
  refuses(t, () => vectors.mostSimilar('king', { topn: 1 } as never), 'USAGE', '"topn"')
  refuses(t, () => vectors.doesntMatch([]), 'USAGE', 'at least one token')
  refuses(t, () => vectors.token(60), 'USAGE', '60')
  refuses(t, () => new Vectors(table, ['a']), 'SHAPE', '1 words', '60 rows')
  refuses(t, () => new Vectors(zeros([2, 2]), ['a', 'a']), 'USAGE', "'a'")
  refuses(t, () => new Vectors(zeros([2]), ['a', 'b']), 'SHAPE', '[2]')
  refuses(t, () => new Vectors(zeros([2, 2], { dtype: 'int32' }), ['a', 'b']), 'DTYPE', 'int32')
  refuses(t, () => new Vectors(zeros([2, 2]), 'ab' as never), 'USAGE', 'array of words')
})
