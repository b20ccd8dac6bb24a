// A process that is killed while it saves:
//
//   node dying.js writer folder log at N   before the Nth call of a save (under the program in scripts/faults)
//   node dying.js writer folder log        at any time: it saves in a loop, and reports its first save to its parent

import { killAt, watch } from '../../support/faulty.js'
import { writers } from './scenarios.js'

async function main([name, folder, log, how, nth]: string[]): Promise<void> {
  const writer = writers.find((writer) => writer.name === name)!
  if (how === 'at') {
    watch(folder, log)
    killAt(Number(nth))
    await writer.write(folder, 2)
    return
  }
  for (let value = 1; ; value = (value % 3) + 1) {
    await writer.write(folder, value)
    if (value === 1) process.stdout.write('saved')
  }
}

void main(process.argv.slice(2))
