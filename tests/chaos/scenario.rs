//! A scenario: a cluster on a stage that can be shaken, a load on it, a storm, and the verdict. What a scenario needs and the machine lacks makes it say so and be skipped.

use std::path::Path;
use std::time::Duration;

use crate::blow::Blow;
use crate::clocks::{Clock, Clocks};
use crate::disks::{Disk, Disks};
use crate::ground::Ground;
use crate::load::{Load, Manners, Size};
use crate::report::Report;
use crate::said::skipped;
use crate::storm::Storm;
use crate::support::cluster::{Cluster, Plan};
use crate::support::seat::Seat;

/// Seats for nodes that join later, too.
pub const SEATS: usize = 5;

/// A hundred and twenty devices, and, where the machine lets them, about a hundred publishes a second.
pub const CROWD: Size = Size { users: 40, devices_each: 3, publishers: 8, pause_ms: 60, manners: Manners::Lively };

/// So far is any clock off, at most, in seconds.
pub const CLOCKS_OFF_S: i64 = 3_600;

/// What can be done to nodes from outside, as far as a scenario needs it.
pub struct Stage {
    _folder: tempfile::TempDir,
    ground: Option<Ground>,
    clocks: Option<Clocks>,
    disks: Option<Disks>,
}

/// What a scenario needs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Needs {
    pub ground: bool,
    pub clocks: bool,
    pub disks: bool,
}

impl Needs {
    /// Of a menu of blows.
    pub fn of(menu: &[Blow]) -> Needs {
        let any = |needs: fn(Blow) -> bool| menu.iter().copied().any(needs);
        Needs { ground: any(Blow::needs_ground), clocks: any(|blow| blow == Blow::ClockJump), disks: any(Blow::needs_disks) }
    }
}

impl Stage {
    /// Builds it; the error says what the machine lacks.
    pub fn build(needs: Needs) -> Result<Stage, String> {
        let folder = tempfile::Builder::new().prefix("engage-chaos-").tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
        let path: &Path = folder.path();
        Ok(Stage {
            ground: needs.ground.then(|| Ground::prepare(SEATS)).transpose()?,
            clocks: needs.clocks.then(|| Clocks::prepare(path)).transpose()?,
            disks: needs.disks.then(|| Disks::prepare(path)).transpose()?,
            _folder: folder,
        })
    }

    /// Where the nodes live.
    pub fn seats(&self) -> Vec<Seat> {
        let seats = self.ground.as_ref().map_or_else(|| vec![Seat::on_loopback(); SEATS], Ground::seats);
        let dress = |(number, seat): (usize, Seat)| {
            let seat = self.clocks.iter().fold(seat, |seat, clocks| clocks.on(seat, number));
            self.disks.iter().fold(seat, |seat, disks| disks.on(seat, number))
        };
        seats.into_iter().enumerate().map(dress).collect()
    }

    pub fn ground(&self) -> &Ground {
        self.ground.as_ref().expect("the scenario said that it needs it")
    }

    pub fn clocks(&self) -> &Clocks {
        self.clocks.as_ref().expect("the scenario said that it needs them")
    }

    pub fn disks(&self) -> &Disks {
        self.disks.as_ref().expect("the scenario said that it needs them")
    }

    /// Where clocks are ours: the first is an hour behind, the last an hour ahead, before any node starts.
    pub fn set_clocks_apart(&self) {
        let Some(clocks) = &self.clocks else { return };
        clocks.set(0, Clock::Off(-CLOCKS_OFF_S));
        clocks.set(2, Clock::Off(CLOCKS_OFF_S));
    }

    /// Whether clocks are ours, and wrong.
    pub fn has_wrong_clocks(&self) -> bool {
        self.clocks.is_some()
    }

    /// All lines are open, all disks are good, all clocks are right.
    pub fn heal(&self) {
        self.ground.iter().for_each(Ground::heal);
        for number in 0..SEATS {
            self.disks.iter().for_each(|disks| disks.set(number, Disk::Good));
            self.clocks.iter().for_each(|clocks| clocks.set(number, Clock::Right));
        }
    }
}

/// Three nodes under load in a storm of the blows of a menu, for so long.
pub async fn storm(name: &'static str, menu: &[Blow], span: Duration) {
    let stage = match Stage::build(Needs::of(menu)) {
        Ok(stage) => stage,
        Err(why) => return skipped(name, &why),
    };
    let seats = stage.seats();
    stage.set_clocks_apart();
    let mut cluster = Cluster::start(Plan::of(3).seated(seats)).await;
    let load = Load::start(name, &cluster, CROWD);
    load.in_full_swing().await;
    let mut storm = Storm::over(&mut cluster, &load, &stage);
    storm.rage(menu, span).await;
    let dealt = std::mem::take(&mut storm.dealt);
    for blow in menu {
        assert!(dealt.contains_key(blow), "{name}: {} never happened", blow.name());
    }
    Report::of(name, &dealt).finish(load, (&cluster, &stage)).await;
}
