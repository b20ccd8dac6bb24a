// The documents of a folder of token ids, as records of a stream of texts.

import { setImmediate as turn } from 'node:timers/promises'
import { throwIfAborted } from '../base/abortable.js'
import { FormatError, UsageError } from '../base/errors.js'
import { checkEncoder, openTokens } from '../files/token-folder.js'
import { Tokenizer } from '../text/tokenizer.js'
import type { Entry } from './records.js'

/** Longer texts are encoded on another thread. */
const LONG = 10_000
/** Milliseconds after which the event loop turns. */
const SLICE = 4

/**
 * Opens a folder. Its documents are decoded, one at a time, each with its number as its id. A document whose text has
 * other ids than those that are stored, because its tokenizer does not keep all of a text, is an error of its own.
 *
 * @throws UsageError if the tokenizer did not encode the folder.
 */
export function documentsOf(
  folder: string,
  tokenizer: unknown,
  signal: AbortSignal | undefined,
  where: string,
): () => AsyncGenerator<Entry[]> {
  if (!(tokenizer instanceof Tokenizer))
    throw new UsageError(`${where}: the embedder must have a tokenizer, which decodes the documents of a folder`)
  const opened = openTokens(folder)
  const { info } = opened
  checkEncoder(info, tokenizer, where)
  return async function* () {
    let begun = performance.now()
    for (let id = 0; id < info.documents; id++) {
      throwIfAborted(signal, where)
      if (performance.now() - begun > SLICE) {
        await turn()
        begun = performance.now()
      }
      const stored = opened.document(id)
      const ids = info.separator === null ? stored : stored.subarray(0, -1)
      const text = tokenizer.decode(ids)
      const plain = { addSpecialTokens: false, allowedSpecial: 'all' } as const
      const again =
        ids.length > LONG ? await tokenizer.encodeAsync(text, { ...plain, signal }) : tokenizer.encode(text, plain)
      if (again.length === ids.length && ids.every((one, i) => one === again[i])) yield [{ id, text }]
      else yield [{ id, error: unlike(info.path, id) }]
    }
  }
}

const unlike = (path: string, id: number) =>
  new FormatError(
    `${path}: document ${id} has other ids than the text that they stand for: its tokenizer does not keep all of a text, so embed the files that it was made of`,
    path,
    0,
  )
