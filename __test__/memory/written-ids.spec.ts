import test from 'ava'
import { runScript } from '../support/child.js'

interface Found {
  /** How often the function was called, and how often it threw. */
  calls: number
  refused: number
  /** The number of values that do not come from the table. */
  wrong: number
  /** The codes of the errors. */
  codes: string[]
}

const TOKEN = ['TOKEN_INDEX']

/** The integers that are overwritten, by the function that uses them, and the errors that this may give. */
const CASES: [scenario: string, title: string, codes: string[]][] = [
  ['embedding', 'ids of a lookup', TOKEN],
  ['maxNorm', 'ids of rows that are rescaled', TOKEN],
  ['bag', 'ids of bags, with weights and without', TOKEN],
  ['bagOfBytes', 'ids of bags over a quantized table', TOKEN],
  ['offsets', 'offsets of bags', ['SHAPE']],
  ['tokens', 'ids of an input layer', TOKEN],
  ['positions', 'positions of an input layer', TOKEN],
  ['segments', 'segments of an input layer', TOKEN],
  ['targets', 'targets of cross-entropy', TOKEN],
  ['backward', 'ids that the way back uses', TOKEN],
  ['sparse', 'rows of a sparse gradient', ['SHAPE']],
  ['async', 'ids of lookups on other threads', TOKEN],
  ['rotary', 'positions of a rotation', []],
  ['decode', 'ids that are decoded', TOKEN],
]

for (const [name, title, codes] of CASES) {
  test.serial(`${title} may be overwritten: values of the table or a typed error`, async (t) => {
    const { code, stdout, stderr } = await runScript('lifetime/written-ids.js', [name])
    t.is(code, 0, stderr)
    const { calls, refused, wrong, codes: given } = JSON.parse(stdout) as Found
    t.is(wrong, 0)
    t.true(calls > refused, `${calls} calls, ${refused} refused`)
    t.deepEqual(
      given.filter((one) => !codes.includes(one)),
      [],
    )
  })
}
