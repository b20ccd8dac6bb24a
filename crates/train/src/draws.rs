//! Random draws that depend only on a seed and a place, so there is no state to carry, share or save.

/// The draws at one place: a mixed counter (splitmix64; Steele, Lea, Flood 2014).
#[derive(Clone, Copy, Debug)]
pub struct Draws(u64);

/// 2^64 divided by the golden ratio.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

fn mixed(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

impl Draws {
    /// The draws at a place in an epoch.
    #[inline]
    pub fn at(seed: u64, epoch: u64, place: u64) -> Self {
        let run = mixed(seed.wrapping_add(STEP)) ^ epoch.wrapping_add(1).wrapping_mul(STEP);
        Self(mixed(run.wrapping_add(mixed(place.wrapping_add(STEP)))))
    }

    /// 64 random bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mixed(self.0)
    }

    /// A number below `limit`, which must not be 0, with a bias of at most 2^-32.
    #[inline]
    pub fn below(&mut self, limit: u32) -> u32 {
        scaled((self.bits() >> 32) as u32, limit)
    }
}

/// 32 random bits as a number below `limit`.
#[inline]
pub(crate) fn scaled(bits: u32, limit: u32) -> u32 {
    ((u64::from(bits) * u64::from(limit)) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_differ_by_place_epoch_and_seed() {
        let first = |seed, epoch, place| Draws::at(seed, epoch, place).bits();
        let all = [first(0, 0, 0), first(1, 0, 0), first(0, 1, 0), first(0, 0, 1), first(1, 1, 1)];
        let distinct: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        assert_eq!(first(7, 2, 3), first(7, 2, 3));
    }

    #[test]
    fn numbers_below_a_limit_are_uniform() {
        let mut counts = [0u32; 10];
        for place in 0..100_000 {
            counts[Draws::at(1, 0, place).below(10) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (9_600..10_400).contains(count)), "{counts:?}");
    }
}
