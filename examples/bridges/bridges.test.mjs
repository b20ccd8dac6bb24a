// Runs the bridges with a small model: node --test. Postgres with pgvector runs in this process, unless DATABASE_URL
// names a server.
import assert from 'node:assert/strict'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { PGlite } from '@electric-sql/pglite'
import { vector } from '@electric-sql/pglite-pgvector'
import { PGLiteSocketServer } from '@electric-sql/pglite-socket'
import { Document } from '@langchain/core/documents'
import { VectorStoreRetriever, VectorStore } from '@langchain/core/vectorstores'
import pg from 'pg'
import { TextEmbedder } from 'tokenbed'
import { fill, search as searchPostgres } from './pgvector.mjs'
import { makeTable, search } from './lancedb.mjs'
import { TokenbedEmbeddings } from './langchain.mjs'
import { TokenbedEmbedding } from './llamaindex.mjs'

const embedder = TextEmbedder.load(process.env.TOKENBED_MODEL ?? '../../testdata/golden/embed/m2v-f32')
const texts = ['the whale in the sea', 'a captain and his ship', 'the white whale', 'one two three', 'a ship at sea']
const query = 'the whale in the sea'

void test('LanceDB', async () => {
  const table = await makeTable(mkdtempSync(join(tmpdir(), 'lance-')), embedder, texts)
  const found = await search(table, embedder, query)
  assert.equal(found[0].text, query)
  assert.ok(Math.abs(found[0].similarity - 1) < 1e-5)
})

void test('LangChain.js', async () => {
  const embeddings = new TokenbedEmbeddings({ embedder })
  const vectors = await embeddings.embedDocuments(texts)
  assert.deepEqual([vectors.length, vectors[0].length], [texts.length, embedder.dim])
  assert.deepEqual(await embeddings.embedQuery(texts[2]), vectors[2])
  /** The smallest store that a retriever can ask. */
  class Store extends VectorStore {
    _vectorstoreType() {
      return 'list'
    }
    async similaritySearchVectorWithScore(wanted, k) {
      const score = (vector) => vector.reduce((sum, x, i) => sum + x * wanted[i], 0)
      const scored = vectors.map((vector, i) => [new Document({ pageContent: texts[i] }), score(vector)])
      return scored.sort((a, b) => b[1] - a[1]).slice(0, k)
    }
  }
  const retriever = new VectorStoreRetriever({ vectorStore: new Store(embeddings, {}), k: 1 })
  assert.equal((await retriever.invoke(query))[0].pageContent, query)
})

void test('LlamaIndex.TS', async () => {
  const model = new TokenbedEmbedding({ embedder })
  const vectors = await model.getTextEmbeddingsBatch(texts)
  assert.equal(vectors.length, texts.length)
  assert.deepEqual(await model.getTextEmbedding(texts[1]), vectors[1])
  assert.ok(model.similarity(vectors[0], await model.getTextEmbedding(query)) > 0.999)
})

/** Where Postgres is. The one of this process ends with the test. */
async function database(t) {
  if (process.env.DATABASE_URL !== undefined) return process.env.DATABASE_URL
  const db = await PGlite.create({ extensions: { vector } })
  const server = new PGLiteSocketServer({ db, port: 0 })
  await server.start()
  t.after(async () => {
    await server.stop()
    await db.close()
  })
  return `postgres://postgres:postgres@${server.getServerConn()}/postgres`
}

void test('pgvector', async (t) => {
  const client = new pg.Client({ connectionString: await database(t) })
  await client.connect()
  try {
    await fill(client, embedder, texts)
    const [first] = await searchPostgres(client, embedder, query)
    assert.equal(first.text, query)
    assert.ok(Math.abs(first.similarity - 1) < 1e-5)
  } finally {
    await client.end()
  }
})
