"""Writes small files of kinds that no reader here supports, each with its own program.

Made with Python 3.11.7, NumPy 2.4.6, gensim 4.4.0, sentencepiece 0.2.3, gguf 0.19.0, safetensors 0.8.0. Run: python
make.py

torch.pt is a zip archive with the file names of torch.save; the pickle in it holds no tensor.
"""

import base64
import bz2
import collections
import gzip
import io
import lzma
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import sentencepiece
from gensim.models import KeyedVectors
from gguf import GGUFWriter
from safetensors.numpy import save_file

folder = Path(__file__).parent
table = np.arange(6, dtype=np.float32).reshape(3, 2)

for protocol in (0, 2, 4, 5):
    state = collections.OrderedDict(weight=[1.5, 2.5])
    (folder / f"pickle-{protocol}.bin").write_bytes(pickle.dumps(state, protocol=protocol))

vectors = KeyedVectors(2)
vectors.add_vectors(["a", "b", "c"], table)
vectors.save(str(folder / "gensim.kv"))

np.savez(folder / "arrays.npz", table=table)
np.save(folder / "array.npy", table)
save_file({"table": table}, folder / "table.safetensors")

with zipfile.ZipFile(folder / "torch.pt", "w") as archive:
    for name, content in [("data.pkl", pickle.dumps({}, protocol=2)), ("byteorder", b"little"), ("version", b"3\n")]:
        archive.writestr(zipfile.ZipInfo(f"archive/{name}"), content)

model = io.BytesIO()
sentencepiece.SentencePieceTrainer.train(
    sentence_iterator=iter(["the whale swims in the sea"] * 50),
    model_writer=model,
    vocab_size=24,
    model_type="bpe",
    normalization_rule_name="identity",
    hard_vocab_limit=False,
)
(folder / "tokenizer.model").write_bytes(model.getvalue())

writer = GGUFWriter(folder / "model.gguf", "llama")
writer.add_tensor("token_embd.weight", table)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()

text = "The whale swims in the sea.\n"
words = "3 2\na 0 1\nb 2 3\nc 4 5\n"
(folder / "words.txt").write_text(words)
(folder / "gzip.bin").write_bytes(gzip.compress(words.encode(), mtime=0))
(folder / "xz.bin").write_bytes(lzma.compress(words.encode()))
(folder / "bzip2.bin").write_bytes(bz2.compress(words.encode()))
for encoding in ("utf-16", "utf-16-be", "utf-16-le", "utf-32", "utf-8-sig"):
    (folder / f"{encoding}.txt").write_bytes(words.encode(encoding))
(folder / "o200k.tiktoken").write_text("".join(f"{base64.b64encode(bytes([byte])).decode()} {rank}\n" for rank, byte in enumerate(b"!\"#$")))
with tarfile.open(folder / "files.tar", "w") as archive:
    entry = tarfile.TarInfo("words.txt")
    entry.size = len(words)
    archive.addfile(entry, io.BytesIO(words.encode()))
