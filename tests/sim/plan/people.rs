//! Who takes part in a run: people with their devices, and publishers with what they publish. How they go about it stands in the files of the simulated clients.

use rand::RngExt;
use rand::rngs::StdRng;
use serde::Serialize;

use super::cluster::ClusterPlan;

/// A person with devices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Person {
    pub user: String,
    pub devices: Vec<Device>,
}

/// An installation of a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Device {
    pub device: String,
    /// Keeps unconfirmed acks and sends them in its next hello. One without loses them with its connection.
    pub has_outbox: bool,
    /// Says in its hello what it has on its screen.
    pub tells_open: bool,
    pub max_in_flight: usize,
    /// How long it stays connected, about, before it goes by itself; it closes with a Close frame so often of 100 times, and is lost otherwise.
    pub online_ms: u64,
    pub closes_percent: u32,
    /// How long it is away then, about.
    pub offline_ms: u64,
    /// How long it is visible, about, before it is hidden, and how long it is then hidden. `None`: never says.
    pub visible_ms: Option<(u64, u64)>,
    /// How long a person looks before an ack, about.
    pub think_ms: u64,
    /// Of 100 offers, so many are dismissed, so many are left alone, and the rest is shown and done step by step.
    pub dismiss_percent: u32,
    pub ignore_percent: u32,
    /// Acks first and shows on `yours` only.
    pub claims: bool,
}

/// One who publishes and withdraws.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Publisher {
    /// From one publish to the next, about.
    pub every_ms: u64,
    /// Of 100 publishes, so many repeat an earlier one as it was, and so many an earlier id with other content.
    pub repeat_percent: u32,
    pub different_percent: u32,
    /// Of 100 calls, so many withdraw an earlier one.
    pub withdraw_percent: u32,
    /// Of 100 engagements, how many have …
    pub device_scope_percent: u32,
    pub targets_all_percent: u32,
    pub fire_and_forget_percent: u32,
    /// … more than one step, and how many at the most.
    pub steps_percent: u32,
    pub steps_max: u32,
    pub ttl_percent: u32,
    pub ttl_ms: u64,
    /// … a window of their own.
    pub own_window_percent: u32,
    pub own_window_ms: u64,
    pub max_offers_percent: u32,
    pub snooze_percent: u32,
    pub snooze_ms: u64,
    pub not_before_percent: u32,
    /// Bytes of a payload, at the most.
    pub payload_bytes: usize,
    /// Of 100 publishes, so many are to several at once.
    pub many_percent: u32,
}

/// Draws the people.
pub fn draw_people(rng: &mut StdRng) -> Vec<Person> {
    let count = rng.random_range(2..=6);
    (0..count).map(|number| draw_person(rng, number)).collect()
}

/// Draws the publishers.
pub fn draw_publishers(rng: &mut StdRng, cluster: &ClusterPlan) -> Vec<Publisher> {
    let count = rng.random_range(1..=3);
    // A tight buffer is filled in time only by those who publish much.
    let hurry = if cluster.buffer_deliveries < 20 { 3 } else { 1 };
    (0..count).map(|_| draw_publisher(rng, hurry)).collect()
}

fn draw_person(rng: &mut StdRng, number: usize) -> Person {
    let count = rng.random_range(1..=3);
    Person { user: format!("u{number}"), devices: (1..=count).map(|device| draw_device(rng, device)).collect() }
}

fn draw_device(rng: &mut StdRng, number: usize) -> Device {
    let visible_ms = rng.random_ratio(1, 2).then(|| (rng.random_range(2_000..15_000), rng.random_range(500..8_000)));
    Device {
        device: format!("d{number}"),
        has_outbox: rng.random_ratio(2, 3),
        tells_open: rng.random_ratio(5, 6),
        max_in_flight: [1, 2, 4, 16][rng.random_range(0..4)],
        online_ms: rng.random_range(1_000..25_000),
        closes_percent: [0, 30, 50, 100][rng.random_range(0..4)],
        offline_ms: rng.random_range(100..8_000),
        visible_ms,
        think_ms: rng.random_range(20..2_500),
        dismiss_percent: rng.random_range(0..25),
        ignore_percent: rng.random_range(0..25),
        claims: rng.random_ratio(1, 4),
    }
}

fn draw_publisher(rng: &mut StdRng, hurry: u64) -> Publisher {
    Publisher {
        every_ms: rng.random_range(150..1_500) / hurry,
        repeat_percent: rng.random_range(0..15),
        different_percent: rng.random_range(0..5),
        withdraw_percent: rng.random_range(0..12),
        device_scope_percent: rng.random_range(0..30),
        targets_all_percent: rng.random_range(0..60),
        fire_and_forget_percent: rng.random_range(0..15),
        steps_percent: rng.random_range(10..70),
        steps_max: rng.random_range(2..=6),
        ttl_percent: rng.random_range(0..30),
        ttl_ms: rng.random_range(1_000..20_000),
        own_window_percent: rng.random_range(0..30),
        own_window_ms: rng.random_range(1_000..30_000),
        max_offers_percent: rng.random_range(0..30),
        snooze_percent: rng.random_range(0..40),
        snooze_ms: rng.random_range(500..10_000),
        not_before_percent: rng.random_range(0..15),
        payload_bytes: [64, 256, 2_048][rng.random_range(0..3)],
        many_percent: rng.random_range(0..10),
    }
}
