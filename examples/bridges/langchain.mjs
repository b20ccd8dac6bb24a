// The embeddings of LangChain.js over a TextEmbedder: for its vector stores, retrievers and chains.
import { Embeddings } from '@langchain/core/embeddings'

export class TokenbedEmbeddings extends Embeddings {
  /** @param {{ embedder: import('tokenbed').TextEmbedder }} fields */
  constructor({ embedder, ...params }) {
    super(params)
    this.embedder = embedder
  }

  async embedDocuments(texts) {
    const vectors = await this.embedder.embedAsync(texts, { normalize: true, dtype: 'float32' })
    return vectors.toArray()
  }

  async embedQuery(text) {
    const [vector] = await this.embedDocuments([text])
    return vector
  }
}
