// tiktoken-node, an addon of tiktoken-rs. It always gives special tokens their ids.

import { find, type Found } from './peer.js'
import type { TokenizerPeer } from './encoder.js'

export function tiktokenNode(): Found<TokenizerPeer> {
  return find('tiktoken-node', (load, version) => {
    const { getEncoding } = load('tiktoken-node')
    const open: TokenizerPeer['open'] = (encoding) => {
      if (encoding === 'o200k_base') return undefined // It is older than that encoding.
      const it = getEncoding(encoding)
      return { encode: (text) => it.encode(text), encodeBatch: (texts) => it.encodeBatch(texts) }
    }
    return { version, open }
  })
}
