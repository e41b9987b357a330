//! Nodes join, are drained and are removed while others are hit: every change is begun in the middle of a fault, may be cut short by it, and is made again when it is over.

use std::time::Duration;

use engage::clock;
use engage::history::record::Fault;

use crate::blow::Blow;
use crate::load::Load;
use crate::report::Report;
use crate::said::skipped;
use crate::scenario::{CROWD, Needs, SEATS, Stage};
use crate::storm::Storm;
use crate::support::cluster::{CHANGE_DEADLINE, Cluster, Plan};
use crate::support::network::Place;
use crate::support::wait;

/// What happens to another node meanwhile.
const MENU: [Blow; 6] = [Blow::Kill, Blow::Pause, Blow::Cut, Blow::CutIn, Blow::CutOut, Blow::Loss];

/// A fourth node joins, and an old one is taken out, round after round; each node has its turn to leave, the founder too.
pub async fn amid_faults(name: &'static str, span: Duration) {
    let stage = match Stage::build(Needs::of(&MENU)) {
        Ok(stage) => stage,
        Err(why) => return skipped(name, &why),
    };
    let mut cluster = Cluster::start(Plan::of(3).seated(stage.seats())).await;
    let load = Load::start(name, &cluster, CROWD);
    load.in_full_swing().await;
    let mut storm = Storm::over(&mut cluster, &load, &stage);
    let until = clock::monotonic() + span;
    let mut rounds = 0;
    // There are so many seats: a node that was taken out does not come back.
    while rounds == 0 || (clock::monotonic() < until && rounds + 3 < SEATS) {
        join_amid(&mut storm, &load).await;
        let leaving = storm.cluster.belonging()[0];
        leave_amid(&mut storm, &load, leaving).await;
        rounds += 1;
    }
    let dealt = std::mem::take(&mut storm.dealt);
    let report = Report::of(name, &dealt).and("join", rounds).and("drain and removal", rounds);
    report.finish(load, (&cluster, &stage)).await;
}

async fn join_amid(storm: &mut Storm<'_>, load: &Load) {
    storm.deal_from(&MENU, None).await;
    let joiner = storm.cluster.add();
    load.fault(&storm.cluster.name(joiner), Fault::Join);
    storm.cluster.join(joiner);
    storm.last().await;
    storm.heal().await;
    storm.cluster.whole().await;
    storm.tell_of_the_end();
    load.fault(&storm.cluster.name(joiner), Fault::Start);
}

async fn leave_amid(storm: &mut Storm<'_>, load: &Load, leaving: Place) {
    let name = storm.cluster.name(leaving);
    load.fault(&name, Fault::Drain);
    storm.cluster.hide_from_clients(leaving);
    storm.deal_from(&MENU, Some(leaving)).await;
    storm.cluster.begin(leaving, &["drain", &name], Duration::from_millis(300)).await;
    storm.last().await;
    storm.heal().await;
    operate_until_done(storm.cluster, leaving, "drain").await;
    storm.cluster.holds_nothing(leaving).await;
    storm.tell_of_the_end();

    storm.cluster.leaves(leaving);
    load.fault(&name, Fault::Remove);
    storm.deal_from(&MENU, Some(leaving)).await;
    storm.cluster.begin(leaving, &["remove", &name], Duration::from_millis(300)).await;
    storm.last().await;
    storm.heal().await;
    operate_until_done(storm.cluster, leaving, "remove").await;
    storm.cluster.gone(&name).await;
    storm.cluster.retire(leaving).await;
    storm.cluster.whole().await;
    storm.tell_of_the_end();
}

/// Makes a change again and again until it is made: others may still be on their way back.
async fn operate_until_done(cluster: &Cluster, about: Place, verb: &str) {
    let name = cluster.name(about);
    let mut last = String::new();
    let start = clock::monotonic();
    while clock::monotonic() - start < CHANGE_DEADLINE {
        let ran = cluster.operate(about, &[verb, &name]).await;
        let is_gone = verb == "remove" && cluster.view().await.node(&name).is_none();
        if ran.code == 0 || is_gone {
            return;
        }
        last = format!("{}{}", ran.stdout, ran.stderr);
        wait::pass(Duration::from_millis(200)).await;
    }
    panic!("{verb} {name} was made in vain for {CHANGE_DEADLINE:?}; it said: {last}");
}
