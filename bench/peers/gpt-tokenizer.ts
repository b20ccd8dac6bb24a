// gpt-tokenizer, written in TypeScript.

import { find, type Found } from './peer.js'
import type { TokenizerPeer } from './encoder.js'

export function gptTokenizer(): Found<TokenizerPeer> {
  return find('gpt-tokenizer', (load, version) => {
    const open: TokenizerPeer['open'] = (encoding) => {
      const it = load(`gpt-tokenizer/encoding/${encoding === 'gpt2' ? 'r50k_base' : encoding}`)
      const plain = { disallowedSpecial: new Set() }
      return { encode: (text) => it.encode(text, plain) }
    }
    return { version, open }
  })
}
