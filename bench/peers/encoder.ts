// The interface of peers in the tokenizer's suites.

export const ENCODINGS = ['gpt2', 'cl100k_base', 'o200k_base'] as const
export type Encoding = (typeof ENCODINGS)[number]

/** An encoding, ready to use. Special tokens in a text are plain text if the peer can do that. */
export interface Encoder {
  encode(text: string): ArrayLike<number>
  /** Missing if the peer takes one text a call. */
  encodeBatch?(texts: string[]): unknown
}

export interface TokenizerPeer {
  version: string
  /** Reads the vocabulary and prepares it; undefined if the peer does not have this encoding. */
  open(encoding: Encoding): Encoder | undefined
}
