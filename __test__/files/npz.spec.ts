import test from 'ava'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { deflateRawSync } from 'node:zlib'
import { FormatError, loadNpz, loadSafetensors, ones, saveNpz, tensor, TokenbedError, zeros } from '../../index.js'
import { digest } from '../support/compare.js'
import { refuses } from '../support/errors.js'
import { root } from '../support/golden.js'
import { drawsOf } from '../support/mutate.js'
import { python, runPython } from '../support/python.js'
import { temporaryFolder } from '../support/temporary.js'

const files = join(root, 'testdata/golden/pretrained/npz')
const file = (name: string) => join(files, name)
const folder = temporaryFolder()
let number = 0
const fresh = () => join(folder, `${number++}.npz`)
const raw = (content: Uint8Array) => {
  const path = fresh()
  writeFileSync(path, content)
  return path
}
const expected = loadSafetensors(join(files, '../npz.safetensors'))

test('the arrays are those that NumPy saved, plain and compressed, read and mapped', (t) => {
  for (const name of ['plain.npz', 'compressed.npz']) {
    for (const map of [undefined, false, true]) {
      const loaded = loadNpz(file(name), { map })
      t.deepEqual([...loaded.keys()].sort(), [...expected.keys()].sort())
      for (const [key, array] of expected) {
        const found = loaded.get(key)!
        t.deepEqual([found.dtype, found.shape], [array.dtype, array.shape], key)
        t.is(digest(found), digest(array), `${name}: ${key}`)
      }
    }
  }
  t.is(loadNpz(file('none.npz')).size, 0)
})

test('what is saved has the bytes of numpy.savez', (t) => {
  const path = fresh()
  const saved = ['f4', 'f8', 'b1', 'größe'].map((name) => [name, expected.get(name)!] as const)
  const [f4, f8, b1, last] = saved
  saveNpz(path, new Map([f4, f8, ['i4', tensor([0, 1, 2], { dtype: 'int32' })], b1, last]))
  t.deepEqual(readFileSync(path), readFileSync(file('ours.npz')))
  saveNpz(path, {})
  t.deepEqual(readFileSync(path), readFileSync(file('none.npz')))
})

const ifPython = python === null ? test.skip : test
ifPython('NumPy reads what is saved', (t) => {
  const path = fresh()
  saveNpz(path, {
    x: tensor([[1.5, -2]]),
    'a/b': tensor(Uint8Array.of(1), { dtype: 'bool' }),
    ï: tensor(BigInt64Array.of(1n)),
  })
  const script = `import numpy, json, sys
file = numpy.load(sys.argv[1])
print(json.dumps({name: [str(file[name].dtype), file[name].tolist()] for name in file.files}))`
  t.deepEqual(runPython(script, path), { x: ['float32', [[1.5, -2]]], 'a/b': ['bool', [true]], ï: ['int64', [1]] })
})

test('objects are never unpickled: they are skipped, and named when they are asked for', (t) => {
  const loaded = loadNpz(file('strange.npz'))
  t.deepEqual([...loaded.keys()], ['x'])
  t.deepEqual([...loaded.skipped.keys()], ['text', 'c', 'objects'])
  refuses(t, () => loaded.get('objects'), 'DTYPE', '|O')
  refuses(t, () => saveNpz(fresh(), loaded), 'USAGE', 'could not be loaded')
})

test('what an archive cannot hold is refused, and a file that is there stays', (t) => {
  const path = fresh()
  saveNpz(path, { x: ones([2]) })
  const before = readFileSync(path)
  refuses(t, () => saveNpz(path, { x: ones([2], { dtype: 'bfloat16' }) }), 'DTYPE', 'bfloat16')
  refuses(t, () => saveNpz(path, { ['x'.repeat(70_000)]: ones([2]) }), 'USAGE', '65,535')
  refuses(t, () => saveNpz(path, { '\ud800': ones([2]) }), 'USAGE', 'surrogate')
  refuses(t, () => saveNpz(path, { x: 5 as never }), 'USAGE', 'not a tensor')
  refuses(t, () => saveNpz(join(folder, 'none', 'x.npz'), { x: ones([2]) }), 'FILE', 'none')
  t.deepEqual(readFileSync(path), before)
})

/** An archive of one compressed entry that says what it likes of its size. */
function packed(content: Uint8Array, said: number): Buffer {
  const data = deflateRawSync(content)
  const name = Buffer.from('x.npy')
  const fields = Buffer.alloc(24)
  fields.writeUInt16LE(20, 0)
  fields.writeUInt16LE(8, 4)
  fields.writeUInt32LE(data.length, 14)
  fields.writeUInt32LE(said, 18)
  fields.writeUInt16LE(name.length, 22)
  const local = Buffer.concat([Buffer.from('PK\x03\x04'), fields, Buffer.alloc(2), name, data])
  const central = Buffer.concat([Buffer.from('PK\x01\x02\x14\x00'), fields, Buffer.alloc(16), name])
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06', 'latin1')
  end.writeUInt16LE(1, 8)
  end.writeUInt16LE(1, 10)
  end.writeUInt32LE(central.length, 12)
  end.writeUInt32LE(local.length, 16)
  return Buffer.concat([local, central, end])
}

test('a bomb is refused before it is unpacked, unless it is allowed', (t) => {
  const path = fresh()
  saveNpz(path, { x: zeros([10_000_000]) })
  const array = readFileSync(path).subarray(0x37, 0x37 + 128 + 40_000_000)
  const bomb = raw(packed(array, array.length))
  refuses(t, () => loadNpz(bomb), 'FORMAT', 'maxRatio', bomb)
  refuses(t, () => loadNpz(bomb, { maxRatio: 2000 }), 'FORMAT', 'checksum')
  // More than DEFLATE can make of so few bytes.
  refuses(t, () => loadNpz(raw(packed(array, 4_000_000_000)), { maxRatio: 1e9 }), 'FORMAT', 'cannot become')
  refuses(t, () => loadNpz(bomb, { maxRatio: 0 }), 'USAGE', 'maxRatio')
})

test('other files are named for what they are', (t) => {
  refuses(t, () => loadNpz(join(files, '../torch/types.pt')), 'FORMAT', 'loadTorch reads it')
  refuses(t, () => loadNpz(join(files, '../npz.safetensors')), 'FORMAT', 'loadSafetensors reads it')
  refuses(t, () => loadNpz(raw(Buffer.alloc(100))), 'FORMAT', 'no zip archive')
})

test('a file that is cut short at any place, or changed at any byte, is an error or arrays', (t) => {
  for (const name of ['plain.npz', 'compressed.npz']) {
    const content = readFileSync(file(name))
    for (let length = 0; length < content.length; length += 11) {
      const error = t.throws(() => loadNpz(raw(content.subarray(0, length))), { instanceOf: FormatError })!
      t.true(error.offset <= length, error.message)
    }
    const draws = drawsOf(9)
    for (let i = 0; i < 400; i++) {
      const changed = Buffer.from(content)
      for (let many = 1 + draws(3); many > 0; many--) changed[draws(changed.length)] = draws(256)
      try {
        loadNpz(raw(changed))
      } catch (error) {
        t.true(error instanceof TokenbedError, String(error))
        if (error instanceof FormatError) t.true(error.offset <= content.length)
      }
    }
  }
})
