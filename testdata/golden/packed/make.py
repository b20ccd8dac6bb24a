"""Writes the compressed files beside this script with gzip (of Python 3.11) and the zstd program (1.5.4).

    python3 testdata/golden/packed/make.py

All of them hold the text of text(), which crates/io/tests/text.rs and __test__/text/stream.spec.ts write out again.
"""

import gzip
import struct
import subprocess
from pathlib import Path

HERE = Path(__file__).parent


def text():
    return "".join(f"{i}: The whale, Wal, baleine, кит, 鯨, 🐋.\n" for i in range(3000)).encode()


def zstd(data, *options):
    return subprocess.run(["zstd", "-q", "-c", *options], input=data, stdout=subprocess.PIPE, check=True).stdout


def gz(data):
    return gzip.compress(data, 9, mtime=0)


def main():
    whole = text()
    parts = [whole[:1], whole[1:50_001], b"", whole[50_001:]]
    skippable = struct.pack("<II", 0x184D2A53, 5) + b"12345"
    files = {
        "whole.txt.gz": gz(whole),
        "members.txt.gz": b"".join(map(gz, parts)),
        "whole.txt.zst": zstd(whole, "-19"),
        "unchecked.txt.zst": zstd(whole, "--no-check"),
        "frames.txt.zst": skippable + b"".join(map(zstd, parts)) + skippable,
        "long.txt.zst": zstd(whole, "--ultra", "-22", "--long=27"),
    }
    for name, data in files.items():
        (HERE / name).write_bytes(data)


main()
