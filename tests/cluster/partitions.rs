//! The network between the nodes is cut, both ways and one way. An edge without its owner gives back what its clients hold; an old leader on the wrong side offers nothing.

use std::time::{Duration, Instant};

use engage::clock;
use serde_json::{Value, json};

use crate::load::{Load, Size, shows_enough};
use crate::probe::Probe;
use crate::support::cluster::{Cluster, Plan};
use crate::support::device::{Device, Event};
use crate::support::hello::Hello;
use crate::support::network::{Place, Way};
use crate::support::wait::{self, pass};
use engage::history::record::Fault;

const LEASE: Duration = Duration::from_secs(3);

/// A way of cutting three nodes apart.
struct Cut {
    what: &'static str,
    /// Those whose clients may notice.
    blamed: &'static [Place],
    ways: &'static [(Place, Place)],
}

const CUTS: [Cut; 4] = [
    Cut { what: "n1 off", blamed: &[0], ways: &[(0, 1), (1, 0), (0, 2), (2, 0)] },
    Cut { what: "n2 hears nothing", blamed: &[1], ways: &[(0, 1), (2, 1)] },
    Cut { what: "n3 is not heard", blamed: &[2], ways: &[(2, 0), (2, 1)] },
    Cut { what: "n1 and n2 apart, n3 sees both", blamed: &[0, 1], ways: &[(0, 1), (1, 0)] },
];

/// The next message of a type, when it came, and what came before it.
async fn awaited(device: &mut Device, kind: &str) -> (Instant, Value, Vec<Value>) {
    let mut before = Vec::new();
    loop {
        match device.next().await {
            Event::Message(message) if message["type"] == kind => return (clock::monotonic(), message, before),
            Event::Message(message) => before.push(message),
            other => panic!("expected {kind}, but {other:?} came, after {before:?}"),
        }
    }
}

/// A user whose shard is led by one of these, and its device on a node.
async fn user_owned_by(cluster: &Cluster, owners: &[Place]) -> String {
    let view = cluster.spread().await;
    let names: Vec<String> = owners.iter().map(|place| cluster.name(*place)).collect();
    let probes = Probe::for_each_shard(cluster).await;
    let is_owned = |probe: &&Probe| names.iter().any(|name| view.leader(probe.shard) == Some(name.as_str()));
    probes.iter().find(is_owned).expect("each node leads something").user.clone()
}

fn isolate(cluster: &Cluster, place: Place, way: Way) {
    for other in (0..3).filter(|other| *other != place) {
        cluster.network().set_both(place, other, way);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edge_that_is_cut_off_from_the_owner_withdraws_before_another_device_is_offered_it() {
    let cluster = Cluster::start(Plan::of(3).with_network()).await;
    let user = user_owned_by(&cluster, &[1, 2]).await;
    let mut phone = Hello::new(&user, "phone").say_to(&cluster.member(0).address()).await;
    let offer = phone.offers_until_caught_up().await.remove(0);
    let mut laptop = Hello::new(&user, "laptop").say_to(&cluster.member(1).address()).await;
    laptop.expect("caught_up").await;

    isolate(&cluster, 0, Way::Cut);
    let cut_at = clock::monotonic();
    let (taken, moved) = tokio::join!(awaited(&mut phone, "withdraw"), awaited(&mut laptop, "offer"));
    assert_eq!((&taken.1["id"], &taken.1["reason"]), (&offer["id"], &json!("moved")), "{}", taken.1);
    assert_eq!(moved.1["id"], offer["id"]);
    println!("partition: withdrawn {:?} after the cut, offered to the other {:?} after it", taken.0 - cut_at, moved.0 - cut_at);
    assert!(taken.0 <= moved.0, "the other device was offered it {:?} before the first was told", taken.0 - moved.0);
    assert!(moved.0 - cut_at >= LEASE - Duration::from_millis(100), "the lease was not waited for: {:?}", moved.0 - cut_at);

    cluster.network().heal();
    assert_eq!(laptop.ack(&moved.1, 100).await["yours"], true);
    let mut again = Hello::new(&user, "phone").open(&[&offer]).say_to(&cluster.member(0).address()).await;
    assert_eq!(again.expect("withdraw").await["id"], offer["id"], "it is settled elsewhere");
    again.expect("caught_up").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_isolated_old_leader_offers_nothing() {
    let mut cluster = Cluster::start(Plan::of(3).with_network()).await;
    let user = user_owned_by(&cluster, &[0]).await;
    let mut phone = Hello::new(&user, "phone").say_to(&cluster.member(0).address()).await;
    let held = phone.offers_until_caught_up().await.remove(0);

    isolate(&cluster, 0, Way::Cut);
    let (old, of) = (cluster.member(0).admin(), user.clone());
    let refused = tokio::spawn(async move { old.publish(&of, &json!({"id": "at the old", "payload": 1})).await });
    let new = cluster.member(1).admin();
    let publish =
        || async { Some(new.publish(&user, &json!({"id": "at the new", "payload": 1})).await).filter(|answer| answer.status == 201) };
    wait::until("the others elect a new owner", publish).await;
    let mut laptop = Hello::new(&user, "laptop").say_to(&cluster.member(1).address()).await;
    let (_, offer, _) = awaited(&mut laptop, "offer").await;
    assert_eq!(offer["id"], "at the new", "what the phone holds is its own until the lease is over");
    let (_, withdraw, before) = awaited(&mut phone, "withdraw").await;
    assert_eq!(withdraw["id"], held["id"]);
    assert!(before.iter().all(|message| message["type"] != "offer"), "the old leader offered: {before:?}");
    let silent = tokio::time::timeout(LEASE, phone.next_without_deadline()).await;
    assert!(!matches!(&silent, Ok(Event::Message(message)) if message["type"] == "offer"), "the old leader offered: {silent:?}");
    refused.await.expect("the publisher does not panic").problem(503, "unavailable");

    cluster.network().heal();
    cluster.whole().await;
    assert_eq!(new.publish(&user, &json!({"id": "at the new", "payload": 1})).await.ok(200)["status"], "duplicate");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cuts_both_ways_and_one_way_under_load_break_no_promise() {
    let mut cluster = Cluster::start(Plan::of(3).with_network()).await;
    let load = Load::start("cuts", &cluster, Size::CROWD);
    load.in_full_swing().await;
    for Cut { what, blamed, ways } in CUTS {
        println!("cuts: {what}");
        blamed.iter().for_each(|place| load.fault(&cluster.name(*place), Fault::Cut));
        ways.iter().for_each(|(from, to)| cluster.network().set(*from, *to, Way::Cut));
        pass(LEASE * 2).await;
        cluster.network().heal();
        cluster.whole().await;
        blamed.iter().for_each(|place| load.fault(&cluster.name(*place), Fault::Heal));
    }
    // A slow line is no fault.
    for (from, to) in [(0, 1), (1, 0), (0, 2), (2, 0)] {
        cluster.network().set(from, to, Way::Slow(Duration::from_millis(20)));
    }
    pass(Duration::from_secs(3)).await;
    cluster.network().break_links(0, 1);
    pass(Duration::from_secs(2)).await;
    cluster.network().heal();
    cluster.whole().await;
    shows_enough(&load.finish(&cluster).await);
}
