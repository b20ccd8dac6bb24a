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

# Fuzz a target for some seconds: encode or vocabulary (of text), safetensors or word2vec (of io): needs a nightly Rust, cargo-fuzz and a C++ compiler
fuzz crate target seconds="300":
    mkdir -p crates/{{ crate }}/fuzz/corpus/{{ target }}
    cd crates/{{ crate }} && cargo +nightly fuzz run {{ target }} fuzz/corpus/{{ target }} fuzz/seeds/{{ target }} -- -max_total_time={{ seconds }} -max_len=600

# Format Rust
fmt:
    cargo fmt --all
    cd crates/text/fuzz && cargo fmt
    cd crates/io/fuzz && cargo fmt

# Cargo for arm64 Linux; without arguments the tests of the kernels, imitated by QEMU
arm64 *arguments:
    node scripts/arm64.mjs {{ arguments }}

# The unsafe crates under AddressSanitizer: needs a nightly Rust, on x86-64 Linux
asan:
    RUSTFLAGS=-Zsanitizer=address cargo +nightly test -p tokenbed-kernels -p tokenbed-core -p tokenbed-threads -p tokenbed-nn -p tokenbed-io --target x86_64-unknown-linux-gnu
