//! The only file that draws random numbers for what a node does; for secrets and proofs too, which the system's generator seeds. In the simulation, the draws of a
//! thread come from the seed of its run.

use std::cell::RefCell;
use std::convert::Infallible;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _, TryRng};

thread_local! {
    static SEEDED: RefCell<Option<StdRng>> = const { RefCell::new(None) };
}

/// From now on what this thread draws follows from the seed. For the simulation alone: who knows the seed knows the draws.
pub fn simulate(seed: u64) {
    SEEDED.set(Some(StdRng::seed_from_u64(seed)));
}

/// A generator of random numbers.
#[must_use]
pub fn dice() -> Dice {
    Dice(())
}

/// See [`dice`].
#[derive(Debug)]
pub struct Dice(());

impl TryRng for Dice {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(SEEDED.with_borrow_mut(|seeded| seeded.as_mut().map_or_else(|| rand::rng().next_u32(), StdRng::next_u32)))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(SEEDED.with_borrow_mut(|seeded| seeded.as_mut().map_or_else(|| rand::rng().next_u64(), StdRng::next_u64)))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        SEEDED.with_borrow_mut(|seeded| match seeded {
            Some(seeded) => seeded.fill_bytes(bytes),
            None => rand::rng().fill_bytes(bytes),
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt as _;

    #[test]
    fn the_same_seed_draws_the_same() {
        let draw = |seed| {
            simulate(seed);
            let drawn: [u64; 4] = std::array::from_fn(|_| dice().random());
            SEEDED.set(None);
            drawn
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn without_a_seed_nothing_repeats() {
        assert_ne!(dice().random::<u128>(), dice().random::<u128>());
    }
}
