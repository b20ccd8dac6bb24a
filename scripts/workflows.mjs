// Lints the workflows in .github/ with actionlint: npm run lint:workflows
//
// It uses the installed actionlint, or else builds it with Go from its module, as its authors distribute it.
import { Failure, capture, runIfMain } from './process.mjs'

const MODULE = 'github.com/rhysd/actionlint/cmd/actionlint@v1.7.12'

function command() {
  if (answers(['actionlint', '-version'])) return ['actionlint']
  if (answers(['go', 'version'])) return ['go', 'run', MODULE]
  throw new Failure(`actionlint is missing. With Go:\n\n    go install ${MODULE}`)
}

function answers(command) {
  try {
    return capture(command).ok
  } catch {
    return false
  }
}

await runIfMain(import.meta, () => {
  const { ok, stdout, stderr } = capture([...command(), '-no-color'])
  if (!ok) throw new Failure(`${stdout}${stderr}`.trim())
  console.log('actionlint reports nothing')
})
