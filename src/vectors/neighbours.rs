//! The rows that are most similar to a vector.

use crate::layers::async_forward::elements;
use crate::node::borrow::{Operand, size};
use crate::node::buffers::Handle;
use crate::node::external::External;
use crate::node::guard::{Failure, guard, status};
use crate::node::process::threads;
use crate::node::work::{self, Errand, GoOn, Work};
use crate::search::rows::{part, room};
use napi_derive::napi;
use tokenbed_core::Error;
use tokenbed_core::storage::{Part, Storage};
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

/// What is asked of a table off the thread: the arguments of `nearestRows`, but for the table.
#[napi(object, object_to_js = false)]
pub struct NearestQuestion {
    pub rows: f64,
    pub dim: f64,
    pub queries: Operand,
    pub top: f64,
    pub without: Operand,
    pub starts: Operand,
}

/// The same, held with the table.
struct HeldQuestion {
    weight: Part,
    rows: usize,
    dim: usize,
    queries: Vec<f32>,
    top: usize,
    without: Vec<u32>,
    starts: Vec<u32>,
}

/// Queries that are answered in one pass over the table, after which work looks whether to go on.
const TOGETHER: usize = 64;

impl Errand for HeldQuestion {
    fn run(self: Box<Self>, go_on: &GoOn) -> Result<Vec<Storage>, Failure> {
        let rows = Rows::new(elements(&self.weight)?, self.rows, self.dim)?;
        let most = self.top.min(self.rows);
        let queries = self.starts.len().saturating_sub(1);
        let places = queries.checked_mul(most).ok_or_else(|| Error::Shape("the results are too many".into()))?;
        let mut ids = room(places, size_of::<u32>())?;
        let mut similarities = room(places, size_of::<f64>())?;
        let mut counts = room(queries, size_of::<u32>())?;
        let bounds = self.starts.windows(2).map(|ends| ends[0] as usize..ends[1] as usize);
        let asked = self.queries.chunks(self.dim).zip(bounds).map(|(query, range)| {
            let without =
                self.without.get(range).ok_or_else(|| Error::Shape("rows are left out of no query".into()))?;
            Ok::<_, Error>(Asked { query, without })
        });
        let asked: Vec<Asked<'_>> = asked.try_into_list()?;
        let (out_ids, out_similarities) = (part::<u32>(&mut ids)?, part::<f64>(&mut similarities)?);
        let out_counts = part::<u32>(&mut counts)?;
        for (group, some) in asked.chunks(TOGETHER).enumerate() {
            if !go_on.is_wanted() {
                return Err(Failure::aborted());
            }
            let found = neighbours::nearest_of_each(dispatch::active(), rows, some, self.top)?;
            for (i, list) in found.iter().enumerate() {
                let query = group * TOGETHER + i;
                out_counts[query] = list.len() as u32;
                for (place, neighbour) in list.iter().enumerate() {
                    out_ids[query * most + place] = neighbour.id;
                    out_similarities[query * most + place] = f64::from(neighbour.similarity);
                }
            }
        }
        Ok(Vec::from([ids, similarities, counts]))
    }
}

/// What `nearestRows` finds, as work to be queued. Its results are ids (uint32) and similarities (float64), both
/// (count, min(top, rows)), and the number of rows of each query (uint32).
#[napi(catch_unwind)]
pub fn nearest_rows_work(weight: &External<Handle>, question: NearestQuestion) -> Option<External<Work>> {
    work::work(|| {
        threads()?;
        let dim = size(question.dim)?;
        let queries = question.queries.shared::<f32>()?;
        let starts = question.starts.stable::<u32>()?;
        if dim == 0 || queries.len() != starts.len().saturating_sub(1).saturating_mul(dim) {
            return Err(Error::Shape("there is not one vector for each query".into()).into());
        }
        Ok(HeldQuestion {
            weight: weight.hold()?,
            rows: size(question.rows)?,
            dim,
            queries: queries.iter().copied().into_list(),
            top: size(question.top)?,
            without: question.without.stable::<u32>()?.iter().copied().into_list(),
            starts: starts.iter().copied().into_list(),
        })
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
