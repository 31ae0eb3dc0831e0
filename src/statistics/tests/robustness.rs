//! Extreme numbers, odd requests, threads.

use super::*;

/// Powers of two change exponents alone, so every result must scale exactly, far beyond where squares leave the range
/// of single precision.
#[test]
fn sums_scale_where_squares_leave_single_precision() {
    for dtype in [Dtype::F32, Dtype::Bf16] {
        let data = gradients(dtype, 20, 100, 9);
        let (plain, _) = scan_all(&data, &Request { shape: true, ..Request::default() });
        for exponent in [-100, -80, -66, 66, 80, 110] {
            let scale = f64::from(exponent).exp2();
            let scaled: Vec<Vec<f64>> =
                data.values.iter().map(|row| row.iter().map(|value| value * scale).collect()).collect();
            let (found, _) =
                scan_all(&Data::new(dtype, &scaled), &Request { shape: true, ..Request::default() });
            assert_eq!(found.non_finite_rows, [0_usize; 0], "2^{exponent}");
            let (plain, found) = (&plain.sums[0], &found.sums[0]);
            for k in 0..20 {
                close(found.norms[k] / scale / scale, plain.norms[k], 1e-6 * plain.norms[k], "s");
                let size = (plain.norms[k] * plain.mean_norm_squared).sqrt();
                close(found.projections[k] / scale / scale, plain.projections[k], 1e-6 * size, "d");
            }
            close(found.signal, plain.signal, 1e-5 * plain.signal.abs(), "signal");
            let (one, other) = (found.shape.as_ref().unwrap(), plain.shape.as_ref().unwrap());
            close(one.excess_kurtosis, other.excess_kurtosis, 1e-3, "kurtosis");
        }
    }
}

/// One tiny row among ordinary ones: its norm is its own, not zero.
#[test]
fn a_tiny_row_keeps_its_norm() {
    let mut rows = gradients(Dtype::F32, 6, 40, 1).values;
    rows[2] = vec![1e-30; 40];
    rows[4] = vec![0.0; 40];
    let (found, _) = scan_all(&Data::new(Dtype::F32, &rows), &Request::default());
    close(found.sums[0].norms[2], 40e-60, 1e-5 * 40e-60, "s");
    assert_eq!(found.sums[0].norms[4], 0.0);
    assert_eq!((found.sums[0].zeros, found.sums[0].subnormals), (40, 0));
}

#[test]
fn rows_that_are_not_finite_are_named_across_tensors() {
    let mut first = gradients(Dtype::F32, 9, 50, 1).values;
    let mut second = gradients(Dtype::Bf16, 9, 1_500, 2).values;
    first[3][49] = f64::NAN;
    second[7][1_400] = f64::INFINITY;
    second[3][0] = f64::NEG_INFINITY;
    let tensors = [Data::new(Dtype::F32, &first), Data::new(Dtype::Bf16, &second)];
    let rows = tensors.each_ref().map(Data::rows);
    let groups = [2, 1, 0, 2, 1, 0, 2, 1, 0];
    for groups in [None, Some(&groups[..])] {
        let request = Request { groups, ..Request::default() };
        let mut keep = vec![true; 9];
        let found = scan(&rows, &keep, &request, None, &mut |_| true).unwrap();
        assert_eq!(found.non_finite_rows, [3, 7]);
        assert_eq!(found.sums.iter().map(|sums| sums.non_finite).collect::<Vec<_>>(), [1, 2]);
        keep[3] = false;
        keep[7] = false;
        let found = scan(&rows, &keep, &request, None, &mut |_| true).unwrap();
        assert_eq!(found.non_finite_rows, [0_usize; 0]);
        assert!(found.sums[1].norms.iter().all(|norm| norm.is_finite()));
        assert_eq!(found.sums[1].norms.len(), 7);
    }
}

#[test]
fn constant_columns_do_not_vary() {
    // One third is not representable, and neither are its partial sums: roundings must not pass for variance.
    let mut rows = gradients(Dtype::F32, 50, 20, 1).values;
    for row in &mut rows {
        row[3] = 1.0 / 3.0;
        row[5] = 0.0;
    }
    let (found, [_, variance, ..]) = scan_all(&Data::new(Dtype::F32, &rows), &Request::default());
    assert_eq!((variance[3], variance[5]), (0.0, 0.0));
    assert_eq!(found.sums[0].varying, 18);
    assert!(found.sums[0].signal.abs() < 100.0);
}

#[test]
fn zeros_and_subnormals_are_those_of_the_stored_type() {
    // 1e-7 is subnormal in half precision (normal from 6.1e-5), not in the others; 1e-40 in all that reach so far.
    let row = |first: f64| vec![first, 0.0, 1e-7, 1.0, -0.0, 1e-7];
    let rows: Vec<Vec<f64>> = [1.0, 2.0, 3.0, 4.0, 5.0].map(row).to_vec();
    let counts = |dtype| {
        let (found, _) = scan_all(&Data::new(dtype, &rows), &Request::default());
        (found.sums[0].zeros, found.sums[0].subnormals)
    };
    assert_eq!(counts(Dtype::F16), (10, 10));
    assert_eq!(counts(Dtype::Bf16), (10, 0));
    assert_eq!(counts(Dtype::F32), (10, 0));
    assert_eq!(counts(Dtype::F64), (10, 0));
    let rows = vec![vec![1e-40, 1.0]; 5];
    for (dtype, subnormal) in [(Dtype::F32, 5), (Dtype::Bf16, 5), (Dtype::F64, 0)] {
        let (found, _) = scan_all(&Data::new(dtype, &rows), &Request::default());
        assert_eq!((found.sums[0].zeros, found.sums[0].subnormals), (0, subnormal));
    }
}

#[test]
fn results_do_not_depend_on_threads() {
    let tensors = [
        gradients(Dtype::F32, 30, 5_000, 1),
        gradients(Dtype::Bf16, 30, 33, 2),
        gradients(Dtype::Bf16, 30, 3_000, 3),
    ];
    let rows = tensors.each_ref().map(Data::rows);
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut sink = Collected::default();
        let request = Request { shape: true, ..Request::default() };
        let keep = [true; 30];
        let found = pool.install(|| {
            let sink: &mut (dyn Sink + Send) = &mut sink;
            scan(&rows, &keep, &request, Some(sink), &mut |_| true).unwrap()
        });
        (found, sink.0)
    };
    let one = run(1);
    assert!(one == run(2) && one == run(7));
}

/// Tensors that are pieces of another one add up to it.
#[test]
fn tensors_add_up() {
    let whole = gradients(Dtype::F64, 12, 90, 8);
    let pieces = [0..7, 7..64, 64..90].map(|range| {
        let rows: Vec<Vec<f64>> = whole.values.iter().map(|row| row[range.clone()].to_vec()).collect();
        Data::new(Dtype::F64, &rows)
    });
    let request = Request { shape: true, ..Request::default() };
    let expected = &scan_all(&whole, &request).0.sums[0];
    let found = scan(&pieces.each_ref().map(Data::rows), &[true; 12], &request, None, &mut |_| true).unwrap();
    let mut sums = found.sums[0].clone();
    found.sums[1..].iter().for_each(|other| sums.add(other));
    assert_eq!((sums.columns, sums.varying), (expected.columns, expected.varying));
    close(sums.signal, expected.signal, 1e-12, "signal");
    close(sums.mean_norm_squared, expected.mean_norm_squared, 1e-12, "|ḡ|²");
    for k in 0..12 {
        close(sums.norms[k], expected.norms[k], 1e-11, "s");
        close(sums.projections[k], expected.projections[k], 1e-11, "d");
    }
}

#[test]
fn requests_are_checked() {
    let data = gradients(Dtype::F32, 4, 3, 1);
    let message = |keep: &[bool], request: Request<'_>| {
        scan(&[data.rows()], keep, &request, None, &mut |_| true).unwrap_err().to_string()
    };
    let with_weights = |weights| Request { weights: Some(weights), ..Request::default() };
    assert!(message(&[true; 3], Request::default()).contains("4 rows in tensor 0"));
    assert!(message(&[true, false, false, false], Request::default()).contains("1 of 4 rows"));
    assert!(message(&[true; 4], with_weights(&[1.0; 3])).contains("'weights'"));
    assert!(message(&[true; 4], with_weights(&[1.0, 1.0, 0.0, 1.0])).contains("got 0 at index 2"));
    let groups = Request { groups: Some(&[0, 1, 4, 0]), ..Request::default() };
    assert!(message(&[true; 4], groups).contains("got 4 at index 2"));
    let stopped = scan(&[data.rows()], &[true; 4], &Request::default(), None, &mut |bytes| {
        assert_eq!(bytes, 4 * 3 * 4);
        false
    });
    assert_eq!(stopped.unwrap_err(), Error::Stopped);
    assert!(Rows::new(Dtype::F32, 3, vec![&[0; 11]]).unwrap_err().to_string().contains("11 bytes in row 0"));
}

#[test]
fn no_tensors_and_no_columns() {
    let empty = Rows::new(Dtype::Bf16, 0, vec![&[], &[]]).unwrap();
    let found = scan(&[empty], &[true; 2], &Request::default(), None, &mut |_| true).unwrap();
    assert_eq!((found.sums[0].columns, &found.sums[0].norms[..]), (0, &[0.0, 0.0][..]));
    let found = scan(&[], &[true; 2], &Request::default(), None, &mut |_| true).unwrap();
    assert!(found.sums.is_empty());
}
