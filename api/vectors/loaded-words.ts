// Words and vectors as the native side reads them.

import { WordNames } from './names.js'
import type { native } from '../native/native.js'
import { adopted } from '../tensor/allocate.js'
import { Vectors } from './vectors.js'

type LoadedWords = NonNullable<ReturnType<typeof native.loadGlove>>

/** The vectors of a file. The native side has seen to it that words are not empty and differ. */
export function vectorsOf(loaded: LoadedWords): Vectors {
  const { dim, rows, handle, text, lengths } = loaded
  const words = WordNames.joined({ text, lengths })
  const all = adopted(handle, 'float32', [rows, dim])
  return new Vectors(rows === words.size ? all : all.narrow(0, 0, words.size), words)
}
