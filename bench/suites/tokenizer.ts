// Text to ids against other packages, with the same documents: one whole, one a call, and as a batch.

import { interleave, type Candidate } from '../measure.js'
import { ENCODINGS, type Encoder, type Encoding, type TokenizerPeer } from '../peers/encoder.js'
import { TOKENIZERS } from '../peers/tokenizer.js'
import type { Report } from '../report.js'
import { documents, KINDS, megabytes, type Kind } from '../texts.js'

export function tokenizer(report: Report): void {
  const found = Object.values(TOKENIZERS).map((load) => load())
  for (const one of found) if (!('peer' in one)) report.missing(one.name, one.why)
  const peers = found.flatMap((one) => ('peer' in one ? [one] : []))
  report.paragraph(
    `${peers.map(({ name, peer }) => `${name} ${peer.version}`).join(', ')}. Megabytes of UTF-8 a second, medians of 7 interleaved ` +
      'rounds; in brackets, how many times as fast tokenbed is. Special tokens are plain text if a peer can do that. ' +
      'tokenbed (under half a megabyte), gpt-tokenizer and ai-tokenizer keep caches of pieces between calls, which have seen the text before.',
  )
  for (const encoding of ENCODINGS) {
    const open = peers.map(({ name, peer }) => ({ name, encoder: peer.open(encoding), version: peer.version }))
    for (const kind of KINDS) compare(report, encoding, kind, open)
  }
}

interface Open {
  name: string
  version: TokenizerPeer['version']
  encoder: Encoder | undefined
}

function compare(report: Report, encoding: Encoding, kind: Kind, open: readonly Open[]): void {
  const texts = documents(kind)
  const whole = texts.join('\n')
  const size = megabytes(texts)
  report.section(`${encoding}, ${kind}: ${texts.length} documents, ${size.toFixed(2)} MB`)
  const present = open.flatMap(({ name, encoder }) => (encoder ? [{ name, encoder }] : []))
  const speeds = (candidates: Candidate[]) =>
    new Map(interleave(candidates, 7, 25).map(({ name, median }) => [name, size / (median / 1e6)]))
  const columns = [
    speeds(present.map(({ name, encoder }) => ({ name, run: () => encoder.encode(whole) }))),
    speeds(present.map(({ name, encoder }) => ({ name, run: () => texts.forEach((text) => encoder.encode(text)) }))),
    speeds(
      present.flatMap(({ name, encoder }) =>
        encoder.encodeBatch ? [{ name, run: () => encoder.encodeBatch!(texts) }] : [],
      ),
    ),
  ]
  const cell = (speed: number | undefined, ours: number) =>
    speed === undefined ? '' : `${speed.toFixed(1)} (${(ours / speed).toFixed(1)}x)`
  const expected = texts.map((text) => present[0].encoder.encode(text))
  const rows = open.map(({ name, encoder }) => {
    if (!encoder) return [name, 'does not know this encoding', '', '', '']
    const cells = columns.map((column) => cell(column.get(name), column.get('tokenbed')!))
    return [name, ...cells, name === 'tokenbed' ? '' : differences(texts, expected, encoder)]
  })
  report.table(['', 'all in one call', 'one document a call', 'a batch', 'documents with other ids'], rows)
}

function differences(texts: string[], expected: ArrayLike<number>[], encoder: Encoder): string {
  const differs = texts.filter((text, i) => {
    const found = encoder.encode(text)
    return found.length !== expected[i].length || Array.prototype.some.call(found, (id, k) => id !== expected[i][k])
  })
  return `${differs.length} of ${texts.length}`
}
