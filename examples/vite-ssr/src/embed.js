import { Embedding, manualSeed, Tokenizer } from 'tokenbed'

/** The ids of a text, and the shape of their vectors. */
export function embed(text) {
  manualSeed(123)
  const tokenizer = Tokenizer.load('gpt2')
  const ids = tokenizer.encode(text)
  const vectors = new Embedding(tokenizer.vocabSize, 8).forward(ids)
  return { ids: [...ids], shape: vectors.shape, first: vectors.toArray()[0] }
}
