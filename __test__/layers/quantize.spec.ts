import test from 'ava'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import {
  arange,
  Embedding,
  EmbeddingBag,
  loadSafetensors,
  manualSeed,
  quantize,
  QuantizedTable,
  randn,
  saveSafetensors,
  scope,
  tensor,
  zeros,
} from '../../index.js'
import { digest } from '../support/compare.js'
import { refuses } from '../support/errors.js'
import { elements, readGolden, type Golden } from '../support/golden.js'
import { temporaryFolder } from '../support/temporary.js'

interface Case {
  kind: 'int8' | 'int4' | 'int2'
  seed: number
  rows: number
  dim: number
  scale: number
  sha256: string
  values: string
  bytes?: number[]
  out?: Golden
}
interface Float8 {
  values: Golden
  numbers: Golden
  bytes: number[]
}
const { ids, offsets, quantized, float8 } = readGolden<{
  ids: number[]
  offsets: number[]
  quantized: Case[]
  float8: Float8
}>('bag/bag.json')
const KINDS = ['float16', 'bfloat16', 'int8', 'int4', 'int2', 'float8'] as const

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

for (const { kind, seed, rows, dim, scale, ...golden } of quantized) {
  test(`equals FBGEMM's bytes: ${kind}, ${rows} x ${dim} times ${scale}`, (t) => {
    manualSeed(seed)
    const original = randn([rows, dim]).mul(scale)
    const table = quantize(original, kind)
    if (golden.bytes) t.deepEqual([...table.bytes], golden.bytes)
    t.is(sha256(table.bytes), golden.sha256)
    t.is(digest(table.dequantize()), golden.values, 'what PyTorch unpacks')
    const loaded = QuantizedTable.fromBytes(kind, [rows, dim], Uint8Array.from(table.bytes))
    t.is(digest(loaded.dequantize()), golden.values)
    if (!golden.out) return
    const bag = EmbeddingBag.fromPretrained(loaded, { mode: 'sum' })
    const ours = bag.forward(
      ids.map((id) => id % rows),
      offsets,
    ).data as Float32Array
    // FBGEMM adds each row's bias separately, which sums 18 terms in another order.
    const largest = Math.max(...(original.data as Float32Array).map(Math.abs))
    const wanted = elements(golden.out) as Float32Array
    t.true(ours.every((x, i) => Math.abs(x - wanted[i]) <= 2 ** -23 * 18 * 18 * 4 * largest))
  })
}

test("float8 has FBGEMM's values and bytes, and its nearest numbers", (t) => {
  const values = elements(float8.values) as Float32Array
  const all = QuantizedTable.fromBytes('float8', [1, 256], Uint8Array.from(values.keys()))
  t.deepEqual(new Uint32Array((all.dequantize().data as Float32Array).slice().buffer), new Uint32Array(values.buffer))
  const numbers = elements(float8.numbers) as Float32Array
  t.deepEqual([...quantize(tensor(numbers).reshape(1, -1), 'float8').bytes], float8.bytes)
  t.deepEqual(
    quantize(tensor([[1e30, -1e30]]), 'float8')
      .dequantize()
      .toArray(),
    [[240, -240]],
  )
})

test('a lookup decodes rows, and a bag sums the decoded rows', (t) => {
  manualSeed(4)
  const weight = randn([30, 37])
  const some = Int32Array.of(3, 29, 0, 3)
  for (const kind of KINDS) {
    const table = quantize(weight, kind)
    t.deepEqual([table.kind, table.shape], [kind, [30, 37]])
    const values = table.dequantize()
    const embedding = Embedding.fromPretrained(table)
    t.deepEqual([embedding.numEmbeddings, embedding.embeddingDim], [30, 37])
    const wide = embedding.forward(some)
    t.is(wide.dtype, 'float32')
    t.is(digest(wide), digest(Embedding.fromPretrained(values).forward(some)))
    for (const dtype of ['float16', 'bfloat16'] as const) {
      const narrow = digest(wide.to(dtype))
      t.is(digest(embedding.forward(some, { dtype })), narrow)
      t.is(digest(Embedding.fromPretrained(table, { dtype }).forward(some)), narrow)
      t.is(digest(embedding.forward(some, { out: zeros([4, 37], { dtype }) })), narrow)
    }
    const bag = EmbeddingBag.fromPretrained(table, { mode: 'max' })
    t.is(
      digest(bag.forward([[1, 2, 3]])),
      digest(EmbeddingBag.fromPretrained(values, { mode: 'max' }).forward([[1, 2, 3]])),
    )
    t.is(digest(EmbeddingBag.fromPretrained(table).forward(some, arange(4))), digest(wide), 'bags of one')
    t.is(EmbeddingBag.fromPretrained(table, { dtype: 'float16' }).forward([[1]]).dtype, 'float16')
    refuses(t, () => embedding.forward([30]), 'TOKEN_INDEX', 'table of 30 rows')
  }
})

test('reports the error of quantization', (t) => {
  const weight = tensor([
    [0, 255],
    [1, 1],
    [0, 15],
  ])
  t.deepEqual(quantize(weight, 'int8').error(weight), { max: 0, mean: 0, rms: 0, worstRow: 0 })
  const nearby = tensor([
    [0, 255],
    [1, 1.5],
    [3, 15],
  ])
  t.deepEqual(quantize(weight, 'int4').error(nearby), { max: 3, mean: 3.5 / 6, rms: Math.sqrt(9.25 / 6), worstRow: 2 })
  manualSeed(1)
  const drawn = randn([200, 64])
  const [int8, int4] = [quantize(drawn, 'int8').error(drawn), quantize(drawn, 'int4').error(drawn)]
  // Half a step of the widest row. The range of 64 draws is about 5.
  t.true(int8.max < 8 / 255 / 2 && int8.rms < int8.max && int8.mean < int8.rms)
  t.true(int4.max < 8 / 15 / 2 && int4.max > int8.max * 8)
  const [int2, float8] = [quantize(drawn, 'int2').error(drawn), quantize(drawn, 'float8').error(drawn)]
  t.true(int2.max < 8 / 3 / 2 && int2.max > int4.max * 3)
  // Half a step between 2 and 4, and between 4 and 8.
  t.true(float8.max > 2 / 16 && float8.max <= 4 / 16)
  t.is(quantize(drawn.to('float16'), 'float16').error(drawn.to('float16')).max, 0)
  refuses(t, () => quantize(drawn, 'int8').error(zeros([64, 200])), 'SHAPE', '[64, 200]', '[200, 64]')
  refuses(t, () => quantize(drawn, 'int8').error(zeros([200, 64], { dtype: 'int32' })), 'DTYPE', 'int32')
})

test('values that cannot be quantized are errors with their place', (t) => {
  for (const kind of ['int8', 'int4', 'int2', 'float8'] as const) {
    for (const bad of [NaN, Infinity, -Infinity]) {
      refuses(
        t,
        () =>
          quantize(
            tensor([
              [1, 2],
              [3, bad],
              [bad, 4],
            ]),
            kind,
          ),
        'USAGE',
        '[1, 1]',
      )
    }
  }
  const large = tensor([
    [1, 2],
    [3, 1e6],
  ])
  for (const kind of ['int4', 'int2'] as const) refuses(t, () => quantize(large, kind), 'USAGE', '[1, 1]', '1000000')
  t.is(
    quantize(tensor([[NaN, 1e6]]), 'float16')
      .dequantize()
      .toArray()[0][1],
    Infinity,
  )
  refuses(t, () => quantize(tensor([1, 2]), 'int8'), 'SHAPE', '[2]')
  refuses(t, () => quantize(zeros([2, 0]), 'int8'), 'USAGE', 'column')
  refuses(t, () => quantize(zeros([2, 2], { dtype: 'int8' }), 'int8'), 'DTYPE', 'int8')
  refuses(t, () => quantize([[1]] as never, 'int8'), 'USAGE', 'tensor')
  refuses(t, () => quantize(zeros([2, 2]), 'int3' as never), 'USAGE', '"int4"', "'int3'")
  refuses(t, () => new (QuantizedTable as any)('int8', [1, 1], zeros([1])), 'USAGE', 'quantize()')
})

test('quantized tables can be made from bytes and return them', (t) => {
  manualSeed(2)
  const weight = randn([5, 7])
  for (const kind of KINDS) {
    const table = quantize(weight, kind)
    const bytes = Uint8Array.from(table.bytes)
    const loaded = QuantizedTable.fromBytes(kind, [5, 7], bytes)
    bytes.fill(0)
    t.deepEqual([...loaded.bytes], [...table.bytes], 'a copy')
    refuses(t, () => QuantizedTable.fromBytes(kind, [5, 9], table.bytes), 'SHAPE', `not ${table.bytes.length}`)
    refuses(t, () => QuantizedTable.fromBytes(kind, [5], table.bytes), 'SHAPE', '[5]')
    refuses(t, () => QuantizedTable.fromBytes(kind, [5, 7], [1] as never), 'USAGE', 'Uint8Array')
    // The memory is live: the layer sees what is written.
    const layer = Embedding.fromPretrained(loaded)
    loaded.bytes.set(table.bytes.subarray(0, table.bytes.length / 5), (4 * table.bytes.length) / 5)
    t.deepEqual(layer.forward([4]).toArray(), layer.forward([0]).toArray())
  }
  refuses(t, () => QuantizedTable.fromBytes('float32' as never, [1, 1], new Uint8Array(4)), 'USAGE', "'float32'")
  refuses(t, () => QuantizedTable.fromBytes('int8', [1, 0], new Uint8Array(8)), 'USAGE', 'column')
  refuses(t, () => QuantizedTable.fromBytes('int8', [1, 4], zeros([3])), 'DTYPE', 'float32')
})

test("tables survive safetensors, and use the file's memory", (t) => {
  manualSeed(2)
  const weight = randn([6, 9])
  const path = join(temporaryFolder(), 'tables.safetensors')
  const tables = KINDS.map((kind) => quantize(weight, kind))
  // One byte in front makes rows start at any address.
  saveSafetensors(path, {
    a: zeros([1], { dtype: 'uint8' }),
    ...Object.fromEntries(tables.map((table) => [table.kind, table.toTensor()])),
  })
  const loaded = loadSafetensors(path)
  for (const table of tables) {
    const back = QuantizedTable.fromBytes(table.kind, table.shape, loaded.get(table.kind)!)
    t.is(digest(back.dequantize()), digest(table.dequantize()))
    const state = Embedding.fromPretrained(back).stateDict()
    t.is(digest(state.weight), digest(table.toTensor()))
  }
  const bytes = tensor(tables[0].bytes)
  t.is(digest(QuantizedTable.fromBytes('float16', [6, 9], bytes).dequantize()), digest(tables[0].dequantize()))
})

test('16-bit tensors are tables whose results have the same type', (t) => {
  manualSeed(6)
  for (const dtype of ['float16', 'bfloat16'] as const) {
    manualSeed(6)
    const layer = new Embedding(9, 5, { dtype })
    manualSeed(6)
    t.is(digest(layer.weight), digest(new Embedding(9, 5).weight.to(dtype)), 'drawn as float32, rounded')
    t.true(layer.weight.requiresGrad)
    const rows = layer.forward([[1, 8]])
    t.is(rows.dtype, dtype)
    const bits = layer.weight.data as Uint16Array
    t.deepEqual([...rows.data], [...bits.subarray(5, 10), ...bits.subarray(40, 45)])
    t.is(digest(layer.forward([1, 8], { dtype: 'float32' })), digest(rows.to('float32')))
    t.is(layer.forward([1]).requiresGrad, true)
    // NaN payloads survive too, because bytes are copied.
    const odd = tensor(Uint16Array.of(0x7c01, 0xfe12, 0x7f81, 0xff92), { dtype, shape: [2, 2] })
    t.deepEqual([...Embedding.fromPretrained(odd).forward([1, 0]).data], [0x7f81, 0xff92, 0x7c01, 0xfe12])
    const given = Embedding.fromPretrained(layer.weight)
    t.is(given.forward([2]).dtype, dtype)
    refuses(t, () => Embedding.fromPretrained(layer.weight, { dtype: 'float32' }), 'DTYPE', dtype, "to('float32')")
    refuses(t, () => (given.weight = zeros([9, 5])), 'DTYPE', 'float32', dtype)
  }
  t.is(new Embedding(3, 2).forward([1], { dtype: 'bfloat16' }).dtype, 'bfloat16')
  refuses(t, () => new Embedding(3, 2, { dtype: 'int8' as never }), 'DTYPE', 'int8')
})

test('a quantized layer cannot learn, and its rows do not change', (t) => {
  const table = quantize(
    tensor([
      [1, 2],
      [3, 4],
    ]),
    'int8',
  )
  const layer = Embedding.fromPretrained(table)
  t.deepEqual([layer.weight.dtype, layer.weight.shape], ['uint8', [2, 10]])
  t.false(layer.forward([0]).requiresGrad)
  refuses(t, () => Embedding.fromPretrained(table, { freeze: false }), 'USAGE', 'dequantize()')
  refuses(t, () => (layer.weight = zeros([2, 2])), 'USAGE', 'QuantizedTable')
  refuses(t, () => Embedding.fromPretrained(table, { dtype: 'int8' as never }), 'DTYPE', 'int8')
})

test('memory is freed with the last tensor that shares it, and a scope keeps what it returns', (t) => {
  const table = quantize(
    tensor([
      [1, 2],
      [3, 4],
    ]),
    'int8',
  )
  const layer = Embedding.fromPretrained(table)
  table.dispose()
  t.deepEqual(layer.forward([1]).toArray(), [[3, 4]])
  refuses(t, () => table.dequantize(), 'USAGE', 'disposed')
  refuses(t, () => table.bytes, 'USAGE', 'disposed')
  refuses(t, () => Embedding.fromPretrained(table), 'USAGE', 'disposed')
  const kept = scope(() =>
    quantize(
      tensor([
        [0, 15],
        [15, 0],
      ]),
      'int4',
    ),
  )
  t.deepEqual(kept.dequantize().toArray(), [
    [0, 15],
    [15, 0],
  ])
  const made = scope(() =>
    Embedding.fromPretrained(
      quantize(
        tensor([
          [1, 2],
          [3, 4],
        ]),
        'int8',
      ),
    ),
  )
  t.deepEqual(made.forward([0]).toArray(), [[1, 2]])
  let inner: QuantizedTable | undefined
  scope(() => void (inner = quantize(tensor([[1, 2]]), 'int8')))
  refuses(t, () => inner!.dequantize(), 'USAGE', 'disposed')
})
