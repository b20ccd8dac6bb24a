// What is kept of the file that a tokenizer came from.

/** A tokenizer.json as it was when it was read. @internal */
export interface TokenizerFile {
  readonly path: string
  /** The SHA-256 of its bytes. */
  readonly digest: string
  /** Reads its bytes again. @throws FileError */
  readonly read: () => Buffer
}
