"""Encodes texts for main.ts: `python encode.py FILE`, with a list of texts as JSON on the standard input.

Prints a list of [ids, offsets] in characters, without what the file puts around a text.
"""

import json
import sys

import tokenizers

tokenizer = tokenizers.Tokenizer.from_file(sys.argv[1])
tokenizer.no_truncation()
tokenizer.no_padding()
found = [tokenizer.encode(text, add_special_tokens=False) for text in json.load(sys.stdin)]
print(json.dumps([[one.ids, one.offsets] for one in found]))
