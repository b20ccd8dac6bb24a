import test from 'ava'
import { capabilities } from '../../index.js'
import { runScript, scenario } from '../support/child.js'

interface Digests {
  isa: string
  forwards: string[]
  draws: string[]
  texts: string[]
  searches: string[]
}
const SCRIPT = 'lifetime/arithmetic.js'

test('every instruction set of the machine gives the same bits', async (t) => {
  const { detected } = capabilities()
  t.true(detected.includes('scalar'))
  const found: Digests[] = []
  for (const isa of detected) found.push(await scenario<Digests>(SCRIPT, 'digests', { TOKENBED_ISA: isa }))
  t.deepEqual(
    found.map(({ isa }) => isa),
    detected,
  )
  for (const { isa, ...digests } of found) {
    const { isa: _, ...first } = found[0]
    t.deepEqual(digests, first, isa)
  }
  t.true(found[0].forwards.length > 60 && found[0].draws.length > 30)
  t.true(found[0].texts.length > 30 && found[0].searches.length > 50)
})

test('loading fails for an instruction set that the machine lacks, and lists those it has', async (t) => {
  for (const isa of ['avx9', '', 'AVX2', 'neon'].filter((name) => !capabilities().detected.includes(name))) {
    const { code, stdout, stderr } = await runScript(SCRIPT, ['digests'], { TOKENBED_ISA: isa })
    if (isa === '' && code === 0) continue
    t.is(code, 1)
    t.is(stdout, '')
    t.true(stderr.includes('UsageError') && stderr.includes("code: 'USAGE'"), stderr)
    for (const name of [isa, ...capabilities().detected]) t.true(stderr.includes(name), stderr)
  }
})
