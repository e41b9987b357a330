//! Tests of the health routes, with shards in every state that they can be in.

use actix_web::http::StatusCode;
use actix_web::{App, test};
use async_trait::async_trait;
use std::sync::Mutex;
use tokio::sync::watch;

use super::*;
use crate::ledger::ids::{EngagementId, ShardId, UserId};
use crate::ledger::outcome::{CursorExpired, Outcome};
use crate::ledger::view::{Counts, DeliveryView, EngagementView, UserView};
use crate::ports::ReadError;
use crate::ports::members::{ClusterView, MembershipError};

const THIS_NODE: u64 = 1;

/// Shards that are as a test wants them; nothing of theirs is read here but the status.
struct Shards(Mutex<Vec<ShardStatus>>);

#[async_trait]
impl Read for Shards {
    fn shard_of(&self, _: &UserId) -> ShardId {
        ShardId(0)
    }

    fn shard_count(&self) -> u16 {
        2
    }

    async fn user(&self, _: &UserId) -> Result<Option<UserView>, ReadError> {
        Err(ReadError)
    }

    async fn deliveries(&self, _: &UserId, _: u64, _: usize) -> Result<Vec<DeliveryView>, ReadError> {
        Err(ReadError)
    }

    async fn engagement(&self, _: &UserId, _: &EngagementId) -> Result<Option<EngagementView>, ReadError> {
        Err(ReadError)
    }

    async fn outcomes(&self, _: ShardId, _: u64, _: usize) -> Result<Result<Vec<(u64, Outcome)>, CursorExpired>, ReadError> {
        Err(ReadError)
    }

    async fn outcomes_before_oldest(&self, _: ShardId) -> Result<u64, ReadError> {
        Err(ReadError)
    }

    fn outcomes_changed(&self) -> watch::Receiver<u64> {
        watch::channel(0).1
    }

    fn status(&self) -> Vec<ShardStatus> {
        self.0.lock().unwrap().clone()
    }
}

fn owned(shard: u16) -> ShardStatus {
    ShardStatus {
        shard: ShardId(shard),
        is_owner: true,
        leader: Some(THIS_NODE),
        term: 3,
        applied_index: 40,
        log_bytes: 500,
        snapshot_index: 0,
        counts: Counts { users: 7, devices: 1, buffered_deliveries: 2, buffered_bytes: 300, ledger_bytes: 9_000 },
        outcome_totals: vec![5, 4, 3, 0, 0, 0, 0, 0, 0, 0, 0],
        queued_count: 0,
        is_fatal: false,
        ..ShardStatus::default()
    }
}

fn elsewhere(shard: u16) -> ShardStatus {
    ShardStatus { is_owner: false, leader: Some(2), ..owned(shard) }
}

/// Members of which this node can't serve for these reasons.
struct NotReady(Vec<&'static str>);

#[async_trait]
impl Members for NotReady {
    fn view(&self) -> ClusterView {
        ClusterView::default()
    }

    fn not_ready(&self) -> Vec<String> {
        self.0.iter().map(|reason| (*reason).to_owned()).collect()
    }

    async fn drain(&self, _: &str) -> Result<(), MembershipError> {
        Err(MembershipError::Unavailable)
    }

    async fn remove(&self, _: &str) -> Result<(), MembershipError> {
        Err(MembershipError::Unavailable)
    }
}

fn health(shards: Vec<ShardStatus>) -> web::Data<Health> {
    health_for(shards, Vec::new())
}

fn health_for(shards: Vec<ShardStatus>, reasons: Vec<&'static str>) -> web::Data<Health> {
    web::Data::new(Health::new(Arc::new(Shards(Mutex::new(shards))), Arc::new(NotReady(reasons))))
}

async fn get(health: &web::Data<Health>, path: &str) -> (StatusCode, String) {
    let app = test::init_service(App::new().app_data(health.clone()).configure(routes)).await;
    let answer = test::call_service(&app, test::TestRequest::get().uri(path).to_request()).await;
    let status = answer.status();
    (status, String::from_utf8(test::read_body(answer).await.to_vec()).unwrap())
}

#[actix_web::test]
async fn a_node_is_ready_when_nothing_speaks_against_it() {
    let health = health(vec![owned(0), elsewhere(1)]);
    assert_eq!(get(&health, "/readyz").await.0, StatusCode::OK);
    assert_eq!(get(&health, "/healthz").await, (StatusCode::OK, "{\"status\":\"ok\"}".to_owned()));
}

#[actix_web::test]
async fn a_node_that_can_not_serve_says_why_and_lives_all_the_same() {
    let failed = ShardStatus { is_fatal: true, ..owned(1) };
    for (status, reasons, said) in
        [(owned(1), vec!["shard 7 has no owner"], "shard 7 has no owner"), (failed, Vec::new(), "shard 1 has failed")]
    {
        let health = health_for(vec![owned(0), status], reasons);
        let (status, body) = get(&health, "/readyz").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(body.contains(said) && body.contains("\"code\":\"unavailable\"") && !body.contains("shard 0"), "{body}");
        assert_eq!(get(&health, "/healthz").await.0, StatusCode::OK);
    }
}

#[actix_web::test]
async fn a_draining_node_is_not_ready() {
    let health = health(vec![owned(0)]);
    health.drain();
    let (status, body) = get(&health, "/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(body.contains("the node is going away"), "{body}");
}

#[actix_web::test]
async fn what_a_shard_holds_is_shown_by_its_owner_alone() {
    let health = health(vec![owned(0), owned(1), elsewhere(2)]);
    let (status, text) = get(&health, "/metrics").await;
    assert_eq!(status, StatusCode::OK);
    for line in [
        "engage_users{shard=\"0\"} 7",
        "engage_buffered_bytes{shard=\"1\"} 300",
        "engage_shard_owner{shard=\"2\"} 0",
        "engage_shard_applied_index{shard=\"2\"} 40",
        "engage_outcomes_total{outcome=\"published\"} 10",
        "engage_outcomes_total{outcome=\"completed\"} 0",
        "# TYPE engage_outcomes_total counter",
        "# TYPE process_resident_memory_bytes gauge",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("engage_users{shard=\"2\"}"), "{text}");
}
