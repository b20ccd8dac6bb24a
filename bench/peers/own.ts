// tokenbed itself, in the form of a peer.

import { capabilities, Tokenizer } from '../../index.js'
import type { Found } from './peer.js'
import type { TokenizerPeer } from './encoder.js'

export function own(): Found<TokenizerPeer> {
  const plain = { disallowedSpecial: new Set<string>() }
  const open: TokenizerPeer['open'] = (encoding) => {
    const tokenizer = Tokenizer.load(encoding)
    return {
      encode: (text) => tokenizer.encode(text, plain),
      encodeBatch: (texts) => tokenizer.encodeBatch(texts, plain),
    }
  }
  return { name: 'tokenbed', peer: { version: capabilities().version, open } }
}
