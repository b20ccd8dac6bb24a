import test from 'ava'
import { principalComponents, tensor, TextEmbedder, Vectors, type Tensor } from '../../index.js'
import { refuses } from '../support/errors.js'

const words = Array.from({ length: 40 }, (_, i) => `w${i}`)
const dim = 6
/** Rows with a common direction. */
const rows = words.map((_, i) => Array.from({ length: dim }, (_, d) => Math.sin(i * 7 + d * 3) + (d === 2 ? 2 : 0)))
const vectors = new Vectors(tensor(rows), words)
const counts = words.map((_, i) => 1000 / (i + 1))
const total = counts.reduce((sum, n) => sum + n, 0)
const text = 'w0 w3 w3 and w17'
const ids = [0, 3, 3, 17]

const close = (found: Tensor, wanted: number[]) =>
  Array.from(found.data as Float32Array).every((x, i) => Math.abs(x - wanted[i]) < 1e-5)
/** The mean of weighted rows, by hand. */
const mean = (table: number[][], weight: (id: number) => number) =>
  Array.from(
    { length: table[0].length },
    (_, d) => ids.reduce((sum, id) => sum + weight(id) * table[id][d], 0) / ids.length,
  )

test('the plain mean of words between white space', (t) => {
  const embedder = TextEmbedder.fromVectors(vectors)
  t.true(
    close(
      embedder.embed(text),
      mean(rows, () => 1),
    ),
  )
  t.is(embedder.semantics, 'mean')
  t.true(
    close(
      TextEmbedder.fromVectors(vectors, { normalize: true }).embed('w1'),
      rows[1].map((x) => x / Math.hypot(...rows[1])),
    ),
  )
})

test('SIF weighs by counts, and takes out the first principal component', (t) => {
  const p = (id: number) => counts[id] / total
  const sif = (id: number) => 1e-3 / (1e-3 + p(id))
  const plain = TextEmbedder.fromVectors(vectors, { weights: 'sif', counts, removeComponent: false })
  t.true(close(plain.embed(text), mean(rows, sif)))
  // The direction that maximizes sum p (f v.u)^2, by a scan of the power iteration in another form.
  let u = Array.from({ length: dim }, (_, d) => 1 + d)
  for (let step = 0; step < 500; step++) {
    const next = u.map((_, d) =>
      rows.reduce((sum, row, id) => sum + p(id) * sif(id) ** 2 * row[d] * row.reduce((s, x, e) => s + x * u[e], 0), 0),
    )
    const norm = Math.hypot(...next)
    u = next.map((x) => x / norm)
  }
  const without = rows.map((row) => {
    const along = row.reduce((sum, x, d) => sum + x * u[d], 0)
    return row.map((x, d) => x - along * u[d])
  })
  const embedder = TextEmbedder.fromVectors(vectors, { weights: 'sif', counts })
  t.true(close(embedder.embed(text), mean(without, sif)))
  const other = TextEmbedder.fromVectors(vectors, { weights: 'sif', counts, a: 0.5, removeComponent: false })
  t.true(
    close(
      other.embed(text),
      mean(rows, (id) => 0.5 / (0.5 + p(id))),
    ),
  )
})

test('Zipf weighs by ids, as model2vec', (t) => {
  const inverse = words.map((_, id) => 1 / (id + 2))
  const sum = inverse.reduce((all, x) => all + x, 0)
  const embedder = TextEmbedder.fromVectors(vectors, { weights: 'zipf' })
  t.true(
    close(
      embedder.embed(text),
      mean(rows, (id) => 1e-4 / (1e-4 + inverse[id] / sum)),
    ),
  )
})

test('factors of your own, and fewer dimensions', (t) => {
  const own = words.map((_, id) => id / 2)
  const embedder = TextEmbedder.fromVectors(vectors, { weights: tensor(own) })
  t.true(
    close(
      embedder.embed(text),
      mean(rows, (id) => own[id]),
    ),
  )
  const { scores } = principalComponents(vectors.weight, { count: 3 })
  const small = TextEmbedder.fromVectors(vectors, { dim: 3 })
  t.is(small.dim, 3)
  t.true(
    close(
      small.embed(text),
      mean(scores.toArray() as number[][], () => 1),
    ),
  )
})

test('what does not fit is refused', (t) => {
  const make = (options: object) => () => TextEmbedder.fromVectors(vectors, options)
  refuses(t, () => TextEmbedder.fromVectors(5 as never), 'USAGE', 'expected Vectors')
  refuses(t, make({ weights: 'sif' }), 'USAGE', 'need counts')
  refuses(t, make({ weights: 'other' }), 'USAGE', 'weights')
  refuses(t, make({ weights: tensor([1]) }), 'SHAPE', '40 tokens')
  refuses(t, make({ weights: 'sif', counts: [1] }), 'SHAPE', 'counts')
  refuses(t, make({ weights: 'sif', counts: counts.map(() => 0) }), 'USAGE', 'must not all be 0')
  refuses(t, make({ weights: 'sif', counts: counts.map(() => -1) }), 'USAGE', 'counts[0]')
  refuses(t, make({ dim: 7 }), 'USAGE', 'dim')
  refuses(t, make({ a: 1 }), 'USAGE', 'a belongs to')
  refuses(t, make({ weights: 'zipf', a: 0 }), 'USAGE', 'a must be more than 0')
})
