//! Who lives in a run: how many people with how many devices, how they behave, how many publishers, and what those publish. Drawn from the seed; data only.

use rand::rngs::StdRng;
use rand::{Rng, RngExt};
use serde::Serialize;

/// See the head of the file. Chances are from 0 to 1, and each is drawn at the moment that it names.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Population {
    pub users: u32,
    /// Each user has 1 to so many.
    pub devices_max: u32,
    pub publishers: u32,
    /// A publisher does something once in so long, on average.
    pub publish_every_ms: u64,
    /// So long does a person think, on average, before the next step.
    pub think_ms: u64,
    /// So long does a device stay connected, on average.
    pub stay_ms: u64,
    /// So long is it away at most, when nothing keeps it away.
    pub away_max_ms: u64,
    /// A hello asks for 1 to so many.
    pub in_flight_max: u16,
    pub manners: Manners,
    pub mix: Mix,
}

/// How people behave.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Manners {
    /// A device claims before it renders: it acks what it is offered at once.
    pub claims: f64,
    /// A connection is left without a Close frame.
    pub loses: f64,
    /// A second connection of the device comes while the first is still open.
    pub overlaps: f64,
    /// The app was started anew, as a page that is reloaded: its screen is empty, its outbox was kept.
    pub reloads: f64,
    /// The app comes back without its outbox and with an empty screen.
    pub reinstalls: f64,
    /// The acks without a confirm are kept for a later hello.
    pub withholds: f64,
    /// What waits for a confirm is posted after the connection is gone.
    pub posts: f64,
    /// A hello says that the device is hidden.
    pub hides: f64,
    /// A device is hidden or shown, at each look.
    pub turns: f64,
    pub dismisses: f64,
    /// An offer is left lying until all is to be done.
    pub leaves_lying: f64,
    /// An ack skips steps.
    pub skips: f64,
    /// An ack says once more what is done already.
    pub repeats: f64,
    /// An ack is sent twice.
    pub stutters: f64,
}

/// What is published.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mix {
    /// The same once more.
    pub again: f64,
    /// Other content under the same id.
    pub otherwise: f64,
    pub take_back: f64,
    pub status: f64,
    pub notice: f64,
    /// To several users in one call.
    pub many: f64,
    pub all_devices: f64,
    pub each_device: f64,
    pub own_window: f64,
    pub ttl: f64,
    pub not_before: f64,
    pub snooze: f64,
    pub max_offers: f64,
    /// A publisher falls over after a call without an answer, and never learns what became of it.
    pub forgets: f64,
}

impl Population {
    /// Some people or other.
    pub fn draw(random: &mut impl Rng) -> Population {
        Population {
            users: random.random_range(2..=6),
            devices_max: random.random_range(1..=3),
            publishers: random.random_range(1..=3),
            publish_every_ms: random.random_range(150..=1_500),
            think_ms: random.random_range(50..=2_500),
            stay_ms: random.random_range(2_000..=15_000),
            away_max_ms: random.random_range(300..=4_000),
            in_flight_max: random.random_range(1..=8),
            manners: Manners::draw(random),
            mix: Mix::draw(random),
        }
    }
}

impl Manners {
    fn draw(random: &mut impl Rng) -> Manners {
        Manners {
            claims: up_to(random, 0.5),
            loses: up_to(random, 0.9),
            overlaps: up_to(random, 0.3),
            reloads: up_to(random, 0.7),
            reinstalls: up_to(random, 0.4),
            withholds: up_to(random, 0.5),
            posts: up_to(random, 0.5),
            hides: up_to(random, 0.3),
            turns: up_to(random, 0.1),
            dismisses: up_to(random, 0.2),
            leaves_lying: up_to(random, 0.3),
            skips: up_to(random, 0.2),
            repeats: up_to(random, 0.1),
            stutters: up_to(random, 0.1),
        }
    }
}

impl Mix {
    fn draw(random: &mut impl Rng) -> Mix {
        Mix {
            again: up_to(random, 0.1),
            otherwise: up_to(random, 0.06),
            take_back: up_to(random, 0.08),
            status: up_to(random, 0.15),
            notice: up_to(random, 0.05),
            many: up_to(random, 0.1),
            all_devices: up_to(random, 0.5),
            each_device: up_to(random, 0.25),
            own_window: up_to(random, 0.25),
            ttl: up_to(random, 0.2),
            not_before: up_to(random, 0.15),
            snooze: up_to(random, 0.2),
            max_offers: up_to(random, 0.2),
            forgets: up_to(random, 0.05),
        }
    }
}

/// One run in four does without it, so that what it hides is seen too.
fn up_to(random: &mut impl Rng, most: f64) -> f64 {
    if random.random_bool(0.25) { 0.0 } else { random.random_range(0.0..most) }
}

/// A time around that average: mostly shorter, seldom four times as long.
pub fn around(random: &mut StdRng, average_ms: u64) -> u64 {
    let average = average_ms.max(1);
    if random.random_bool(0.8) { random.random_range(0..=average) } else { random.random_range(average..=4 * average) }
}
