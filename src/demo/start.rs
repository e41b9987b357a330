//! The demo as a whole: everything is put up in order, runs until it is told to end, and is taken down so that nothing is left.

use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::web;

use super::guard::{self, Guard};
use super::lines::Lines;
use super::site::{self, Shared};
use super::{DemoError, person, ports, view};
use crate::fleet::{Fleet, Plan, Progress};

/// Short, so that one sees a device lose what it holds; longer than two elections take.
pub(super) const LEASE: Duration = Duration::from_secs(4);
/// Two for each node to lead.
const SHARDS: u16 = 6;

/// What a person may choose.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wish {
    /// The port of the page.
    pub port: Option<u16>,
}

/// A demo that is up. It ends with this value.
pub struct Demo {
    server: Server,
    port: u16,
    shared: web::Data<Shared>,
}

impl Demo {
    /// Puts everything up; takes some seconds, and says how far it is.
    ///
    /// # Errors
    /// [`DemoError`]; nothing is left then.
    pub async fn start(wish: Wish, say: impl Fn(Progress)) -> Result<Demo, DemoError> {
        let listener = ports::listen(wish.port)?;
        let port = listener.local_addr().map_err(DemoError::NoPort)?.port();
        let nodes = Fleet::start(plan(port), &say).await?;
        let settings: Vec<_> = nodes.all().map(|(process, _)| process.settings()).collect();
        let lines = Lines::lay(&person::DEVICES, &settings).await?;
        person::introduce(&nodes).await?;
        let shard = view::shard(&nodes).await.map(OnceLock::from).unwrap_or_default();
        let reaches: Vec<String> = lines.all().iter().flat_map(|device| &device.lines).map(|line| line.url.clone()).collect();
        let shared = web::Data::new(Shared { nodes, lines, shard, forgotten_at: AtomicU64::new(0) });
        let server = site::serve(listener, shared.clone(), Guard::new(port, &reaches))?;
        Ok(Demo { server, port, shared })
    }

    /// Where its page is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Whether the page is where it usually is.
    #[must_use]
    pub fn has_usual_port(&self) -> bool {
        self.port == ports::PAGE_PORT
    }

    /// Where the nodes' files are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.shared.nodes.folder()
    }

    /// The names and addresses of the nodes.
    #[must_use]
    pub fn nodes(&self) -> Vec<(String, String)> {
        self.shared.nodes.all().map(|(process, _)| (process.settings().name.clone(), process.settings().url())).collect()
    }

    /// Serves until `end` comes, and takes everything down.
    ///
    /// # Errors
    /// [`DemoError::Site`], when the page's server ended by itself.
    pub async fn run(self, end: impl Future<Output = ()>) -> Result<(), DemoError> {
        let Demo { server, shared, .. } = self;
        let ended = tokio::select! {
            () = end => Ok(()),
            ended = server => ended.map_err(DemoError::Site),
        };
        // Without mercy: their data goes with the folder, and nobody shall wait for a demo to end.
        shared.nodes.end();
        ended
    }
}

fn plan(page_port: u16) -> Plan {
    Plan {
        prefix: "engage-demo-",
        shards: SHARDS,
        lease: LEASE,
        origins: guard::origins(page_port),
        first_port: ports::beside(page_port),
        threads: Some((1, 2)),
        ..Plan::default()
    }
}
