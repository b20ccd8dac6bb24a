// Compares random small tokenizers, put together from all parts, with what Python's library made of some texts.

import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { Tokenizer } from '../../../index.js'

interface Entry {
  file: { model: { type: string } }
  texts: string[]
  /** For each text, ids, and by turns where each token begins and ends; null where the library gives an error. */
  results: ([ids: number[], places: number[]] | null)[]
}

/** Texts that differ, and how many files ran natively. */
export interface Outcome {
  files: number
  texts: number
  native: number
  /** The number of files that did not run natively, by the part at which it failed. */
  reasons: Map<string, number>
  /** At most one text of a file. */
  different: { file: object; text: string; expected: string; found: string }[]
}

/** What a tokenizer makes of a text, in the form of an entry. */
function result(tokenizer: Tokenizer, text: string): string {
  try {
    const { ids, starts, ends } = tokenizer.encodeOffsets(text, { addSpecialTokens: false })
    const alone = tokenizer.encode(text, { addSpecialTokens: false })
    if (String(alone) !== String(ids)) return `encode gives ${alone} where encodeOffsets gives ${ids}`
    return JSON.stringify([[...ids], Array.from(starts, (start, i) => [start, ends[i]]).flat()])
  } catch {
    return 'null'
  }
}

/** Compares all entries of a file that parts.py wrote. The tokenizers are written to `folder` for a moment. */
export function compareParts(path: string, folder: string): Outcome {
  const entries: Entry[] = JSON.parse(gunzipSync(readFileSync(path)).toString())
  const outcome: Outcome = { files: entries.length, texts: 0, native: 0, reasons: new Map(), different: [] }
  const at = join(folder, 'parts.json')
  for (const { file, texts, results } of entries) {
    writeFileSync(at, JSON.stringify(file))
    const tokenizer = Tokenizer.fromFile(at)
    const reason = tokenizer.engineReason
    if (reason === null) outcome.native++
    else outcome.reasons.set(reason, (outcome.reasons.get(reason) ?? 0) + 1)
    outcome.texts += texts.length
    for (const [i, text] of texts.entries()) {
      const [expected, found] = [JSON.stringify(results[i]), result(tokenizer, text)]
      if (expected === found) continue
      outcome.different.push({ file, text, expected, found })
      break
    }
  }
  rmSync(at)
  return outcome
}
