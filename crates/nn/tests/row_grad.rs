//! Gradients as rows: the order of ids equals a stable sort, shares cover every row once, and sums follow the order of
//! the ids whatever the shares.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use tokenbed_kernels::dispatch;
use tokenbed_nn::row_grad::{
    GradRows, Hot, Order, OrderOut, OrderScratch, Pending, Rows, add_rows, for_each_share, merge_rows, merged_ids,
    parts, parts_by_row, shares, sum_dense, sum_rows,
};
use tokenbed_testkit::compare::assert_same_bits;
use tokenbed_testkit::random::{DIMS, Random};

/// An order that owns its memory.
struct Sorted {
    ids: Vec<u32>,
    starts: Vec<u32>,
    places: Vec<u32>,
}

impl Sorted {
    fn new(ids: &[u32], rows: usize, skipped: Option<u32>) -> Self {
        let n = ids.len();
        let (mut unique, mut starts, mut places) = (vec![0; n], vec![0; n + 1], vec![0; n]);
        let mut out = OrderOut { ids: &mut unique, starts: &mut starts, places: &mut places };
        let (count, kept) = OrderScratch::default().sort(ids, rows, skipped, &mut out).expect("sizes fit");
        unique.truncate(count);
        starts.truncate(count + 1);
        places.truncate(kept);
        Self { ids: unique, starts, places }
    }

    fn order(&self) -> Order<'_> {
        Order::new(&self.ids, &self.starts, &self.places).expect("a good order")
    }
}

/// Ids with a few frequent ones: id k occurs about as often as 1 / (k + 1).
fn zipf(random: &mut Random, len: usize, rows: usize) -> Vec<u32> {
    (0..len).map(|_| ((rows as f64).powf((random.unit() + 1.0) / 2.0) as usize - 1).min(rows - 1) as u32).collect()
}

fn batches() -> Vec<(Vec<u32>, usize)> {
    let mut random = Random::new(3);
    let mut batches = vec![(Vec::new(), 0), (Vec::new(), 7), (vec![0], 1), (vec![5, 5, 5], 6)];
    // Sorted directly, counted, and sorted by one, two and three digits.
    for (len, rows) in [(256, 10), (257, 2000), (300, 4801), (300, 1 << 20), (1000, 3_000_000_000), (5000, 50)] {
        batches.push((random.ids(len, rows), rows));
        batches.push((zipf(&mut random, len, rows), rows));
    }
    batches
}

#[test]
fn an_order_equals_a_stable_sort() {
    for (ids, rows) in batches() {
        for skipped in [None, ids.first().copied(), Some(u32::MAX - 1)] {
            let sorted = Sorted::new(&ids, rows, skipped);
            let mut wanted: Vec<(u32, u32)> =
                ids.iter().copied().zip(0..).filter(|&(id, _)| Some(id) != skipped).collect();
            wanted.sort_by_key(|&(id, _)| id);
            let order = sorted.order();
            let ours: Vec<(u32, u32)> = (0..order.ids().len())
                .flat_map(|i| {
                    let places = order.starts()[i] as usize..order.starts()[i + 1] as usize;
                    order.places()[places].iter().map(move |&place| (order.ids()[i], place))
                })
                .collect();
            assert_eq!(ours, wanted, "{} ids of {rows} rows", ids.len());
        }
    }
}

#[test]
fn an_order_needs_room() {
    let mut out = OrderOut { ids: &mut [0; 2], starts: &mut [0; 3], places: &mut [0; 2] };
    assert!(OrderScratch::default().sort(&[1, 2, 3], 4, None, &mut out).is_err());
}

#[test]
fn rejects_bad_orders() {
    assert!(Order::new(&[2, 1], &[0, 1, 2], &[0, 1]).is_err());
    assert!(Order::new(&[1, 1], &[0, 1, 2], &[0, 1]).is_err());
    assert!(Order::new(&[1, 2], &[0, 2, 1], &[0]).is_err());
    assert!(Order::new(&[1, 2], &[1, 1, 2], &[0, 1]).is_err());
    assert!(Order::new(&[1, 2], &[0, 1, 2], &[0]).is_err());
    assert!(Order::new(&[1, 2], &[0, 1], &[0]).is_err());
    let order = Order::new(&[1, 2], &[0, 1, 2], &[0, 3]).expect("a good order");
    assert!(Pending::new(dispatch::active(), order, &[1.0; 6], 2, None).is_err(), "place 3 of 3 rows");
    assert!(Pending::new(dispatch::active(), order, &[1.0; 9], 2, None).is_err(), "no whole rows");
    assert!(Pending::new(dispatch::active(), order, &[1.0; 8], 2, Some(&[1.0])).is_err(), "one coefficient");
    assert!(Pending::new(dispatch::active(), order, &[], 0, None).is_err(), "no columns");
    assert!(Rows::new(&[1, 2], &[1.0; 3], 2).is_err());
    assert!(Rows::new(&[2, 2], &[1.0; 4], 2).is_err());
}

/// Shares of any number cover each row and column once, ascending; whole shares never divide a row.
#[test]
fn shares_cover_all_once() {
    for (ids, rows) in batches() {
        let sorted = Sorted::new(&ids, rows, None);
        for dim in [1, 15, 16, 17, 100] {
            let grad = vec![0.0; ids.len() * dim];
            let pending = Pending::new(dispatch::active(), sorted.order(), &grad, dim, None).expect("sizes fit");
            for wanted in [1, 2, 3, 16, 64] {
                for hot in [Hot::Split, Hot::Whole] {
                    let shares = shares::shares_of(&pending, wanted, hot);
                    let (mut row, mut column) = (0, 0);
                    for share in &shares {
                        assert!(!share.rows.is_empty() && !share.columns.is_empty());
                        assert_eq!((share.rows.start, share.columns.start), (row, column));
                        assert!(share.columns == (0..dim) || (share.rows.len() == 1 && hot == Hot::Split));
                        column = if share.columns.end == dim { 0 } else { share.columns.end };
                        row = if column == 0 { share.rows.end } else { row };
                    }
                    assert_eq!((row, column), (sorted.ids.len(), 0));
                }
            }
        }
    }
}

/// A share costs at most about what it would if all were equal, plus one row of 16 columns.
#[test]
fn shares_cost_about_the_same() {
    let mut random = Random::new(5);
    let (dim, rows) = (768, 5000);
    let sorted = Sorted::new(&zipf(&mut random, 20_000, rows), rows, None);
    let grad = vec![0.0; 20_000 * dim];
    let pending = Pending::new(dispatch::active(), sorted.order(), &grad, dim, None).expect("sizes fit");
    let shares = shares::shares_of(&pending, 16, Hot::Split);
    let cost = |share: &shares::Share| {
        share.rows.clone().map(|i| (1 + pending.occurrences(i)) * share.columns.len()).sum::<usize>()
    };
    let total: usize = shares.iter().map(cost).sum();
    for share in &shares {
        assert!(cost(share) <= total.div_ceil(16) + 16 * 20_000, "{share:?} costs {} of {total}", cost(share));
    }
}

/// Adds the gradient to a table, by shares with a part each, and compares with one loop over the ids.
#[test]
fn a_table_is_updated_by_shares() {
    let mut random = Random::new(7);
    for dim in DIMS {
        let rows = 300;
        let ids = zipf(&mut random, 700, rows);
        let (table, grad) = (random.units(rows * dim), random.units(ids.len() * dim));
        let coefficients = random.units(ids.len());
        let sorted = Sorted::new(&ids, rows, Some(3));
        let order = sorted.order();
        let by_place: Vec<f32> = order.places().iter().map(|&place| coefficients[place as usize]).collect();
        for coefficient in [None, Some(&by_place[..])] {
            let mut sums = vec![0.0f32; rows * dim];
            for (i, &id) in ids.iter().enumerate().filter(|&(_, &id)| id != 3) {
                for (sum, g) in sums[id as usize * dim..][..dim].iter_mut().zip(&grad[i * dim..]) {
                    *sum = if coefficient.is_some() { g.mul_add(coefficients[i], *sum) } else { *sum + g };
                }
            }
            let wanted: Vec<f32> = table.iter().zip(&sums).map(|(x, g)| x + g).collect();
            let pending = Pending::new(dispatch::active(), order, &grad, dim, coefficient).expect("sizes fit");
            for number in [1, 2, 5, 16, 40] {
                let shares = shares::shares_of(&pending, number, Hot::Split);
                let mut ours = table.clone();
                let with = parts(&shares, pending.ids(), dim, &mut ours);
                for_each_share(&shares, with, 1 << 30, |share, part| {
                    let mut scratch = vec![0.0; share.columns.len()];
                    for i in share.rows.clone() {
                        let row = pending.row(i, share.columns.clone(), &mut scratch);
                        let at = share.at(pending.ids(), i, dim);
                        part[at..].iter_mut().zip(row).for_each(|(x, g)| *x += g);
                    }
                });
                assert_same_bits(&ours, &wanted, &format!("dim {dim} in {number}"));

                let shares = shares::shares_of(&pending, number, Hot::Whole);
                let mut counts = vec![0usize; rows];
                let with = parts_by_row(&shares, pending.ids(), 1, &mut counts);
                for_each_share(&shares, with, 1 << 30, |share, part| {
                    for i in share.rows.clone() {
                        part[share.at(pending.ids(), i, 1)] += pending.occurrences(i);
                    }
                });
                let occurs = |row: u32| if row == 3 { 0 } else { ids.iter().filter(|&&id| id == row).count() };
                assert_eq!(counts, (0..rows as u32).map(occurs).collect::<Vec<_>>());
            }
        }
    }
}

/// The whole gradient of a table, by one loop over the ids.
fn naive(ids: &[u32], rows: usize, dim: usize, grad: &[f32], coefficients: Option<&[f32]>) -> Vec<f32> {
    let mut sums = vec![0.0f32; rows * dim];
    for (i, &id) in ids.iter().enumerate() {
        for (sum, g) in sums[id as usize * dim..][..dim].iter_mut().zip(&grad[i * dim..]) {
            *sum = coefficients.map_or(*sum + g, |c| g.mul_add(c[i], *sum));
        }
    }
    sums
}

/// Rows and whole gradients have the same bits as one loop, on every number of threads.
#[test]
fn sums_have_the_same_bits_at_any_number_of_threads() {
    let mut random = Random::new(9);
    for (rows, len, dim) in [(50, 3000, 33), (700, 900, 64), (4000, 300, 17), (3, 5000, 100), (5, 0, 7), (1, 1, 1)] {
        for ids in [random.ids(len, rows), zipf(&mut random, len, rows)] {
            let (grad, factors) = (random.units(len * dim), random.units(len));
            let sorted = Sorted::new(&ids, rows, None);
            let order = sorted.order();
            let by_place: Vec<f32> = order.places().iter().map(|&place| factors[place as usize]).collect();
            for (coefficients, factors) in [(None, None), (Some(&by_place[..]), Some(&factors[..]))] {
                let wanted = naive(&ids, rows, dim, &grad, factors);
                for threads in [1, 2, 8] {
                    tokenbed_threads::set_num_threads(threads).expect("a good number");
                    for kernels in dispatch::available() {
                        let what = format!("{len} x {dim} of {rows}, {threads} threads, {}", kernels.isa().name());
                        let pending = Pending::new(kernels, order, &grad, dim, coefficients).expect("sizes fit");
                        let mut dense = vec![f32::NAN; rows * dim];
                        sum_dense(&pending, rows, &mut dense).expect("sizes fit");
                        assert_same_bits(&dense, &wanted, &what);

                        let mut sums = vec![f32::NAN; order.ids().len() * dim];
                        sum_rows(&pending, &mut sums).expect("sizes fit");
                        let mut spread = vec![0.0; rows * dim];
                        add_rows(&Rows::new(order.ids(), &sums, dim).expect("sizes fit"), rows, &mut spread)
                            .expect("sizes fit");
                        assert_same_bits(&spread, &wanted, &what);

                        let mut twice = wanted.clone();
                        add_rows(&pending, rows, &mut twice).expect("sizes fit");
                        let doubled: Vec<f32> = wanted.iter().map(|x| x + x).collect();
                        assert_same_bits(&twice, &doubled, &what);
                    }
                }
            }
        }
    }
}

#[test]
fn rows_are_rounded_to_the_type_of_their_table() {
    use tokenbed_kernels::half::{f16_to_f32, f32_to_f16};
    use tokenbed_kernels::rows::format::OutFormat;
    let sorted = Sorted::new(&[1, 0, 1], 2, None);
    // The last sum is too small for float16: it becomes zero, without a sign.
    let grad = [0.1, -1e-9, 0.3, 0.0, 0.2, 0.0];
    let pending = Pending::new(dispatch::active(), sorted.order(), &grad, 2, None).expect("sizes fit");
    let mut out = [f32::NAN; 4];
    sum_rows(&pending.of_type(OutFormat::Float16), &mut out).expect("sizes fit");
    let half = |x: f32| f16_to_f32(f32_to_f16(x));
    assert_same_bits(&out, &[half(0.3), 0.0, half(0.1 + 0.2), 0.0], &"rounded once");
}

/// Merged rows equal those of the sum of two whole gradients.
#[test]
fn merges_rows_of_two_gradients() {
    use tokenbed_kernels::rows::format::OutFormat;
    let mut random = Random::new(13);
    let (rows, dim) = (40, 19);
    for (len_a, len_b) in [(30, 50), (0, 10), (10, 0), (0, 0), (25, 25)] {
        let mut of = |len: usize| {
            let sorted = Sorted::new(&random.ids(len, rows), rows, None);
            let elements = random.units(sorted.ids.len() * dim);
            (sorted.ids, elements)
        };
        let (a, b) = (of(len_a), of(len_b));
        let [x, y] = [&a, &b].map(|(ids, elements)| Rows::new(ids, elements, dim).expect("sizes fit"));
        let mut ids = vec![0; a.0.len() + b.0.len()];
        let count = merged_ids(&a.0, &b.0, &mut ids).expect("room");
        let mut sums = vec![f32::NAN; count * dim];
        merge_rows(x, y, OutFormat::Float32, &mut sums).expect("sizes fit");
        let mut ours = vec![0.0; rows * dim];
        add_rows(&Rows::new(&ids[..count], &sums, dim).expect("they ascend"), rows, &mut ours).expect("sizes fit");
        let mut wanted = vec![0.0; rows * dim];
        add_rows(&x, rows, &mut wanted).expect("sizes fit");
        add_rows(&y, rows, &mut wanted).expect("sizes fit");
        assert_same_bits(&ours, &wanted, &format!("{len_a} and {len_b} ids"));
    }
}

#[test]
fn rejects_tables_that_lack_rows() {
    let sorted = Sorted::new(&[1, 4], 5, None);
    let grad = [1.0; 6];
    let pending = Pending::new(dispatch::active(), sorted.order(), &grad, 3, None).expect("sizes fit");
    assert!(sum_dense(&pending, 4, &mut [0.0; 12]).is_err(), "row 4 of 4");
    assert!(sum_dense(&pending, 5, &mut [0.0; 14]).is_err());
    assert!(add_rows(&pending, 4, &mut [0.0; 12]).is_err(), "row 4 of 4");
    assert!(sum_rows(&pending, &mut [0.0; 5]).is_err());
}
