// Ids back to text, as they come.

import { Contents } from '../base/contents.js'
import { UsageError } from '../base/errors.js'
import { guardReceivers } from '../base/receivers.js'
import { checkBoolean, checkList, checkOptions, isArray, isObject } from '../base/validate.js'
import { call, native } from '../native/native.js'
import { readIds, type Ids } from '../tensor/ids.js'
import { Tensor } from '../tensor/tensor.js'
import type { DecodeOptions } from './encode-options.js'

const DECODER = new Contents<TokenDecoder>('TokenDecoder', {
  instead: 'it belongs to its thread and to the text that it decodes',
})

/**
 * Decodes ids as they come. No character is ever divided: an incomplete one is held back. The outputs of `write` and
 * `end`, end to end, equal `decode` of all ids. `Tokenizer.decoder` makes one.
 */
export class TokenDecoder {
  readonly #native: ReturnType<typeof native.decoderNew> & object
  /** @internal */
  readonly structuredClone = DECODER.uncloneable

  private constructor(handle: ReturnType<typeof native.decoderNew> & object, key: typeof PRIVATE) {
    if (key !== PRIVATE) throw new UsageError('a TokenDecoder comes from tokenizer.decoder(), not from new')
    this.#native = handle
  }

  /** Makes the decoder of `Tokenizer.decoder`. @internal */
  static over(handle: ReturnType<typeof native.decoderNew> & object): TokenDecoder {
    return new TokenDecoder(handle, PRIVATE)
  }

  /**
   * Takes more ids, and returns the text that they complete, which may be empty. If a file's decoder depends on the
   * tokens that follow, for example on bytes that may form a character together, the text is held back until they come.
   *
   * @throws TokenIndexError for an id that is not a token; none of the ids is taken then.
   */
  write(ids: Ids | ArrayLike<number>): string {
    const { array, shape } = readList(ids, 'TokenDecoder.write')
    return call(native.decoderWrite(this.#native, array), shape)
  }

  /**
   * Ends the text, and returns the rest, with an incomplete character as U+FFFD. The next `write` begins a new text.
   */
  end(): string {
    return call(native.decoderEnd(this.#native))
  }

  static {
    guardReceivers(this, (value) => #native in value)
    DECODER.guard(this, (value) => #native in value)
  }
}

/** Makes the constructor private at run time too. */
const PRIVATE = Symbol('by Tokenizer.decoder')

/** Whether special tokens are left out. @internal */
export function skipsSpecial(options: DecodeOptions | undefined, where: string): boolean {
  const { skipSpecialTokens = false } = checkOptions(options, ['skipSpecialTokens'], where)
  return checkBoolean(skipSpecialTokens, `${where}: skipSpecialTokens`)
}

/** Ids in any form of a list. @internal */
export function readList(ids: Ids | ArrayLike<number>, where: string): ReturnType<typeof readIds> {
  return readIds(isList(ids) ? (checkList(ids, where) as number[]) : ids, undefined, where)
}

/** Whether it is an array-like that is neither an array nor a typed array. */
function isList(ids: unknown): ids is ArrayLike<number> {
  const plain = isObject(ids) && !isArray(ids) && !ArrayBuffer.isView(ids) && !(ids instanceof Tensor)
  return plain && 'length' in ids && typeof ids.length === 'number'
}
