import test from 'ava'
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import {
  arange,
  concat,
  DTypeError,
  FileError,
  loadSafetensors,
  ShapeError,
  tensor,
  TensorWriter,
  UsageError,
  zeros,
  type DType,
  type RowSpec,
  type Tensor,
} from '../../index.js'
import { detached } from '../support/buffers.js'
import { MB } from '../lifetime/measure.js'
import { runScript } from '../support/child.js'
import { digest } from '../support/compare.js'
import { refuses } from '../support/errors.js'
import { python, runPython } from '../support/python.js'
import { temporaryFolder } from '../support/temporary.js'

const root = temporaryFolder()
let folders = 0
/** A path in a fresh folder. */
function fresh(name = 'x.safetensors'): { path: string; names: () => string[] } {
  const folder = join(root, `${folders++}`)
  mkdirSync(folder)
  return { path: join(folder, name), names: () => readdirSync(folder) }
}

const TYPES: DType[] = ['float32', 'float64', 'float16', 'bfloat16', 'int8', 'uint8', 'int32', 'int64', 'bool']
const two: Record<string, RowSpec> = { x: { dtype: 'float32', shape: [3] } }

/** The position at which the data of a safetensors file starts; the header must say the same. */
function headerOf(path: string): { data: number; header: Record<string, any> } {
  const file = readFileSync(path)
  const length = Number(file.readBigUInt64LE())
  return { data: 8 + length, header: JSON.parse(file.subarray(8, 8 + length).toString()) }
}

test('writes rows of every type, from tensors and arrays, in pieces of any size', (t) => {
  for (const shape of [[], [1], [3], [2, 0], [2, 3, 1, 2]]) {
    const specs = Object.fromEntries(TYPES.map((dtype) => [dtype, { dtype, shape }]))
    const { path, names } = fresh()
    const writer = new TensorWriter(path, specs, { metadata: { 'a "b"': 'ü' } })
    t.is(writer.path, path)
    const written: Record<string, Tensor[]> = Object.fromEntries(TYPES.map((dtype) => [dtype, []]))
    for (const n of [1, 0, 5, 2]) {
      for (const dtype of TYPES) {
        const size = shape.reduce((size, n) => size * n, n)
        const rows = tensor(
          Array.from({ length: size }, (_, i) => (i + n) % 2),
          { dtype },
        ).reshape(n, ...shape)
        t.is(writer.write(dtype, size > 0 && n === 5 ? rows.data : rows), writer)
        written[dtype].push(rows)
      }
    }
    t.deepEqual(
      names().filter((name) => !name.endsWith('.part')),
      [],
      'nothing under its name before it is whole',
    )
    writer.close()
    t.deepEqual(names(), [basename(path)])
    const loaded = loadSafetensors(path)
    for (const dtype of TYPES) {
      const [found, expected] = [loaded.get(dtype)!, concat(written[dtype], 0)]
      t.deepEqual([found.dtype, found.shape, digest(found)], [dtype, expected.shape, digest(expected)])
    }
    const { data, header } = headerOf(path)
    t.deepEqual(header.__metadata__, { 'a "b"': 'ü' })
    for (const dtype of TYPES) {
      const [start] = header[dtype].data_offsets
      t.is((data + start) % loaded.get(dtype)!.data.BYTES_PER_ELEMENT, 0, `${dtype} is aligned`)
    }
  }
})

test('the tensor with the largest rows is streamed first if the others stay aligned', (t) => {
  const order = (specs: Record<string, RowSpec>) => {
    const { path } = fresh()
    const writer = new TensorWriter(path, specs)
    for (const [name, { dtype, shape }] of Object.entries(specs)) writer.write(name, zeros([3, ...shape], { dtype }))
    writer.close()
    const { header } = headerOf(path)
    return Object.keys(specs).sort((a, b) => header[a].data_offsets[0] - header[b].data_offsets[0])
  }
  const int64 = { dtype: 'int64', shape: [] } as const
  t.deepEqual(order({ ids: int64, mask: { dtype: 'bool', shape: [] }, vectors: { dtype: 'float32', shape: [768] } }), [
    'vectors',
    'ids',
    'mask',
  ])
  t.deepEqual(order({ mask: { dtype: 'bool', shape: [7] }, vectors: { dtype: 'float32', shape: [3] }, ids: int64 }), [
    'ids',
    'vectors',
    'mask',
  ])
  t.deepEqual(order({ b: int64, a: int64 }), ['b', 'a'])
})

test('writes files without rows, and replaces an existing file', (t) => {
  const { path, names } = fresh()
  writeFileSync(path, 'old')
  const writer = new TensorWriter(path, two)
  t.is(readFileSync(path, 'utf8'), 'old')
  writer.close()
  t.deepEqual(loadSafetensors(path).get('x')!.shape, [0, 3])
  t.deepEqual(names(), [basename(path)])
})

test('millions of small rows are written in large blocks and come back', (t) => {
  const { path } = fresh()
  using writer = new TensorWriter(path, { x: { dtype: 'int32', shape: [3] }, i: { dtype: 'int32', shape: [] } })
  const all = arange(300_000, { dtype: 'int32' }).reshape(-1, 3)
  for (let i = 0; i < 100_000; i++)
    writer.write('x', (all.data as Int32Array).subarray(i * 3, i * 3 + 3)).write('i', Int32Array.of(i))
  writer.close()
  const loaded = loadSafetensors(path)
  t.is(digest(loaded.get('x')!), digest(all))
  t.is(digest(loaded.get('i')!), digest(arange(100_000, { dtype: 'int32' })))
})

test('bad rows are rejected and the writer can go on', (t) => {
  const { path } = fresh()
  const writer = new TensorWriter(path, {
    ...two,
    e: { dtype: 'int8', shape: [0] },
    h: { dtype: 'bfloat16', shape: [] },
  })
  writer.write('x', zeros([2, 3]))
  refuses(t, () => writer.write('y', zeros([2, 3])), 'USAGE', "'y'", '"x"')
  refuses(t, () => writer.write('x', zeros([3])), 'SHAPE', '"x"', '[n, 3]', '[3]')
  refuses(t, () => writer.write('x', zeros([])), 'SHAPE', '[n, 3]')
  refuses(t, () => writer.write('x', zeros([2, 1, 3])), 'SHAPE', '[2, 1, 3]')
  refuses(t, () => writer.write('x', zeros([2, 3], { dtype: 'float64' })), 'DTYPE', "to('float32')")
  refuses(t, () => writer.write('x', new Float32Array(4)), 'SHAPE', '4 elements')
  refuses(t, () => writer.write('x', new Float64Array(3)), 'DTYPE', 'Float32Array', 'Float64Array')
  refuses(t, () => writer.write('h', new Float32Array(3)), 'DTYPE', 'Uint16Array')
  refuses(t, () => writer.write('x', new DataView(new ArrayBuffer(12)) as never), 'DTYPE', 'DataView')
  refuses(t, () => writer.write('x', [1, 2, 3] as never), 'USAGE', 'typed array')
  refuses(t, () => writer.write('x', undefined as never), 'USAGE', 'undefined')
  refuses(t, () => writer.write('x', detached(new Float32Array(3))), 'USAGE', 'transferred')
  refuses(t, () => writer.write('e', new Int8Array(0)), 'SHAPE', 'give a tensor')
  const gone = zeros([2, 3])
  gone.dispose()
  refuses(t, () => writer.write('x', gone), 'USAGE', 'disposed')
  const shared = new Float32Array(new SharedArrayBuffer(12))
  writer
    .write('x', shared.fill(7))
    .write('e', zeros([4, 0], { dtype: 'int8' }))
    .write('x', new Float32Array(0))
  writer.close()
  t.deepEqual(loadSafetensors(path).get('x')!.toArray(), [
    [0, 0, 0],
    [0, 0, 0],
    [7, 7, 7],
  ])
  t.deepEqual(loadSafetensors(path).get('e')!.shape, [4, 0])
})

test('a closed writer rejects further use', (t) => {
  const { path, names } = fresh()
  const closed = new TensorWriter(path, two)
  closed.close()
  const aborted = new TensorWriter(path, two)
  aborted.write('x', zeros([1, 3]))
  aborted.abort()
  aborted.abort()
  aborted[Symbol.dispose]()
  closed.abort()
  for (const [writer, why] of [
    [closed, 'closed'],
    [aborted, 'aborted'],
  ] as const) {
    refuses(t, () => writer.write('x', zeros([1, 3])), 'USAGE', path, why)
    refuses(t, () => writer.close(), 'USAGE', path, why)
  }
  t.deepEqual(names(), [basename(path)])
})

test('an aborted writer leaves the old file and nothing else', (t) => {
  for (const old of [null, 'old']) {
    const { path, names } = fresh()
    if (old !== null) writeFileSync(path, old)
    t.throws(
      () => {
        using writer = new TensorWriter(path, { ...two, y: { dtype: 'int8', shape: [] } })
        writer.write('x', zeros([100_000, 3])).write('y', new Int8Array(2_000_000))
        throw new Error('a bug of the caller')
      },
      { message: 'a bug of the caller' },
    )
    t.deepEqual(names(), old === null ? [] : [basename(path)])
    if (old !== null) t.is(readFileSync(path, 'utf8'), old)
  }
})

test('rejects definitions that cannot be written before any rows are', (t) => {
  const { path, names } = fresh()
  const make =
    (path: string, tensors: unknown = two, options?: object) =>
    () =>
      new TensorWriter(path, tensors as never, options)
  refuses(t, make('x.bin'), 'USAGE', '.safetensors, .npy', 'x.bin')
  refuses(t, make('safetensors'), 'USAGE', '.safetensors, .npy')
  refuses(t, make(''), 'USAGE', 'path')
  refuses(t, make(path, {}), 'USAGE', 'at least one')
  refuses(t, make(path, null), 'USAGE', 'null')
  refuses(t, make(path, [two]), 'USAGE', 'dtype')
  refuses(t, make(path, { x: 5 }), 'USAGE', '"x"', '5')
  refuses(t, make(path, { x: { dtype: 'float32', shape: [3], rows: 5 } }), 'USAGE', '"rows"')
  refuses(t, make(path, { x: { dtype: 'float8', shape: [3] } }), 'DTYPE', 'float8')
  refuses(t, make(path, { x: { dtype: 'float32', shape: [-3] } }), 'USAGE', '-3')
  refuses(t, make(path, { x: { dtype: 'float32' } }), 'USAGE', 'shape')
  refuses(t, make(path, { __metadata__: two.x }), 'USAGE', '__metadata__')
  refuses(t, make(path, { '\ud800': two.x, '\ud801': two.x }), 'USAGE', 'two tensors')
  refuses(t, make(path, two, { metadata: { a: 5 } }), 'USAGE', '"a"')
  refuses(t, make(path, two, { meta: {} }), 'USAGE', '"meta"')
  const npy = path.replace('safetensors', 'npy')
  refuses(t, make(npy, { ...two, y: two.x }), 'USAGE', 'one tensor', '.safetensors')
  refuses(t, make(npy, two, { metadata: { a: 'b' } }), 'USAGE', 'metadata')
  refuses(t, make(npy, { x: { dtype: 'bfloat16', shape: [] } }), 'DTYPE', 'bfloat16', "to('float32')")
  t.deepEqual(names(), [])
})

test('rejects paths that cannot be written at once', (t) => {
  const { path, names } = fresh()
  const directory = join(path, '..', 'directory.npy')
  mkdirSync(directory)
  const file = join(path, '..', 'file')
  writeFileSync(file, '')
  const places: [string, string[]][] = [
    [join(path, '..', 'missing', 'x.npy'), ['ENOENT']],
    [directory, ['EISDIR', 'EACCES']],
    [join(file, 'x.npy'), ['ENOTDIR', 'ENOENT']],
  ]
  if (process.platform !== 'win32' && process.getuid?.() !== 0) {
    const closed = join(path, '..', 'closed')
    mkdirSync(closed, { mode: 0o500 })
    places.push([join(closed, 'x.npy'), ['EACCES']])
    process.on('exit', () => chmodSync(closed, 0o700))
  }
  for (const [place, codes] of places) {
    const error = refuses(t, () => new TensorWriter(place, two), 'FILE', place)
    t.is(error.path, place)
    t.true(codes.includes((error.cause as NodeJS.ErrnoException).code!), `${error.cause}`)
  }
  t.deepEqual(
    names().filter((name) => name.includes('.part')),
    [],
  )
})

for (const ending of ['safetensors', 'npy']) {
  for (const how of ['exits', 'throws', 'is interrupted', 'collects it', 'is killed']) {
    test(`a process that ${how} leaves nothing: ${ending}`, async (t) => {
      if (process.platform !== 'linux' && how === 'is killed') return t.pass()
      const { path, names } = fresh(`x.${ending}`)
      const { code, stdout } = await runScript('lifetime/writers.js', [how, path])
      t.regex(stdout, /^written /)
      const ends: Record<string, unknown> = {
        exits: 3,
        throws: 1,
        'is interrupted': 130,
        'collects it': 0,
        'is killed': 'SIGKILL',
      }
      t.is(code, ends[how] as never)
      // Where the file system does not support unnamed files, only a process that is killed leaves one.
      t.deepEqual(how === 'is killed' ? names().filter((name) => !name.endsWith('.part')) : names(), [])
    })
  }
}

test('memory stays flat while writing 300 MB', async (t) => {
  const { path } = fresh()
  const { code, stdout } = await runScript('lifetime/writers.js', ['writes much', path])
  t.is(code, 0)
  t.true(Number(stdout) < 30 * MB, stdout)
  t.deepEqual(
    [...loadSafetensors(path)].map(([name, { shape }]) => [name, shape]),
    [
      ['x', [201 * 100_000, 3]],
      ['y', [201 * 75_000]],
    ],
  )
})

test('Python opens streamed files', (t) => {
  if (python === null) {
    t.log('no Python with safetensors: skipped')
    return t.pass()
  }
  for (const [shape, n] of [
    [[], 3],
    [[3], 0],
    [[2, 1, 3, 2], 2],
  ] as const) {
    const { path } = fresh()
    const types = TYPES.filter((dtype) => dtype !== 'bfloat16')
    const writer = new TensorWriter(path, Object.fromEntries(types.map((dtype) => [dtype, { dtype, shape }])), {
      metadata: { a: 'b' },
    })
    const expected: Record<string, unknown> = {}
    for (const dtype of types) {
      const file = path.replace('safetensors', `${dtype}.npy`)
      const one = new TensorWriter(file, { [dtype]: { dtype, shape } })
      const rows = tensor([1, 0, 1, 1, 0, 1, 0, 0, 1, 0, 0, 1], { dtype })
        .reshape(-1, ...(shape.length > 1 ? shape : [1]))
        .narrow(0, 0, 1)
      const row = shape.length === 0 ? rows.reshape(1) : shape.length === 1 ? tensor([[1, 0, 1]], { dtype }) : rows
      for (let i = 0; i < n; i++) {
        writer.write(dtype, row)
        one.write(dtype, row)
      }
      one.close()
      expected[dtype] = [dtype, [n, ...shape], Array.from({ length: n }, () => row.to('float64').toArray()[0])]
    }
    writer.close()
    const script = `
import json, sys, io
import numpy as np
from safetensors import safe_open
with safe_open(sys.argv[1], framework="np") as f:
    found = {name: f.get_tensor(name) for name in f.keys()}
show = lambda v: [str(v.dtype), list(v.shape), v.astype("f8").tolist()]
for name, x in found.items():
    path = sys.argv[1].replace("safetensors", name + ".npy")
    again = np.load(path, allow_pickle=False)
    assert show(again) == show(x), name
    out = io.BytesIO()
    np.save(out, again)
    assert out.getvalue() == open(path, "rb").read(), name + ": not the bytes of numpy"
print(json.dumps({name: show(x) for name, x in found.items()}))`
    t.deepEqual(runPython(script, path), expected)
  }
})

test('closeAsync completes the file off the event loop, once', async (t) => {
  const [now, later] = [fresh().path, fresh().path]
  const rows = arange(30, { dtype: 'float32' }).reshape(10, 3)
  new TensorWriter(now, two).write('x', rows).close()
  const writer = new TensorWriter(later, two).write('x', rows)
  await writer.closeAsync()
  t.deepEqual(readFileSync(later), readFileSync(now))
  await t.throwsAsync(writer.closeAsync(), { instanceOf: UsageError, message: /the writer has ended: it was closed/ })
  t.throws(() => writer.write('x', rows), { instanceOf: UsageError })
  writer.abort()
  t.deepEqual(readFileSync(later), readFileSync(now))
})

test('writeAsync appends in the order of the calls, whatever becomes of the tensors', async (t) => {
  const [now, later] = [fresh().path, fresh().path]
  const rows = Array.from({ length: 40 }, (_, i) =>
    arange(3 * i, { dtype: 'float32' })
      .add(i)
      .reshape(i, 3),
  )
  const writer = new TensorWriter(now, two)
  for (const one of rows) writer.write('x', one)
  writer.close()
  const other = new TensorWriter(later, two)
  const all = rows.map((one, i) => {
    // Half of them show their elements, which are changed after the call.
    const elements = i % 2 === 0 ? (one.data as Float32Array) : null
    const written = other.writeAsync('x', one)
    elements?.fill(-1)
    one.dispose()
    return written
  })
  t.throws(() => other.write('x', tensor([[1, 2, 3]])), { instanceOf: UsageError, message: /await them first/ })
  t.throws(() => other.close(), { instanceOf: UsageError, message: /await them first/ })
  await other.closeAsync()
  await Promise.all(all)
  t.deepEqual(readFileSync(later), readFileSync(now))
})

test('writeAsync rejects what write refuses, and can go on', async (t) => {
  const { path, names } = fresh()
  const writer = new TensorWriter(path, two)
  const wrong = async (name: string, rows: unknown, of: typeof UsageError, message: RegExp) =>
    t.throwsAsync(writer.writeAsync(name, rows as Tensor), { instanceOf: of, message })
  await wrong('none', tensor([[1, 2, 3]]), UsageError, /no tensor is called 'none'/)
  await wrong('x', tensor([[1, 2]]), ShapeError, /must have the shape/)
  await wrong('x', tensor([[1, 2, 3]]).to('float64'), DTypeError, /float32/)
  await wrong('x', new Float32Array(3), UsageError, /must be a tensor/)
  await writer.writeAsync('x', tensor([[1, 2, 3]]))
  writer.write('x', tensor([[4, 5, 6]]))
  const late = writer.writeAsync('x', tensor([[7, 8, 9]]))
  writer.abort()
  // It may have been written before.
  await late.catch(() => {})
  await wrong('x', tensor([[1, 2, 3]]), UsageError, /it was aborted/)
  t.deepEqual(names(), [])
})

test('closeAsync rejects if the file cannot have its name, and leaves nothing behind', async (t) => {
  const { path, names } = fresh('x.npy')
  const writer = new TensorWriter(path, two)
  mkdirSync(path)
  await t.throwsAsync(writer.closeAsync(), { instanceOf: FileError, message: /x\.npy/ })
  t.deepEqual(names(), ['x.npy'])
  t.deepEqual(readdirSync(path), [])
})
