//! The product in 8 bits by AVX-512 VNNI, which multiplies and adds 64 pairs of bytes at once.
//!
//! Measured against the portable form and against candle's `QMatMul` by `cargo bench -p broadside-engine --bench
//! kernels`.

use super::q8::Panels;

/// Computes the panels, or gives them back where the processor has no such instructions.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn apply(panels: Panels<'_>) -> Result<(), Panels<'_>> {
    Err(panels)
}

/// Computes the panels, or gives them back where the processor has no such instructions.
#[cfg(target_arch = "x86_64")]
pub(super) fn apply(panels: Panels<'_>) -> Result<(), Panels<'_>> {
    if !is_x86_feature_detected!("avx512f")
        || !is_x86_feature_detected!("avx512bw")
        || !is_x86_feature_detected!("avx512vnni")
    {
        return Err(panels);
    }
    #[expect(unsafe_code, reason = "the instructions exist, as was asked of the processor above")]
    unsafe {
        x86::all(panels);
    }
    Ok(())
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::super::columns::LANES;
    use super::super::q8::{GROUP, Panels, Quants};

    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    pub(super) fn all(mut panels: Panels<'_>) {
        match panels.scales.len() / panels.groups {
            4 => rows::<4>(&mut panels, 0),
            2 => rows::<2>(&mut panels, 0),
            count => (0..count).for_each(|panel| rows::<1>(&mut panels, panel)),
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    fn rows<const P: usize>(panels: &mut Panels<'_>, panel: usize) {
        let mut row = 0;
        while row < panels.x.rows {
            row += match panels.x.rows - row {
                1 => tile::<1, P>(panels, panel, row),
                2 | 3 => tile::<2, P>(panels, panel, row),
                4 | 5 => tile::<4, P>(panels, panel, row),
                _ => tile::<6, P>(panels, panel, row),
            };
        }
    }

    /// `R` rows by `P` panels of sixteen outputs, their sums in registers.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    fn tile<const R: usize, const P: usize>(panels: &mut Panels<'_>, panel: usize, row: usize) -> usize {
        let (groups, x) = (panels.groups, panels.x);
        let mut sums = [[_mm512_setzero_ps(); P]; R];
        for group in 0..groups {
            let at = group * x.rows + row;
            let excess: &[i32; R] = x.excess[at..at + R].try_into().expect("R rows");
            let quants: &[[i8; GROUP]; R] = x.quants[at..at + R].try_into().expect("R rows");
            let scales: &[f32; R] = x.scales[at..at + R].try_into().expect("R rows");
            let weights: [&[Quants; 8]; P] = std::array::from_fn(|p| {
                panels.quants[((panel + p) * groups + group) * 8..][..8].try_into().expect("a group")
            });
            let mut counts = [[_mm512_setzero_si512(); P]; R];
            for r in 0..R {
                counts[r] = [_mm512_set1_epi32(-excess[r]); P];
            }
            for four in 0..8 {
                let weights: [__m512i; P] = std::array::from_fn(|p| bytes(&weights[p][four]));
                for r in 0..R {
                    let x = &quants[r][4 * four..4 * four + 4];
                    let x = _mm512_set1_epi32(i32::from_ne_bytes([
                        x[0] as u8, x[1] as u8, x[2] as u8, x[3] as u8,
                    ]));
                    for p in 0..P {
                        counts[r][p] = _mm512_dpbusd_epi32(counts[r][p], weights[p], x);
                    }
                }
            }
            for p in 0..P {
                let weights = halves(&panels.scales[(panel + p) * groups + group]);
                for r in 0..R {
                    let scale = _mm512_mul_ps(weights, _mm512_set1_ps(scales[r]));
                    sums[r][p] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(counts[r][p]), scale, sums[r][p]);
                }
            }
        }
        for r in 0..R {
            for p in 0..P {
                store(&mut panels.out[(panel + p) * x.rows + row + r].0, sums[r][p]);
            }
        }
        R
    }

    #[target_feature(enable = "avx512f")]
    #[expect(unsafe_code, reason = "a load of the 64 bytes that the reference is of")]
    fn bytes(quants: &Quants) -> __m512i {
        unsafe { _mm512_load_si512(quants.0.as_ptr().cast()) }
    }

    #[target_feature(enable = "avx512f")]
    #[expect(unsafe_code, reason = "a load of the 32 bytes that the reference is of")]
    fn halves(scales: &[half::f16; LANES]) -> __m512 {
        _mm512_cvtph_ps(unsafe { _mm256_loadu_si256(scales.as_ptr().cast()) })
    }

    #[target_feature(enable = "avx512f")]
    #[expect(unsafe_code, reason = "a store to the 64 bytes that the reference is of")]
    fn store(out: &mut [f32; LANES], values: __m512) {
        unsafe { _mm512_storeu_ps(out.as_mut_ptr(), values) }
    }
}
