// Starts the service: MODEL=folder PORT=8080 node server.js
//
// MODEL is the folder of a model, or a module that exports open(), which returns { dim, embedAsync }. SIGTERM stops it.
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import * as tokenbed from 'tokenbed'
import { makeService } from './service.js'

const { MODEL, PORT = '8080', HOST = '127.0.0.1', MAX_IN_FLIGHT = '64', DRAIN_MS = '5000' } = process.env
if (MODEL === undefined) throw new Error('set MODEL to the folder of a model')
const isModule = /\.[cm]?js$/.test(MODEL)
const embedder = isModule
  ? await (await import(pathToFileURL(resolve(MODEL)).href)).open()
  : tokenbed.TextEmbedder.load(MODEL)

const { app, stop } = makeService({ embedder, maxInFlight: Number(MAX_IN_FLIGHT), logger: { level: 'warn' } })
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => void stop(Number(DRAIN_MS)))
console.log(await app.listen({ port: Number(PORT), host: HOST }))
