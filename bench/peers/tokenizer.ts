// The tokenizer's peers by name.

import type { Found } from './peer.js'
import { aiTokenizer } from './ai-tokenizer.js'
import { gptTokenizer } from './gpt-tokenizer.js'
import { tiktoken } from './tiktoken.js'
import { tiktokenNode } from './tiktoken-node.js'
import { own } from './own.js'
import type { TokenizerPeer } from './encoder.js'

/** The peers by name. A peer is loaded when it is first used, so that a process can hold only one. */
export const TOKENIZERS: Record<string, () => Found<TokenizerPeer>> = {
  tokenbed: own,
  'tiktoken-node': tiktokenNode,
  tiktoken,
  'gpt-tokenizer': gptTokenizer,
  'ai-tokenizer': aiTokenizer,
}
