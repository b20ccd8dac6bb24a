import test from 'ava'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { formatTensor, type TensorView } from '../../api/tensor/format.js'

interface Golden {
  name: string
  dtype: string
  shape: number[]
  suffixes: string[]
  /** The elements, repeated until the shape is full; strings where JSON has no number. */
  values: (number | string)[]
  text: string
}

const file = join(__dirname, '../../../testdata/golden/print/print.json')
const goldens: Golden[] = JSON.parse(readFileSync(file, 'utf8')).cases

function parse(value: number | string, dtype: string): number | bigint {
  if (dtype === 'int64') return BigInt(value)
  return typeof value === 'number' ? value : Number(value.replace('inf', 'Infinity'))
}

function view({ dtype, shape, suffixes, values }: Golden): TensorView {
  const size = shape.reduce((product, length) => product * length, 1)
  const data = Array.from({ length: size }, (_, i) => parse(values[i % values.length], dtype))
  return { data, shape, dtype, suffixes }
}

for (const golden of goldens) {
  test(`prints as PyTorch: ${golden.name}`, (t) => {
    t.is(formatTensor(view(golden)), golden.text)
  })
}

test('the goldens exist', (t) => {
  t.true(goldens.length > 100)
})

test('printing a huge tensor reads only what is shown', (t) => {
  const shape = [50257, 768]
  const read = new Set<number>()
  const data = new Proxy(
    { length: shape[0] * shape[1] },
    {
      get(_, key) {
        const at = Number(key)
        read.add(at)
        return at % 8
      },
    },
  )
  const text = formatTensor({ data, shape, dtype: 'float32' })
  t.is(read.size, 36)
  t.is(text.split('\n').length, 7)
})

test('many short dimensions are printed in full, as in PyTorch', (t) => {
  const shape = Array(17).fill(2)
  const text = formatTensor({ data: new Int32Array(2 ** 17), shape, dtype: 'int32' })
  t.is(text.split('0').length - 1, 2 ** 17)
})
