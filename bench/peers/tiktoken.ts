// tiktoken, OpenAI's Rust code compiled to WebAssembly.

import { find, type Found } from './peer.js'
import type { TokenizerPeer } from './encoder.js'

export function tiktoken(): Found<TokenizerPeer> {
  return find('tiktoken', (load, version) => {
    const { get_encoding } = load('tiktoken')
    const open: TokenizerPeer['open'] = (encoding) => {
      const it = get_encoding(encoding)
      return { encode: (text) => it.encode(text, [], []) }
    }
    return { version, open }
  })
}
