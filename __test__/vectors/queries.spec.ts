// Queries with weights and limits, means, changes of the words and evaluations, compared with gensim's.

import test, { type ExecutionContext } from 'ava'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import {
  Embedding,
  Generator,
  randn,
  tensor,
  Tokenizer,
  Vectors,
  type EvaluationOptions,
  type Neighbour,
  type VectorQuery,
} from '../../index.js'
import { refuses } from '../support/errors.js'
import { readGolden, root } from '../support/golden.js'

type Pairs = [string, number][]
interface Sections {
  accuracy: number
  sections: { section: string; correct: string[][]; incorrect: string[][] }[]
}
type Correlations = Record<'pearson' | 'spearman', [number, number]> & { oov: number }
type Kind = 'plain' | 'case' | 'dummies' | 'restricted'
interface Queries {
  weighted: { query: VectorQuery; found: Pairs }
  restricted: Pairs
  cosmul: { query: VectorQuery; found: Pairs }
  cosmul_of_own: Pairs
  cosmul_of_one: Pairs
  distances: number[]
  distances_to: number[]
  n_similarity: [string[], string[], number][]
  closer_than: [string, string, string[]][]
  mean: { tokens: string[]; weights: number[]; plain: number[]; weighted: number[]; raw: number[]; unit: number[] }
  pairs: Record<Kind, Correlations>
  analogies: Record<Kind, Sections>
  added: Pairs
  replaced: Pairs
}
const golden = readGolden<Queries>('vectors/queries.json')
const {
  words,
  table: numbers,
  own: given,
} = readGolden<{ words: string[]; table: number[]; own: number[] }>('vectors/vectors.json')
const dim = given.length
const own = Float32Array.from(given)
const table = () => tensor(Float32Array.from(numbers), { shape: [words.length, dim] })
const vectors = new Vectors(table(), words)
const fixed = new Vectors(table(), words, { fixed: true })
const folder = join(root, 'testdata/golden/vectors')

/** gensim computes in float32, and NumPy sums in another order. */
const TOLERANCE = 2e-6

const near = (t: ExecutionContext, ours: ArrayLike<number>, theirs: ArrayLike<number>, what: string) => {
  t.is(ours.length, theirs.length, what)
  for (let i = 0; i < ours.length; i++)
    t.true(
      Math.abs(ours[i] - theirs[i]) <= TOLERANCE * Math.max(1, Math.abs(theirs[i])),
      `${what}: ${ours[i]} is not ${theirs[i]}`,
    )
}

const agree = (t: ExecutionContext, ours: Neighbour[], theirs: Pairs, what: string) => {
  t.deepEqual(
    ours.map(({ token }) => token),
    theirs.map(([word]) => word),
    what,
  )
  const similarities = ours.map(({ similarity }) => similarity)
  near(
    t,
    similarities,
    theirs.map(([, similarity]) => similarity),
    what,
  )
}

for (const [name, it] of Object.entries({ plain: vectors, fixed })) {
  test(`${name}: weights, limits, products and distances equal gensim's`, (t) => {
    agree(t, it.mostSimilar(golden.weighted.query, { topN: 20 }), golden.weighted.found, 'weights')
    agree(t, it.mostSimilar('king', { topN: 12, restrictTo: 30 }), golden.restricted, 'the first 30')
    agree(t, it.mostSimilarCosmul(golden.cosmul.query, { topN: 20 }), golden.cosmul.found, 'cosmul')
    agree(
      t,
      it.mostSimilarCosmul({ positive: [own], negative: ['man'] }, { topN: 20 }),
      golden.cosmul_of_own,
      'a vector',
    )
    agree(t, it.mostSimilarCosmul('word5', { topN: 20 }), golden.cosmul_of_one, 'one')
    near(t, it.distances('king'), golden.distances, 'distances')
    near(t, it.distances(own, ['queen', 'word40', 'word45']), golden.distances_to, 'distances to some')
    t.is(it.distance('king', 'queen'), 1 - it.similarity('king', 'queen'))
    for (const [a, b, theirs] of golden.n_similarity) near(t, [it.nSimilarity(a, b)], [theirs], 'nSimilarity')
    for (const [a, b, theirs] of golden.closer_than) t.deepEqual(it.closerThan(a, b), theirs)
    const { tokens, weights, plain, weighted, raw, unit } = golden.mean
    near(t, it.meanVector(tokens), plain, 'mean')
    near(t, it.meanVector(tokens, { weights }), weighted, 'weighted mean')
    near(t, it.meanVector(tokens, { weights, preNormalize: false }), raw, 'raw mean')
    near(t, it.meanVector(tokens, { postNormalize: true }), unit, 'unit mean')
  })
}

test('a list limits the neighbours, and their numbers stay', (t) => {
  const all = vectors.mostSimilar('king', { topN: 100 })
  const some = ['word3', 'queen', 'king', 'word30', 'queen']
  const found = vectors.mostSimilar('king', { restrictTo: some })
  t.deepEqual(
    found,
    all.filter(({ token }) => some.includes(token)),
  )
  t.is(found.length, 3)
  t.deepEqual(vectors.mostSimilar('king', { restrictTo: [] }), [])
  t.deepEqual(vectors.mostSimilar('king', { restrictTo: 0 }), [])
  t.deepEqual(vectors.mostSimilar('king', { topN: 100, restrictTo: 1e6 }), all)
  t.deepEqual(
    vectors
      .mostSimilarCosmul('king', { restrictTo: ['word3', 'queen'] })
      .map(({ token }) => token)
      .sort(),
    ['queen', 'word3'],
  )
})

test('a batch has the bits of its queries alone', (t) => {
  const size = 3000
  const many = new Vectors(
    randn([size, 70], { generator: new Generator(3) }),
    Array.from({ length: size }, (_, i) => `w${i}`),
  )
  const queries: VectorQuery[] = Array.from({ length: 150 }, (_, i) =>
    i % 3 === 0 ? `w${7 * i}` : { positive: [`w${i}`, [`w${i + 1}`, 0.5]], negative: i % 3 === 1 ? [`w${2 * i}`] : [] },
  )
  const frozen = new Vectors(many.weight, many.words!, { fixed: true })
  for (const options of [{ topN: 7 }, { topN: 5, restrictTo: 700 }, { restrictTo: ['w1', 'w5', 'w9'] }]) {
    const alone = queries.map((query) => many.mostSimilar(query, options))
    t.deepEqual(many.mostSimilarBatch(queries, options), alone)
    t.deepEqual(frozen.mostSimilarBatch(queries, options), alone)
  }
  t.deepEqual(many.mostSimilarBatch([]), [])
})

test('norms are kept only on request', (t) => {
  const layer = new Embedding(3, 2)
  layer.weight.set([1, 0, 0, 1, 1, 1])
  const [live, kept] = [undefined, { fixed: true }].map(
    (options) => new Vectors(layer.weight, ['a', 'b', 'c'], options),
  )
  const ask = (it: Vectors) => it.mostSimilar('a').map(({ token, similarity }) => `${token} ${similarity.toFixed(4)}`)
  t.deepEqual(ask(live), ['c 0.7071', 'b 0.0000'])
  t.deepEqual(ask(kept), ask(live))
  ;(layer.weight.data as Float32Array).set([0, 4], 4)
  ;(layer.weight.data as Float32Array).set([3, 0], 2)
  t.deepEqual(ask(live), ['b 1.0000', 'c 0.0000'])
  // The norm that was kept for b is 1.
  t.deepEqual(ask(kept), ['b 3.0000', 'c 0.0000'])
  refuses(t, () => new Vectors(layer.weight, ['a', 'b', 'c'], { fixed: 1 as never }), 'USAGE', 'fixed')
})

test('add and remove give new vectors', (t) => {
  const added = vectors.add(['newer', 'king'], [own, own.map((x) => -x)])
  agree(t, added.mostSimilar('newer', { topN: 61 }), golden.added, 'added')
  t.is(added.size, words.length + 1)
  t.deepEqual([...added.vector('king')], [...vectors.vector('king')])
  const replaced = vectors.add(['newer', 'king'], tensor([[...given], given.map((x) => -x)]), { replace: true })
  agree(t, replaced.mostSimilar('king', { topN: 61 }), golden.replaced, 'replaced')
  t.is(vectors.size, words.length)
  const fewer = added.remove(['newer', 'queen', words.at(-1)!])
  t.deepEqual(
    fewer.words,
    words.filter((word) => word !== 'queen' && word !== words.at(-1)),
  )
  t.deepEqual([...fewer.vector('word7')], [...vectors.vector('word7')])
  t.is(vectors.remove(words).size, 0)
  refuses(t, () => vectors.remove(['nowhere']), 'USAGE', "'nowhere'")
  refuses(t, () => vectors.add(['x'], [[1, 2]]), 'SHAPE', '37 numbers')
  refuses(t, () => vectors.add(['x'], []), 'SHAPE', '1 words but 0 vectors')
  refuses(t, () => vectors.add(['x'], tensor([[1, 2]])), 'SHAPE', '[1, 37]')
  refuses(t, () => vectors.add(['x', 'x'], [own, own]), 'USAGE', "'x'")
  refuses(t, () => vectors.add(['x'], 5 as never), 'USAGE', 'vectors')
  const tokens = new Vectors(randn([50257, 2], { generator: new Generator(1) }), Tokenizer.load('gpt2'))
  refuses(t, () => tokens.add(['x'], [[1, 2]]), 'USAGE', 'resizeVocabulary')
  refuses(t, () => tokens.remove(['x']), 'USAGE', 'resizeVocabulary')
})

const KINDS: Record<Kind, EvaluationOptions> = {
  plain: {},
  case: { caseInsensitive: false },
  dummies: { dummy4unknown: true },
  restricted: {},
}

for (const [kind, options] of Object.entries(KINDS) as [Kind, EvaluationOptions][]) {
  test(`${kind}: evaluations equal gensim's`, (t) => {
    const theirs = golden.pairs[kind]
    const limit = kind === 'restricted' ? { restrictTo: 20 } : {}
    const found = vectors.evaluateWordPairs(join(folder, 'pairs.tsv'), { ...options, ...limit })
    near(t, [found.pearson, found.pearsonPValue], theirs.pearson, 'pearson')
    near(t, [found.spearman, found.spearmanPValue], theirs.spearman, 'spearman')
    t.is(found.oov, theirs.oov)
    const rows = kind === 'restricted' ? { restrictTo: 30 } : {}
    const { accuracy, sections, oov } = vectors.evaluateAnalogies(pathToFileURL(join(folder, 'analogies.txt')), {
      ...options,
      ...rows,
    })
    t.is(accuracy, golden.analogies[kind].accuracy)
    t.deepEqual(sections, golden.analogies[kind].sections as typeof sections)
    t.true(oov > 0 && oov < 100)
  })
}

test("a tokenizer's tokens are evaluated by their text", (t) => {
  const tokens = new Vectors(randn([50257, 8], { generator: new Generator(1) }), Tokenizer.load('gpt2'))
  const { pairs, oov } = tokens.evaluateWordPairs(join(folder, 'pairs.tsv'))
  t.true(pairs >= 4 && oov > 0)
})

test('rejects wrong use', (t) => {
  const wrong = (run: () => unknown, ...parts: string[]) => refuses(t, run, 'USAGE', ...parts)
  wrong(() => vectors.mostSimilar({ positive: [['king', NaN]] }), 'weight at [0]', 'NaN')
  wrong(() => vectors.mostSimilar({ positive: [['king', '2']] as never }), 'weight at [0]')
  wrong(() => vectors.mostSimilar('king', { restrictTo: 'queen' as never }), 'restrictTo')
  wrong(() => vectors.mostSimilar('king', { restrictTo: ['nowhere'] }), 'nowhere')
  wrong(() => vectors.mostSimilar('king', { restrictTo: -1 }), 'restrictTo')
  wrong(() => vectors.mostSimilarBatch('king' as never), 'array of queries')
  wrong(() => vectors.mostSimilarCosmul({ negative: ['king'] }), 'positive')
  wrong(() => vectors.mostSimilarCosmul({ positive: [['king', 2]] }), 'weights')
  wrong(() => vectors.meanVector([]), 'at least one token')
  wrong(() => vectors.meanVector(['nowhere'], { ignoreMissing: false }), 'nowhere')
  wrong(() => vectors.meanVector(['king'], { weights: [Infinity] }), 'weights[0]')
  wrong(() => vectors.evaluateWordPairs(join(folder, 'pairs.tsv'), { delimiter: '' }), 'delimiter')
  wrong(() => vectors.evaluateAnalogies(join(folder, 'analogies.txt'), { restrictTo: 0.5 }), 'restrictTo')
  wrong(() => vectors.evaluateWordPairs('https://example.org/x.tsv'), 'downloaded')
  refuses(t, () => vectors.meanVector(['king'], { weights: [1, 2] }), 'SHAPE', '1 tokens', 'not 2')
  t.deepEqual([...vectors.meanVector(['nowhere'])], [...new Float32Array(dim)])
  t.is(vectors.nSimilarity(['nowhere'], ['king']), 0)
  refuses(t, () => vectors.evaluateWordPairs(join(folder, 'nowhere.tsv')), 'FILE', 'nowhere.tsv')
  refuses(t, () => vectors.evaluateWordPairs(join(folder, 'make.py')), 'FORMAT', 'delimiter')
  refuses(t, () => vectors.evaluateWordPairs(join(folder, 'pairs.tsv'), { restrictTo: 0 }), 'FORMAT', 'do not have')
  refuses(t, () => vectors.evaluateAnalogies(join(folder, 'pairs.tsv')), 'FORMAT', 'before the first section')
})
