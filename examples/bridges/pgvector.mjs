// Texts with their vectors in PostgreSQL, by the extension pgvector.
import pgvector from 'pgvector/pg'

/**
 * Makes a table and fills it.
 *
 * @param {import('pg').Client} client
 * @param {import('tokenbed').TextEmbedder} embedder
 * @param {string[]} texts
 */
export async function fill(client, embedder, texts) {
  await client.query('CREATE EXTENSION IF NOT EXISTS vector')
  await pgvector.registerTypes(client)
  await client.query('DROP TABLE IF EXISTS tokenbed_texts')
  await client.query(`CREATE TABLE tokenbed_texts (id int PRIMARY KEY, text text, embedding vector(${embedder.dim}))`)
  const vectors = await embedder.embedAsync(texts, { normalize: true, dtype: 'float32' })
  for (const [id, vector] of vectors.toArray().entries())
    await client.query('INSERT INTO tokenbed_texts VALUES ($1, $2, $3)', [id, texts[id], pgvector.toSql(vector)])
}

/** The texts nearest to a text, with their cosine similarity. */
export async function search(client, embedder, query, limit = 3) {
  const vector = pgvector.toSql(Array.from(await embedder.embedSoon(query)))
  const { rows } = await client.query(
    'SELECT text, 1 - (embedding <=> $1) AS similarity FROM tokenbed_texts ORDER BY embedding <=> $1 LIMIT $2',
    [vector, limit],
  )
  return rows
}
