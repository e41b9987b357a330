//! A publisher: publishes to the users again and again, the same once more, other content under the same id, takes back, asks what became of it. Each call is made by a
//! task of its own, so that a slow one keeps nobody waiting.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use engage::history::key::Key;
use engage::history::record::{What, is_settled};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::calls::{Caller, json_of};
use crate::coverage;
use crate::crowd::{Crowd, id_for, key_on, pass_ms};
use crate::engagements::{self, Made};
use crate::outside::Request;
use crate::population::around;

/// So many of its own publishes does a publisher remember.
const REMEMBERED_MAX: usize = 64;
/// So many calls does it have under way at once; it does nothing new while they are.
const UNDER_WAY_MAX: usize = 8;

/// One that was answered, with the window it was said to be in.
#[derive(Clone)]
struct Known {
    made: Made,
    window: Option<String>,
}

/// One publisher.
#[derive(Clone)]
pub struct Publisher {
    crowd: Crowd,
    number: u32,
    under_way: Rc<Cell<usize>>,
    known: Rc<RefCell<Vec<Known>>>,
}

/// Brings all publishers to life; they end when nothing new is to be published and all that they called was answered.
pub fn live(crowd: &Crowd, seed: u64) -> Vec<JoinHandle<()>> {
    let mut random = StdRng::seed_from_u64(seed);
    let publisher = |number| Publisher { crowd: crowd.clone(), number, under_way: Rc::default(), known: Rc::default() };
    let publishers = 0..crowd.population().publishers;
    publishers.map(|number| tokio::task::spawn_local(publisher(number).live(StdRng::seed_from_u64(random.random())))).collect()
}

impl Publisher {
    async fn live(self, mut random: StdRng) {
        let every_ms = self.crowd.population().publish_every_ms;
        let mut count = 0;
        while self.crowd.is_lively() {
            let pause_ms = around(&mut random, every_ms);
            pass_ms(pause_ms).await;
            if self.under_way.get() < UNDER_WAY_MAX && self.crowd.is_lively() {
                count += 1;
                self.start(count, &mut random);
            }
        }
        while self.under_way.get() > 0 {
            pass_ms(20).await;
        }
    }

    /// Does something or other, on a task of its own.
    fn start(&self, count: u32, random: &mut StdRng) {
        let mix = self.crowd.population().mix.clone();
        let own = StdRng::seed_from_u64(random.random());
        let (publisher, mut caller) = (self.clone(), Caller::new(self.crowd.clone(), own));
        let under_way = Rc::clone(&self.under_way);
        let known = self.some_known(random);
        let choice: f64 = random.random();
        let edges = [mix.again, mix.otherwise, mix.take_back, mix.status, mix.notice, mix.many];
        let place = place_of(choice, &edges);
        let make = |random: &mut StdRng| publisher.make(count, random);
        let (fresh, others) = (make(random), self.some_users(random));
        under_way.set(under_way.get() + 1);
        let task = async move {
            match (place, known) {
                (Some(0), Some(known)) => publisher.publish(&mut caller, known.made).await,
                (Some(1), Some(known)) => publisher.publish(&mut caller, known.made.otherwise()).await,
                (Some(2), Some(known)) => publisher.take_back(&mut caller, &known.made).await,
                (Some(3), Some(known)) => publisher.ask(&mut caller, known).await,
                (Some(4), _) => publisher.notice(&mut caller, &fresh).await,
                (Some(5), _) => publisher.publish_many(&mut caller, &fresh, &others).await,
                _ => publisher.publish(&mut caller, fresh).await,
            }
            under_way.set(under_way.get() - 1);
        };
        drop(tokio::task::spawn_local(task));
    }

    fn make(&self, count: u32, random: &mut StdRng) -> Made {
        let mix = &self.crowd.population().mix;
        let id = id_for(self.number, count, random.random_bool(mix.each_device));
        let users = self.crowd.users();
        let user = &users[random.random_range(0..users.len())];
        engagements::draw(random, mix, (user, &id), self.crowd.ledger_ms())
    }

    fn some_users(&self, random: &mut StdRng) -> Vec<String> {
        self.crowd.users().into_iter().filter(|_| random.random_bool(0.5)).collect()
    }

    fn some_known(&self, random: &mut StdRng) -> Option<Known> {
        let known = self.known.borrow();
        (!known.is_empty()).then(|| known[random.random_range(0..known.len())].clone())
    }

    fn remember(&self, known: Known) {
        let mut all = self.known.borrow_mut();
        all.retain(|other| (&other.made.user, &other.made.id) != (&known.made.user, &known.made.id));
        if all.len() == REMEMBERED_MAX {
            all.remove(0);
        }
        all.push(known);
    }

    async fn publish(&self, caller: &mut Caller, made: Made) {
        let call = self.crowd.history().next_call();
        self.crowd.note(What::Publish(made.call(call)));
        let request = Request { method: "POST", path: made.path(), body: Some(made.body.clone()) };
        let Some(answer) = caller.call(call, &request).await else { return };
        self.published(call, &made, (answer.status, &json_of(&answer)));
    }

    /// Notes what a publish was answered; the window of the delivery.
    fn published(&self, call: u64, made: &Made, (status, body): (u16, &Value)) -> Option<String> {
        match status {
            200 | 201 => {}
            409 => {
                coverage::count("different");
                self.crowd.note(What::Published { call, status, key: None, state: None, step: None, closes_at: None });
                return None;
            }
            507 => {
                coverage::count("buffer_full");
                self.crowd.note(What::Refused { call, code: body["code"].as_str().unwrap_or_default().to_owned() });
                return None;
            }
            _ => {
                self.crowd.trouble(format!("publish {call} of {made:?} was answered {status} {body}"));
                return None;
            }
        }
        let key = Key::of(&made.user, body).unwrap_or_else(|| panic!("no key in {body}"));
        let window = key.window.clone();
        let (state, step, closes_at) = (body["state"].as_str().map(str::to_owned), body["step"].as_u64(), body["closes_at"].as_u64());
        self.crowd.note(What::Published { call, status, key: Some(key), state, step, closes_at });
        coverage::count(if status == 201 { "created" } else { "duplicate" });
        if made.body["payload"]["named"] != "something else" {
            self.remember(Known { made: made.clone(), window: Some(window.clone()) });
        }
        Some(window)
    }

    /// To several users in one call; what fails in it is tried again by itself.
    async fn publish_many(&self, caller: &mut Caller, made: &Made, users: &[String]) {
        if users.is_empty() {
            return;
        }
        let items: Vec<Made> = users.iter().map(|user| made.to(user)).collect();
        let calls: Vec<u64> = items.iter().map(|_| self.crowd.history().next_call()).collect();
        for (item, call) in items.iter().zip(&calls) {
            self.crowd.note(What::Publish(item.call(*call)));
        }
        let with_user = |item: &Made| {
            let mut body = item.body.clone();
            body["user"] = json!(item.user);
            body
        };
        let body = json!({"items": items.iter().map(with_user).collect::<Vec<_>>()});
        coverage::count("many");
        let answer = caller.once(&Request { method: "POST", path: "/v1/engagements".to_owned(), body: Some(body) }).await;
        let results = answer.ok().filter(|answer| answer.status == 200).map(|answer| json_of(&answer));
        for (place, (item, call)) in items.iter().zip(calls).enumerate() {
            let result = results.as_ref().map_or(&Value::Null, |results| &results["results"][place]);
            let status = match (result["status"].as_str(), result["code"].as_str()) {
                (Some("queued"), _) => 201,
                (Some("duplicate"), _) => 200,
                (_, Some("different_engagement")) => 409,
                (_, Some("buffer_full")) => 507,
                _ => 0,
            };
            if status > 0 {
                self.published(call, item, (status, result));
                continue;
            }
            self.crowd.note(What::Unanswered { call, why: format!("in a call for many: {result}") });
            let request = Request { method: "POST", path: item.path(), body: Some(item.body.clone()) };
            if let Some(answer) = caller.call(call, &request).await {
                self.published(call, item, (answer.status, &json_of(&answer)));
            }
        }
    }

    /// What was taken back is not published again by this publisher.
    async fn take_back(&self, caller: &mut Caller, made: &Made) {
        self.known.borrow_mut().retain(|other| (&other.made.user, &other.made.id) != (&made.user, &made.id));
        let call = self.crowd.history().next_call();
        let (user, id) = (made.user.clone(), made.id.clone());
        self.crowd.note(What::TakeBack { call, user: user.clone(), id: id.clone() });
        let request = Request { method: "DELETE", path: made.own_path(), body: None };
        let Some(answer) = caller.call(call, &request).await else { return };
        match answer.status {
            200 => {
                let state = json_of(&answer)["state"].as_str().expect("a state").to_owned();
                coverage::count("taken_back");
                self.crowd.note(What::TakenBack { call, user, id, state });
            }
            404 => coverage::count("take_back_unknown"),
            status => self.crowd.trouble(format!("take-back {call} was answered {status}")),
        }
    }

    /// Reads its own write: what was accepted is known, until its window is over. That it isn't, another publish of the same proves.
    async fn ask(&self, caller: &mut Caller, known: Known) {
        let request = Request { method: "GET", path: known.made.own_path(), body: None };
        let Some(answer) = caller.read(&request).await else { return };
        coverage::count("status");
        if answer.status == 200 {
            let body = json_of(&answer);
            let key = key_on(&known.made.user, body["device"].as_str().unwrap_or_default(), &body);
            let state = body["state"].as_str().unwrap_or_default();
            if let Some(key) = key.filter(|key| is_settled(state) && key.device.is_none()) {
                self.crowd.note(What::Last { key, state: state.to_owned() });
            }
            return;
        }
        if answer.status != 404 {
            return self.crowd.trouble(format!("{} was answered {}", request.path, answer.status));
        }
        let call = self.crowd.history().next_call();
        self.crowd.note(What::Publish(known.made.call(call)));
        let publish = Request { method: "POST", path: known.made.path(), body: Some(known.made.body.clone()) };
        let Some(answer) = caller.call(call, &publish).await else { return };
        let window = self.published(call, &known.made, (answer.status, &json_of(&answer)));
        if answer.status == 200 && window == known.window {
            self.crowd.trouble(format!("{} was 404 between two publishes that were told window {window:?}", request.path));
        }
    }

    /// Sent once, to whoever is there.
    async fn notice(&self, caller: &mut Caller, made: &Made) {
        let body = json!({"id": format!("{}-notice", made.id), "payload": {"flash": made.id}, "mode": "fire_and_forget", "targets": "all"});
        match caller.once(&Request { method: "POST", path: made.path(), body: Some(body) }).await {
            Ok(answer) if matches!(answer.status, 202 | 429 | 503) => coverage::count("notice_published"),
            Ok(answer) => self.crowd.trouble(format!("a notice was answered {} {}", answer.status, json_of(&answer))),
            Err(_) => {}
        }
    }
}

/// In which of the spans, laid end to end from 0, a number lies.
fn place_of(number: f64, spans: &[f64]) -> Option<usize> {
    let mut end = 0.0;
    spans.iter().position(|span| {
        end += span;
        number < end
    })
}
