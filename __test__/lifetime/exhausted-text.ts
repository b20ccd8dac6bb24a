// Scenarios of refused memory for texts: ids of them, and batches and streams of ids.

import { join } from 'node:path'
import * as api from '../../index.js'
import { ids, file, TEXT, tokenizer, pieces, collected, writeText, once, type Scenarios } from './exhausted-common.js'

const { Generator, Tokenizer } = api

export const texts: Scenarios = {
  encode: () => [tokenizer().encode(TEXT), tokenizer().count(TEXT), tokenizer().encode('x'.repeat(20_000))],
  encodeBatch: () => {
    const texts = TEXT.split('\n')
    const { ids, offsets } = tokenizer().encodeBatch(texts)
    const padded = tokenizer().encodeBatch(texts, { padding: 'longest' } as never) as never as {
      ids: unknown
      mask: unknown
      lengths: unknown
    }
    return [ids, offsets, padded.ids, padded.mask, padded.lengths]
  },
  encodeOffsets: () => {
    const path = join(__dirname, '../../../testdata/golden/hf/wordpiece.json')
    const file = once('located', () => Tokenizer.fromFile(path))
    return [tokenizer(), file].flatMap((it) => {
      const { ids, starts, ends } = it.encodeOffsets(TEXT)
      return [ids, starts, ends]
    })
  },
  encodePair: () => {
    const { ids, typeIds, wordIds } = tokenizer().encodePair(TEXT, TEXT, { maxLength: 900 })
    const rows = tokenizer().encodeBatch(TEXT.split('\n'), { maxLength: 20, overflow: true, stride: 5 })
    return [ids, typeIds, wordIds, rows.ids, rows.samples, tokenizer().vocabulary().size, tokenizer().id(' the')]
  },
  pretokenized: () => [tokenizer().encodeOffsets(TEXT.split(' '), { pretokenized: true }).ids],
  encodeAsync: async () => [await tokenizer().encodeAsync(TEXT), await tokenizer().encodeAsync('x'.repeat(600_000))],
  encodeBatchAsync: async () => {
    const texts = TEXT.split('\n')
    const { ids, offsets } = await tokenizer().encodeBatchAsync(texts)
    const padded = await tokenizer().encodeBatchAsync(texts, { padding: 'longest' } as never)
    return [ids, offsets, ...Object.values(padded)]
  },
  tokenizerFile: () => {
    const name = join(__dirname, '../../../testdata/golden/hf/wordpiece.json')
    const it = once('file', () => Tokenizer.fromFile(name))
    const encoded = it.encode('the quick brown fox '.repeat(40))
    const decoder = it.decoder()
    return [encoded, it.decode(encoded), decoder.write(encoded), decoder.end()]
  },
  decode: () => {
    const wide = BigInt64Array.from(tokenizer().encode(TEXT), BigInt)
    const decoder = tokenizer().decoder()
    return [
      tokenizer().decode(wide),
      ...Array.from({ length: 3 }, (_, id) => tokenizer().tokenBytes(id)),
      decoder.write(wide),
      decoder.end(),
      tokenizer().token(5),
    ]
  },
  loader: () => {
    const loader = api.createDataLoader(ids(20_000, 900), {
      batchSize: 16,
      maxLength: 64,
      stride: 8,
      generator: new Generator(1),
    })
    const first = [...loader].flatMap(({ inputs, targets }) => [inputs, targets])
    const inOrder = api.createDataLoader(ids(20_000, 900), { batchSize: 16, maxLength: 64, stride: 64, shuffle: false })
    return [...first.slice(0, 4), ...[...inOrder].map(({ inputs }) => inputs)]
  },
  streamPieces: async () => collected(api.streamIds(pieces(), { tokenizer: tokenizer() })),
  streamTexts: async () => collected(api.streamIds({ texts: [TEXT, TEXT] }, { tokenizer: tokenizer() })),
  loaderFiles: () => {
    writeText()
    return api.createDataLoader({ files: [file('text.txt'), file('text.txt')] }, { tokenizer: tokenizer() }).ids
  },
  streamFiles: async () => {
    writeText()
    return collected(api.streamIds({ files: [file('text.txt')] }, { tokenizer: tokenizer() }))
  },
}
