//! Windows against the obvious loop.

use proptest::prelude::*;
use tokenbed_text::{TextError, Windows};

/// `for i in range(0, len(ids) - max_length, stride)`, with the ids copied out.
fn naive(ids: &[i32], max_length: usize, stride: usize) -> Vec<(Vec<i32>, Vec<i32>)> {
    (0..ids.len().saturating_sub(max_length))
        .step_by(stride)
        .map(|i| (ids[i..i + max_length].to_vec(), ids[i + 1..i + max_length + 1].to_vec()))
        .collect()
}

proptest! {
    #[test]
    fn batches_equal_those_of_the_loop(
        ids in prop::collection::vec(0i32..60000, 1..120),
        max_length in 1usize..40,
        stride in 1usize..50,
        batch_size in 1usize..9,
        drop_last: bool,
    ) {
        let expected = naive(&ids, max_length, stride);
        let Ok(windows) = Windows::new(ids.len(), max_length, stride, batch_size, drop_last) else {
            prop_assert!(expected.is_empty());
            return Ok(());
        };
        prop_assert_eq!(windows.count(), expected.len());
        let batches: Vec<_> =
            expected.chunks(batch_size).filter(|batch| !drop_last || batch.len() == batch_size).collect();
        prop_assert_eq!(windows.batches(), batches.len());
        prop_assert_eq!(windows.batch(batches.len()), None);

        let order: Vec<u32> = (0..windows.count() as u32).collect();
        let unsigned: Vec<u32> = ids.iter().map(|&id| id as u32).collect();
        for (number, batch) in batches.iter().enumerate() {
            let places = windows.batch(number).unwrap();
            prop_assert_eq!(places.len(), batch.len());
            let size = batch.len() * max_length;
            let (mut inputs, mut targets) = (vec![-1; size], vec![-1; size]);
            windows.fill(&order[places.clone()], &ids, &mut inputs, &mut targets).unwrap();
            prop_assert_eq!(&inputs, &batch.iter().flat_map(|(input, _)| input.clone()).collect::<Vec<_>>());
            prop_assert_eq!(&targets, &batch.iter().flat_map(|(_, target)| target.clone()).collect::<Vec<_>>());

            let (mut inputs_2, mut targets_2) = (vec![-1; size], vec![-1; size]);
            windows.fill(&order[places], &unsigned, &mut inputs_2, &mut targets_2).unwrap();
            prop_assert_eq!((inputs, targets), (inputs_2, targets_2));
        }
    }

    #[test]
    fn starts_are_multiples_of_the_stride(ids in 2usize..1000, max_length in 1usize..100, stride in 1usize..100) {
        let Ok(windows) = Windows::new(ids, max_length, stride, 4, false) else { return Ok(()) };
        prop_assert_eq!(windows.max_length(), max_length);
        for window in 0..windows.count() {
            prop_assert_eq!(windows.start(window), Some(window * stride));
            prop_assert!(window * stride < ids - max_length);
        }
        prop_assert_eq!(windows.start(windows.count()), None);
        prop_assert!(windows.count() * stride >= ids - max_length);
    }
}

#[test]
fn the_smallest_text_has_one_window() {
    let windows = Windows::new(5, 4, 1, 1, true).unwrap();
    let (mut inputs, mut targets) = ([0; 4], [0; 4]);
    windows.fill(&[0], &[1, 2, 3, 4, 5], &mut inputs, &mut targets).unwrap();
    assert_eq!((inputs, targets), ([1, 2, 3, 4], [2, 3, 4, 5]));

    let error = Windows::new(4, 4, 1, 1, true).unwrap_err();
    assert_eq!(error, TextError::TooShort { ids: 4, max_length: 4, needed: 5 });
    assert_eq!(error.to_string(), "the text has 4 ids, but a window of 4 with its targets needs 5");
}

#[test]
fn a_last_batch_that_is_not_full_is_kept_or_dropped() {
    let windows = |drop_last| Windows::new(11, 1, 1, 4, drop_last).unwrap();
    assert_eq!((windows(true).count(), windows(true).batches(), windows(true).batch(2)), (10, 2, None));
    assert_eq!((windows(false).batches(), windows(false).batch(2)), (3, Some(8..10)));
    assert_eq!(Windows::new(3, 1, 1, 4, true).unwrap().batches(), 0);
}

#[test]
fn invalid_sizes_are_errors() {
    for (sizes, name) in [([0, 1, 1], "maxLength"), ([1, 0, 1], "stride"), ([1, 1, 0], "batchSize")] {
        let error = Windows::new(100, sizes[0], sizes[1], sizes[2], true).unwrap_err();
        assert_eq!(error, TextError::ZeroSize { name });
    }
    let most = usize::MAX;
    assert!(matches!(Windows::new(100, most, 1, 1, true), Err(TextError::TooShort { .. })));
    assert!(matches!(Windows::new(most, most, 1, 1, true), Err(TextError::TooShort { .. })));
    assert!(matches!(Windows::new(most, 1, 1, 1, true), Err(TextError::TooLong { .. })));
    let windows = Windows::new(most, 1, most, most, false).unwrap();
    assert_eq!((windows.count(), windows.batches(), windows.batch(0)), (1, 1, Some(0..1)));
}

#[test]
fn nothing_is_written_unless_everything_fits() {
    let ids = [1, 2, 3, 4, 5, 6];
    let windows = Windows::new(ids.len(), 2, 2, 2, false).unwrap();
    let (mut inputs, mut targets) = ([0; 4], [0; 4]);
    let mut fill = |numbers: &[u32], ids: &[i32], length: usize| {
        windows.fill(numbers, ids, &mut inputs[..length], &mut targets[..length]).unwrap_err()
    };
    assert_eq!(fill(&[0, 2], &ids, 4), TextError::NoWindow { index: 1, value: 2, count: 2 });
    assert_eq!(fill(&[0, u32::MAX], &ids, 4), TextError::NoWindow { index: 1, value: u32::MAX, count: 2 });
    assert_eq!(fill(&[0, 1], &ids, 3), TextError::Length { what: "inputs", found: 3, expected: 4 });
    assert_eq!(fill(&[0, 1], &ids[..5], 4), TextError::Length { what: "ids", found: 5, expected: 6 });
    assert_eq!((inputs, targets), ([0; 4], [0; 4]));
}

#[test]
fn ids_beyond_int32_are_errors() {
    let ids = [1, 2, 1u32 << 31, 4];
    let windows = Windows::new(ids.len(), 2, 1, 1, false).unwrap();
    let error = windows.fill(&[0], &ids, &mut [0; 2], &mut [0; 2]).unwrap_err();
    assert_eq!(error, TextError::IdTooLarge { position: 2, value: 1 << 31 });
}
