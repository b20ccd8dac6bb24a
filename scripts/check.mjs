// Checks the rules of the house: node scripts/check.mjs
//
// A rule is a name and a function that gives the offenders, one text each; none means that the rule is kept.
import { borderRules } from './rules/border.mjs'
import { crateRules } from './rules/crates.mjs'
import { packageRules } from './rules/packages.mjs'
import { rustRules } from './rules/rust.mjs'
import { textRules } from './rules/text.mjs'
import { typescriptRules } from './rules/typescript.mjs'
import { workflowRules } from './rules/workflows.mjs'
import { runIfMain } from './process.mjs'

const rules = [...borderRules, ...crateRules, ...typescriptRules, ...rustRules, ...packageRules, ...textRules, ...workflowRules]

/** Checks every rule, shows how it went, and counts. */
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

/** A rule that cannot be checked is not kept. */
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
