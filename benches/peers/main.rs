//! Load on other servers, the same as `engage bench` puts on nodes: `benches/peers/run` starts them and calls this with their addresses and processes. Prints the figures as JSON.
//!
//! The generator costs little: one thread, raw sockets, protocols by hand, as much of each as the jobs need. It judges nobody: what a server promises, and what it doesn't, stands
//! with its protocol and in docs/performance.md.
//!
//! `peers nats|mosquitto|mosquitto-web|socketio|etcd idle|deliver|recover|commit --door A:P … --pid N …`

mod ground;
mod speech;
mod wire;
mod link;
mod scene;
mod deliver;
mod idle;
mod recover;
mod commit;
mod nats;
mod mqtt;
mod socketio;
mod etcd;

use std::io;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use ground::{Ground, Options};
use scene::Scene;
use serde_json::Value;
use speech::Speech;
use tokio::task::LocalSet;

/// What was asked for.
struct Asked {
    server: String,
    job: String,
    ground: Ground,
    options: Options,
}

fn main() -> ExitCode {
    let asked = match Asked::from_arguments() {
        Ok(Some(asked)) => asked,
        Ok(None) => {
            println!("other servers are measured by benches/peers/run, which starts them");
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            eprintln!("{problem}");
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
    match LocalSet::new().block_on(&runtime, run(asked)) {
        Ok(found) => {
            println!("{found}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(asked: Asked) -> io::Result<Value> {
    let scene = Scene::new(asked.ground, asked.options);
    match asked.server.as_str() {
        "nats" => job::<nats::Nats>(&asked.job, scene).await,
        "mosquitto" => job::<mqtt::Mqtt<false>>(&asked.job, scene).await,
        "mosquitto-web" => job::<mqtt::Mqtt<true>>(&asked.job, scene).await,
        "socketio" => job::<socketio::SocketIo>(&asked.job, scene).await,
        "etcd" => job::<etcd::Etcd>(&asked.job, scene).await,
        other => Err(speech::bad(format!("{other} is not known; hint: nats, mosquitto, mosquitto-web, socketio, etcd"))),
    }
}

async fn job<S: Speech>(job: &str, scene: Rc<Scene>) -> io::Result<Value> {
    match job {
        "deliver" => deliver::run::<S>(scene).await,
        "idle" => idle::run::<S>(scene).await,
        "recover" => recover::run::<S>(scene).await,
        "commit" => commit::run::<S>(scene).await,
        other => Err(speech::bad(format!("{other} is no job; hint: idle, deliver, recover, commit"))),
    }
}

impl Asked {
    /// Nothing, where nothing was asked.
    fn from_arguments() -> Result<Option<Asked>, String> {
        let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
        let Some((server, job)) = arguments.next().zip(arguments.next()) else { return Ok(None) };
        let mut ground = Ground::default();
        let mut options = Options {
            user_count: 1_000,
            span: Duration::from_secs(8),
            warm_up: Duration::from_secs(3),
            rate: None,
            payload_bytes: 200,
            waiting_count: 20,
            writer_count: 512,
            patience: Duration::from_secs(100),
        };
        while let Some(argument) = arguments.next() {
            let value = arguments.next().ok_or(format!("{argument} needs a value"))?;
            let seconds = || parsed(&value).and_then(|seconds| Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string()));
            match argument.as_str() {
                "--door" => ground.doors.push(parsed(&value)?),
                "--publisher-door" => ground.publisher_doors.push(parsed(&value)?),
                "--pid" => ground.pids.push(parsed(&value)?),
                "--users" => options.user_count = parsed(&value)?,
                "--span" => options.span = seconds()?,
                "--warm-up" => options.warm_up = seconds()?,
                "--rate" => options.rate = Some(parsed(&value)?),
                "--payload" => options.payload_bytes = parsed(&value)?,
                "--waiting" => options.waiting_count = parsed(&value)?,
                "--writers" => options.writer_count = parsed(&value)?,
                "--patience" => options.patience = seconds()?,
                other => return Err(format!("unknown argument {other}")),
            }
        }
        match ground.doors.iter().chain(&ground.publisher_doors).all(|door| door.ip().is_loopback()) && !ground.doors.is_empty() {
            true => Ok(Some(Asked { server, job, ground, options })),
            false => Err("loads go to loopback only; hint: --door 127.0.0.1:1883".to_owned()),
        }
    }
}

fn parsed<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text} can't be read"))
}
