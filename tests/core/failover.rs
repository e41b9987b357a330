//! Owners that die before they have said what was committed, links that break, leaders whose clocks disagree: after a connection is reported again, its screen is what the
//! ledger says that its device holds, and it was told nothing twice.

use engage::ledger::Command;
use engage::ledger::command::{Ack, Departure, Visibility};
use engage::ledger::ids::EngagementId;
use proptest::prelude::*;
use std::collections::BTreeMap;

use crate::owner::{World, user};

/// One thing that happens; numbers are reduced to the few devices and engagements there are.
#[derive(Clone, Debug)]
enum Step {
    Publish {
        id: u8,
        kind: u16,
    },
    /// A client opens a connection; one that it had may linger at its edge.
    Hello {
        device: u8,
        kind: u16,
    },
    Close {
        device: u8,
    },
    Break {
        device: u8,
    },
    Show {
        device: u8,
        visible: bool,
    },
    Say {
        device: u8,
        id: u8,
        step: u8,
    },
    Dismiss {
        device: u8,
        id: u8,
    },
    Withdraw {
        id: u8,
    },
    Forget {
        really: u8,
    },
    /// The owner gets to say so much of what it has to say.
    Send {
        count: u8,
    },
    /// The link to the edge of a device breaks; what is on the way is lost.
    Cut {
        device: u8,
    },
    /// The owner dies when it has said `sent` more words; another takes over after a while, with a clock that is ahead.
    Takeover {
        sent: u8,
        outage_ms: u16,
        ahead_ms: u32,
    },
    /// The edges of a device report its connections to the owner.
    Report {
        device: u8,
    },
    ReportAll,
    Pass {
        span_ms: u16,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let device = || 0..3u8;
    let outage = prop_oneof![3 => 0..300u16, 1 => 900..1_500u16];
    let ahead = prop_oneof![4 => Just(0u32), 1 => 0..3_000u32];
    let step = prop_oneof![
        8 => (0..6u8, any::<u16>()).prop_map(|(id, kind)| Step::Publish { id, kind }),
        5 => (device(), any::<u16>()).prop_map(|(device, kind)| Step::Hello { device, kind }),
        1 => device().prop_map(|device| Step::Close { device }),
        2 => device().prop_map(|device| Step::Break { device }),
        5 => (device(), any::<bool>()).prop_map(|(device, visible)| Step::Show { device, visible }),
        9 => (device(), 0..6u8, 0..4u8).prop_map(|(device, id, step)| Step::Say { device, id, step }),
        2 => (device(), 0..6u8).prop_map(|(device, id)| Step::Dismiss { device, id }),
        1 => (0..6u8).prop_map(|id| Step::Withdraw { id }),
        1 => (0..8u8).prop_map(|really| Step::Forget { really }),
        5 => (0..30u8).prop_map(|count| Step::Send { count }),
        2 => device().prop_map(|device| Step::Cut { device }),
        4 => (0..6u8, outage, ahead).prop_map(|(sent, outage_ms, ahead_ms)| Step::Takeover { sent, outage_ms, ahead_ms }),
        6 => device().prop_map(|device| Step::Report { device }),
        3 => Just(Step::ReportAll),
        4 => (0..700u16).prop_map(|span_ms| Step::Pass { span_ms }),
    ];
    prop::collection::vec(step, 1..100)
}

impl World {
    fn take(&mut self, step: &Step) {
        self.run_leases_out();
        match *step {
            Step::Publish { id, kind } => self.publish(id, kind),
            Step::Hello { device, kind } => self.hello(device, kind),
            Step::Close { device } => self.end(device, Departure::Closed),
            Step::Break { device } => self.end(device, Departure::Lost),
            Step::Show { device, visible } => self.show(device, if visible { Visibility::Visible } else { Visibility::Hidden }),
            Step::Say { device, id, step } => {
                let Some(&window) = self.windows.get(&id) else { return };
                let ack = Ack { id: EngagementId::parse(&format!("e{id}")).unwrap(), window, step: u32::from(step), data: None };
                self.say(device, Command::Ack { user: user(), by: self.by(device), ack });
            }
            Step::Dismiss { device, id } => self.dismiss(device, id),
            Step::Withdraw { id } => {
                self.do_now(Command::Withdraw { user: user(), id: EngagementId::parse(&format!("e{id}")).unwrap() });
            }
            Step::Forget { really: 0 } => {
                self.edges.forget();
                self.steps.clear();
                self.do_now(Command::Forget { user: user() });
            }
            Step::Forget { .. } => {}
            Step::Send { count } => self.send(usize::from(count)),
            Step::Cut { device } => self.cut(device),
            Step::Takeover { sent, outage_ms, ahead_ms } => {
                self.send(usize::from(sent));
                self.take_over(u64::from(outage_ms), u64::from(ahead_ms));
            }
            Step::Report { device } => self.report(|line| line.device == device),
            Step::ReportAll => self.report(|_| true),
            Step::Pass { span_ms } => self.pass(u64::from(span_ms)),
        }
        if self.unsaid.is_empty() {
            self.check_screens();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2 * ProptestConfig::default().cases, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_an_owner_left_unsaid_every_screen_is_right_again_and_nothing_came_twice(steps in steps()) {
        let mut world = World::new();
        for step in &steps {
            world.take(step);
        }
        world.come_to_rest();
    }
}

#[test]
fn random_failovers_reach_every_way_of_coming_back() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut reached = BTreeMap::new();
    for _ in 0..300 {
        let mut world = World::new();
        for step in steps().new_tree(&mut runner).unwrap().current() {
            world.take(&step);
        }
        world.come_to_rest();
        for (what, count) in world.reached {
            *reached.entry(what).or_insert(0) += count;
        }
    }
    let wanted = [
        "an again was replaced",
        "an offer was told again",
        "a repeated hello was told its offer again",
        "progress by steps",
        "withdraw by an again",
        "window by an again",
        "caught up by an again",
        "an again that told nothing",
        "a lost offer was taken back",
        "an owner died with words unsaid",
        "an edge withdrew what its connections held",
        "screens were compared",
    ];
    let missing: Vec<_> = wanted.iter().filter(|name| !reached.contains_key(**name)).collect();
    assert!(missing.is_empty(), "never reached: {missing:?}; reached: {reached:?}");
}
