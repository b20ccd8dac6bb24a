//! A report on the numbers of a table.

use crate::node::borrow::{Operand, size};
use crate::node::borrowed_text::copied;
use crate::node::borrowed_word::Word;
use crate::node::guard::{Failure, guard};
use crate::node::process::threads;
use napi::Env;
use napi::bindgen_prelude::{Float64ArraySlice, Uint32ArraySlice};
use napi_derive::napi;
use tokenbed_core::DType;
use tokenbed_memory::Gather;
use tokenbed_nn::float_rows::FloatRows;
use tokenbed_nn::health::{Hot, Outlier, Spread, examine, hottest, unchanged};

/// What the norms of a table say, and also its counts and its initial values if they were given.
#[napi(object, object_from_js = false)]
pub struct HealthReport {
    pub norms: Option<NormsReport>,
    pub zero: Uint32ArraySlice<'static>,
    pub not_finite: Uint32ArraySlice<'static>,
    pub outliers: OutliersReport,
    pub unseen: Option<Uint32ArraySlice<'static>>,
    pub hot: Option<HotReport>,
    pub unchanged: Option<Uint32ArraySlice<'static>>,
}

/// Statistics over the norms of rows that are not all zeros and contain neither NaN nor infinities.
#[napi(object, object_from_js = false)]
pub struct NormsReport {
    pub min: f64,
    pub median: f64,
    pub mean: f64,
    pub max: f64,
}

/// Rows with an extreme norm, and their norms, as parallel arrays.
#[napi(object, object_from_js = false)]
pub struct OutliersReport {
    pub ids: Uint32ArraySlice<'static>,
    pub norms: Float64ArraySlice<'static>,
    pub deviations: Float64ArraySlice<'static>,
}

/// The rows that receive half of all lookups, and how many lookups they receive, as parallel arrays.
#[napi(object, object_from_js = false)]
pub struct HotReport {
    pub ids: Uint32ArraySlice<'static>,
    pub counts: Float64ArraySlice<'static>,
    pub shares: Float64ArraySlice<'static>,
}

/// The env in which V8's memory is allocated.
struct Making<'a>(&'a Env);

impl Making<'_> {
    fn ids(&self, ids: &[u32]) -> Result<Uint32ArraySlice<'static>, Failure> {
        copied(ids, |it| Uint32ArraySlice::copy_from(self.0, it))
    }

    fn numbers(&self, numbers: impl Iterator<Item = f64>) -> Result<Float64ArraySlice<'static>, Failure> {
        copied(&numbers.into_list(), |it| Float64ArraySlice::copy_from(self.0, it))
    }

    fn outliers(&self, found: &[Outlier]) -> Result<OutliersReport, Failure> {
        Ok(OutliersReport {
            ids: self.ids(&found.iter().map(|it| it.id).into_list())?,
            norms: self.numbers(found.iter().map(|it| it.norm))?,
            deviations: self.numbers(found.iter().map(|it| it.deviation))?,
        })
    }

    fn hot(&self, found: &[Hot]) -> Result<HotReport, Failure> {
        Ok(HotReport {
            ids: self.ids(&found.iter().map(|it| it.id).into_list())?,
            counts: self.numbers(found.iter().map(|it| it.count))?,
            shares: self.numbers(found.iter().map(|it| it.share))?,
        })
    }
}

/// Examines a table (rows, dim) of floats. `counts` (rows) of float64 says how often each row was looked up; `initial`
/// is the table before training.
#[napi(catch_unwind)]
pub fn table_health(
    env: Env,
    element: Word<DType>,
    table: Operand,
    dim: f64,
    counts: Option<Operand>,
    initial: Option<Operand>,
) -> Option<HealthReport> {
    guard(|| {
        threads()?;
        let (element, dim, making) = (element.0, size(dim)?, Making(&env));
        let rows = FloatRows::new(element, table.shared()?, dim)?;
        let found = examine(rows)?;
        let counts = counts.as_ref().map(Operand::shared::<f64>).transpose()?;
        let unseen =
            |counts: &[f64]| (0..).zip(counts).filter(|&(_, &count)| count == 0.0).map(|(id, _)| id).into_list();
        let same = match &initial {
            Some(initial) => Some(unchanged(rows, FloatRows::new(element, initial.shared()?, dim)?)?),
            None => None,
        };
        Ok(HealthReport {
            norms: found.norms.map(|Spread { min, median, mean, max }| NormsReport { min, median, mean, max }),
            zero: making.ids(&found.zero)?,
            not_finite: making.ids(&found.not_finite)?,
            outliers: making.outliers(&found.outliers)?,
            unseen: counts.map(|counts| making.ids(&unseen(counts))).transpose()?,
            hot: counts.map(|counts| making.hot(&hottest(counts)?)).transpose()?,
            unchanged: same.map(|same| making.ids(&same)).transpose()?,
        })
    })
}
