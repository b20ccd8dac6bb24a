//! Every op in the lists of the rooms, on every instruction set of this machine: it gives the bits of the reference,
//! and writes nothing outside the results.

use tokenbed_kernels::probe::{Probe, Results};
use tokenbed_kernels::{dispatch, isa, ops};

fn results(probe: &Probe, kernels: dispatch::Kernels, size: usize) -> Results {
    let mut results = Results::default();
    (probe.run)(kernels, size, &mut results);
    results
}

#[test]
fn instruction_sets_give_the_bits_of_the_reference() {
    for probe in ops::all() {
        for &size in probe.sizes {
            let wanted = results(probe, dispatch::scalar(), size);
            assert!(wanted.bytes > 0, "{} of {size} has no results", probe.name);
            for kernels in dispatch::available() {
                assert_eq!(results(probe, kernels, size), wanted, "{} of {size} on {:?}", probe.name, kernels.isa());
            }
        }
    }
}

/// Otherwise tests meant for one instruction set could silently run another.
#[test]
fn the_forced_instruction_set_is_in_use() {
    let forced = std::env::var(isa::ISA_VARIABLE).ok().filter(|name| !name.is_empty());
    let active = dispatch::try_active().expect("what is forced is available").isa();
    assert_eq!(Some(active.name()), forced.as_deref().or(isa::available().last().map(isa::Isa::name)));
}

#[test]
fn names_are_unique() {
    let names: std::collections::BTreeSet<_> = ops::all().map(|probe| probe.name).collect();
    assert_eq!(names.len(), ops::all().count());
}
