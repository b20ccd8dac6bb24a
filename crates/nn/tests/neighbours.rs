//! Nearest neighbours equal those of a plain sort, on any number of threads.

use proptest::prelude::*;
use tokenbed_kernels::dispatch;
use tokenbed_nn::neighbours::{Asked, Neighbour, Rows, nearest, nearest_of_each, norms, similarities};
use tokenbed_testkit::property;
use tokenbed_testkit::random::Random;
use tokenbed_threads::set_num_threads;

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum::<f64>();
    let norms = dot(a, a).sqrt() * dot(b, b).sqrt();
    if norms > 0.0 { dot(a, b) / norms } else { 0.0 }
}

/// The expected neighbours, from a sort of all similarities.
fn sorted(similarities: &[f32], top: usize, without: &[u32]) -> Vec<Neighbour> {
    let all = similarities.iter().enumerate().map(|(id, &similarity)| Neighbour { id: id as u32, similarity });
    let mut all: Vec<_> = all.filter(|n| !n.similarity.is_nan() && !without.contains(&n.id)).collect();
    all.sort_by(|a, b| b.similarity.total_cmp(&a.similarity).then(a.id.cmp(&b.id)));
    all.truncate(top);
    all
}

#[test]
fn gives_the_same_on_every_instruction_set_and_any_number_of_threads() {
    let mut random = Random::new(3);
    let (rows, dim) = (20_001, 67);
    let mut elements = random.units(rows * dim);
    // Some rows are equal, zeros, NaN or infinite.
    elements.copy_within(5 * dim..6 * dim, 17 * dim);
    elements.copy_within(5 * dim..6 * dim, 20_000 * dim);
    elements[3 * dim..4 * dim].fill(0.0);
    elements[4 * dim] = f32::NAN;
    let query = elements[5 * dim..6 * dim].to_vec();
    let table = Rows::new(&elements, rows, dim).unwrap();
    let mut first: Option<Vec<f32>> = None;
    for threads in [1, 2, 3, 8] {
        set_num_threads(threads).unwrap();
        for kernels in dispatch::available() {
            let mut all = vec![f32::INFINITY; rows];
            similarities(kernels, table, &query, &mut all).unwrap();
            assert!(all[4].is_nan() && all[3] == 0.0);
            for (i, &similarity) in all.iter().enumerate().filter(|&(i, _)| i != 4) {
                let wanted = cosine(&query, &elements[i * dim..(i + 1) * dim]);
                assert!((f64::from(similarity) - wanted).abs() < 1e-6, "row {i}: {similarity} is not {wanted}");
            }
            for (top, without) in
                [(0, vec![]), (1, vec![]), (10, vec![5]), (3, vec![5, 17, 20_000]), (rows + 5, vec![])]
            {
                let found = nearest(kernels, table, &query, top, &without).unwrap();
                assert_eq!(found, sorted(&all, top, &without), "{} top {top}", kernels.isa().name());
            }
            let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            let before = first.get_or_insert_with(|| all.clone());
            let differs = bits(before).iter().zip(bits(&all)).position(|(a, b)| *a != b);
            assert!(differs.is_none_or(|at| at == 4), "{} threads {threads} at {differs:?}", kernels.isa().name());
        }
    }
    let best = nearest(dispatch::active(), table, &query, 4, &[]).unwrap();
    assert_eq!(best[..3].iter().map(|n| n.id).collect::<Vec<_>>(), [5, 17, 20_000]);
    set_num_threads(1).unwrap();
}

#[test]
fn queries_and_rows_without_a_direction() {
    let elements = [1.0, 0.0, 0.0, 1.0];
    let table = Rows::new(&elements, 2, 2).unwrap();
    let found = nearest(dispatch::active(), table, &[0.0, 0.0], 5, &[]).unwrap();
    assert_eq!(found.iter().map(|n| (n.id, n.similarity)).collect::<Vec<_>>(), [(0, 0.0), (1, 0.0)]);
    assert!(nearest(dispatch::active(), table, &[f32::NAN, 0.0], 5, &[]).is_err());
    assert!(nearest(dispatch::active(), table, &[f32::INFINITY, 0.0], 5, &[]).is_err());
    assert!(nearest(dispatch::active(), table, &[1.0], 5, &[]).is_err());
    assert!(similarities(dispatch::active(), table, &[1.0, 1.0], &mut [0.0]).is_err());
    assert!(Rows::new(&elements, 3, 2).is_err() && Rows::new(&elements, 4, 0).is_err());
    let none = Rows::new(&[], 0, 2).unwrap();
    assert!(nearest(dispatch::active(), none, &[1.0, 1.0], 5, &[]).unwrap().is_empty());
}

proptest! {
    #![proptest_config(property::cases(100))]

    #[test]
    fn as_a_sort_has_it(rows in 0..700usize, dim in 1..40usize, top in 0..30usize, seed in any::<u64>()) {
        let mut random = Random::new(seed);
        // There are few distinct values, so many rows are equally similar.
        let elements: Vec<_> = random.units(rows * dim).iter().map(|x| (x * 2.0).round()).collect();
        let query: Vec<_> = random.units(dim).iter().map(|x| (x * 2.0).round()).collect();
        let table = Rows::new(&elements, rows, dim).unwrap();
        let mut all = vec![0.0; rows];
        similarities(dispatch::active(), table, &query, &mut all).unwrap();
        prop_assert_eq!(nearest(dispatch::active(), table, &query, top, &[1]).unwrap(), sorted(&all, top, &[1]));
    }
}

#[test]
fn several_queries_have_the_neighbours_that_each_has_alone() {
    let (rows, dim) = (3001, 37);
    let elements = Random::new(5).units(rows * dim);
    let table = Rows::new(&elements, rows, dim).unwrap();
    let mut lengths = vec![0.0; rows];
    for kernels in dispatch::available() {
        norms(kernels, table, &mut lengths).unwrap();
        let kept = table.with_norms(&lengths).unwrap();
        let asked: Vec<_> = (0..9).map(|i| Asked { query: &elements[i * dim..(i + 1) * dim], without: &[] }).collect();
        let together = nearest_of_each(kernels, table, &asked, 7).unwrap();
        assert_eq!(nearest_of_each(kernels, kept, &asked, 7).unwrap(), together);
        for (one, found) in asked.iter().zip(&together) {
            assert_eq!(&nearest(kernels, table, one.query, 7, &[]).unwrap(), found);
        }
    }
    assert!(table.with_norms(&lengths[1..]).is_err());
    assert!(norms(dispatch::active(), table, &mut lengths[1..]).is_err());
}
