import test from 'ava'
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { arange, loadNpy, memoryUsage, saveNpy, tensor, zeros, type DType } from '../../index.js'
import { digest, isGolden } from '../support/compare.js'
import { refuses } from '../support/errors.js'
import { readGolden } from '../support/golden.js'
import { python, runPython } from '../support/python.js'
import { temporaryFolder } from '../support/temporary.js'

const folder = temporaryFolder()
let files = 0
const fresh = () => join(folder, `${files++}.npy`)
const raw = (content: Buffer) => {
  const path = fresh()
  writeFileSync(path, content)
  return path
}

interface Case {
  name: string
  file: string
  dtype: DType
  shape: number[]
  values: string[]
  same: boolean
  error?: string
}
const { cases } = readGolden<{ cases: Case[] }>('npy/npy.json')
/** Python's repr of a value. */
const number = (text: string) => (text.endsWith('inf') ? Number(text.replace('inf', 'Infinity')) : Number(text))

test('loads what NumPy wrote and writes it again byte for byte', (t) => {
  let same = 0
  for (const { name, file, dtype, shape, values, ...rest } of cases.filter(({ error }) => !error)) {
    const path = raw(Buffer.from(file, 'base64'))
    const loaded = loadNpy(path)
    const isFloat = dtype.startsWith('float')
    const expected = isFloat
      ? tensor(values.map(number), { dtype })
      : tensor(BigInt64Array.from(values, BigInt), { dtype: 'int64' }).to(dtype)
    const v = Array.from({ length: expected.size }, (_, i) =>
      Object.is(expected.data[i], -0) ? '-0' : String(expected.data[i]),
    )
    isGolden(t, loaded, { t: dtype, s: shape, v }, name)
    const again = fresh()
    saveNpy(again, loaded)
    if (rest.same) t.deepEqual(readFileSync(again).toString('base64'), file, name)
    t.is(digest(loadNpy(again)), digest(loaded), name)
    same += Number(rest.same)
  }
  t.is(same, 64)
})

test('unsupported types are errors that name the type as NumPy does', (t) => {
  const bad = cases.filter(({ error }) => error)
  t.true(bad.length >= 9)
  for (const { file, error, name } of bad) {
    const path = raw(Buffer.from(file, 'base64'))
    const found = refuses(t, () => loadNpy(path), 'DTYPE', path, 'the supported types are float32')
    if (name === 'fields') t.true(found.message.includes("('a', '<f4')"), found.message)
    else t.true(found.message.includes(`'${error}'`), found.message)
  }
  refuses(
    t,
    () => saveNpy(fresh(), zeros([2], { dtype: 'bfloat16' })),
    'DTYPE',
    'bfloat16',
    "to('float32')",
    '.safetensors',
  )
})

test('files are mapped on request if tensors can use the elements as they are, and copied otherwise', (t) => {
  const path = fresh()
  saveNpy(path, arange(100_000, { dtype: 'float32' }).reshape(100, -1))
  const before = memoryUsage()
  const mapped = loadNpy(path, { map: true })
  t.is(memoryUsage().mapped - before.mapped, statSync(path).size)
  t.is(memoryUsage().tables, before.tables)
  using own = loadNpy(path)
  t.is(memoryUsage().tables - before.tables, own.size * 4, 'a small file is read')
  own.dispose()
  mapped.set([7])
  t.is(loadNpy(path).narrow(0, 0, 1).toArray()[0][0], 0, 'writes stay in this process')
  saveNpy(path, mapped)
  t.is(loadNpy(path).toArray()[0][0], 7, 'a file may be written over by what was loaded from it')
  const big = Buffer.from(readFileSync(path)).toString('latin1').replace("'<f4'", "'>f4'")
  const between = memoryUsage()
  const converted = loadNpy(raw(Buffer.from(big, 'latin1')))
  t.is(memoryUsage().tables - between.tables, 400_000)
  t.is(memoryUsage().mapped, between.mapped)
  converted.dispose()
  mapped.dispose()
  t.is(memoryUsage().tables, between.tables)
})

/** A file with this header. */
function forge(text: string, data = 0, version = 1): string {
  const length = Buffer.alloc(version === 1 ? 2 : 4)
  if (version === 1) length.writeUInt16LE(text.length)
  else length.writeUInt32LE(text.length)
  return raw(
    Buffer.concat([
      Buffer.from([0x93]),
      Buffer.from('NUMPY'),
      Buffer.from([version, 0]),
      length,
      Buffer.from(text),
      Buffer.alloc(data),
    ]),
  )
}
const head = (descr: string, order: string, shape: string) =>
  `{'descr': ${descr}, 'fortran_order': ${order}, 'shape': ${shape}, }\n`

test('loads unusual but valid headers', (t) => {
  const good: [string, number, number[]][] = [
    [head("'<f4'", 'False', '(2,3)'), 24, [2, 3]],
    [head("'<f4'", 'False', '(2, 3,)'), 24, [2, 3]],
    [head("'<f4'", 'True', '(3L,)'), 12, [3]],
    [head("'<f4'", 'True', '()'), 4, []],
    [head('"f4"', 'False', '(0, 18446744073709551615)'), 0, [0, 2 ** 64]],
    ["{'shape':(1,),'fortran_order':False,'descr':'=f4'}", 4, [1]],
    [` { 'shape' : ( 1 , ) , 'fortran_order' : False , 'descr' : '|f4' } `, 4, [1]],
  ]
  for (const [text, data, shape] of good) {
    for (const version of [1, 2, 3]) t.deepEqual(loadNpy(forge(text, data, version)).shape, shape, text)
  }
  // The data starts where no float32 is aligned, so it is copied.
  for (let blanks = 0; blanks < 8; blanks++) {
    const path = forge(head("'<f4'", 'False', '(2,)') + ' '.repeat(blanks))
    writeFileSync(
      path,
      Buffer.concat([readFileSync(path), Buffer.from(new Uint8Array(Float32Array.of(1.5, -2).buffer))]),
    )
    t.deepEqual(loadNpy(path).toArray(), [1.5, -2])
  }
})

const f4 = (shape: string, data: number) => () => forge(head("'<f4'", 'False', shape), data)
const LIES: [string, () => string][] = [
  ['an empty file', () => raw(Buffer.alloc(0))],
  ['text', () => raw(Buffer.from('this is not an npy file at all'))],
  ['an npz file', () => raw(Buffer.from('PK\x03\x04 and so on'))],
  ['a file that ends after its magic', () => raw(Buffer.from('\x93NUMPY', 'latin1'))],
  ['version 4', () => forge(head("'<f4'", 'False', '(2,)'), 8, 4)],
  ['a header longer than the file', () => raw(Buffer.from('\x93NUMPY\x02\x00\xff\xff\xff\xff{}', 'latin1'))],
  ['an empty header', () => forge('')],
  ['a header that is not text', () => raw(Buffer.from('\x93NUMPY\x01\x00\x02\x00\xff\xfe', 'latin1'))],
  ['a header that is not a dictionary', () => forge('[1, 2]')],
  ['a header with trailing characters', () => forge(`${head("'<f4'", 'False', '(2,)')} 5`, 8)],
  ['a header without a shape', () => forge("{'descr': '<f4', 'fortran_order': False}", 8)],
  ['a header with an unknown entry', () => forge("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'x': 1}", 8)],
  ['a repeated entry', () => forge("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'shape': (2,)}", 8)],
  ['an unterminated string', () => forge("{'descr")],
  ['endless nesting', () => forge(`{'descr': ${'['.repeat(60_000)}`)],
  ['an order that is a number', () => forge(head("'<f4'", '1', '(2,)'), 8)],
  ['a shape that is a number', f4('2', 8)],
  ['a shape that is a number in parentheses', f4('(2)', 8)],
  ['a shape that is a list', f4('[2]', 8)],
  ['a negative size', f4('(-2,)', 8)],
  ['a fractional size', f4('(2.5,)', 8)],
  ['a size of 40 digits', f4(`(${'9'.repeat(40)},)`, 8)],
  ['a size beyond 64 bits', f4('(18446744073709551616,)', 8)],
  ['a shape whose size overflows', f4('(4294967296, 4294967296)', 0)],
  ['a shape whose bytes overflow', f4('(4611686018427387904,)', 0)],
  ['more bytes than the file has', f4('(3,)', 8)],
  ['fewer bytes than the file has', f4('(3,)', 16)],
]

for (const [what, make] of LIES) {
  test(`${what} is a FormatError that says where`, (t) => {
    const path = make()
    const error = refuses(t, () => loadNpy(path), 'FORMAT', path, 'at byte')
    t.is(error.path, path)
    t.true(
      Number.isInteger(error.offset) && error.offset >= 0 && error.offset <= statSync(path).size,
      `${error.offset}`,
    )
  })
}

test('a truncated file is a FormatError, wherever it ends', (t) => {
  const path = fresh()
  saveNpy(path, arange(10))
  const whole = readFileSync(path)
  for (let length = 0; length < whole.length; length++)
    refuses(t, () => loadNpy(raw(whole.subarray(0, length))), 'FORMAT')
})

test('saving replaces the file whole or not at all', (t) => {
  const path = fresh()
  saveNpy(path, arange(5))
  const before = readFileSync(path)
  const gone = zeros([2])
  gone.dispose()
  refuses(t, () => saveNpy(path, gone), 'USAGE', 'disposed')
  refuses(t, () => saveNpy(path, [1] as never), 'USAGE', 'a tensor, not [ 1 ]')
  refuses(t, () => saveNpy('', zeros([1])), 'USAGE', 'path')
  refuses(t, () => loadNpy(''), 'USAGE', 'path')
  t.deepEqual(readFileSync(path), before)
  const directory = join(folder, 'directory.npy')
  mkdirSync(directory)
  for (const bad of [directory, join(folder, 'missing', 'x.npy'), join(path, 'x')]) {
    const error = refuses(t, () => saveNpy(bad, zeros([2])), 'FILE', bad)
    t.is(error.path, bad)
    t.true(
      ['EISDIR', 'EACCES', 'ENOENT', 'ENOTDIR'].includes((error.cause as NodeJS.ErrnoException).code!),
      `${error.cause}`,
    )
    refuses(t, () => loadNpy(bad), 'FILE', bad)
  }
  t.deepEqual(
    readdirSync(folder).filter((name) => name.includes('.part')),
    [],
  )
})

test('NumPy opens files that are saved here', (t) => {
  if (python === null) {
    t.log('no Python with NumPy: skipped')
    return t.pass()
  }
  const types: DType[] = ['float32', 'float64', 'float16', 'int8', 'uint8', 'int32', 'int64', 'bool']
  const expected: unknown[] = []
  const paths: string[] = []
  for (const dtype of types) {
    for (const shape of [[], [1], [0, 3], [2, 3], [2, 1, 3, 2, 2]]) {
      const size = shape.reduce((size, n) => size * n, 1)
      const x = tensor(
        Array.from({ length: size }, (_, i) => ((i * 7) % 3) % 2),
        { dtype },
      ).reshape(...shape)
      const path = fresh()
      saveNpy(path, x)
      paths.push(path)
      expected.push([dtype, shape, x.to('float64').toArray()])
    }
  }
  const script = `
import json, sys
import numpy as np
found = [np.load(path, allow_pickle=False) for path in sys.argv[1:]]
print(json.dumps([[str(v.dtype), list(v.shape), v.astype("f8").tolist()] for v in found]))`
  t.deepEqual(runPython(script, ...paths), expected)
})
