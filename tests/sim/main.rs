//! `engage-sim`: runs simulated clusters, a process for each seed, and judges what their clients saw. Starts, collects and reports; what happens in a run is the world's part.

mod arguments;
mod calls;
mod child;
mod closing;
mod connection;
mod coverage;
mod crowd;
mod device;
mod draws;
mod engagements;
mod faults;
mod host;
mod memory;
mod net;
mod node;
mod operator;
mod outside;
mod overhear;
mod peers;
mod person;
mod places;
mod plan;
mod planted;
mod population;
mod post;
mod publisher;
mod randomness;
mod summary;
mod trace;
mod world;

use std::io::Write;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use clap::Parser;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use arguments::Arguments;
use coverage::gates;
use summary::Summary;
use world::Options;

fn main() -> ExitCode {
    // Before anything else: the first map that is made anywhere draws its keys.
    if let Some(seed) = arguments::child_seed(std::env::args()) {
        randomness::seed(seed);
    }
    let arguments = Arguments::parse();
    match arguments.child {
        Some(_) if arguments.draws => print!("{}", draws::show()),
        Some(seed) => run_here(&arguments, seed),
        None if arguments.plan => print_plans(&arguments),
        None => return run_all(&arguments),
    }
    ExitCode::SUCCESS
}

/// One seed, in this process.
fn run_here(arguments: &Arguments, seed: u64) {
    let filter = EnvFilter::try_from_env("ENGAGE_SIM_LOG").unwrap_or_else(|_| EnvFilter::new("engage=debug,info"));
    let written = arguments.log.then(|| fmt::layer().with_writer(std::io::stderr).with_timer(trace::Moment).with_filter(filter));
    tracing_subscriber::registry().with(coverage::lines::layer()).with(written).init();
    if let Some(path) = &arguments.trace_file {
        trace::keep(path);
    }
    let _meters = coverage::meters::begin();
    count_panics();
    let options = Options { history: arguments.history.clone(), planted: arguments.plant };
    let mut report = world::run(arguments.plan_of(seed), options);
    // What was counted on the way down of the world counts too.
    coverage::sum(&mut report.counts, &coverage::take());
    report.violations.extend(gates::broken(&report.counts));
    let line = serde_json::to_string(&report).expect("a report is representable as JSON");
    // Nobody to report to means nobody who waits.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// A panic in a task is kept by its handle, and would go unseen.
fn count_panics() {
    let show = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        coverage::count(gates::PANICS);
        show(panic);
    }));
}

fn print_plans(arguments: &Arguments) {
    for seed in arguments.seeds() {
        println!("{}", serde_json::to_string_pretty(&arguments.plan_of(seed)).expect("a plan is representable as JSON"));
    }
}

/// All seeds, some at a time.
fn run_all(arguments: &Arguments) -> ExitCode {
    let seeds = arguments.seeds();
    let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let jobs = arguments.jobs.unwrap_or(cores).clamp(1, seeds.len());
    let next = AtomicUsize::new(0);
    let mut summary = Summary::new(seeds.len());
    let (done, finished) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..jobs {
            let (done, seeds, next) = (done.clone(), &seeds, &next);
            scope.spawn(move || {
                while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if done.send(child::run(arguments, *seed)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(done);
        for finished in finished {
            summary.add(finished, arguments);
            if summary.has_failed() && !arguments.keep_going {
                // Those that run are waited for; no others are begun.
                next.store(seeds.len(), Ordering::Relaxed);
            }
        }
    });
    if summary.end(arguments) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
