//! Makes what this process draws from the operating system a function of its seed. std asks the function `getrandom` for the keys of its `RandomState`, which decides the
//! order of every `HashMap` and, through it, the branches that tokio's `select!` takes; the crates that offer random numbers find the same function. So a function of
//! that name in this binary takes the place of the C library's, for all of them. No secret may ever be made in this binary.
#![expect(
    unsafe_code,
    reason = "a symbol that C code and std look for can only be given by an unsafe attribute, and writes where a pointer says"
)]

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

static SEED: AtomicU64 = AtomicU64::new(0);
static HAS_DRAWN: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// How many words this thread has drawn. Threads don't share a stream, so that their turns don't matter.
    static DRAWN: Cell<u64> = const { Cell::new(0) };
}

/// Sets the seed. To be called before anything else: what was drawn before would be the same for all seeds.
pub fn seed(seed: u64) {
    assert!(!HAS_DRAWN.load(Ordering::Relaxed), "something was drawn before the seed was known");
    SEED.store(seed, Ordering::Relaxed);
}

/// SplitMix64: any seed and any position will do.
fn word(seed: u64, position: u64) -> u64 {
    let mut z = seed.wrapping_mul(0xD1B5_4A32_D192_ED03).wrapping_add(position.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// In place of the C library's: fills the buffer, always wholly.
///
/// # Safety
///
/// `buffer` points to `length` bytes that may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getrandom(buffer: *mut u8, length: usize, _flags: u32) -> isize {
    HAS_DRAWN.store(true, Ordering::Relaxed);
    // Safety: the caller says so, and a null pointer with no length is made a slice of nothing.
    let bytes = if length == 0 { &mut [][..] } else { unsafe { std::slice::from_raw_parts_mut(buffer, length) } };
    let seed = SEED.load(Ordering::Relaxed);
    for chunk in bytes.chunks_mut(8) {
        let position = DRAWN.get().wrapping_add(1);
        DRAWN.set(position);
        chunk.copy_from_slice(&word(seed, position).to_le_bytes()[..chunk.len()]);
    }
    length.cast_signed()
}
