# The commands of the project; `just` lists them. Each runs an npm script or the plain command that is written here.

@_default:
    {{ just_executable() }} --list

# Build what is missing or out of date
build:
    npm run build

# Run all checks and tests
test:
    npm test

# Run the checks without the tests
check:
    npm run check

# Run the benchmarks
bench *arguments:
    npm run bench -- {{ arguments }}

# Run the benchmarks, also of other packages, which this installs in bench/
bench-peers *arguments:
    npm run bench:peers -- {{ arguments }}

# Fuzz a target for some seconds; needs a nightly Rust, cargo-fuzz and a C++ compiler. Targets of text: encode, vocabulary, tokenizer_json, tokenizer_parts, engines, pattern; of io: safetensors, shards, recognised, npy, npz, torch, gguf, fasttext, tokens, records, word2vec, glove, text_file, writers; of train: checkpoint, generator
fuzz crate target seconds="300":
    mkdir -p crates/{{ crate }}/fuzz/corpus/{{ target }}
    cd crates/{{ crate }} && cargo +nightly fuzz run {{ target }} fuzz/corpus/{{ target }} fuzz/seeds/{{ target }} -- -max_total_time={{ seconds }} -max_len=600 -rss_limit_mb=4096 -timeout=60

# Fuzz the model.json of a model for some seconds, after a build
fuzz-model-json seconds="300" seed="1":
    node dist/__test__/support/fuzz-model-json.js {{ seconds }} {{ seed }}

# Fuzz the public API for some seconds; `--seed N --steps M` repeats a run, `--each` calls every function with every hostile value
fuzz-api *arguments:
    node scripts/fuzz-api.mjs {{ arguments }}

# Build the site of docs/ and check its links; `--serve` shows it
site *arguments:
    npm run site -- {{ arguments }}

# Format TypeScript and Rust, and wrap comments
format:
    npm run format

# Run Cargo for arm64 Linux; without arguments, the tests of the kernels under QEMU
arm64 *arguments:
    node scripts/arm64.mjs {{ arguments }}

# Test all crates under AddressSanitizer; needs a nightly Rust on x86-64 Linux
asan:
    RUSTFLAGS=-Zsanitizer=address cargo +nightly test --workspace --exclude tokenbed-node --target x86_64-unknown-linux-gnu --target-dir target/asan

# Run the specs in Node with the addon under AddressSanitizer; needs a nightly Rust and GCC's library on x86-64 Linux
asan-node *specs:
    npm run asan -- {{ specs }}

# Test threads under ThreadSanitizer, with an instrumented standard library; needs a nightly Rust with rust-src on x86-64 Linux
tsan:
    RUSTFLAGS=-Zsanitizer=thread cargo +nightly test -Zbuild-std -p tokenbed-threads -p tokenbed-kernels -p tokenbed-core -p tokenbed-train --target x86_64-unknown-linux-gnu --target-dir target/tsan

# Test storage, except mapped files, under Miri, which finds undefined behaviour; needs a nightly Rust with miri and rust-src
miri:
    MIRIFLAGS=-Zmiri-disable-isolation cargo +nightly miri test -p tokenbed-core --lib --target-dir target/miri storage -- --skip file --skip mapp --skip absurd

# Test the thread pool under loom, which tries the possible orders of its threads
loom:
    cargo test --release --locked --manifest-path crates/threads/loom/Cargo.toml --target-dir target/loom

# Test saves and reads under faults, kills and power cuts on x86-64 Linux; --short takes a minute
faults *arguments:
    npm run faults -- {{ arguments }}
