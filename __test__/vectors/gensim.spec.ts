// Evaluations on the files that gensim's package ships (WordSim-353, SimLex-999, questions-words), against gensim. Runs
// if TOKENBED_PYTHON, or python3, has gensim.

import test from 'ava'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadWord2Vec } from '../../index.js'

const python = process.env.TOKENBED_PYTHON ?? 'python3'
const hasGensim = spawnSync(python, ['-c', 'import gensim']).status === 0

/** Draws vectors for most of the words of the files, in which words of a pair are somewhat alike. */
const SCRIPT = `
import json, sys
from pathlib import Path
import gensim, numpy as np
from gensim.models import KeyedVectors
from gensim.test.utils import datapath

random = np.random.default_rng(5)
words, rows = {}, []
def add(word, like=None):
    if word not in words and random.random() < 0.97:
        words[word] = len(rows)
        rows.append(random.standard_normal(40) + (0 if like is None else like))
for line in open(datapath("questions-words.txt"), encoding="utf8"):
    if not line.startswith(":"):
        a, b, c, d = line.split()
        for one, other in [(a, b), (c, d)]:
            add(one)
            add(other, None if one not in words else 2 * rows[words[one]])
for name in ["wordsim353.tsv", "simlex999.txt"]:
    for line in open(datapath(name), encoding="utf8"):
        if not line.startswith("#"):
            a, b, score = line.rstrip("\\n").split("\\t")
            add(a)
            add(b, None if a not in words else float(score) / 10 * rows[words[a]])
vectors = KeyedVectors(40)
vectors.add_vectors(list(words), np.array(rows, dtype=np.float32))
vectors.save_word2vec_format(sys.argv[1], binary=True)
found = {"files": {}}
for name in ["wordsim353.tsv", "simlex999.txt"]:
    for dummy in [False, True]:
        pearson, spearman, oov = vectors.evaluate_word_pairs(datapath(name), dummy4unknown=dummy)
        found["files"][f"{name} {dummy}"] = {"path": datapath(name), "dummy": dummy, "numbers": [float(x) for x in [*pearson, *spearman, oov]]}
accuracy, sections = vectors.evaluate_word_analogies(datapath("questions-words.txt"), restrict_vocab=600)
found["analogies"] = {"path": datapath("questions-words.txt"), "accuracy": float(accuracy), "sections": [[s["section"], len(s["correct"]), len(s["incorrect"])] for s in sections]}
print(json.dumps(found))
`

interface Found {
  files: Record<string, { path: string; dummy: boolean; numbers: number[] }>
  analogies: { path: string; accuracy: number; sections: [string, number, number][] }
}

const maybe = hasGensim ? test : test.skip

maybe("evaluations on gensim's own files equal gensim's", (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'tokenbed-gensim-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'vectors.bin')
  const { status, stdout, stderr } = spawnSync(python, ['-c', SCRIPT, path], { encoding: 'utf8' })
  t.is(status, 0, stderr)
  const found = JSON.parse(stdout) as Found
  const vectors = loadWord2Vec(path)
  for (const [name, { path: pairs, dummy, numbers }] of Object.entries(found.files)) {
    const ours = vectors.evaluateWordPairs(pairs, { dummy4unknown: dummy })
    const all = [ours.pearson, ours.pearsonPValue, ours.spearman, ours.spearmanPValue, ours.oov]
    all.forEach((number, i) => t.true(Math.abs(number - numbers[i]) <= 1e-6, `${name}: ${number} is not ${numbers[i]}`))
  }
  const { accuracy, sections } = vectors.evaluateAnalogies(found.analogies.path, { restrictTo: 600 })
  t.is(accuracy, found.analogies.accuracy)
  t.deepEqual(
    sections.map(({ section, correct, incorrect }) => [section, correct.length, incorrect.length]),
    found.analogies.sections,
  )
})
