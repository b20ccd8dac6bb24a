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

# Format Rust
fmt:
    cargo fmt --all

# The unsafe crates under AddressSanitizer: needs a nightly Rust, on x86-64 Linux
asan:
    RUSTFLAGS=-Zsanitizer=address cargo +nightly test -p tokenbed-kernels -p tokenbed-core -p tokenbed-io --target x86_64-unknown-linux-gnu
