//! The people of a run: each has one to three devices that know nothing of each other.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::task::JoinHandle;

use crate::crowd::Crowd;
use crate::device::Device;

/// Brings everybody to life on this host; they go on until the run is over.
pub fn live(crowd: &Crowd, seed: u64) -> Vec<JoinHandle<()>> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut tasks = Vec::new();
    for user in crowd.users() {
        let devices = random.random_range(1..=crowd.population().devices_max);
        for number in 0..devices {
            let device = Device::new(crowd.clone(), user.clone(), format!("device-{number}"), random.random());
            tasks.push(tokio::task::spawn_local(device.live()));
        }
    }
    tasks
}
