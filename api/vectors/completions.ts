// Completes analogies of rows, at the call or on another thread.

import type { AnalogiesEvaluation, Completing } from './evaluate.js'
import { norm, Sum } from './query.js'
import type { Asked, Rows } from './rows.js'

type Steps = Generator<Completing, AnalogiesEvaluation, number[][]>

/** Takes an evaluation to its end. */
export function completed(steps: Steps, table: Rows): AnalogiesEvaluation {
  let step = steps.next()
  while (!step.done) {
    const { analogies, rows, top } = step.value
    step = steps.next(table.nearest(askedOf(analogies, table), rows, top).map(({ ids }) => ids))
  }
  return step.value
}

/** The same, with searches on another thread. @throws AbortedError. */
export async function completedAsync(
  steps: Steps,
  table: Rows,
  how: { signal: AbortSignal | undefined; where: string },
): Promise<AnalogiesEvaluation> {
  let step = steps.next()
  while (!step.done) {
    const { analogies, rows, top } = step.value
    // eslint-disable-next-line no-await-in-loop -- answers come in the order of the file
    const found = await table.nearestAsync(askedOf(analogies, table), rows, top, how)
    step = steps.next(found.map(({ ids }) => ids))
  }
  return step.value
}

/** The queries that complete analogies: b - a + c of unit vectors. */
function askedOf(analogies: Completing['analogies'], table: Rows): Asked[] {
  return analogies.map(([a, b, c]) => {
    const sum = new Sum(table.dim)
    for (const [id, sign] of [
      [b, 1],
      [c, 1],
      [a, -1],
    ]) {
      const row = table.row(id)
      sum.add(row, sign / (norm(row) || 1))
    }
    return { direction: sum.over(1), ids: [a, b, c] }
  })
}
