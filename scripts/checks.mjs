// What scripts say of their checks, each of which has a name and is ok or not.

/** A line for each. */
export function show(checks) {
  for (const { name, ok } of checks) console.log(`${ok ? 'ok  ' : 'FAIL'} ${name}`)
}

/** The last line of a program: how many passed and failed. The program fails if one did. */
export function count(checks) {
  const failed = checks.filter(({ ok }) => !ok).length
  console.log(`${checks.length - failed} passed, ${failed} failed`)
  if (failed > 0) process.exitCode = 1
}
