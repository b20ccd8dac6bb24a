// Records of files and of sources: lines, JSON Lines, CSV, compressed or not, and what is wrong with them.

import test from 'ava'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { recordsOfPart } from '../../api/pipelines/records.js'
import { AbortedError, FileError, FormatError, records, UsageError, type TextRecord } from '../../index.js'
import { temporaryFolder } from '../support/temporary.js'

const base = temporaryFolder()

function file(name: string, content: string | Uint8Array): string {
  const path = join(mkdtempSync(join(base, 'x-')), name)
  writeFileSync(path, content)
  return path
}

async function all(from: AsyncIterable<TextRecord>): Promise<TextRecord[]> {
  const list: TextRecord[] = []
  for await (const record of from) list.push(record)
  return list
}

test('lines are records, with and without compression', async (t) => {
  const text = 'one\r\n\ntwo ☃\nthree'
  const expected = ['one', '', 'two ☃', 'three'].map((text, id) => ({ id, text }))
  t.deepEqual(await all(records(file('a.txt', text))), expected)
  t.deepEqual(await all(records([file('a.txt.gz', gzipSync(text))])), expected)
  t.deepEqual(await all(records([file('a.txt', 'a\nb\n'), file('b.txt', 'c')])), [
    { id: 0, text: 'a' },
    { id: 1, text: 'b' },
    { id: 2, text: 'c' },
  ])
  t.deepEqual(await all(records(file('empty.txt', ''))), [])
})

test('JSON Lines and CSV give the field and the id that are named', async (t) => {
  const lines = '{"id": "a", "text": "x", "body": "y\\u00e9"}\n\n{"body": "z", "id": 4.5}\n{"body": ""}\n'
  t.deepEqual(await all(records(file('a.jsonl', lines), { field: 'body' })), [
    { id: 'a', text: 'yé' },
    { id: 4.5, text: 'z' },
    { id: 2, text: '' },
  ])
  const table = 'key,text\r\n7,"a ""b"", c\nd"\r\n,e\r\n'
  const expected = [
    { id: '7', text: 'a "b", c\nd' },
    { id: 1, text: 'e' },
  ]
  t.deepEqual(await all(records(file('a.csv', table), { id: 'key' })), expected)
  t.deepEqual(await all(records(file('a.tsv.gz', gzipSync('text\tkey\na, b\tq\n')), { id: 'key' })), [
    { id: 'q', text: 'a, b' },
  ])
  t.deepEqual(await all(records(file('a.dat', table), { format: 'csv', id: 'key' })), expected)
})

test('a byte order mark is no part of a text, but a character where a part of a file begins', async (t) => {
  const path = file('marks.txt', '\ufeffa\n\ufeffb\n')
  const from = (start: number) => recordsOfPart({ path, from: start, to: 10 }, {})
  t.deepEqual(await all(from(0)), [
    { id: 0, text: 'a' },
    { id: 1, text: '\ufeffb' },
  ])
  t.deepEqual(await all(from(5)), [{ id: 0, text: '\ufeffb' }])
})

test('a part of a file gives its records, and errors name the bytes of the file', async (t) => {
  const lines = Array.from({ length: 200_000 }, (_, i) => `${i} ${'é'.repeat(i % 7)}`)
  const bytes = Buffer.from(`${lines.join('\n')}\n`)
  const path = file('part.txt', bytes)
  const at = (line: number) =>
    Buffer.byteLength(
      lines
        .slice(0, line)
        .map((text) => `${text}\n`)
        .join(''),
    )
  const part = (from: number, to: number) => all(recordsOfPart({ path, from, to }, {}))
  for (const [from, to] of [
    [0, 3],
    [3, 3],
    [5, 190_000],
    [199_999, 200_000],
  ])
    t.deepEqual(
      (await part(at(from), at(to))).map(({ text }) => text),
      lines.slice(from, to),
    )
  await t.throwsAsync(part(at(1), bytes.length + 1), {
    instanceOf: FileError,
    message: /it was cut short while it was read/,
  })
  bytes[at(150_000)] = 0xff
  writeFileSync(path, bytes)
  const error = await t.throwsAsync(part(at(2), bytes.length), { instanceOf: FormatError })
  t.is(error.offset, at(150_000))
})

test('a source with size and read gives the same as a file', async (t) => {
  const lines = Array.from({ length: 30_000 }, (_, i) => JSON.stringify({ id: i, text: `☃ ${'x'.repeat(i % 50)}` }))
  const bytes = Buffer.from(lines.join('\n'))
  const source = { size: bytes.length, name: 'a.jsonl', read: (from: number, to: number) => bytes.subarray(from, to) }
  const slow = { ...source, read: async (from: number, to: number) => source.read(from, to) }
  const expected = await all(records(file('a.jsonl', bytes)))
  t.is(expected.length, lines.length)
  t.deepEqual(await all(records(source)), expected)
  t.deepEqual(await all(records([slow])), expected)
  await t.throwsAsync(all(records({ size: 10, read: () => new Uint8Array(3) })), {
    instanceOf: UsageError,
    message: 'records: read(0, 10) must give 10 bytes in a Uint8Array, not 3',
  })
})

test('the standard input is a source', (t) => {
  const script = `const { records } = require('./dist/index.js')
;(async () => { for await (const { id, text } of records('-', { format: 'jsonl' })) console.log(id, text) })()`
  const input = '{"text": "a"}\n{"text": "b", "id": "x"}'
  t.is(execFileSync(process.execPath, ['-e', script], { input, encoding: 'utf8' }), '0 a\nx b\n')
})

test('a bad record names its file, line and byte, after the records before it', async (t) => {
  const path = file('a.jsonl', '{"text": "a"}\n{"text": 5}\n{"text": "c"}\n')
  const seen: string[] = []
  const error = await t.throwsAsync(
    async () => {
      for await (const { text } of records(path)) seen.push(text)
    },
    { instanceOf: FormatError },
  )
  t.deepEqual(seen, ['a'])
  t.is(error.message, `${path}: the record at line 2: its field "text" is a number, and not a string`)
  t.is(error.offset, 14)
  const other = await t.throwsAsync(all(records(file('b.csv', 'a,b\n1,2\n'))), { instanceOf: FormatError })
  t.regex(other.message, /first row does not name a field "text"; it names: "a", "b"/)
  await t.throwsAsync(all(records(file('c.txt', Buffer.from([0x61, 0xff])))), { instanceOf: FormatError })
  t.deepEqual(await all(records(file('c.txt', Buffer.from([0x61, 0xff])), { invalidUtf8: 'replace' })), [
    { id: 0, text: 'a\ufffd' },
  ])
  const bytes = Buffer.from([0x61, 0xff])
  await t.throwsAsync(all(records({ size: 2, read: () => bytes })), { instanceOf: FormatError })
  const long = await t.throwsAsync(all(records(file('d.txt', `ab\n${'c'.repeat(50)}`), { maxRecordBytes: 20 })))
  t.is((long as FormatError).offset, 3)
  await t.throwsAsync(all(records(join(base, 'missing.txt'))), { instanceOf: FileError })
})

test('options and paths are checked at the call', (t) => {
  for (const [call, message] of [
    [() => records([]), /no path was given/],
    [() => records(5 as never), /a path must be a non-empty string/],
    [() => records('a', { format: 'xml' as never }), /format must be one of "text", "jsonl", "csv"/],
    [() => records('a', { feild: 'x' } as never), /has no option "feild"/],
    [() => records('a', { maxRecordBytes: 0 }), /maxRecordBytes/],
    [() => records({ size: -1, read: () => new Uint8Array() }), /size must be a whole number/],
    [() => records({ size: 1, read: 5 as never }), /read takes a function/],
  ] as const) {
    t.throws(call, { instanceOf: UsageError, message })
  }
})

test('a signal ends the iteration', async (t) => {
  const controller = new AbortController()
  const path = file('a.txt', 'a\n'.repeat(100_000))
  let count = 0
  await t.throwsAsync(
    async () => {
      for await (const _ of records([path, path, path], { signal: controller.signal }))
        if (++count === 10) controller.abort()
    },
    { instanceOf: AbortedError },
  )
})
