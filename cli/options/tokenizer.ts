// The options that say how text becomes ids.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Option } from '../bundled/commander.js'
import { FormatError, Tokenizer, UsageError, type EncodeOptions } from '../../index.js'
import { WorkFailed, WrongUse, asWrongUse, isFolder } from '../terminal/failure.js'
import { UTF8_HINT } from '../terminal/streams.js'

export const tokenizerOption = () =>
  new Option('--tokenizer <name|file>', 'gpt2, cl100k_base, o200k_base, or the path of a tokenizer.json').default(
    'gpt2',
  )

/**
 * The tokenizer with a name, from a tokenizer.json, or from the folder that has one. A folder without one does not
 * hide a name.
 */
export function findTokenizer(name: string): Tokenizer {
  const inside = join(name, 'tokenizer.json')
  if (existsSync(inside)) return Tokenizer.fromFile(inside)
  if (/[\\/]|\.json$/i.test(name)) return Tokenizer.fromFile(isFolder(name) ? inside : name)
  try {
    return asWrongUse(() => Tokenizer.load(name as 'gpt2'))
  } catch (error) {
    if (!(error instanceof WrongUse)) throw error
    if (existsSync(name)) return Tokenizer.fromFile(isFolder(name) ? inside : name)
    throw new WrongUse(`--tokenizer ${name}: ${error.message}; or the path of a tokenizer.json`, { cause: error })
  }
}

export const invalidUtf8Option = () =>
  new Option('--invalid-utf8 <how>', 'bytes that are not UTF-8: an error, or U+FFFD')
    .choices(['throw', 'replace'])
    .default('throw')

const SPECIAL =
  'special tokens in the text that get their id: some, separated by commas; all; none, which makes them plain text'

/** `otherwise` says what happens without the option, if that is not one of its values. */
export const specialOption = (otherwise?: string) =>
  new Option('--allowed-special <tokens>', otherwise === undefined ? SPECIAL : `${SPECIAL} (default: ${otherwise})`)

/**
 * tiktoken's rules: special tokens that are not allowed are errors, so that no text passes for a special token by
 * accident.
 */
export function specialOf(allowed: string | undefined, tokenizer: Tokenizer): EncodeOptions {
  if (allowed === undefined) return {}
  if (allowed === 'all') return { allowedSpecial: 'all' }
  if (allowed === 'none') return { disallowedSpecial: new Set() }
  const names = allowed.split(',')
  const unknown = names.find((name) => !tokenizer.specialTokens.has(name))
  if (unknown !== undefined) {
    const known = [...tokenizer.specialTokens.keys()]
    const some =
      known.length > 8 ? `${known.slice(0, 8).join(' ')} and ${known.length - 8} more` : known.join(' ') || 'none'
    throw new WrongUse(
      `--allowed-special: ${JSON.stringify(unknown)} is not a special token of ${tokenizer.name}; it has: ${some}`,
    )
  }
  return { allowedSpecial: new Set(names) }
}

/** An error in reading or encoding a text, with the option that helps, if there is one. */
export function explained(error: unknown, name: string): unknown {
  // The library's message says what to write in code.
  if (error instanceof FormatError && error.invalidUtf8) {
    return new WorkFailed(error.message.replace(", unless invalidUtf8 is 'replace'", '') + UTF8_HINT, { cause: error })
  }
  if (!(error instanceof UsageError) || error.specialToken === undefined) return error
  const token = JSON.stringify(error.specialToken)
  const both = '--allowed-special all gives it its id, --allowed-special none makes it plain text'
  return new WorkFailed(`${name}: the text contains the special token ${token}: ${both}`, { cause: error })
}
