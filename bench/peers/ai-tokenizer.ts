// ai-tokenizer, written in TypeScript.

import { find, type Found } from './peer.js'
import type { TokenizerPeer } from './encoder.js'

export function aiTokenizer(): Found<TokenizerPeer> {
  return find('ai-tokenizer', (load, version) => {
    const { Tokenizer } = load('ai-tokenizer')
    const open: TokenizerPeer['open'] = (encoding) => {
      if (encoding === 'gpt2') return undefined // It does not have that encoding.
      const it = new Tokenizer(load(`ai-tokenizer/encoding/${encoding}`))
      return { encode: (text) => it.encode(text, 'all') }
    }
    return { version, open }
  })
}
