// Evaluations on the files that gensim's package ships (WordSim-353, SimLex-999, questions-words), against gensim: with
// drawn vectors, and with the words of WordLlama's table, in word2vec's form and in GloVe's. Runs if TOKENBED_PYTHON,
// or python3, has gensim, and wordllama for its table.

import test from 'ava'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadGlove, loadWord2Vec, type Vectors } from '../../index.js'

const python = process.env.TOKENBED_PYTHON ?? 'python3'
const hasGensim = spawnSync(python, ['-c', 'import gensim']).status === 0

const hasLlama =
  hasGensim && spawnSync(python, ['-c', 'import importlib.metadata as m; m.version("wordllama")']).status === 0

/** Draws vectors for most of the words of the files, in which words of a pair are somewhat alike. */
const DRAWN = `
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
`
/** The tokens of WordLlama's own model that are words. */
const LLAMA = `
import importlib.metadata
from safetensors.numpy import load_file
package = importlib.metadata.distribution("wordllama").locate_file("wordllama")
table = load_file(package / "weights/l2_supercat_256.safetensors")["embedding.weight"].astype(np.float32)
vocabulary = json.loads((package / "tokenizers/l2_supercat_tokenizer_config.json").read_text(encoding="utf8"))["model"]["vocab"]
words = {token[1:]: id for token, id in vocabulary.items() if token[0] == "\u2581" and token[1:].isalpha()}
rows = [table[id] for id in words.values()]
`
/** Writes the vectors, and what gensim says of them. */
const EVALUATED = `
def evaluated(vectors):
    found = {"files": {}}
    for name in ["wordsim353.tsv", "simlex999.txt"]:
        for dummy in [False, True]:
            pearson, spearman, oov = vectors.evaluate_word_pairs(datapath(name), dummy4unknown=dummy)
            found["files"][f"{name} {dummy}"] = {"path": datapath(name), "dummy": dummy, "numbers": [float(x) for x in [*pearson, *spearman, oov]]}
    accuracy, sections = vectors.evaluate_word_analogies(datapath("questions-words.txt"), restrict_vocab=LIMIT)
    found["analogies"] = {"path": datapath("questions-words.txt"), "accuracy": float(accuracy), "sections": [[s["section"], len(s["correct"]), len(s["incorrect"])] for s in sections]}
    return found
vectors = KeyedVectors(len(rows[0]))
vectors.add_vectors(list(words), np.array(rows, dtype=np.float32))
vectors.save_word2vec_format(sys.argv[1], binary=True)
vectors.save_word2vec_format(sys.argv[2], write_header=False)
glove = KeyedVectors.load_word2vec_format(sys.argv[2], no_header=True)
print(json.dumps({"word2vec": evaluated(vectors), "glove": evaluated(glove)}))
`
const IMPORTS = `
import json, sys
import gensim, numpy as np
from gensim.models import KeyedVectors
from gensim.test.utils import datapath
`

interface Found {
  files: Record<string, { path: string; dummy: boolean; numbers: number[] }>
  analogies: { path: string; accuracy: number; sections: [string, number, number][] }
}

/** Compares all that gensim says of vectors. */
function compare(t: import('ava').ExecutionContext, vectors: Vectors, found: Found, limit: number): void {
  for (const [name, { path: pairs, dummy, numbers }] of Object.entries(found.files)) {
    const ours = vectors.evaluateWordPairs(pairs, { dummy4unknown: dummy })
    const all = [ours.pearson, ours.pearsonPValue, ours.spearman, ours.spearmanPValue, ours.oov]
    all.forEach((number, i) => t.true(Math.abs(number - numbers[i]) <= 1e-6, `${name}: ${number} is not ${numbers[i]}`))
  }
  const { accuracy, sections } = vectors.evaluateAnalogies(found.analogies.path, { restrictTo: limit })
  t.is(accuracy, found.analogies.accuracy)
  t.deepEqual(
    sections.map(({ section, correct, incorrect }) => [section, correct.length, incorrect.length]),
    found.analogies.sections,
  )
}

for (const [name, made, limit, runs] of [
  ['drawn vectors', DRAWN, 600, hasGensim],
  ["WordLlama's words", LLAMA, 3000, hasLlama],
] as const)
  (runs ? test : test.skip)(`evaluations on gensim's own files equal gensim's: ${name}`, (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'tokenbed-gensim-'))
    t.teardown(() => rmSync(folder, { recursive: true, force: true }))
    const [binary, text] = ['vectors.bin', 'vectors.txt'].map((name) => join(folder, name))
    const script = `${IMPORTS}${made}${EVALUATED.replace('LIMIT', String(limit))}`
    const { status, stdout, stderr } = spawnSync(python, ['-c', script, binary, text], { encoding: 'utf8' })
    t.is(status, 0, stderr)
    const found = JSON.parse(stdout) as Record<'word2vec' | 'glove', Found>
    compare(t, loadWord2Vec(binary), found.word2vec, limit)
    compare(t, loadGlove(text), found.glove, limit)
  })
