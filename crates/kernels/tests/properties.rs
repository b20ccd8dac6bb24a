//! All instruction sets agree with the naive loop, for arbitrary sizes, numbers and offsets.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use proptest::prelude::*;
use tokenbed_kernels::dispatch;
use tokenbed_kernels::ids::CheckedIds;
use tokenbed_kernels::ops::lookup::embed::Embed;
use tokenbed_kernels::ops::lookup::layer_norm::Norm;
use tokenbed_kernels::rows::added::{Added, Along};
use tokenbed_kernels::rows::store::Store;
use tokenbed_testkit::compare::{assert_same_bits, assert_same_values};
use tokenbed_testkit::place::{Guarded, Placed};
use tokenbed_testkit::{naive, property};

const SENTRY: f32 = -12345.5;

/// A table of arbitrary bits, with ids and positions into it.
#[derive(Clone, Debug)]
struct Case {
    dim: usize,
    rows: usize,
    table: Vec<u32>,
    ids: Vec<u32>,
    positions: Vec<u32>,
    offsets: (usize, usize),
    store: Store,
    scale: u32,
    added: usize,
    normed: bool,
}

/// Bits of numbers of moderate size, so that sums are meaningful.
fn moderate() -> impl Strategy<Value = u32> {
    (-8f32..8.0).prop_map(f32::to_bits)
}

fn cases() -> impl Strategy<Value = Case> {
    let sizes = (0..70usize, 1..12usize, 0..40usize, any::<bool>());
    sizes.prop_flat_map(|(dim, rows, len, wild)| {
        let ids = || prop::collection::vec(0..rows as u32, len);
        let store = prop_oneof![Just(Store::Cached), Just(Store::Streaming)];
        let bits = if wild { any::<u32>().boxed() } else { moderate().boxed() };
        let table = prop::collection::vec(bits, rows * dim);
        let scale = prop_oneof![Just(1f32.to_bits()), moderate()];
        let what = (scale, 0..3usize, any::<bool>());
        (table, ids(), ids(), (0..17usize, 0..17usize), store, what).prop_map(
            move |(table, ids, positions, offsets, store, (scale, added, normed))| Case {
                dim,
                rows,
                table,
                ids,
                positions,
                offsets,
                store,
                scale,
                added,
                normed,
            },
        )
    })
}

proptest! {
    #![proptest_config(property::cases(1000))]

    #[test]
    fn rows_are_the_same_everywhere(case in cases()) {
        let Case { dim, rows, store, ref ids, ref positions, offsets, .. } = case;
        let table: Vec<f32> = case.table.iter().map(|&bits| f32::from_bits(bits)).collect();
        let table = Placed::new(&table, offsets.0);
        let copied = naive::gather(&table, dim, ids);
        let scalar = dispatch::available().next().expect("the scalar one is everywhere");
        for kernels in dispatch::available() {
            let name = kernels.isa().name();
            let (ids, positions) = (Placed::new(ids, offsets.1), Placed::new(positions, offsets.0));
            let ids = CheckedIds::new(kernels, &ids, rows).expect("generated below");
            let positions = CheckedIds::new(kernels, &positions, rows).expect("generated below");
            let mut out = Guarded::new(copied.len(), offsets.1, SENTRY);
            kernels.gather_with(store, &table, dim, ids, &mut out);
            out.assert_guards();
            assert_same_bits(&out, &copied, &name);
            // With all parts of the op, or none, compared with the scalar reference.
            let more = Added { table: &table, along: Along::Each(positions) };
            let added = [[None, None], [Some(more), None], [Some(more), Some(more)]][case.added];
            let parameters = (&table[..dim], &table[(rows - 1) * dim..]);
            let norm = case.normed.then_some(Norm { weight: parameters.0, bias: parameters.1, eps: 1e-5 });
            let op = Embed { table: &table, dim, ids, scale: f32::from_bits(case.scale), added, norm };
            kernels.embed_with(store, &op, &mut out);
            out.assert_guards();
            let mut wanted = vec![SENTRY; out.len()];
            scalar.embed_with(Store::Cached, &op, &mut wanted);
            assert_same_values(&out, &wanted, &name);
            if case.added == 1 && case.scale == 1f32.to_bits() && !case.normed {
                assert_same_values(&out, &naive::gather_add(&table, &table, dim, &case.ids, &case.positions), &name);
            }
        }
    }

    #[test]
    fn ids_are_good_when_each_is(ids in prop::collection::vec(any::<u32>(), 0..200), rows in any::<u32>(), small in any::<bool>()) {
        let rows = if small { rows % 40 } else { rows } as usize;
        let ids: Vec<u32> = if small { ids.iter().map(|id| id % 21).collect() } else { ids };
        let good = ids.iter().all(|&id| (id as usize) < rows);
        let signed: Vec<i32> = ids.iter().map(|&id| id.cast_signed()).collect();
        let good_signed = signed.iter().all(|&id| id >= 0 && (id as usize) < rows);
        for kernels in dispatch::available() {
            prop_assert_eq!(CheckedIds::new(kernels, &ids, rows).is_some(), good);
            prop_assert_eq!(CheckedIds::from_signed(kernels, &signed, rows).is_some(), good_signed);
        }
    }
}
