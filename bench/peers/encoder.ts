// What the tokenizer's suites ask of a peer.

export const ENCODINGS = ['gpt2', 'cl100k_base', 'o200k_base'] as const
export type Encoding = (typeof ENCODINGS)[number]

/** An encoding, ready to use. Special tokens in a text are plain text where the peer can do that. */
export interface Encoder {
  encode(text: string): ArrayLike<number>
  /** Absent where the peer takes one text a call. */
  encodeBatch?(texts: string[]): unknown
}

export interface TokenizerPeer {
  version: string
  /** Reads the vocabulary and makes it ready; none where the peer does not know this encoding. */
  open(encoding: Encoding): Encoder | undefined
}
