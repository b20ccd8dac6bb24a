import { embed } from './embed.js'

/** The page for a request, rendered on the server. */
export function render(text) {
  const found = embed(text)
  return `<p data-found='${JSON.stringify(found)}'>${found.ids.length} tokens, vectors of ${found.shape.join(' x ')}</p>`
}
