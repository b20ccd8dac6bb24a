// tokenbed classify: predicts the classes of texts.

import { existsSync } from 'node:fs'
import { Option, type Command } from '../bundled/commander.js'
import { loadFastText, loadModel, records, UsageError, type Prediction } from '../../index.js'
import { STDIN } from '../options/inputs.js'
import { explained, invalidUtf8Option } from '../options/tokenizer.js'
import { WorkFailed, WrongUse } from '../terminal/failure.js'
import { parseSize } from '../terminal/numbers.js'
import { breathe } from '../terminal/signals.js'
import { print } from '../terminal/streams.js'

interface Options {
  top: number
  json?: boolean
  invalidUtf8: 'throw' | 'replace'
}

/** Texts that are classified together. */
const TOGETHER = 256

const NOTES = `
A TEXT is a text, or a file of texts, one in a line; a file that ends in .gz or .zst is decompressed; - is stdin. Each text has a
line: the most likely class, a tab and its probability, and then the same of the classes that follow.

Examples:
  $ tokenbed classify reviews "a lovely film"
  $ tokenbed classify lid.176.ftz lines.txt --top 3
  $ cat lines.txt | tokenbed classify reviews - --json`

export function addClassify(program: Command): void {
  program
    .command('classify')
    .summary('predict the classes of texts')
    .description('Predicts the classes of texts by a model that was trained to classify.')
    .argument('<model>', "a folder of 'tokenbed train --objective classify', or a .bin or .ftz of fastText")
    .argument('[texts...]', 'texts (in quotes), files of texts, one in a line, or - for stdin')
    .addOption(
      new Option('-n, --top <n>', 'number of classes to show for each text').argParser(parseSize(1)).default(1),
    )
    .option('--json', 'one JSON object a text: { text, classes: [{ label, probability }] }')
    .addOption(invalidUtf8Option())
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', NOTES)
    .action(classify)
}

async function classify(path: string, args: string[], { top, json, invalidUtf8 }: Options): Promise<void> {
  if (args.length === 0 && process.stdin.isTTY)
    throw new WrongUse('what texts? Write them in quotes, name files, or - for stdin')
  const model = /\.(?:bin|ftz)$/i.test(path) ? loadFastText(path) : loadModel(path)
  const show = async (texts: string[]) => {
    const found = classesOf(() => model.classify(texts, { topN: top }), path)
    await print(texts.map((text, i) => (json ? jsonLine(text, found[i]) : line(found[i]))).join(''))
    await breathe()
  }
  for (const arg of args.length === 0 ? [STDIN] : args) {
    let waiting: string[] = []
    try {
      for await (const text of textsOf(arg, invalidUtf8)) {
        waiting.push(text)
        if (waiting.length < TOGETHER) continue
        await show(waiting)
        waiting = []
      }
    } catch (error) {
      throw explained(error, arg)
    }
    if (waiting.length > 0) await show(waiting)
  }
}

/** What a model says of texts. @throws WorkFailed for a model that knows no classes. */
function classesOf(run: () => Prediction[][], path: string): Prediction[][] {
  try {
    return run()
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    throw new WorkFailed(`${path}: ${error.message.replace(/^\w+\.classify: /, '')}`, { cause: error })
  }
}

async function* textsOf(arg: string, invalidUtf8: 'throw' | 'replace'): AsyncGenerator<string> {
  if (arg !== STDIN && !existsSync(arg)) return yield arg
  for await (const { text } of records(arg, { format: 'text', invalidUtf8 })) yield text
}

const line = (classes: Prediction[]) =>
  `${classes.map(({ label, probability }) => `${label}\t${probability.toFixed(4)}`).join('\t')}\n`

const jsonLine = (text: string, classes: Prediction[]) => `${JSON.stringify({ text, classes })}\n`
