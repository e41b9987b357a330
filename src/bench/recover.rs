//! The job `recover`: something waits for everybody, and all connect at once; when all is confirmed they are cut, and all connect at once again, and nothing may come.

use std::collections::BTreeSet;
use std::io;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::BenchError;
use super::body;
use super::crew::{Course, Crew, Share, Shared};
use super::crowd::Scene;
use super::ground::Ground;
use super::options::Options;
use super::report::Report;
use super::run::{Show, Stage, user_name};
use super::said;
use super::socket::Socket;
use super::tally::Tally;
use crate::client::Backoff;
use crate::clock;

/// Users that one call publishes to.
const MANY: usize = 1_000;
/// A user that is refused tries it again, as every client does; not for ever.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between the two storms, the nodes see that the connections are gone.
const CALM: Duration = Duration::from_secs(2);

pub(super) async fn run(ground: &Ground, options: &Options, show: Show<'_>) -> Result<Report, BenchError> {
    publish(ground, options, show).await?;
    let (first, first_peak) = storm(ground, options, (options.waiting_count, "users that have all that waited", show)).await?;
    tokio::time::sleep(CALM).await;
    let (second, _) = storm(ground, options, (0, "users back", show)).await?;
    tokio::time::sleep(CALM).await;

    let users = options.user_count;
    let mut report = Report::new(format!("recover, {users} users, {} waiting for each", options.waiting_count));
    report.add("all_offered_s", "all offered after, s", first.offered.max_ms() / 1_000.0);
    report.add("all_confirmed_s", "all confirmed after, s", first.confirmed.max_ms() / 1_000.0);
    report.add("offers", "offers", first.offered.count() as f64);
    report.add("second_all_back_s", "again: all back after, s", second.published.max_ms() / 1_000.0);
    report.add("second_offers", "again: offers", second.offered.count() as f64);
    if let Some(peak) = first_peak {
        report.add("peak_mib", "MiB at the peak of the largest node", peak as f64 / 1_048_576.0);
    }
    if let Some(after) = ground.resident_bytes() {
        report.add("after_mib", "MiB of all nodes afterwards", after as f64 / 1_048_576.0);
    }
    let expected = (users * options.waiting_count) as u64;
    if first.offered.count() != expected {
        report.broken.push(format!("{} offers, where {expected} waited", first.offered.count()));
    }
    if second.offered.count() > 0 {
        report.broken.push(format!("{} offers of what was confirmed before", second.offered.count()));
    }
    report.series.push(("connect to confirm".to_owned(), first.confirmed.points()));
    let mut both = first;
    both.merge(second);
    report.add_promises(&both);
    Ok(report)
}

/// What waits for everybody, published while nobody is there.
async fn publish(ground: &Ground, options: &Options, show: Show<'_>) -> Result<(), BenchError> {
    let publisher = super::publisher::Publisher::new(&ground.addresses, ground.key.expose());
    let users: Vec<String> = (0..options.user_count).map(user_name).collect();
    let all = (users.len() * options.waiting_count) as u64;
    let mut done = 0;
    for number in 0..options.waiting_count {
        let engagement = body::engagement(&body::id(number as u64), options.payload_bytes);
        for (place, some) in users.chunks(MANY).enumerate() {
            let failed = |error| BenchError::Connect { address: ground.addresses[place % ground.addresses.len()].to_string(), error };
            let answer = publisher.post(place, "/v1/engagements", &body::many(some, &engagement)).await.map_err(failed)?;
            let text = String::from_utf8_lossy(&answer.body);
            let taken = text.matches(r#""status":"queued""#).count();
            if answer.status != 200 || taken != some.len() {
                return Err(BenchError::Refused { status: answer.status, body: text.chars().take(300).collect() });
            }
            done += some.len() as u64;
            show(Stage::Count { done, all, what: "published" });
        }
    }
    Ok(())
}

/// Everybody connects at once. What came of it, and the peak of memory.
async fn storm(
    ground: &Ground,
    options: &Options,
    (waiting, what, show): (usize, &'static str, Show<'_>),
) -> Result<(Tally, Option<u64>), BenchError> {
    let count = options.user_count;
    let crew =
        Crew::start(Shared::new(ground, options), options.thread_count, move |scene, share| all_at_once(scene, share, (count, waiting)))?;
    let begun = clock::monotonic();
    crew.shared.course.send_replace(Course { begun: Some(begun), from: Some(begun), ..Course::default() });
    crew.reach((count as u64, what), |shared| &shared.connected_count, show).await?;
    let peak = ground.peak_bytes();
    Ok((crew.finish().await?, peak))
}

async fn all_at_once(scene: Rc<Scene>, share: Share, (count, waiting): (usize, usize)) -> Tally {
    let mut course = scene.shared.course.subscribe();
    let begun =
        course.wait_for(|course| course.begun.is_some()).await.ok().and_then(|course| course.begun).unwrap_or_else(clock::monotonic);
    let mut persons = JoinSet::new();
    for number in share.of(count) {
        let scene = Rc::clone(&scene);
        persons.spawn_local(async move {
            let mut person = Returning { scene, number, begun, seen: BTreeSet::new(), confirmed: BTreeSet::new(), waiting };
            person.come_back().await
        });
    }
    // Held until the end, so that nobody's connection ends before all have theirs.
    let mut open = Vec::new();
    while let Some(socket) = persons.join_next().await {
        open.extend(socket.ok().flatten());
    }
    let mut over = scene.over.clone();
    // An error means that the run is over, too.
    let _ = over.wait_for(|is_over| *is_over).await;
    scene.take()
}

/// A user who comes back.
struct Returning {
    scene: Rc<Scene>,
    number: usize,
    begun: Instant,
    seen: BTreeSet<u64>,
    confirmed: BTreeSet<u64>,
    waiting: usize,
}

impl Returning {
    async fn come_back(&mut self) -> Option<Socket> {
        let mut backoff = Backoff::default();
        while clock::monotonic() < self.begun + PATIENCE {
            match self.once().await {
                Ok(socket) => {
                    self.scene.note(self.begun, |tally| &mut tally.published);
                    self.scene.shared.connected_count.fetch_add(1, Ordering::Relaxed);
                    return Some(socket);
                }
                Err(error) => self.scene.tally.borrow_mut().error(format!("connection: {}", error.kind())),
            }
            self.scene.tally.borrow_mut().reconnects += 1;
            tokio::time::sleep(backoff.next_wait(0)).await;
        }
        None
    }

    async fn once(&mut self) -> io::Result<Socket> {
        let mut socket = Socket::open(self.scene.place_of(self.number), self.scene.rank_of(self.number)).await?;
        let user = user_name(self.number);
        socket.send(&body::hello(&self.scene.token(&user), &[], &[])).await?;
        let mut is_caught_up = false;
        while !is_caught_up || self.confirmed.len() < self.waiting {
            let mut acks = String::new();
            socket
                .read(|text| {
                    said::each(text, |said| match said {
                        Some(said) if said.kind == "caught_up" => is_caught_up = true,
                        Some(said) => self.take(&said, &mut acks),
                        None => self.scene.tally.borrow_mut().error("a message that can't be read"),
                    });
                })
                .await?;
            if !acks.is_empty() {
                // As many as came in one frame go back in one.
                socket.send(&format!("[{acks}]")).await?;
            }
        }
        Ok(socket)
    }

    fn take(&mut self, said: &said::Said<'_>, acks: &mut String) {
        let Some(number) = said.id.as_deref().and_then(body::number) else { return };
        match said.kind.as_ref() {
            "offer" => {
                self.scene.note(self.begun, |tally| &mut tally.offered);
                let mut tally = self.scene.tally.borrow_mut();
                tally.again_after_confirm += u64::from(self.confirmed.contains(&number));
                tally.again_before_confirm += u64::from(!self.seen.insert(number));
                if !acks.is_empty() {
                    acks.push(',');
                }
                acks.push_str(&body::ack(&body::id(number), said.window()));
            }
            "confirm" if self.confirmed.insert(number) => self.scene.note(self.begun, |tally| &mut tally.confirmed),
            "error" => self.scene.tally.borrow_mut().error(format!("error {}", said.code.as_deref().unwrap_or("without a code"))),
            _ => {}
        }
    }
}
