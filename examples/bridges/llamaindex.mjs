// An embedding model of LlamaIndex.TS over a TextEmbedder: set it as Settings.embedModel.
import { BaseEmbedding } from '@llamaindex/core/embeddings'

export class TokenbedEmbedding extends BaseEmbedding {
  /** @param {{ embedder: import('tokenbed').TextEmbedder }} fields */
  constructor({ embedder }) {
    super()
    this.embedder = embedder
    this.embedBatchSize = 1024
  }

  async getTextEmbedding(text) {
    const [vector] = await this.getTextEmbeddings([text])
    return vector
  }

  getTextEmbeddings = async (texts) => {
    const vectors = await this.embedder.embedAsync(texts, { normalize: true, dtype: 'float32' })
    return vectors.toArray()
  }
}
