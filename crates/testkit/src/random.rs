//! Values from a fixed seed, including awkward ones.

/// A generator (splitmix64, Steele et al. 2014). A seed gives the same values everywhere.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A generator with this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`; `end` must not be 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.bits() % end as u64) as usize
    }

    /// A number from -1 to 1.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    /// f32 from -1 to 1.
    pub fn units(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| self.unit() as f32).collect()
    }

    /// f32 of every kind: any bits, and often one of [`AWKWARD`].
    pub fn awkward(&mut self, len: usize) -> Vec<f32> {
        let pick = |bits: u64| match AWKWARD.get((bits >> 32) as usize % (2 * AWKWARD.len())) {
            Some(&awkward) => f32::from_bits(awkward),
            None => f32::from_bits(bits as u32),
        };
        (0..len).map(|_| pick(self.bits())).collect()
    }

    /// Ids below `rows`, of which one is the last row.
    pub fn ids(&mut self, len: usize, rows: usize) -> Vec<u32> {
        let mut ids: Vec<u32> = (0..len).map(|_| self.below(rows) as u32).collect();
        if let Some(last) = ids.last_mut() {
            *last = (rows - 1) as u32;
        }
        ids
    }
}

/// Bits of f32 that arithmetic often gets wrong: zeros, infinities, quiet and signalling NaNs with payloads,
/// subnormal and extreme numbers.
pub const AWKWARD: [u32; 14] = [
    0x0000_0000,
    0x8000_0000,
    0x7f80_0000,
    0xff80_0000,
    0x7fc0_0000,
    0xffc1_2345,
    0x7f80_0001,
    0xffbf_ffff,
    0x0000_0001,
    0x807f_ffff,
    0x0080_0000,
    0x7f7f_ffff,
    0xff7f_ffff,
    0x3f80_0000,
];

/// Row lengths on both sides of each vector width, and those of real models.
pub const DIMS: [usize; 17] = [1, 3, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 85, 163, 256, 768, 1000];
