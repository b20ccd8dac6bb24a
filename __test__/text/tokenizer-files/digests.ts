// Compares what tokenizer.json files make of the texts with the digests of Python's library.

import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Tokenizer } from '../../../index.js'
import { readGolden, root } from '../../support/golden.js'
import { corpus, others, withAddedTokens, type Block, type Numbered } from './corpus.js'

/** Where scripts/tokenizer-files.mjs puts the files. */
const FOLDER = join(root, 'target', 'tokenizer-files')

export const pathOf = (name: string) => join(FOLDER, `${name}.json`)

/** The digests of a file: six letters for each block. */
interface Digests extends Record<Kind, string> {
  /** The hash of the file that they were made with. */
  sha256: string
}
/** Stands for a block of which no digest was made: some files have those of the short form alone. */
const UNKNOWN = '......'

type Kind = 'ids' | 'offsets' | 'framed' | 'added' | 'addedOffsets' | 'others' | 'othersOffsets'

interface Golden {
  tokenizers: string
  files: Record<string, Digests>
}
const golden = readGolden<Golden>('tokenizer_files/digests.json')

/** The names of all files that have goldens. */
export const NAMES = Object.keys(golden.files)

/** Whether the file is there; an error if it is another one than that of the goldens. */
export function isFetched(name: string): boolean {
  if (!existsSync(pathOf(name))) return false
  const hash = createHash('sha256')
    .update(readFileSync(pathOf(name)))
    .digest('hex')
  if (hash !== golden.files[name].sha256)
    throw new Error(`${pathOf(name)} is not the file that the goldens were made with`)
  return true
}

/** Results that differ. */
export interface Difference {
  kind: Kind
  block: Block
}

const count = (values: ArrayLike<number>) => Uint32Array.of(values.length)
const digest = (parts: Iterable<Uint32Array>) => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest('hex').slice(0, 6)
}

function digestOfIds(tokenizer: Tokenizer, texts: string[], addSpecialTokens: boolean): string {
  const { ids, offsets } = tokenizer.encodeBatch(texts, { addSpecialTokens })
  const rows = texts.map((_, i) => Uint32Array.from(ids.subarray(offsets[i], offsets[i + 1])))
  return digest(rows.flatMap((row) => [count(row), row]))
}

function digestOfOffsets(tokenizer: Tokenizer, texts: string[]): string {
  const rows = texts.map((text) => {
    const { starts, ends } = tokenizer.encodeOffsets(text, { addSpecialTokens: false })
    const pairs = new Uint32Array(starts.length * 2)
    starts.forEach((start, i) => (pairs[2 * i] = start))
    ends.forEach((end, i) => (pairs[2 * i + 1] = end))
    return [count(starts), pairs]
  })
  return digest(rows.flat())
}

/** The blocks of the corpus, kept, since many files are compared with them. */
const kept = new Map<boolean, Numbered[]>()
function blocks(short: boolean): Numbered[] {
  const all = kept.get(short) ?? Array.from(corpus()).filter((block) => block.short || !short)
  kept.set(short, all)
  return all
}

/** The blocks on which a file differs from the library, of all texts or of the short form. */
export function differences(name: string, short: boolean): Difference[] {
  const tokenizer = Tokenizer.fromFile(pathOf(name))
  const expected = golden.files[name]
  const found: Difference[] = []
  const check = (kind: Kind, at: number, block: Block, made: (texts: string[]) => string) => {
    const wanted = expected[kind].slice(6 * at, 6 * at + 6)
    if (wanted !== UNKNOWN && made(block.texts) !== wanted) found.push({ kind, block })
  }
  const ids = (texts: string[]) => digestOfIds(tokenizer, texts, false)
  const offsets = (texts: string[]) => digestOfOffsets(tokenizer, texts)
  for (const block of blocks(short)) {
    check('ids', block.at, block, ids)
    check('offsets', block.at, block, offsets)
  }
  for (const [i, block] of withAddedTokens(JSON.parse(readFileSync(pathOf(name), 'utf8')).added_tokens).entries()) {
    check('added', i, block, ids)
    check('addedOffsets', i, block, offsets)
    check('framed', i, block, (texts) => digestOfIds(tokenizer, texts, true))
  }
  if (short) return found
  let at = 0
  for (const block of others()) {
    check('others', at, block, ids)
    check('othersOffsets', at++, block, offsets)
  }
  return found
}
