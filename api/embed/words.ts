// A tokenizer of words: those of a list, between white space.

import { Tokenizer } from '../text/tokenizer.js'

/** The name of what is not in the list. No word is spelled so, since words end at white space. */
const UNKNOWN = ' '

/**
 * The tokenizer of a list of words, as a `tokenizer.json` that others read, too. Its last token, one more than there
 * are words, stands for all other words.
 */
export function wordTokenizer(words: readonly string[], path: string): Tokenizer {
  const bytes = Buffer.from(jsonOf(words))
  return Tokenizer.fromBytes(bytes, path, {}, () => bytes)
}

function jsonOf(words: readonly string[]): string {
  const parts = words.map((word, id) => `${JSON.stringify(word)}:${id}`)
  parts.push(`${JSON.stringify(UNKNOWN)}:${words.length}`)
  const model = `{"type":"WordLevel","vocab":{${parts.join(',')}},"unk_token":${JSON.stringify(UNKNOWN)}}`
  return `{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":null,"pre_tokenizer":{"type":"WhitespaceSplit"},"post_processor":null,"decoder":null,"model":${model}}`
}
