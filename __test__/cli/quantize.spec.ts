// tokenbed quantize, run as users do.

import test from 'ava'
import { mkdtempSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  inspectSafetensors,
  loadGlove,
  loadNpy,
  loadPretrained,
  loadSafetensors,
  quantize,
  QuantizedTable,
  randn,
  saveSafetensors,
  tensor,
  type Tensor,
} from '../../index.js'
import { fails, output } from '../support/command.js'
import { root } from '../support/golden.js'
import { temporaryFolder } from '../support/temporary.js'

const base = temporaryFolder()
const fresh = (name: string) => join(mkdtempSync(join(base, 'x-')), name)
const golden = (...parts: string[]) => join(root, 'testdata/golden', ...parts)

for (const kind of ['int8', 'int4', 'int2', 'float8'] as const)
  test(`rows become ${kind}, with the bytes of the library, and floats again`, async (t) => {
    // More than one block of rows, and tensors that are no tables.
    const [big, small] = [randn([3000, 700]), randn([5, 3]).to('float16')]
    const ids = tensor([1, 2, 3], { dtype: 'int64' })
    const one = tensor(5)
    const path = fresh('x.safetensors')
    for (const others of [{ ids }, { ids, one }] as Record<string, Tensor>[]) {
      saveSafetensors(path, { big, small, ...others }, { metadata: { made: 'here' } })
      const out = fresh('q.safetensors')
      const said = JSON.parse(await output(t, ['quantize', path, '--dtype', kind, '--out', out, '--json', '-q']))
      const { metadata } = inspectSafetensors(out)
      t.deepEqual({ ...metadata }, {
        made: 'here',
        'quantized:big': `${kind} 3000x700`,
        'quantized:small': `${kind} 5x3`,
      } as never)
      const found = loadSafetensors(out)
      for (const [name, from] of [
        ['big', big],
        ['small', small.to('float32')],
      ] as const) {
        const wanted = quantize(from, kind)
        const table = QuantizedTable.fromBytes(kind, [...from.shape], found.get(name)!)
        t.deepEqual(Buffer.from(table.bytes), Buffer.from(wanted.bytes), name)
        const error = wanted.error(from)
        const told = said.tensors.find((it: { name: string }) => it.name === name)
        t.deepEqual([told.dtype, told.shape], [kind, [...from.shape]])
        t.is(told.error.max, error.max)
        t.true(Math.abs(told.error.rms - error.rms) < 1e-12)
        t.true(Math.abs(told.error.mean - error.mean) < 1e-12)
      }
      t.deepEqual(found.get('ids')!.data, ids.data)
      const back = fresh('back.npy')
      t.is(await output(t, ['convert', out, back, '--tensor', 'big', '-q']), '')
      t.deepEqual(loadNpy(back).data, quantize(big, kind).dequantize().data)
    }
  })

test('models and words are quantized, and 16-bit floats need no notes', async (t) => {
  const folder = golden('pretrained/gpt2')
  const out = fresh('q.safetensors')
  const said = await output(t, ['quantize', folder, '--dtype', 'float16', '--out', out])
  t.regex(said, /float16 of 1 tensor, .*\n {2}.*wte\.weight: float16 \[\d+, \d+\]\n$/)
  const [weight] = loadSafetensors(out).values()
  t.deepEqual(weight.data, (loadPretrained(folder).token as Tensor).to('float16').data)
  const [words, glove] = [fresh('w.safetensors'), fresh('x.glove')]
  writeFileSync(glove, 'whale 1 2.5 -3\nship 0.25 0 4\n')
  const text = await output(t, ['quantize', glove, '--dtype', 'int8', '--out', words])
  t.regex(text, /vectors: int8 \[\d+, \d+\], differs by [\d.e-]+ at most, [\d.e-]+ by its root mean square\n$/)
  const back = fresh('back.npy')
  await output(t, ['convert', words, back, '-q'])
  t.deepEqual(loadNpy(back).data, quantize(loadGlove(glove).weight, 'int8').dequantize().data)
  await output(t, ['quantize', words, '--dtype', 'float16', '--out', out, '--force', '-q'])
  t.is(loadSafetensors(out).get('vectors')!.dtype, 'float16')
})

test('what cannot be done is told before anything is written', async (t) => {
  const path = fresh('x.safetensors')
  saveSafetensors(path, { ids: tensor([1, 2], { dtype: 'int32' }) })
  await fails(t, ['quantize', path, '--out', fresh('q.safetensors')], 2, ['--dtype'])
  await fails(t, ['quantize', path, '--dtype', 'int8', '--out', fresh('q.npy')], 2, ['--out', '.safetensors'])
  await fails(t, ['quantize', path, '--dtype', 'int8', '--out', path, '--force'], 2, ['--out', 'input'])
  await fails(t, ['quantize', path, '--dtype', 'int8', '--out', fresh('q.safetensors')], 1, ['no table of floating'])
  await fails(t, ['quantize', path, '--dtype', 'int3', '--out', fresh('q.safetensors')], 2, ['int3'])
  const bad = fresh('bad.safetensors')
  saveSafetensors(bad, { x: tensor([[1, Infinity]]) })
  const out = fresh('q.safetensors')
  await fails(t, ['quantize', bad, '--dtype', 'int8', '--out', out, '-q'], 1, ['quantize'])
  t.throws(() => statSync(out))
  for (const note of ['int8 1x', 'int9 1x2', 'int8 9x9']) {
    saveSafetensors(bad, { x: tensor([[1, 2]]).to('uint8') }, { metadata: { 'quantized:x': note } })
    await fails(t, ['convert', bad, fresh('y.npy'), '-q'], 1, [note === 'int8 9x9' ? '9 rows of 9' : note])
  }
})
