// A table of LanceDB whose rows are texts with their vectors, searched by a text.
import { connect } from '@lancedb/lancedb'

/**
 * Makes the table, in a folder.
 *
 * @param {string} folder
 * @param {import('tokenbed').TextEmbedder} embedder
 * @param {string[]} texts
 */
export async function makeTable(folder, embedder, texts) {
  const db = await connect(folder)
  const vectors = await embedder.embedAsync(texts, { normalize: true, dtype: 'float32' })
  const rows = vectors.toArray().map((vector, id) => ({ id, text: texts[id], vector }))
  return db.createTable('texts', rows, { mode: 'overwrite' })
}

/**
 * The texts nearest to a text, with their cosine similarity.
 *
 * @param {import('@lancedb/lancedb').Table} table
 * @param {import('tokenbed').TextEmbedder} embedder
 * @param {string} query
 */
export async function search(table, embedder, query, limit = 3) {
  const vector = await embedder.embedSoon(query)
  const found = await table.search(Array.from(vector)).distanceType('cosine').limit(limit).toArray()
  return found.map(({ text, _distance }) => ({ text, similarity: 1 - _distance }))
}
