//! The rows that are most similar to a vector.

use crate::node::borrow::{Operand, size};
use crate::node::guard::{Failure, guard, status};
use crate::node::process::threads;
use napi_derive::napi;
use tokenbed_core::Error;
use tokenbed_kernels::dispatch;
use tokenbed_memory::Gather;
use tokenbed_nn::neighbours::{self, Asked, Neighbour, Rows};

/// A table whose rows are searched, as given by TypeScript.
#[napi(object, object_to_js = false)]
pub struct SearchedRows {
    /// float32 (rows, dim).
    pub weight: Operand,
    pub rows: f64,
    pub dim: f64,
    /// float32 (rows): the norms of the rows, if they were computed before.
    pub norms: Option<Operand>,
}

impl SearchedRows {
    fn read(&self) -> Result<Rows<'_>, Failure> {
        threads()?;
        let rows = Rows::new(self.weight.shared()?, size(self.rows)?, size(self.dim)?)?;
        Ok(match &self.norms {
            Some(norms) => rows.with_norms(norms.shared()?)?,
            None => rows,
        })
    }
}

/// Rows and their similarities as parallel arrays, the most similar first, for one query after the other.
#[napi(object, object_from_js = false)]
pub struct Nearest {
    pub ids: Vec<u32>,
    pub similarities: Vec<f64>,
    /// Number of rows for each query.
    pub counts: Vec<u32>,
}

impl Nearest {
    /// Of one query.
    pub(crate) fn of(found: &[Neighbour]) -> Self {
        Self::of_each(&[found])
    }

    fn of_each<T: AsRef<[Neighbour]>>(found: &[T]) -> Self {
        let all = || found.iter().flat_map(AsRef::as_ref);
        Self {
            ids: all().map(|neighbour| neighbour.id).into_list(),
            similarities: all().map(|neighbour| f64::from(neighbour.similarity)).into_list(),
            counts: found.iter().map(|found| found.as_ref().len() as u32).into_list(),
        }
    }
}

/// For each of queries (count, dim), the `top` rows that are most similar to it. Query i has no neighbours among
/// `without[starts[i] .. starts[i + 1]]`; starts has (count + 1) elements.
#[napi(catch_unwind)]
pub fn nearest_rows(
    searched: SearchedRows,
    queries: Operand,
    top: f64,
    without: Operand,
    starts: Operand,
) -> Option<Nearest> {
    guard(|| {
        let rows = searched.read()?;
        let (dim, all, without, starts) =
            (size(searched.dim)?, queries.shared::<f32>()?, without.stable::<u32>()?, starts.stable::<u32>()?);
        let bounds = starts.windows(2).map(|ends| ends[0] as usize..ends[1] as usize);
        let asked = all.chunks(dim).zip(bounds).map(|(query, range)| {
            let without = without.get(range).ok_or_else(|| Error::Shape("rows are left out of no query".into()))?;
            Ok::<_, Error>(Asked { query, without })
        });
        let asked: Vec<Asked<'_>> = asked.try_into_list()?;
        let found = neighbours::nearest_of_each(dispatch::active(), rows, &asked, size(top)?)?;
        Ok(Nearest::of_each(&found))
    })
}

/// out (rows) = the similarity of query (dim) with each row.
#[napi(catch_unwind)]
pub fn row_similarities(searched: SearchedRows, query: Operand, out: Operand) -> bool {
    status(|| {
        let rows = searched.read()?;
        let out = out.exclusive(&[&searched.weight, &query])?;
        Ok(neighbours::similarities(dispatch::active(), rows, query.shared()?, out)?)
    })
}

/// out (rows) = the norm of each row.
#[napi(catch_unwind)]
pub fn row_norms(searched: SearchedRows, out: Operand) -> bool {
    status(|| {
        let rows = searched.read()?;
        Ok(neighbours::norms(dispatch::active(), rows, out.exclusive(&[&searched.weight])?)?)
    })
}
