// The texts of files that hold many: a line is a text, or a record of JSON Lines that has one.

import { createReadStream } from 'node:fs'
import * as zlib from 'node:zlib'
import { WorkFailed, WrongUse } from '../terminal/failure.js'
import { decode, textOfStdin } from '../terminal/streams.js'
import { STDIN, type Input } from './inputs.js'

export interface LineOptions {
  /** The field of a record that holds its text. */
  readonly field: string
  readonly invalidUtf8: 'throw' | 'replace'
}

/** Whether the lines of a file are records of JSON Lines. */
const isRecords = (name: string) => /\.(jsonl|ndjson)(\.(gz|zst))?$/i.test(name)

/** The texts of a file, one after the other, in memory that does not grow with it. */
export async function* textsOf(input: Input, options: LineOptions): AsyncGenerator<string> {
  const pieces =
    input.name === STDIN ? textOfStdin(options.invalidUtf8) : decode(bytesOf(input.name), input.name, options.invalidUtf8)
  let line = 0
  for await (const text of linesOf(pieces)) {
    line++
    if (!isRecords(input.name)) yield text
    else if (text.trim() !== '') yield textIn(text, options.field, `${input.name}: line ${line}`)
  }
}

function textIn(line: string, field: string, where: string): string {
  let record: unknown
  try {
    record = JSON.parse(line)
  } catch (error) {
    throw new WorkFailed(`${where}: no JSON: ${(error as Error).message}`, { cause: error })
  }
  const isRecord = typeof record === 'object' && record !== null && Object.hasOwn(record, field)
  const text: unknown = isRecord ? (record as Record<string, unknown>)[field] : undefined
  if (typeof text === 'string') return text
  const there = isRecord ? `its field "${field}" is no text` : `it has no field "${field}"`
  throw new WorkFailed(`${where}: ${there}; --field names the one that holds the text`)
}

function bytesOf(path: string): AsyncIterable<Buffer> {
  const file = createReadStream(path)
  if (/\.gz$/i.test(path)) return unpacked(file, zlib.createGunzip())
  if (!/\.zst$/i.test(path)) return file as AsyncIterable<Buffer>
  // Node 20 has no zstd.
  const { createZstdDecompress } = zlib as { createZstdDecompress?: () => zlib.Gunzip }
  if (createZstdDecompress === undefined)
    throw new WrongUse(`${path}: this Node has no zstd: take 22.15 or later, or unpack it: zstdcat FILE | tokenbed embed`)
  return unpacked(file, createZstdDecompress())
}

function unpacked(file: NodeJS.ReadableStream, packing: zlib.Gunzip): AsyncIterable<Buffer> {
  file.on('error', (error) => packing.destroy(error as Error))
  return file.pipe(packing) as AsyncIterable<Buffer>
}

/** The longest line, in UTF-16 code units: a file without line ends should not fill the memory. */
const LONGEST = 2 ** 26

async function* linesOf(pieces: AsyncIterable<string>): AsyncGenerator<string> {
  let begun = ''
  for await (const piece of pieces) {
    const lines = piece.split('\n')
    lines[0] = begun + lines[0]
    begun = lines.pop()!
    if (begun.length > LONGEST) throw new WorkFailed(`a line has more than ${LONGEST} characters: is it text?`)
    for (const line of lines) yield line.endsWith('\r') ? line.slice(0, -1) : line
  }
  if (begun !== '') yield begun
}
