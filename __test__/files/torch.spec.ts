import test from 'ava'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { FormatError, loadSafetensors, loadTorch, memoryUsage, Tensor, TokenbedError } from '../../index.js'
import { digest } from '../support/compare.js'
import { refuses } from '../support/errors.js'
import { root } from '../support/golden.js'
import { drawsOf } from '../support/mutate.js'
import { temporaryFolder } from '../support/temporary.js'

const files = join(root, 'testdata/golden/pretrained/torch')
const file = (name: string) => join(files, name)
const folder = temporaryFolder()
let number = 0
const raw = (content: Uint8Array) => {
  const path = join(folder, `${number++}.pt`)
  writeFileSync(path, content)
  return path
}

/** The tensors of each file by the names that PyTorch has for them. */
const expected = new Map<string, Map<string, Tensor>>()
for (const [key, tensor] of loadSafetensors(join(files, '../torch.safetensors'))) {
  const [, name, tensorName] = /^([^:]+):(.*)$/.exec(key)!
  if (!expected.has(name)) expected.set(name, new Map())
  expected.get(name)!.set(tensorName, tensor)
}

test('the tensors of every file are those that PyTorch saved, to the bit, read and mapped', (t) => {
  t.true(expected.size >= 9)
  for (const [name, tensors] of expected) {
    for (const map of [undefined, false, true]) {
      const loaded = loadTorch(file(name), { map })
      t.deepEqual([...loaded.keys()].sort(), [...tensors.keys()].sort(), name)
      for (const [key, tensor] of tensors) {
        const found = loaded.get(key)!
        t.deepEqual([found.dtype, found.shape], [tensor.dtype, tensor.shape], `${name}: ${key}`)
        t.is(digest(found), digest(tensor), `${name}: ${key}, map ${map}`)
      }
    }
  }
})

test('tensors that lie in the file as they are needed are mapped', (t) => {
  const before = memoryUsage().mapped
  const loaded = loadTorch(file('types.pt'), { map: true })
  t.is(loaded.size, 10)
  t.true(memoryUsage().mapped > before)
})

test('tied tensors share their elements', (t) => {
  const loaded = loadTorch(file('checkpoint.pt'))
  const weight = loaded.get('model.weight')!
  t.is(weight.shape.length, 2)
  const views = loadTorch(file('views.pt'))
  const [row, whole] = [views.get('row')!, views.get('whole')!]
  t.not(row.storage, whole.storage)
  const tied = loadTorch(join(files, '../gpt2-bin/pytorch_model.bin'))
  const [token, head] = [tied.get('transformer.wte.weight')!, tied.get('lm_head.weight')!]
  t.is(token.storage, head.storage)
  token.set([42])
  t.is(Number(head.data[0]), 42)
})

test('what tensors here cannot hold is skipped, and named when it is asked for', (t) => {
  const loaded = loadTorch(file('complex.pt'))
  t.deepEqual([...loaded.keys()], ['x'])
  t.deepEqual([...loaded.skipped.keys()], ['c'])
  refuses(t, () => loaded.get('c'), 'DTYPE', 'complex64')
})

test('a pickle that asks for a function is refused by name and place, and nothing runs', (t) => {
  const content = readFileSync(file('hostile.pt'))
  const error = refuses(t, () => loadTorch(file('hostile.pt')), 'FORMAT', 'posix.system', file('hostile.pt'))
  t.is(error.offset, content.indexOf('cposix\nsystem\n'))
  t.false(existsSync('/tmp/it-ran'))
  const module = refuses(t, () => loadTorch(file('module.pt')), 'FORMAT', 'torch.nn.modules.linear.Linear')
  t.true(module.offset > 0)
})

test('other forms are refused with what to do', (t) => {
  refuses(t, () => loadTorch(file('old.pt')), 'FORMAT', 'PyTorch before 1.6', 'torch.save(torch.load(')
  refuses(t, () => loadTorch(file('expanded.pt')), 'FORMAT', 'contiguous()')
  refuses(t, () => loadTorch(join(files, '../npz/plain.npz')), 'FORMAT', 'loadNpz reads it')
  refuses(t, () => loadTorch(join(files, '../torch.safetensors')), 'FORMAT', 'loadSafetensors reads it')
  refuses(t, () => loadTorch(raw(Buffer.from('PK'))), 'FORMAT', 'no zip archive')
  refuses(t, () => loadTorch(folder), 'FILE', folder)
  refuses(t, () => loadTorch(join(folder, 'none.pt')), 'FILE', 'none.pt')
})

test('a file that is cut short at any place, or changed at any byte, is an error or tensors', (t) => {
  const content = readFileSync(file('state-dict.pt'))
  for (let length = 0; length < content.length; length += 7) {
    const error = t.throws(() => loadTorch(raw(content.subarray(0, length))), { instanceOf: FormatError })!
    t.true(error.offset <= length, error.message)
  }
  const draws = drawsOf(5)
  for (let i = 0; i < 600; i++) {
    const changed = Buffer.from(content)
    for (let many = 1 + draws(3); many > 0; many--) changed[draws(changed.length)] = draws(256)
    const path = raw(changed)
    try {
      for (const tensor of loadTorch(path).values()) t.true(tensor.size * 2 < content.length)
    } catch (error) {
      t.true(error instanceof TokenbedError, String(error))
      if (error instanceof FormatError) t.true(error.offset <= content.length && error.path === path)
    }
  }
})

test('every golden file has its expectation', (t) => {
  const refused = ['old.pt', 'expanded.pt', 'module.pt', 'hostile.pt']
  t.deepEqual(
    readdirSync(files)
      .filter((name) => !expected.has(name))
      .sort(),
    refused.sort(),
  )
})
