//! Searches, groups and clusters have the same bits on every instruction set, and are those of plain loops.

#![allow(clippy::unwrap_used, clippy::type_complexity, reason = "helpers of tests")]

use tokenbed_kernels::dispatch::{self, Kernels};
use tokenbed_kernels::rows::format::RowFormat;
use tokenbed_nn::quantize::quantize;
use tokenbed_nn::search::cluster::{Clusters, Request, cluster};
use tokenbed_nn::search::dedupe::dedupe;
use tokenbed_nn::search::rows::{Kind, SearchRows};
use tokenbed_nn::search::top_k::{Found, Metric, Queries, Search, sorted_rows, top_k};
use tokenbed_testkit::random::Random;

const METRICS: [Metric; 3] = [Metric::Cosine, Metric::Dot, Metric::Euclidean];

fn packed(format: RowFormat, elements: &[f32], dim: usize) -> Vec<u8> {
    let mut bytes = vec![0; elements.len() / dim * format.row_bytes(dim).unwrap()];
    quantize(format, elements, dim, &mut bytes).unwrap();
    bytes
}

fn found(search: &Search<'_>, queries: Queries<'_>, count: usize) -> (Vec<i32>, Vec<u32>) {
    let (mut ids, mut scores) = (vec![0; count * search.k], vec![0.0; count * search.k]);
    assert!(top_k(search, queries, &|| true, Found { ids: &mut ids, scores: &mut scores }).unwrap());
    (ids, scores.into_iter().map(f32::to_bits).collect())
}

#[test]
fn every_instruction_set_finds_the_same_with_any_number_of_queries() {
    let mut random = Random::new(3);
    let (rows, dim, count, k) = (333, 50, 37, 6);
    let (elements, queries) = (random.units(rows * dim), random.units(count * dim));
    let among = sorted_rows(&(0..rows as u32).rev().step_by(3).collect::<Vec<_>>());
    let signed: Vec<u8> = elements.iter().map(|x| (x * 127.0) as i8 as u8).collect();
    let mut tables: Vec<(Kind, Vec<u8>)> = vec![(Kind::Signed, signed)];
    tables.extend(RowFormat::ALL.map(|format| (Kind::Table(format), packed(format, &elements, dim))));
    for (kind, bytes) in &tables {
        let rows = SearchRows::new(*kind, bytes, rows, dim).unwrap();
        for metric in METRICS {
            for among in [None, Some(&among[..])] {
                let search = |kernels: Kernels| Search { kernels, rows, metric, k, among };
                let wanted = found(&search(dispatch::scalar()), Queries::Floats(&queries), count);
                for kernels in dispatch::available() {
                    let what = format!("{} {kind:?} {metric:?}", kernels.isa().name());
                    assert_eq!(found(&search(kernels), Queries::Floats(&queries), count), wanted, "{what}");
                    for (query, vector) in queries.chunks_exact(dim).enumerate().step_by(9) {
                        let (ids, scores) = found(&search(kernels), Queries::Floats(vector), 1);
                        assert_eq!(ids, wanted.0[query * k..(query + 1) * k], "{what}");
                        assert_eq!(scores, wanted.1[query * k..(query + 1) * k], "{what}");
                    }
                }
            }
        }
    }
}

#[test]
fn groups_and_clusters_are_the_same_on_every_instruction_set() {
    let mut random = Random::new(5);
    let (rows, dim, k) = (900, 19, 7);
    let mut elements = random.units(rows * dim);
    for row in (0..rows).step_by(3) {
        elements.copy_within(row / 2 * dim..(row / 2 + 1) * dim, row * dim);
    }
    let bytes = packed(RowFormat::Float32, &elements, dim);
    let table = SearchRows::new(Kind::Table(RowFormat::Float32), &bytes, rows, dim).unwrap();
    let mut first: Option<(Vec<u32>, Vec<f32>, Vec<i32>, f64)> = None;
    for kernels in dispatch::available() {
        let mut firsts = vec![0; rows];
        assert!(dedupe(kernels, table, 0.8, (&|| true, &|_| ()), &mut firsts).unwrap());
        let (mut centers, mut labels, mut inertia) = (vec![0.0; k * dim], vec![0; rows], [0.0]);
        let out = Clusters { centers: &mut centers, labels: &mut labels, inertia: &mut inertia };
        let request = Request { k, seed: 1, iterations: 50, restarts: 2 };
        assert!(cluster(kernels, table, request, &|| true, out).unwrap());
        let all = (firsts, centers, labels, inertia[0]);
        assert_eq!(*first.get_or_insert_with(|| all.clone()), all, "{}", kernels.isa().name());
    }
}

#[test]
fn work_stops_when_it_may_not_go_on() {
    let elements = Random::new(7).units(5000 * 8);
    let bytes = packed(RowFormat::Float32, &elements, 8);
    let rows = SearchRows::new(Kind::Table(RowFormat::Float32), &bytes, 5000, 8).unwrap();
    let kernels = dispatch::active();
    let search = Search { kernels, rows, metric: Metric::Dot, k: 2, among: None };
    let out = Found { ids: &mut [0; 2], scores: &mut [0.0; 2] };
    assert!(!top_k(&search, Queries::Floats(&elements[..8]), &|| false, out).unwrap());
    assert!(!dedupe(kernels, rows, 0.9, (&|| false, &|_| ()), &mut vec![0; 5000]).unwrap());
    let request = Request { k: 2, seed: 0, iterations: 5, restarts: 1 };
    let out = Clusters { centers: &mut [0.0; 16], labels: &mut vec![0; 5000], inertia: &mut [0.0] };
    assert!(!cluster(kernels, rows, request, &|| false, out).unwrap());
}

#[test]
fn refuses_what_does_not_fit() {
    let bytes = [0; 64];
    let shape = |kind, rows, dim| SearchRows::new(kind, &bytes, rows, dim).is_err();
    assert!(shape(Kind::Table(RowFormat::Float32), 4, 5) && shape(Kind::Signed, 65, 1) && shape(Kind::Bits, 8, 63));
    assert!(shape(Kind::Signed, 0, 0) && shape(Kind::Table(RowFormat::Float32), usize::MAX, 16));
    let kernels = dispatch::active();
    let rows = SearchRows::new(Kind::Table(RowFormat::Float32), &bytes, 4, 4).unwrap();
    let attempt = |k: usize, among: Option<&[u32]>, queries: Queries<'_>, metric, room: usize| {
        let search = Search { kernels, rows, metric, k, among };
        let out = Found { ids: &mut vec![0; room], scores: &mut vec![0.0; room] };
        top_k(&search, queries, &|| true, out)
    };
    let query = Queries::Floats(&[1.0; 4]);
    assert!(attempt(2, None, query, Metric::Dot, 2).is_ok());
    let wrong = [
        attempt(0, None, query, Metric::Dot, 0),
        attempt(5, None, query, Metric::Dot, 5),
        attempt(2, None, query, Metric::Dot, 3),
        attempt(2, None, query, Metric::Hamming, 2),
        attempt(2, None, Queries::Bits(&[0; 16]), Metric::Dot, 2),
        attempt(2, None, Queries::Floats(&[1.0; 3]), Metric::Dot, 2),
        attempt(2, None, Queries::Floats(&[f32::NAN; 4]), Metric::Dot, 2),
        attempt(1, Some(&[3, 1]), query, Metric::Dot, 1),
        attempt(1, Some(&[1, 4]), query, Metric::Dot, 1),
        attempt(2, Some(&[1]), query, Metric::Dot, 2),
    ];
    assert!(wrong.iter().all(std::result::Result::is_err));
}
