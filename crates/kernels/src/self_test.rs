//! Compares every op on every instruction set of this machine with the scalar one, which defines the results.
//! `tokenbed doctor` runs it where no tests are available.

use crate::dispatch::{self, Kernels};
use crate::isa::Isa;
use crate::ops;
use crate::probe::{Probe, Results};

/// The results of one line's ops on one instruction set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tested {
    /// The line: an op, or several that belong together.
    pub op: &'static str,
    /// The instruction set.
    pub isa: Isa,
    /// Whether all results have the bits of the scalar ones, and nothing was written outside them.
    pub ok: bool,
    /// The FNV-1a digest of the bytes of all results: the same on every machine.
    pub digest: u64,
}

/// Runs every op on every instruction set that this machine has, beginning with plain Rust.
pub fn self_test() -> Vec<Tested> {
    let lines = lines();
    let wanted: Vec<Results> = lines.iter().map(|probes| run(probes, dispatch::scalar())).collect();
    let mut tested = Vec::new();
    for kernels in dispatch::available() {
        for (probes, wanted) in lines.iter().zip(&wanted) {
            let results = run(probes, kernels);
            let (op, isa) = (probes[0].line, kernels.isa());
            tested.push(Tested { op, isa, ok: results == *wanted, digest: results.digest });
        }
    }
    tested
}

/// The probes of each line, in the order of the rooms.
fn lines() -> Vec<Vec<&'static Probe>> {
    let mut lines: Vec<Vec<&Probe>> = Vec::new();
    for probe in ops::all() {
        match lines.iter_mut().find(|probes| probes[0].line == probe.line) {
            Some(probes) => probes.push(probe),
            None => lines.push([probe].into()),
        }
    }
    lines
}

/// The results of a line, size by size, and within a size op by op.
fn run(probes: &[&Probe], kernels: Kernels) -> Results {
    let mut results = Results::default();
    for &size in probes[0].sizes {
        for probe in probes {
            (probe.run)(kernels, size, &mut results);
        }
    }
    results
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instruction_set_passes_and_every_line_has_results() {
        for one in self_test() {
            assert!(one.ok, "{one:?}");
        }
        for probes in lines() {
            assert!(probes.iter().all(|probe| probe.sizes == probes[0].sizes), "sizes of {}", probes[0].line);
            assert!(run(&probes, dispatch::scalar()).bytes > 300, "{}", probes[0].line);
        }
    }
}
