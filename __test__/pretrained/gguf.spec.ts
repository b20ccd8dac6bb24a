import test from 'ava'
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { Embedding, loadGGUF, loadPretrained, QuantizedTable, scope, type Tensor, Tokenizer } from '../../index.js'
import { digest } from '../support/compare.js'
import { refuses } from '../support/errors.js'
import { root } from '../support/golden.js'
import { temporaryFolder } from '../support/temporary.js'

const golden = (name: string) => join(root, 'testdata/golden', name)
const ids = [
  [3, 1, 39, 0],
  [7, 7, 2, 5],
]

for (const family of ['gpt2', 'bert', 'bloom', 'llama', 'gemma', 'granite']) {
  test(`the input layer of a GGUF file is that of the model's folder: ${family}`, (t) => {
    const [ours, folder] = [golden(`gguf/model-${family}.gguf`), golden(`pretrained/${family}`)].map((path) =>
      loadPretrained(path),
    )
    t.is(ours.family, family)
    t.is(digest(ours.layer().forward(ids)), digest(folder.layer().forward(ids)))
    t.is(digest(ours.token as Tensor), digest(folder.token as Tensor))
    for (const part of ['position', 'segment'] as const)
      t.is(ours[part] && digest(ours[part]), folder[part] && digest(folder[part]), part)
    t.is(ours.layerNorm && digest(ours.layerNorm.weight), folder.layerNorm && digest(folder.layerNorm.weight))
    t.is(ours.tied, folder.tied)
    t.is(digest(ours.head as Tensor), digest(folder.head as Tensor))
    t.is(ours.scale, folder.scale)
    t.deepEqual(ours.notRun, [])
    t.is(ours.tokenizer, null)
    t.is((ours.config as Record<string, unknown>)['general.architecture'], family)
  })
}

test('blocks stay blocks, and are converted where a type is asked for', (t) => {
  const path = golden('gguf/model-q8_0.gguf')
  const model = loadPretrained(path)
  const table = model.token as QuantizedTable
  t.true(table instanceof QuantizedTable)
  t.is(table.kind, 'q8_0')
  t.is(model.head, table)
  t.deepEqual(model.tokenizer!.encode('Ishmael'), Tokenizer.fromGGUF(path).encode('Ishmael'))
  t.is(model.tokenizer, model.tokenizer)
  const layer = model.layer()
  t.true(layer instanceof Embedding)
  t.is(digest(layer.forward(ids)), digest(Embedding.fromPretrained(table.dequantize()).forward(ids)))
  const wide = loadPretrained(path, { dtype: 'float32' })
  t.is(digest(wide.token as Tensor), digest(table.dequantize()))
  t.is(digest(wide.layer().forward(ids)), digest(layer.forward(ids)))
  const learns = model.layer({ freeze: false })
  t.true(learns.parameters()[0].requiresGrad)
  t.is(digest(learns.forward(ids).detach()), digest(layer.forward(ids)))
})

test('tensors belong to the model, and not to the scope in which they were asked for', (t) => {
  const model = loadPretrained(golden('gguf/model-gpt2.gguf'))
  scope(() => model.token.shape)
  t.is((model.token as Tensor).disposed, false)
  t.deepEqual([...model.tensors.keys()], [...loadGGUF(golden('gguf/model-gpt2.gguf')).tensors.keys()])
})

test('a file is known by its first bytes, and one without a table is refused', (t) => {
  const path = join(temporaryFolder(), 'model')
  copyFileSync(golden('gguf/model-llama.gguf'), path)
  t.is(loadPretrained(path).family, 'llama')
  refuses(t, () => loadPretrained(golden('gguf/tokenizer-llama.gguf')), 'FORMAT', 'no tensors')
  refuses(t, () => loadPretrained(golden('gguf/kinds.gguf')), 'FORMAT', 'token_embd.weight')
})
