// Checks the house rules: node scripts/check.mjs
//
// A rule is a name and a function that returns the offenders, one text each. A rule without offenders is kept.
import { borderRules } from './rules/border.mjs'
import { crateRules } from './rules/crates.mjs'
import { habitRules } from './rules/habits.mjs'
import { packageRules } from './rules/packages.mjs'
import { rustRules } from './rules/rust.mjs'
import { textRules } from './rules/text.mjs'
import { typescriptRules } from './rules/typescript.mjs'
import { workflowRules } from './rules/workflows.mjs'
import { runIfMain } from './process.mjs'

const rules = [
  ...borderRules,
  ...crateRules,
  ...typescriptRules,
  ...rustRules,
  ...packageRules,
  ...textRules,
  ...workflowRules,
  ...habitRules,
]

/** Checks every rule, prints the results, and counts them. */
export function check() {
  const result = { passed: 0, failed: 0 }
  for (const { name, offenders } of rules) {
    const found = offendersOf(offenders)
    console.log(`${found.length === 0 ? 'ok  ' : 'FAIL'} ${name}`)
    for (const offender of found) console.log(`       ${offender}`)
    result[found.length === 0 ? 'passed' : 'failed'] += 1
  }
  return result
}

/** A rule that cannot be checked counts as broken. */
function offendersOf(offenders) {
  try {
    return offenders()
  } catch (error) {
    return [`not checked: ${error.message}`]
  }
}

await runIfMain(import.meta, () => {
  if (check().failed > 0) process.exitCode = 1
})
