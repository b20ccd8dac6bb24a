# The commands of the project: `just` lists them. Each is also an npm script or a plain command, as it stands here.

@_default:
    {{ just_executable() }} --list

# Build what is missing or stale
build:
    npm run build

# Every check and every test
test:
    npm test

# The rules of the house alone
check:
    npm run check

# The benchmarks
bench *arguments:
    npm run bench -- {{ arguments }}

# The benchmarks, against other packages too, which it installs in bench/
bench-peers *arguments:
    npm run bench:peers -- {{ arguments }}

# Fuzz a target for some seconds: of text encode, vocabulary, tokenizer_json, tokenizer_parts, pattern; of io safetensors, npy, gguf, word2vec, text_file, writers; of train checkpoint, generator: needs a nightly Rust, cargo-fuzz and a C++ compiler
fuzz crate target seconds="300":
    mkdir -p crates/{{ crate }}/fuzz/corpus/{{ target }}
    cd crates/{{ crate }} && cargo +nightly fuzz run {{ target }} fuzz/corpus/{{ target }} fuzz/seeds/{{ target }} -- -max_total_time={{ seconds }} -max_len=600 -rss_limit_mb=4096 -timeout=60

# Fuzz a model's model.json for some seconds, after a build
fuzz-model-json seconds="300" seed="1":
    node dist/__test__/support/fuzz-model-json.js {{ seconds }} {{ seed }}

# Fuzz the public API for some seconds; `--seed N --steps M` repeats a run, `--each` calls everything with everything once
fuzz-api *arguments:
    node scripts/fuzz-api.mjs {{ arguments }}

# Format TypeScript and Rust, and wrap comments
format:
    npm run format

# Cargo for arm64 Linux; without arguments the tests of the kernels, imitated by QEMU
arm64 *arguments:
    node scripts/arm64.mjs {{ arguments }}

# All crates under AddressSanitizer: needs a nightly Rust, on x86-64 Linux
asan:
    RUSTFLAGS=-Zsanitizer=address cargo +nightly test --workspace --exclude tokenbed-node --target x86_64-unknown-linux-gnu --target-dir target/asan

# The addon under AddressSanitizer, in Node, with the specs: needs a nightly Rust and GCC's library, on x86-64 Linux
asan-node *specs:
    npm run asan -- {{ specs }}

# Threads under ThreadSanitizer, with a standard library that it sees: needs a nightly Rust with rust-src, on x86-64 Linux
tsan:
    RUSTFLAGS=-Zsanitizer=thread cargo +nightly test -Zbuild-std -p tokenbed-threads -p tokenbed-kernels -p tokenbed-core -p tokenbed-train --target x86_64-unknown-linux-gnu --target-dir target/tsan

# Storage, but for mapped files, under Miri, which sees what unsafe code may not do: needs a nightly Rust with miri and rust-src
miri:
    MIRIFLAGS=-Zmiri-disable-isolation cargo +nightly miri test -p tokenbed-core --lib --target-dir target/miri storage -- --skip file --skip mapp --skip absurd

# The pool of threads under loom, which tries the orders in which they may come
loom:
    cargo test --release --locked --manifest-path crates/threads/loom/Cargo.toml --target-dir target/loom

# Saves and reads under faults, kills and power cuts, on x86-64 Linux; --short for a minute of it
faults *arguments:
    npm run faults -- {{ arguments }}
