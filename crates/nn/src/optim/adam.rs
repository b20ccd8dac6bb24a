//! Adam and AdamW.

use super::power::power;
use super::{Idle, MOMENTS, Manner, Rule};
use crate::options::{FLAG, Kind, NOT_NEGATIVE};
use tokenbed_kernels::ops::learn::optim::{Update, adam};
use tokenbed_kernels::real::Real;

crate::options! {
    /// Adam. Kingma, Ba 2015; `torch.optim.Adam`. Weight decay goes into the gradient; AdamW is where it does not.
    ///
    /// A table of a layer made with `sparse: true` is stepped as AdamW says.
    pub struct Adam {
        /// The learning rate.
        pub lr: f64 [NOT_NEGATIVE] = 0.001,
        /// What is kept of the moments.
        pub betas: [f64; 2] [Kind::Betas] = [0.9, 0.999],
        /// Added to the denominator.
        pub eps: f64 [NOT_NEGATIVE] = 1e-8,
        /// How much weights decay.
        pub weight_decay: f64 [NOT_NEGATIVE] = 0.0,
        /// Whether the largest second moment so far takes the place of the present one (Reddi, Kale, Kumar 2018). All
        /// rows of a table are then stepped at every step.
        pub amsgrad: bool [FLAG] = false,
        /// Whether steps climb instead of descend: the gradient is negated first.
        pub maximize: bool [FLAG] = false,
    }
}

crate::options! {
    /// The numbers of AdamW, which training has as well.
    pub struct AdamWNumbers {
        /// The learning rate.
        pub lr: f64 [NOT_NEGATIVE] = 0.001,
        /// What is kept of the moments.
        pub betas: [f64; 2] [Kind::Betas] = [0.9, 0.999],
        /// Added to the denominator.
        pub eps: f64 [NOT_NEGATIVE] = 1e-8,
        /// How much weights decay.
        pub weight_decay: f64 [NOT_NEGATIVE] = 0.01,
    }
}

crate::options! {
    /// Adam with decoupled weight decay. Loshchilov, Hutter 2019; `torch.optim.AdamW`.
    ///
    /// Every row of a table moves at every step: by its decay, and by moments that fade. For the table of a layer made
    /// with `sparse: true`, rows without a gradient are left behind instead, and take the steps that they missed when
    /// they are next needed: by a lookup of their ids, by whatever reads the table as a whole (`data`, `toArray`, an
    /// op, a file), or by `flush()`. The values are those of the dense steps, to the bit, with learning rates that
    /// change, too; PyTorch refuses sparse gradients here. An array that `data` gave before shows rows as they were
    /// left: take it anew, or `flush()`.
    ///
    /// That pays where a batch names few of a table's rows: a tenth of the time with 32 of 50,000, half with 1000; from
    /// one row in ten on, `sparse: false` is as fast. `flush()` takes the time that was saved on rows seen lately: some
    /// tens of steps.
    pub struct AdamW {
        .. numbers: AdamWNumbers,
        /// Whether the largest second moment so far takes the place of the present one (Reddi, Kale, Kumar 2018). All
        /// rows of a table are then stepped at every step.
        pub amsgrad: bool [FLAG] = false,
        /// Whether steps climb instead of descend: the gradient is negated first.
        pub maximize: bool [FLAG] = false,
    }
}

/// The options that both share.
struct Shared {
    lr: f64,
    betas: [f64; 2],
    eps: f64,
    amsgrad: bool,
    maximize: bool,
}

impl Shared {
    /// Step `step`: weights are multiplied by `decay`, and `l2` times the weights is added to the gradient. It is
    /// computed in f64, as PyTorch computes it in Python.
    fn update<F: Real>(&self, step: u64, (decay, l2): (f64, f64)) -> Update<F> {
        let [beta1, beta2] = self.betas;
        let adam = adam::Adam {
            decay: F::round(decay),
            l2: F::round(l2),
            w1: F::round(1.0 - beta1),
            beta2: F::round(beta2),
            w2: F::round(1.0 - beta2),
            size: F::round(self.lr / (1.0 - power(beta1, step))),
            root: F::round((1.0 - power(beta2, step)).sqrt()),
            eps: F::round(self.eps),
        };
        if self.amsgrad { Update::AmsGrad(adam) } else { Update::Adam(adam) }
    }

    fn manner(&self) -> Manner {
        let state = if self.amsgrad { &["expAvg", "expAvgSq", "maxExpAvgSq"] } else { MOMENTS };
        let idle = if self.amsgrad { Idle::Moves } else { Idle::CatchesUp };
        Manner { state, idle, maximize: self.maximize, ..Manner::PLAIN }
    }
}

impl Adam {
    fn shared(&self) -> Shared {
        let Adam { lr, betas, eps, amsgrad, maximize, .. } = *self;
        Shared { lr, betas, eps, amsgrad, maximize }
    }
}

impl Rule for Adam {
    fn update<F: Real>(&self, step: u64) -> Update<F> {
        self.shared().update(step, (1.0, self.weight_decay))
    }

    fn manner(&self) -> Manner {
        self.shared().manner()
    }
}

impl AdamW {
    fn shared(&self) -> Shared {
        let AdamW { numbers: AdamWNumbers { lr, betas, eps, .. }, amsgrad, maximize } = *self;
        Shared { lr, betas, eps, amsgrad, maximize }
    }
}

impl Rule for AdamW {
    fn update<F: Real>(&self, step: u64) -> Update<F> {
        self.shared().update(step, (1.0 - self.numbers.lr * self.numbers.weight_decay, 0.0))
    }

    fn manner(&self) -> Manner {
        self.shared().manner()
    }
}

impl From<AdamWNumbers> for AdamW {
    /// AdamW as it is usually meant: it descends, by the present second moment.
    fn from(numbers: AdamWNumbers) -> Self {
        Self { numbers, amsgrad: false, maximize: false }
    }
}
