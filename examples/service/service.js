// A service that answers texts with vectors: as JSON or bytes, within limits, and measured.
//
//   POST /embed    { "text": "..." } or { "texts": ["...", "..."] }; `accept: application/octet-stream` for float32 bytes
//   GET  /health   200, or 503 once the service stops
//   GET  /metrics  for Prometheus
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import Fastify from 'fastify'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { embedStream } from 'tokenbed'

const SECONDS = [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3]

/**
 * Makes the service. `embedder` is a TextEmbedder, or has its `dim` and `embedAsync`.
 *
 * @param {object} options
 * @param {number} [options.maxBody] Bytes of a request; more is answered with 413.
 * @param {number} [options.maxTexts] Texts of a request; more is answered with 400.
 * @param {number} [options.maxInFlight] Requests that are worked on at a time; more is answered with 429.
 */
export function makeService({ embedder, maxBody = 2 ** 20, maxTexts = 1024, maxInFlight = 64, logger = false }) {
  const app = Fastify({ bodyLimit: maxBody, logger, forceCloseConnections: 'idle' })
  const metrics = measures()
  let inFlight = 0
  let isStopping = false

  const body = {
    type: 'object',
    additionalProperties: false,
    properties: {
      text: { type: 'string' },
      texts: { type: 'array', items: { type: 'string' }, minItems: 1, maxItems: maxTexts },
    },
    oneOf: [{ required: ['text'] }, { required: ['texts'] }],
  }
  app.post('/embed', { schema: { body }, attachValidation: false }, async (request, reply) => {
    // The work that waits is bounded, so that a service that is too slow says so instead of running out of memory.
    if (inFlight >= maxInFlight) {
      metrics.refused.inc()
      return reply.code(429).header('retry-after', '1').send({ error: 'too many requests are worked on; try again' })
    }
    metrics.inFlight.set(++inFlight)
    const timer = metrics.seconds.startTimer()
    try {
      const { text, texts = [text] } = request.body
      const vectors = await embed(embedder, texts)
      return await answer(request, reply, vectors, texts.length)
    } finally {
      metrics.inFlight.set(--inFlight)
      timer()
    }
  })
  app.get('/health', async (_, reply) => reply.code(isStopping ? 503 : 200).send({ ok: !isStopping, inFlight }))
  app.get('/metrics', async (_, reply) =>
    reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
  )
  // A client that keeps its connection learns from the answer that it should make another, elsewhere.
  app.addHook('onSend', async (_, reply) => {
    if (isStopping) reply.header('connection', 'close')
  })
  app.addHook('onClose', async () => metrics.end())

  /**
   * Stops without losing a request: first the health says so, and those who balance the load look elsewhere while
   * requests are still answered; then the port is closed, and what is worked on is finished.
   */
  async function stop(drainMs = 5000) {
    isStopping = true
    await new Promise((resolve) => setTimeout(resolve, drainMs))
    await app.close()
  }
  return { app, stop }
}

/** The vectors of texts, end to end. */
async function embed(embedder, texts) {
  // What arrives in one turn of the event loop becomes one call: a timer would only add latency.
  if (texts.length === 1 && embedder.embedSoon) return embedder.embedSoon(texts[0])
  const all = new Float32Array(texts.length * embedder.dim)
  let done = 0
  // Memory is bounded by tokens and bytes, whatever the texts are, and each batch is measured.
  for await (const { vectors } of embedStream({ texts }, { embedder })) {
    all.set(vectors.data, done)
    done += vectors.data.length
    vectors.dispose()
  }
  return all
}

function answer(request, reply, vectors, count) {
  const dim = vectors.length / count
  if (request.headers.accept === 'application/octet-stream')
    return reply
      .type('application/octet-stream')
      .header('x-shape', `${count},${dim}`)
      .send(Buffer.from(vectors.buffer, vectors.byteOffset, vectors.byteLength))
  const rows = Array.from({ length: count }, (_, i) => Array.from(vectors.subarray(i * dim, (i + 1) * dim)))
  return reply.send({ shape: [count, dim], vectors: rows })
}

function measures() {
  const registry = new Registry()
  const registers = [registry]
  const of = (Kind, name, help, more = {}) => new Kind({ name: `tokenbed_${name}`, help, registers, ...more })
  const batches = {
    batches: of(Counter, 'batches_total', 'Batches that were embedded'),
    texts: of(Counter, 'texts_total', 'Texts in them'),
    tokens: of(Counter, 'tokens_total', 'Tokens in them, four UTF-16 units each'),
    bytes: of(Counter, 'vector_bytes_total', 'Bytes of their vectors'),
    seconds: of(Histogram, 'batch_seconds', 'How long a batch took', { buckets: SECONDS }),
  }
  const measure = ({ texts, tokens, bytes, seconds }) => {
    batches.batches.inc()
    batches.texts.inc(texts)
    batches.tokens.inc(tokens)
    batches.bytes.inc(bytes)
    batches.seconds.observe(seconds)
  }
  subscribe('tokenbed:batch', measure)
  return {
    registry,
    inFlight: of(Gauge, 'requests_in_flight', 'Requests that are worked on'),
    refused: of(Counter, 'requests_refused_total', 'Requests that were answered with 429'),
    seconds: of(Histogram, 'request_seconds', 'How long a request took', { buckets: SECONDS }),
    end: () => unsubscribe('tokenbed:batch', measure),
  }
}
