//! Clusters of rows.

use super::rows::{HeldRows, RowsOperand, Shape, part, room};
use crate::node::borrow::{Operand, size};
use crate::node::buffers::Handle;
use crate::node::external::External;
use crate::node::guard::{Failure, status};
use crate::node::process::threads;
use crate::node::work::{self, Errand, GoOn, Work};
use napi_derive::napi;
use tokenbed_core::Error;
use tokenbed_core::storage::Storage;
use tokenbed_kernels::dispatch;
use tokenbed_nn::search::cluster::{Clusters, Request, cluster};

/// What is asked for.
#[napi(object, object_to_js = false)]
pub struct ClusterOperand {
    pub k: f64,
    pub seed: f64,
    pub iterations: f64,
    pub restarts: f64,
}

/// Where results go: centers (k, dim) of float32, labels (rows) of int32, and the inertia, one float64.
#[napi(object, object_to_js = false)]
pub struct ClustersOperand {
    pub centers: Operand,
    pub labels: Operand,
    pub inertia: Operand,
}

fn request(operand: &ClusterOperand) -> Result<Request, Failure> {
    Ok(Request {
        k: size(operand.k)?,
        seed: size(operand.seed)? as u64,
        iterations: size(operand.iterations)?,
        restarts: size(operand.restarts)?,
    })
}

/// found = the clusters of the rows.
#[napi(catch_unwind)]
pub fn cluster_rows(rows: RowsOperand, weight: Operand, asked: ClusterOperand, found: ClustersOperand) -> bool {
    status(|| {
        threads()?;
        let out = Clusters {
            centers: found.centers.exclusive(&[&weight])?,
            labels: found.labels.exclusive(&[&weight, &found.centers])?,
            inertia: found.inertia.exclusive(&[&weight, &found.centers, &found.labels])?,
        };
        cluster(dispatch::active(), Shape::new(&rows)?.over(&weight)?, request(&asked)?, &|| true, out)?;
        Ok(())
    })
}

struct HeldPoints {
    rows: HeldRows,
    request: Request,
}

impl Errand for HeldPoints {
    fn run(self: Box<Self>, go_on: &GoOn) -> Result<Vec<Storage>, Failure> {
        let shape = self.rows.shape();
        let size = self.request.k.checked_mul(shape.dim);
        let size = size.ok_or_else(|| Error::Shape("the centers are too many".into()))?;
        let mut centers = room(size, size_of::<f32>())?;
        let mut labels = room(shape.rows, size_of::<i32>())?;
        let mut inertia = room(1, size_of::<f64>())?;
        let out = Clusters { centers: part(&mut centers)?, labels: part(&mut labels)?, inertia: part(&mut inertia)? };
        let finished = cluster(dispatch::active(), self.rows.rows()?, self.request, &|| go_on.is_wanted(), out)?;
        if finished { Ok(Vec::from([centers, labels, inertia])) } else { Err(Failure::aborted()) }
    }
}

/// What `clusterRows` computes, as work to be queued; its results are centers, labels and the inertia.
#[napi(catch_unwind)]
pub fn cluster_work(rows: RowsOperand, weight: &External<Handle>, asked: ClusterOperand) -> Option<External<Work>> {
    work::work(|| {
        threads()?;
        Ok(HeldPoints { rows: HeldRows::new(&rows, weight)?, request: request(&asked)? })
    })
}
