import test from 'ava'
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  arange,
  inspectSafetensors,
  loadSafetensors,
  saveModel,
  saveSafetensors,
  tensor,
  TensorWriter,
  zeros,
  type DType,
  type Tensor,
} from '../../index.js'
import { digest } from '../support/compare.js'
import { refuses } from '../support/errors.js'
import { python, runPython } from '../support/python.js'
import { temporaryFolder } from '../support/temporary.js'

const folder = temporaryFolder()
let files = 0
const fresh = () => join(folder, `${files++}.safetensors`)

const TYPES: DType[] = ['float32', 'float64', 'float16', 'bfloat16', 'int8', 'uint8', 'int32', 'int64', 'bool']
const all = () =>
  Object.fromEntries(
    TYPES.map((dtype) => [
      dtype,
      tensor(
        [
          [0, 1, 1],
          [1, 0, 1],
        ],
        { dtype },
      ),
    ]),
  )

for (const dtype of TYPES) {
  test(`${dtype} survives saving and loading to the bit`, (t) => {
    const path = fresh()
    const x = tensor(
      [
        [0, 1, 2],
        [1, 0, 1],
      ],
      { dtype },
    )
    saveSafetensors(path, {
      x,
      nothing: zeros([0, 3], { dtype }),
      scalar: tensor(1, { dtype }),
      part: x.narrow(0, 1, 1),
    })
    const loaded = loadSafetensors(path)
    const same = (name: string, y: Tensor) => {
      const z = loaded.get(name)!
      t.deepEqual([z.dtype, z.shape, digest(z)], [dtype, y.shape, digest(y)])
    }
    same('x', x)
    same('nothing', zeros([0, 3], { dtype }))
    same('scalar', tensor(1, { dtype }))
    same('part', x.narrow(0, 1, 1))
    t.is(loaded.size, 4)
  })
}

test('tensors may come as an object or a Map, with names of any kind', (t) => {
  const names = ['', 'a.b', 'ünïcödé ✓', '🦙', 'a "b" \\ \n\t', ' ', '__proto__', 'constructor', '0', '漢字']
  const tensors = new Map(names.map((name, i) => [name, tensor([i])]))
  const path = fresh()
  saveSafetensors(path, tensors)
  const loaded = loadSafetensors(path)
  t.deepEqual([...loaded.keys()].sort(), [...names].sort())
  for (const [name, x] of tensors) t.is(loaded.get(name)!.item(), x.item())
  saveSafetensors(path, Object.fromEntries(tensors))
  t.is(loadSafetensors(path).size, names.length)
  saveSafetensors(path, {})
  t.is(loadSafetensors(path).size, 0)
})

test('the bytes depend only on names, tensors and metadata', (t) => {
  const metadata = { b: '2', a: '1', format: 'pt' }
  const reversed = Object.fromEntries(Object.entries(all()).reverse())
  const bytes = [all(), reversed, new Map(Object.entries(all()))].map((tensors) => {
    const path = fresh()
    saveSafetensors(path, tensors, { metadata: { ...metadata } })
    return readFileSync(path)
  })
  t.deepEqual(bytes[0], bytes[1])
  t.deepEqual(bytes[0], bytes[2])
  const header = bytes[0].subarray(8, 8 + Number(bytes[0].readBigUInt64LE()))
  t.is(header.length % 8, 0)
  t.deepEqual(JSON.parse(header.toString()).__metadata__, metadata)
})

test('a loaded file may be overwritten, also with tensors that were loaded from it', (t) => {
  const path = fresh()
  saveSafetensors(path, { x: arange(5), y: zeros([3]) })
  const loaded = loadSafetensors(path)
  loaded.get('x')!.set([7])
  saveSafetensors(path, loaded)
  t.deepEqual(loadSafetensors(path).get('x')!.toArray(), [7, 1, 2, 3, 4])
  t.deepEqual(loaded.get('x')!.toArray(), [7, 1, 2, 3, 4])
})

test('saving replaces the file whole or not at all', (t) => {
  const path = fresh()
  saveSafetensors(path, { x: arange(5) })
  const before = readFileSync(path)
  const gone = zeros([2])
  gone.dispose()
  refuses(t, () => saveSafetensors(path, { x: zeros([2]), gone }), 'USAGE', 'disposed')
  refuses(t, () => saveSafetensors(path, { x: zeros([2]), y: 5 as never }), 'USAGE', '"y"', '5')
  refuses(t, () => saveSafetensors(path, { __metadata__: zeros([2]) }), 'USAGE', '__metadata__')
  const twice = new Map([
    ['\ud800', zeros([1])],
    ['\ud801', zeros([1])],
  ])
  refuses(t, () => saveSafetensors(path, twice), 'USAGE', 'two tensors')
  t.deepEqual(readFileSync(path), before)
  const directory = join(folder, 'directory')
  mkdirSync(join(directory, 'inside'), { recursive: true })
  for (const bad of [directory, join(folder, 'missing', 'x.safetensors'), join(path, 'x')]) {
    const error = refuses(t, () => saveSafetensors(bad, { x: zeros([2]) }), 'FILE', bad)
    t.is(error.path, bad)
    t.true(
      ['EISDIR', 'ENOENT', 'ENOTDIR', 'ENOTEMPTY', 'EEXIST'].includes((error.cause as NodeJS.ErrnoException).code!),
      `${error.cause}`,
    )
  }
  t.deepEqual(
    readdirSync(folder).filter((name) => name.includes('.part')),
    [],
  )
  t.deepEqual(readdirSync(directory), ['inside'])
})

test('a saved file is an ordinary file', (t) => {
  if (process.platform === 'win32') return t.pass()
  const path = fresh()
  saveSafetensors(path, { x: zeros([1]) })
  const plain = join(folder, 'plain')
  writeFileSync(plain, '')
  t.is(statSync(path).mode, statSync(plain).mode)
})

test('rejects what cannot be saved', (t) => {
  refuses(t, () => saveSafetensors('', {}), 'USAGE', 'path')
  refuses(t, () => saveSafetensors('a\0b', {}), 'USAGE', 'NUL')
  refuses(t, () => saveSafetensors(5 as never, {}), 'USAGE', 'path')
  const path = fresh()
  refuses(t, () => saveSafetensors(path, null as never), 'USAGE', 'null')
  refuses(t, () => saveSafetensors(path, zeros([2]) as never), 'USAGE', 'by name')
  refuses(t, () => saveSafetensors(path, new Map([[5, zeros([2])]]) as never), 'USAGE', 'names must be strings')
  refuses(t, () => saveSafetensors(path, {}, { metadata: { a: 5 } as never }), 'USAGE', '"a"', '5')
  refuses(t, () => saveSafetensors(path, {}, { metadata: null as never }), 'USAGE', 'null')
  refuses(t, () => saveSafetensors(path, {}, { metadata: 'ab' as never }), 'USAGE', "'ab'")
  refuses(t, () => saveSafetensors(path, {}, { meta: {} } as never), 'USAGE', '"meta"')
})

test("an unreadable path is a FileError with the system's reason", (t) => {
  const missing = join(folder, 'nope.safetensors')
  const error = refuses(t, () => loadSafetensors(missing), 'FILE', missing, 'open')
  t.is(error.path, missing)
  const cause = error.cause as NodeJS.ErrnoException
  t.true(cause instanceof Error)
  t.is(cause.code, 'ENOENT')
  t.is((refuses(t, () => loadSafetensors(folder), 'FILE', folder, 'directory').cause as Error) instanceof Error, true)
  refuses(t, () => loadSafetensors(join(folder, 'x', '\0')), 'USAGE', 'NUL')
  refuses(t, () => loadSafetensors(undefined as never), 'USAGE', 'path')
  if (process.platform !== 'win32' && process.getuid?.() !== 0) {
    const closed = fresh()
    writeFileSync(closed, 'x')
    chmodSync(closed, 0)
    t.is((refuses(t, () => loadSafetensors(closed), 'FILE').cause as NodeJS.ErrnoException).code, 'EACCES')
  }
})

/** A file with this header, followed by this many bytes. */
function forge(header: unknown, bytes: number, length?: bigint): string {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  const size = Buffer.alloc(8)
  size.writeBigUInt64LE(length ?? BigInt(text.length))
  const path = fresh()
  writeFileSync(path, Buffer.concat([size, text, Buffer.alloc(bytes)]))
  return path
}

const entry = (dtype: string, shape: number[], start: number, end: number) => ({
  dtype,
  shape,
  data_offsets: [start, end],
})

const LIES: [string, () => string][] = [
  ['an empty file', () => raw(Buffer.alloc(0))],
  ['seven bytes', () => raw(Buffer.alloc(7))],
  ['an empty header', () => raw(Buffer.alloc(8))],
  ['text', () => raw(Buffer.from('this is not a safetensors file at all'))],
  ['a header longer than the file', () => forge('{}', 0, 1000n)],
  ['a header of 2^64 - 1 bytes', () => forge('{}', 0, 2n ** 64n - 1n)],
  ['a header of 200 MB', () => forge('{}', 0, 200_000_000n)],
  ['a header that is not JSON', () => forge('{"a": ', 0)],
  ['a header that is not UTF-8', () => raw(Buffer.from([2, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe]))],
  ['a header that is an array', () => forge([1], 0)],
  ['more bytes than the file has', () => forge({ x: entry('F32', [4], 0, 16) }, 12)],
  ['fewer bytes than the file has', () => forge({ x: entry('F32', [4], 0, 16) }, 20)],
  ['offsets that do not fit the shape', () => forge({ x: entry('F32', [3], 0, 16) }, 16)],
  ['offsets in the wrong order', () => forge({ x: entry('F32', [4], 16, 0) }, 16)],
  ['a shape whose size overflows', () => forge({ x: entry('F32', [2 ** 40, 2 ** 40], 0, 16) }, 16)],
  ['a negative size', () => forge({ x: entry('F32', [-4], 0, 16) }, 16)],
  ['a fractional size', () => forge({ x: entry('F32', [1.5], 0, 16) }, 16)],
  ['tensors that overlap', () => forge({ x: entry('F32', [4], 0, 16), y: entry('F32', [4], 8, 24) }, 24)],
  ['a hole between tensors', () => forge({ x: entry('F32', [2], 0, 8), y: entry('F32', [2], 16, 24) }, 24)],
  ['an unknown type', () => forge({ x: entry('F33', [4], 0, 16) }, 16)],
  ['an entry without a shape', () => forge({ x: { dtype: 'F32', data_offsets: [0, 16] } }, 16)],
  ['metadata that is not strings', () => forge({ __metadata__: { a: 1 } }, 0)],
]

function raw(bytes: Buffer): string {
  const path = fresh()
  writeFileSync(path, bytes)
  return path
}

for (const [what, make] of LIES) {
  test(`${what} is a FormatError that says where`, (t) => {
    const path = make()
    const error = refuses(t, () => loadSafetensors(path), 'FORMAT', path, 'at byte')
    t.is(error.path, path)
    t.true(Number.isInteger(error.offset) && error.offset >= 0 && error.offset <= statSync(path).size)
  })
}

test('a truncated file is a FormatError, wherever it ends', (t) => {
  const path = fresh()
  saveSafetensors(path, all(), { metadata: { a: 'b' } })
  const whole = readFileSync(path)
  const lengths = Array.from({ length: whole.length }, (_, i) => i).filter(
    (i) => i < 40 || i % 37 === 0 || i > whole.length - 40,
  )
  for (const length of lengths) refuses(t, () => loadSafetensors(raw(whole.subarray(0, length))), 'FORMAT')
})

/** Element types of the format that Tensor does not support, and their bits per element. */
const OTHERS: [string, number][] = [
  ['F8_E4M3', 8],
  ['F8_E5M2', 8],
  ['F8_E4M3FNUZ', 8],
  ['F8_E5M2FNUZ', 8],
  ['F8_E8M0', 8],
  ['F4', 4],
  ['F6_E2M3', 6],
  ['F6_E3M2', 6],
  ['U16', 16],
  ['I16', 16],
  ['U32', 32],
  ['U64', 64],
  ['C64', 64],
]

for (const [stored, bits] of OTHERS) {
  test(`other tensors can be loaded beside a tensor of ${stored}`, (t) => {
    const size = bits * 2
    const path = forge(
      {
        before: entry('F32', [2], 0, 8),
        odd: entry(stored, [4, 4], 8, 8 + size),
        after: entry('U8', [3], 8 + size, 11 + size),
        __metadata__: { format: 'pt' },
      },
      11 + size,
    )
    const bytes = readFileSync(path)
    bytes.set(new Uint8Array(Float32Array.of(1.5, -2).buffer), bytes.length - 11 - size)
    bytes.set([7, 8, 9], bytes.length - 3)
    writeFileSync(path, bytes)
    for (const map of [undefined, true, false]) {
      const loaded = loadSafetensors(path, { map })
      t.deepEqual([...loaded.keys()], ['before', 'after'])
      t.deepEqual(
        [loaded.get('before')!.toArray(), loaded.get('after')!.toArray()],
        [
          [1.5, -2],
          [7, 8, 9],
        ],
      )
      t.deepEqual([...loaded.skipped], [['odd', { name: 'odd', stored, dtype: null, shape: [4, 4], bytes: size }]])
      t.deepEqual(loaded.metadata, { format: 'pt' })
      t.false(loaded.has('odd'))
      t.is(loaded.get('none'), undefined)
      refuses(t, () => loaded.get('odd'), 'DTYPE', path, '"odd"', stored)
    }
    t.deepEqual(inspectSafetensors(path), {
      metadata: { format: 'pt' },
      tensors: [
        { name: 'before', stored: 'F32', dtype: 'float32', shape: [2], bytes: 8 },
        { name: 'odd', stored, dtype: null, shape: [4, 4], bytes: size },
        { name: 'after', stored: 'U8', dtype: 'uint8', shape: [3], bytes: 3 },
      ],
    })
  })
}

test('a partially loaded file is not saved as if it were complete', (t) => {
  const path = forge(
    { good: entry('F32', [2], 0, 8), bad: entry('U64', [1], 8, 16), worse: entry('U64', [1], 16, 24) },
    24,
  )
  const loaded = loadSafetensors(path)
  const target = fresh()
  refuses(t, () => saveSafetensors(target, loaded), 'USAGE', '"bad" (U64) and 1 more', 'new Map(tensors)')
  refuses(
    t,
    () => saveModel(join(folder, 'model'), { objective: 'x', tensors: loaded, vocabulary: ['a'] }),
    'USAGE',
    '"bad"',
  )
  saveSafetensors(target, new Map(loaded))
  t.deepEqual([...loadSafetensors(target).keys()], ['good'])
  // A file of such tensors alone opens, too. One that cannot be verified gives an error that says so.
  t.is(loadSafetensors(forge({ bad: entry('U64', [1], 0, 8) }, 8)).size, 0)
  refuses(t, () => loadSafetensors(path, { verify: true }), 'FORMAT', 'no digest')
  const marked = forge({ bad: entry('U64', [1], 0, 8), __metadata__: { 'tokenbed.digest': 'x' } }, 8)
  refuses(t, () => loadSafetensors(marked, { verify: true }), 'DTYPE', '"bad"', 'U64')
})

test('metadata may have any names and texts', (t) => {
  const metadata = { '': 'empty', ['__proto__']: 'own', 'a "b"': '\n\u2028 鯨', long: 'x'.repeat(100_000) }
  const path = fresh()
  saveSafetensors(path, { x: zeros([1]) }, { metadata })
  for (const found of [inspectSafetensors(path).metadata, loadSafetensors(path).metadata])
    t.deepEqual(Object.entries(found).sort(), Object.entries(metadata).sort())
  saveSafetensors(path, { x: zeros([1]) })
  t.deepEqual([inspectSafetensors(path).metadata, loadSafetensors(path).metadata], [{}, {}])
  t.deepEqual(inspectSafetensors(forge({ __metadata__: null }, 0)), { metadata: {}, tensors: [] })
  const error = refuses(t, () => inspectSafetensors(join(folder, 'none')), 'FILE', 'none')
  t.is((error.cause as NodeJS.ErrnoException).code, 'ENOENT')
})

test('names and metadata come back unchanged or are rejected', (t) => {
  const path = fresh()
  saveSafetensors(path, { x: zeros([1]) })
  const before = readFileSync(path)
  const half = '\ud800'
  refuses(t, () => saveSafetensors(path, { [half]: zeros([1]) }), 'USAGE', 'surrogate')
  refuses(t, () => saveSafetensors(path, {}, { metadata: { [half]: 'x' } }), 'USAGE', 'surrogate')
  refuses(t, () => saveSafetensors(path, {}, { metadata: { x: `a${half}` } }), 'USAGE', 'surrogate')
  refuses(t, () => new TensorWriter(path, { [half]: { dtype: 'int8', shape: [] } }), 'USAGE', 'surrogate')
  refuses(
    t,
    () => new TensorWriter(path, { x: { dtype: 'int8', shape: [] } }, { metadata: { x: half } }),
    'USAGE',
    'surrogate',
  )
  t.deepEqual(readFileSync(path), before)
})

test('elements that are not aligned in the file are read correctly', (t) => {
  const path = forge({ odd: entry('U8', [3], 0, 3), x: entry('F32', [2], 3, 11) }, 0)
  const values = Buffer.from(new Uint8Array(Float32Array.of(1.5, -2).buffer))
  writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.from([1, 2, 3]), values]))
  t.deepEqual(loadSafetensors(path).get('x')!.toArray(), [1.5, -2])
})

test('saving follows a symbolic link', (t) => {
  if (process.platform === 'win32') return t.pass()
  const [path, link] = [fresh(), fresh()]
  saveSafetensors(path, { x: arange(3) })
  symlinkSync(path, link)
  t.deepEqual(loadSafetensors(link).get('x')!.toArray(), [0, 1, 2])
})

test('Python opens files that are saved here', (t) => {
  if (python === null) {
    t.log('no Python with safetensors: skipped')
    return t.pass()
  }
  const path = fresh()
  const { bfloat16, ...known } = all()
  saveSafetensors(
    path,
    { ...known, 'ünïcödé ✓': arange(6).reshape(2, 3), '': zeros([0, 2]) },
    { metadata: { who: 'tokenbed' } },
  )
  const script = `
import json, sys
from safetensors import safe_open
with safe_open(sys.argv[1], framework="np") as f:
    found = {name: f.get_tensor(name) for name in f.keys()}
    print(json.dumps({"metadata": f.metadata(), "tensors": {k: [str(v.dtype), list(v.shape), v.astype("f8").tolist()] for k, v in found.items()}}))`
  const { metadata, tensors } = runPython(script, path)
  t.deepEqual(metadata, { who: 'tokenbed' })
  t.deepEqual(tensors['ünïcödé ✓'], [
    'int32',
    [2, 3],
    [
      [0, 1, 2],
      [3, 4, 5],
    ],
  ])
  t.deepEqual(tensors[''], ['float32', [0, 2], []])
  for (const dtype of Object.keys(known))
    t.deepEqual(tensors[dtype], [
      dtype,
      [2, 3],
      [
        [0, 1, 1],
        [1, 0, 1],
      ],
    ])
})

test('opens files that Python saved', (t) => {
  if (python === null) {
    t.log('no Python with safetensors: skipped')
    return t.pass()
  }
  const path = fresh()
  const script = `
import json, sys
import numpy as np
from safetensors.numpy import save_file
types = ["float32", "float64", "float16", "int8", "uint8", "int32", "int64", "bool"]
save_file({name: np.array([[0, 1, 1], [1, 0, 1]], dtype=name) for name in types}, sys.argv[1], metadata={"a": "b"})
print("null")`
  runPython(script, path)
  const expected = all()
  const loaded = loadSafetensors(path)
  t.is(loaded.size, 8)
  for (const [name, x] of loaded)
    t.deepEqual([x.dtype, x.shape, digest(x)], [name as DType, [2, 3], digest(expected[name])])
})

const SHAPES = [[], [1], [0, 3], [2, 3], [2, 1, 3, 2, 2]]
const HEX = Object.fromEntries(
  TYPES.flatMap((dtype) =>
    SHAPES.map((shape) => {
      const size = shape.reduce((size, n) => size * n, 1)
      const x = tensor(
        Array.from({ length: size }, (_, i) => ((i * 7) % 3) % 2),
        { dtype },
      ).reshape(...shape)
      const { buffer, byteOffset, byteLength } = x.data
      return [`${dtype} ${shape}`, { dtype, shape, hex: Buffer.from(buffer, byteOffset, byteLength).toString('hex') }]
    }),
  ),
)

test('Python and this package exchange every type in every shape to the bit', (t) => {
  if (python === null) {
    t.log('no Python with safetensors: skipped')
    return t.pass()
  }
  // safetensors' own function on bytes reads the file, because it knows bfloat16; NumPy, which writes, does not.
  const [path, theirs] = [fresh(), fresh()]
  const saved = Object.entries(HEX).map(([name, { dtype, shape, hex }]) => {
    const bytes = new Uint8Array(Buffer.from(hex, 'hex')).buffer
    const x = zeros(shape, { dtype })
    new Uint8Array(x.data.buffer, x.data.byteOffset, bytes.byteLength).set(new Uint8Array(bytes))
    return [name, x] as const
  })
  saveSafetensors(path, new Map(saved))
  const script = `
import json, sys
import numpy as np
from safetensors import deserialize
from safetensors.numpy import save_file
expected = json.loads(sys.argv[3])
names = {"F32": "float32", "F64": "float64", "F16": "float16", "BF16": "bfloat16", "I8": "int8", "U8": "uint8", "I32": "int32", "I64": "int64", "BOOL": "bool"}
found = deserialize(open(sys.argv[1], "rb").read())
array = lambda v: np.frombuffer(bytes.fromhex(v["hex"]), v["dtype"]).reshape(v["shape"])
save_file({k: array(v) for k, v in expected.items() if v["dtype"] != "bfloat16"}, sys.argv[2])
print(json.dumps({k: {"dtype": names[v["dtype"]], "shape": v["shape"], "hex": bytes(v["data"]).hex()} for k, v in found}))`
  t.deepEqual(runPython(script, path, theirs, JSON.stringify(HEX)), HEX)
  const loaded = loadSafetensors(theirs)
  const known = saved.filter(([, { dtype }]) => dtype !== 'bfloat16')
  t.is(loaded.size, known.length)
  for (const [name, x] of known) {
    const y = loaded.get(name)!
    t.deepEqual([y.dtype, y.shape, digest(y)], [x.dtype, x.shape, digest(x)], name)
  }
})
