//! Scores with panels of vectors have the bits of scores with one, and the definition's.

use tokenbed_kernels::dispatch;
use tokenbed_kernels::ops::products::panel_scores::{PANEL, put_in_panel};
use tokenbed_kernels::ops::products::scores::{Layout, Measure, ScoredRows};
use tokenbed_kernels::rows::format::RowFormat;
use tokenbed_testkit::compare::assert_same_bits;
use tokenbed_testkit::place::{Guarded, Placed};
use tokenbed_testkit::random::Random;

const SENTRY: f32 = -12345.5;

#[test]
fn a_row_has_the_same_score_with_one_vector_and_with_a_panel() {
    let mut random = Random::new(5);
    for (rows, dim) in [(1, 1), (7, 15), (5, 16), (13, 31), (26, 64), (12, 100), (37, 300)] {
        for used in [1, 8, 9, 31, PANEL] {
            let (table, vectors) = (random.units(rows * dim), random.units(used * dim));
            let mut panel = vec![0.0; PANEL * dim];
            for (j, vector) in vectors.chunks_exact(dim).enumerate() {
                put_in_panel(&mut panel, j, vector);
            }
            let bytes: Vec<u8> = table.iter().flat_map(|x| x.to_le_bytes()).collect();
            let scored = ScoredRows { bytes: &bytes, layout: Layout::Table(RowFormat::Float32), row_bytes: 4 * dim };
            for measure in [Measure::Dots, Measure::Distances] {
                for kernels in dispatch::available() {
                    let (table, panel) = (Placed::new(&table, 3), Placed::new(&panel, 1));
                    let mut scores = Guarded::new(rows * PANEL, 1, SENTRY);
                    kernels.panel_scores(&table, &panel, used, measure, &mut scores);
                    scores.assert_guards();
                    for (j, vector) in vectors.chunks_exact(dim).enumerate() {
                        let column: Vec<f32> = scores.iter().skip(j).step_by(PANEL).copied().collect();
                        let mut alone = vec![0.0; rows];
                        dispatch::scalar().scores_of(scored, vector, measure, &mut alone, None);
                        let what = format!("{} dim {dim} vector {j} {measure:?}", kernels.isa().name());
                        assert_same_bits(&column, &alone, &what);
                    }
                }
            }
        }
    }
}

#[test]
#[should_panic(expected = "panel_scores: a panel of another size")]
fn rejects_a_vector_of_another_length() {
    put_in_panel(&mut [0.0; 2 * PANEL], 0, &[1.0]);
}
