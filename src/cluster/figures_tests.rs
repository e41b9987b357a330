//! Who has figures, and who has none.

use std::collections::BTreeMap;

use super::*;
use crate::cluster::fakes_for_tests::{Net, directory, meta_of};

/// A node that says how long it is up.
struct UpFor(u64);

#[async_trait]
impl Measure for UpFor {
    async fn measure(&self) -> NodeFigures {
        NodeFigures { at: clock::wall_ms() + self.0, up_ms: self.0, ..NodeFigures::default() }
    }
}

/// A node that is asked and never answers.
struct Silent;

#[async_trait]
impl Measure for Silent {
    async fn measure(&self) -> NodeFigures {
        std::future::pending().await
    }
}

fn serve(net: &Net, node: u64, own: Arc<dyn Measure>) -> Arc<ServeFigures> {
    let served = Arc::new(ServeFigures::new(own, Handle::current()));
    net.serve(node, Service::Figures, served.clone());
    served
}

fn asked_at_n1(net: &Arc<Net>, count: u64) -> AllFigures {
    AllFigures::new(directory(1, &meta_of(count)), net.peers_of(1), Arc::new(UpFor(1)))
}

#[tokio::test(start_paused = true)]
async fn any_node_tells_what_all_measure_and_who_does_not_answer_has_no_figures() {
    let net = Arc::new(Net::default());
    let all = asked_at_n1(&net, 4);
    serve(&net, 2, Arc::new(UpFor(90_000)));
    serve(&net, 3, Arc::new(Silent));
    let started = clock::monotonic();
    let members = all.of_all().await;
    assert!(clock::monotonic() - started <= PATIENCE, "whoever is silent costs no more than that");
    let up: BTreeMap<&str, Option<u64>> =
        members.iter().map(|member| (member.name.as_str(), member.figures.as_ref().map(|figures| figures.up_ms))).collect();
    assert_eq!(up, BTreeMap::from([("n1", Some(1)), ("n2", Some(90_000)), ("n3", None), ("n4", None)]));
    let ahead = members[1].clock_ahead_ms.unwrap();
    assert!((89_000..=91_000).contains(&ahead), "the clock of n2 is 90 s ahead, and seems to be {ahead} ms");
    assert_eq!(members[2].clock_ahead_ms, None);
    assert_eq!(all.me(), "n1");
}

#[tokio::test]
async fn a_node_answers_so_many_at_once_and_no_more() {
    let net = Net::default();
    let served = serve(&net, 2, Arc::new(Silent));
    for _ in 0..ANSWERS_MAX {
        served.asked(NodeId(1), Bytes::new(), Answer::new(|_| {}));
    }
    let (sender, answered) = tokio::sync::oneshot::channel();
    served.asked(NodeId(1), Bytes::new(), Answer::new(|body| sender.send(body).unwrap()));
    assert!(answered.await.is_err(), "the asker learns at once that there will be no answer");
}
