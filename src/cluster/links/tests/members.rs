//! Members that come, move and go.

use super::super::*;
use super::support::{Forged, Node, SOON, config, pair, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_is_let_in_once_it_is_a_member() {
    let (one, two) = (Node::start(config(1)), Node::start(config(2)));
    two.links.know(NodeId(1), one.address.to_string());
    one.until_refused(Refusal::Stranger).await;
    one.links.know(NodeId(2), two.address.to_string());
    one.until_linked(2).await;
    two.until_linked(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_node_learns_it_over_its_link() {
    for removed in [1_u64, 2] {
        let (one, two) = pair().await;
        let (stays, goes) = if removed == 1 { (two, one) } else { (one, two) };
        stays.links.forget(NodeId(removed));
        let mut told = goes.links.refused_as_removed();
        tokio::time::timeout(SOON, told.wait_for(|is_removed| *is_removed)).await.unwrap().unwrap();
        until("the links to be down", || stays.links.up().is_empty() && goes.links.up().is_empty()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_removed_while_it_was_away_learns_it_when_it_comes_back() {
    // Node 1 has the lower id: nobody who has removed it dials it, so it learns by knocking.
    for removed in [1_u64, 2] {
        let stays_id = 3 - removed;
        let stays = Node::start(config(stays_id));
        stays.links.forget(NodeId(removed));
        let back = Node::start(config(removed));
        back.links.know(NodeId(stays_id), stays.address.to_string());
        let mut told = back.links.refused_as_removed();
        tokio::time::timeout(SOON, told.wait_for(|is_removed| *is_removed)).await.unwrap().unwrap();
        stays.until_refused(Refusal::Removed).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_moved_is_found_at_its_new_address() {
    let (one, two) = pair().await;
    one.links.stop().await;
    until("the link to be down", || two.links.up().is_empty()).await;
    let moved = Node::start(config(1));
    two.links.know(NodeId(1), moved.address.to_string());
    moved.links.know(NodeId(2), two.address.to_string());
    until("the second link", || two.links.up().iter().any(|up| up.link == 2)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_stands_outlives_a_change_of_the_address() {
    let (one, two) = pair().await;
    two.links.know(NodeId(1), "127.0.0.1:1".to_owned());
    two.links.know(NodeId(1), one.address.to_string());
    assert_eq!(two.ask(1, b"still the same", SOON).await.unwrap(), "still the same");
    assert_eq!(two.links.up()[0].link, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lower_id_knocks_and_the_higher_one_dials() {
    let mut patient = config(2);
    // So long that the test would fail if node 2 waited for its own next try.
    patient.tuning.backoff_first_ms = 600_000;
    patient.tuning.backoff_max_ms = 600_000;
    let two = Node::start(patient);
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    two.links.know(NodeId(1), nobody.to_string());
    let one = Node::start_at(config(1), nobody);
    one.links.know(NodeId(2), two.address.to_string());
    one.until_linked(2).await;
    two.until_linked(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_nodes_are_all_linked_once_per_pair() {
    let nodes: Vec<Node> = (1..=5).map(|id| Node::start(config(id))).collect();
    for node in &nodes {
        for (other, id) in nodes.iter().zip(1..) {
            node.links.know(NodeId(id), other.address.to_string());
        }
    }
    until("all links", || nodes.iter().all(|node| node.links.up().len() == 4)).await;
    assert!(nodes.iter().all(|node| node.links.up().iter().all(|up| up.link == 1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_links_make_and_take_no_others() {
    let (one, two) = pair().await;
    one.links.stop().await;
    one.links.know(NodeId(9), two.address.to_string());
    assert!(Forged::MEMBER.dial(one.address).await.is_err());
    assert!(one.links.up().is_empty());
}
