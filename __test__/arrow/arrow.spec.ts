// Files of Arrow and Parquet: round trips, and those that pyarrow wrote.

import test from 'ava'
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadArrow, loadParquet, saveArrow, saveParquet, type VectorTable } from '../../arrow.js'
import { randn, tensor, UsageError, Vectors } from '../../index.js'
import { root } from '../support/golden.js'
import { temporaryFolder } from '../support/temporary.js'

const base = temporaryFolder()
const fresh = (name: string) => join(mkdtempSync(join(base, 'x-')), name)
const golden = (name: string) => join(root, 'testdata/golden/arrow', name)
const KINDS = [
  { name: 'arrow', load: loadArrow, save: saveArrow },
  { name: 'parquet', load: loadParquet, save: saveParquet },
] as const

for (const { name, load, save } of KINDS) {
  test(`${name}: vectors and their words survive a round trip`, async (t) => {
    const path = fresh(`x.${name}`)
    const words = ['whale', 'New York', 'naïve', '鯨', '']
    const table: VectorTable = { names: words, vectors: Float32Array.from({ length: 15 }, (_, i) => i / 7 - 1), dim: 3 }
    await save(path, table)
    t.deepEqual(await load(path), table)
    const vectors = new Vectors(
      randn([40, 8]),
      Array.from({ length: 40 }, (_, i) => `w${i}`),
    )
    await save(path, vectors, { vectors: 'embedding', names: 'token' })
    const found = await load(path, { vectors: 'embedding', names: 'token' })
    t.deepEqual(found, { names: vectors.words as string[], vectors: vectors.weight.data as Float32Array, dim: 8 })
    t.is(Object.getPrototypeOf(found.vectors), Float32Array.prototype)
  })

  test(`${name}: ids are integers of 32 or 64 bits, and may be missing`, async (t) => {
    const path = fresh(`x.${name}`)
    const vectors = Float32Array.of(1, 2, 3, 4)
    for (const names of [Int32Array.of(5, -6), BigInt64Array.of(2n ** 40n, -1n), null]) {
      await save(path, { names, vectors, dim: 2 })
      t.deepEqual(await load(path), { names, vectors, dim: 2 })
    }
  })

  test(`${name}: files of pyarrow are read`, async (t) => {
    const wanted = { vectors: Float32Array.from({ length: 12 }, (_, i) => i * 0.5 - 1), dim: 4 }
    t.deepEqual(await load(golden(`words.${name}`)), { names: ['a', 'b c', 'é'], ...wanted })
    t.deepEqual(await load(golden(`ids.${name}`)), { names: BigInt64Array.of(7n, 8n, 2n ** 40n), ...wanted })
    const two = golden(`several.${name}`)
    await t.throwsAsync(load(two), { code: 'USAGE', message: /several columns of lists.*'left'/ })
    t.deepEqual(await load(two, { vectors: 'right', names: 'b' }), { names: ['x', 'y', 'z'], ...wanted })
    await t.throwsAsync(load(two, { vectors: 'none', names: 'b' }), { code: 'USAGE', message: /no column 'none'/ })
    await t.throwsAsync(load(two, { vectors: 'b', names: 'b' }), { code: 'USAGE', message: /not lists of float32/ })
    await t.throwsAsync(load(golden(`ragged.${name}`)), { code: 'FORMAT', message: /row 1 .* has 1 numbers/ })
    await t.throwsAsync(load(golden(`nulls.${name}`)), { code: 'FORMAT', message: /row 1 .* has no vector/ })
  })

  test(`${name}: other files and bad calls are typed errors`, async (t) => {
    const path = fresh(`x.${name}`)
    await t.throwsAsync(load(path), { code: 'FILE' })
    const good = readFileSync(golden(`words.${name}`))
    for (const bytes of [
      Buffer.alloc(0),
      Buffer.from('PAR1PAR1'),
      good.subarray(0, 50),
      good.subarray(0, -9),
      randomBytes(200),
    ]) {
      writeFileSync(path, bytes)
      await t.throwsAsync(load(path), { code: 'FORMAT', message: new RegExp(`^${path.replaceAll('.', '\\.')}`) })
    }
    for (let at = 0; at < good.length; at += 7) {
      const bytes = Buffer.from(good)
      bytes[at] ^= 0x55
      writeFileSync(path, bytes)
      await load(path).catch((error) => t.true(['FORMAT', 'USAGE'].includes(error.code), `${at}: ${error.stack}`))
    }
    const vectors = Float32Array.of(1, 2, 3, 4)
    await t.throwsAsync(save(path, { names: ['a'], vectors, dim: 2 }), {
      code: 'SHAPE',
      message: /1 names but 2 vectors/,
    })
    await t.throwsAsync(save(path, { names: null, vectors, dim: 3 }), { code: 'SHAPE' })
    await t.throwsAsync(save(path, { names: [1, 2] as never, vectors, dim: 2 }), {
      code: 'USAGE',
      message: /names must be/,
    })
    await t.throwsAsync(save(path, tensor([[1]]) as never), { code: 'USAGE', message: /expected Vectors/ })
    await t.throwsAsync(save(path, { names: ['a', 'b'], vectors, dim: 2 }, { vectors: 'word' }), { code: 'USAGE' })
    await t.throwsAsync(save(join(base, 'none/x'), { names: null, vectors, dim: 2 }), { code: 'FILE' })
  })
}

function randomBytes(count: number): Buffer {
  return Buffer.from(Array.from({ length: count }, (_, i) => (i * 7919) % 251))
}

test('arrow: metadata that lie are typed errors, and nothing goes round in circles', async (t) => {
  const { tableFromIPC, tableToIPC } = await import('apache-arrow')
  const file = readFileSync(golden('words.arrow'))
  const path = fresh('lying.arrow')
  let state = 1
  const below = (bound: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * bound)
  }
  for (const good of [file, Buffer.from(tableToIPC(tableFromIPC(file), 'stream'))]) {
    for (let round = 0; round < 300; round++) {
      const bytes = Buffer.from(good)
      for (let i = 0; i <= below(3); i++) {
        const at = below(bytes.length - 4)
        if (below(2)) bytes[at] = below(256)
        else bytes.writeInt32LE([-1, -8, 0, 1, 2 ** 31 - 1, -(2 ** 31)][below(6)], at & ~3)
      }
      writeFileSync(path, bytes)
      await loadArrow(path).catch(({ code, stack }) => t.true(['FORMAT', 'USAGE'].includes(code), `${round}: ${stack}`))
    }
  }
})

test('arrow: batches are read one after the other, and none counts twice', async (t) => {
  const { RecordBatchReader, tableFromIPC, tableToIPC } = await import('apache-arrow')
  const one = tableFromIPC(readFileSync(golden('words.arrow')))
  const bytes = Buffer.from(tableToIPC(one.concat(one, one), 'file'))
  const path = fresh('batches.arrow')
  writeFileSync(path, bytes)
  t.is((await loadArrow(path)).names!.length, 3 * one.numRows)
  const { footer } = RecordBatchReader.from(bytes).open() as unknown as {
    footer: { getRecordBatch(index: number): { offset: number } }
  }
  const block = Buffer.alloc(8)
  block.writeBigInt64LE(BigInt(footer.getRecordBatch(0).offset))
  const at = bytes.lastIndexOf(block)
  // The entry of the second batch names the first again, or the other way round.
  bytes.copy(bytes, at + 24, at, at + 24)
  writeFileSync(path, bytes)
  await t.throwsAsync(loadArrow(path), { code: 'FORMAT', message: /begins within another one/ })
})

const PYARROW = `
import json, sys
import pyarrow.feather, pyarrow.parquet
path = sys.argv[1]
table = pyarrow.feather.read_table(path) if path.endswith(".arrow") else pyarrow.parquet.read_table(path)
vectors = table.column(table.column_names[-1])
print(json.dumps({"type": str(vectors.type), "columns": table.column_names, "names": table.column(0).to_pylist(), "vectors": vectors.to_pylist()}))
`
const python = process.env.TOKENBED_PYTHON ?? 'python3'
const hasPyarrow = spawnSync(python, ['-c', 'import pyarrow']).status === 0

for (const { name, load, save } of KINDS) {
  const run = hasPyarrow ? test : test.skip
  run(`${name}: what is written opens in pyarrow`, async (t) => {
    const path = fresh(`x.${name}`)
    const names = ['whale', 'New York', 'naïve', '鯨']
    const vectors = Float32Array.from({ length: 12 }, (_, i) => i / 4 - 1)
    await save(path, { names, vectors, dim: 3 })
    const found = JSON.parse(execFileSync(python, ['-c', PYARROW, path], { encoding: 'utf8' }))
    t.deepEqual(found.columns, ['word', 'vector'])
    t.regex(found.type, name === 'arrow' ? /^fixed_size_list<item: float>\[3\]$/ : /^list<.*: float/)
    t.deepEqual([found.names, found.vectors.flat()], [names, [...vectors]])
  })

  test(`${name}: many rows are read with turns of the event loop between them`, async (t) => {
    const path = fresh(`x.${name}`)
    const [rows, dim] = [40_000, 16]
    const vectors = Float32Array.from({ length: rows * dim }, (_, i) => i % 1000)
    const names = Int32Array.from({ length: rows }, (_, i) => i)
    await save(path, { names, vectors, dim })
    let turns = 0
    const counter = setInterval(() => turns++, 0)
    const found = await load(path)
    clearInterval(counter)
    t.deepEqual(found, { names, vectors, dim })
    t.true(turns >= 2, `${turns}`)
  })
}

test('a package that is not installed is an error that says what to install', (t) => {
  const folder = join(base, 'app/node_modules/tokenbed')
  mkdirSync(folder, { recursive: true })
  for (const part of ['dist', 'vocab', 'package.json']) {
    if (part === 'dist') {
      cpSync(join(root, 'dist/api'), join(folder, 'dist/api'), { recursive: true })
      for (const name of ['arrow.js', 'index.js']) cpSync(join(root, 'dist', name), join(folder, 'dist', name))
    } else symlinkSync(join(root, part), join(folder, part))
  }
  const binary = join(root, `tokenbed.linux-x64-gnu.node`)
  const script = `const { loadArrow, saveParquet } = require('tokenbed/dist/arrow.js')
    loadArrow('x').catch((error) => console.log(error.code, error.message))
    saveParquet('x', { names: null, vectors: new Float32Array(2), dim: 2 }).catch((error) => console.log(error.code, error.message))`
  if (process.platform !== 'linux' || process.arch !== 'x64') return t.pass()
  cpSync(binary, join(folder, 'tokenbed.linux-x64-gnu.node'))
  const said = execFileSync(
    process.execPath,
    ['-e', script.replace("'tokenbed/dist/arrow.js'", JSON.stringify(join(folder, 'dist/arrow.js')))],
    {
      cwd: join(base, 'app'),
      encoding: 'utf8',
    },
  )
  t.regex(said, /USAGE loadArrow: it needs the package apache-arrow, which is not installed: npm install apache-arrow/)
  t.regex(
    said,
    /USAGE saveParquet: it needs the package hyparquet-writer, which is not installed: npm install hyparquet-writer/,
  )
  t.is(new UsageError('x').code, 'USAGE')
})
