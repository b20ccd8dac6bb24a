// Tests what tokenbed classify prints.

import test from 'ava'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { loadFastText, loadModel, saveModel, Trainer } from '../../index.js'
import { fails, output } from '../support/command.js'
import { root } from '../support/golden.js'
import { temporaryFolder } from '../support/temporary.js'

const folder = mkdtempSync(join(temporaryFolder(), 'x-'))
const fastText = join(root, 'testdata/golden/fasttext/sup-softmax.bin')
const TEXTS = ['a lovely film', '', 'a bad film']

test('models of train give the classes of texts, files and stdin', async (t) => {
  const examples = Array.from({ length: 40 }, (_, i) =>
    i % 2 ? { text: 'a lovely film', label: 'good' } : { text: 'a bad film', label: 'bad' },
  )
  const model = join(folder, 'model')
  saveModel(model, await new Trainer({ examples }, { objective: 'classify', dim: 8, lr: 0.5, epochs: 5 }).run())
  const [[best], [none], [worst]] = loadModel(model).classify(TEXTS)
  const line = ({ label, probability }: typeof best) => `${label}\t${probability.toFixed(4)}\n`
  t.deepEqual([best.label, worst.label], ['good', 'bad'])
  t.is(await output(t, ['classify', model, TEXTS[0]]), line(best))
  const file = join(folder, 'lines.txt.gz')
  writeFileSync(file, gzipSync(TEXTS.join('\n')))
  t.is(await output(t, ['classify', model, file, TEXTS[0]]), [best, none, worst, best].map(line).join(''))
  const both = await output(t, ['classify', model, '-', '--top', '5'], { input: `${TEXTS[0]}\n` })
  t.regex(both, /^good\t0\.\d{4}\tbad\t0\.\d{4}\n$/)
})

test('models of fastText give what loadFastText says', async (t) => {
  const json = await output(t, ['classify', fastText, ...TEXTS, '--top', '2', '--json'])
  const expected = loadFastText(fastText).classify(TEXTS, { topN: 2 })
  t.deepEqual(
    json
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line)),
    TEXTS.map((text, i) => ({ text, classes: expected[i] })),
  )
})

test('what cannot classify is told', async (t) => {
  await fails(t, ['classify', join(folder, 'none'), 'a'], 1, ['none'])
  await fails(t, ['classify', fastText, 'a', '--top', '0'], 2, ['--top'])
  await fails(t, ['classify'], 2, ["missing required argument 'model'"])
  await fails(t, ['classify', join(root, 'testdata/golden/fasttext/skipgram-ns.bin'), 'a'], 1, [
    'skipgram-ns.bin: the model was not trained',
  ])
})
