//! The rows that are nearest to vectors.

use super::rows::{HeldRows, RowsOperand, Shape, part, room};
use crate::node::borrow::{Operand, size};
use crate::node::borrowed_word::Word;
use crate::node::buffers::Handle;
use crate::node::external::External;
use crate::node::guard::{Failure, status};
use crate::node::process::threads;
use crate::node::work::{self, Errand, GoOn, Work};
use napi_derive::napi;
use tokenbed_core::Error;
use tokenbed_core::ids::{BadIds, resolve};
use tokenbed_core::storage::Storage;
use tokenbed_kernels::dispatch;
use tokenbed_nn::search::top_k::{Found, Metric, Queries, Search, sorted_rows, top_k};

/// How many rows are searched for, and by what.
#[napi(object, object_to_js = false)]
pub struct SearchOperand {
    pub metric: Word<Metric>,
    pub k: f64,
}

/// Where results go: ids of int32 and scores of float32, (queries, k).
#[napi(object, object_to_js = false)]
pub struct FoundOperand {
    pub ids: Operand,
    pub scores: Operand,
}

/// The rows that count.
fn counted(among: Option<&Operand>, shape: Shape) -> Result<Option<Vec<u32>>, Failure> {
    let Some(among) = among else { return Ok(None) };
    let mut scratch = Vec::new();
    let ids = resolve(dispatch::active(), among.ids()?, shape.rows, BadIds::Throw, &mut scratch)?;
    Ok(Some(sorted_rows(ids.ids())))
}

fn queries_of(metric: Metric, bytes: &[u8]) -> Result<Queries<'_>, Failure> {
    if metric == Metric::Hamming {
        return Ok(Queries::Bits(bytes));
    }
    // An empty buffer may begin at any address.
    if bytes.is_empty() {
        return Ok(Queries::Floats(&[]));
    }
    let floats = bytemuck::try_cast_slice(bytes);
    Ok(Queries::Floats(floats.map_err(|_| Error::Shape("the queries are not aligned".into()))?))
}

/// found = the k rows of weight that are nearest to each of the queries, which are float32, or bytes of bits.
#[napi(catch_unwind)]
pub fn top_k_rows(
    rows: RowsOperand,
    weight: Operand,
    search: SearchOperand,
    queries: Operand,
    among: Option<Operand>,
    found: FoundOperand,
) -> bool {
    status(|| {
        threads()?;
        let shape = Shape::new(&rows)?;
        let counted = counted(among.as_ref(), shape)?;
        let metric = search.metric.0;
        let asked = Search {
            kernels: dispatch::active(),
            rows: shape.over(&weight)?,
            metric,
            k: size(search.k)?,
            among: counted.as_deref(),
        };
        let out =
            Found { ids: found.ids.exclusive(&[&weight])?, scores: found.scores.exclusive(&[&weight, &found.ids])? };
        top_k(&asked, queries_of(metric, queries.shared()?)?, &|| true, out)?;
        Ok(())
    })
}

/// A search, held.
struct HeldSearch {
    rows: HeldRows,
    metric: Metric,
    k: usize,
    /// The queries, in words so that they are aligned.
    queries: Vec<u64>,
    bytes: usize,
    among: Option<Vec<u32>>,
    count: usize,
}

impl Errand for HeldSearch {
    fn run(self: Box<Self>, go_on: &GoOn) -> Result<Vec<Storage>, Failure> {
        let count = self.count.checked_mul(self.k).ok_or_else(|| Error::Shape("the results are too many".into()))?;
        let (mut ids, mut scores) = (room(count, size_of::<i32>())?, room(count, size_of::<f32>())?);
        let search = Search {
            kernels: dispatch::active(),
            rows: self.rows.rows()?,
            metric: self.metric,
            k: self.k,
            among: self.among.as_deref(),
        };
        let bytes = bytemuck::cast_slice(&self.queries).get(..self.bytes).unwrap_or(&[]);
        let out = Found { ids: part(&mut ids)?, scores: part(&mut scores)? };
        let finished = top_k(&search, queries_of(self.metric, bytes)?, &|| go_on.is_wanted(), out)?;
        if finished { Ok(Vec::from([ids, scores])) } else { Err(Failure::aborted()) }
    }
}

/// What `topKRows` computes for `count` queries, as work to be queued; its results are ids and scores.
#[napi(catch_unwind)]
pub fn top_k_work(
    rows: RowsOperand,
    weight: &External<Handle>,
    search: SearchOperand,
    queries: Operand,
    among: Option<Operand>,
    count: f64,
) -> Option<External<Work>> {
    work::work(|| {
        threads()?;
        let rows = HeldRows::new(&rows, weight)?;
        let bytes: &[u8] = queries.shared()?;
        let mut words: Vec<u64> = tokenbed_memory::zeroed(bytes.len().div_ceil(size_of::<u64>()));
        if let Some(room) = bytemuck::cast_slice_mut(&mut words).get_mut(..bytes.len()) {
            room.copy_from_slice(bytes);
        }
        let among = counted(among.as_ref(), rows.shape())?;
        Ok(HeldSearch {
            rows,
            metric: search.metric.0,
            k: size(search.k)?,
            queries: words,
            bytes: bytes.len(),
            among,
            count: size(count)?,
        })
    })
}
