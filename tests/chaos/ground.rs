//! The ground that nodes stand on: a network namespace for each, joined by a bridge on which the clients are too. Cuts and losses are made by the firewall of the one who
//! listens, so that TCP meets true silence, and no proxy answers in anybody's place. Needs root, `ip` and `iptables`; all that it makes bears the id of this process, and
//! goes with this value, or, had this process no time for that, when the next one comes.

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::support::network::Place;
use crate::support::seat::Seat;

/// What all names begin with; the id of the process follows.
const STEM: &str = "eg";
/// The host part of the address on the bridge: the clients'.
const CLIENTS: u8 = 254;
const SUBNETS: u32 = 16_384;

/// One who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sender {
    Node(Place),
    Clients,
}

/// Namespaces for so many nodes.
pub struct Ground {
    /// `eg<process>x<number>`
    stem: String,
    subnet: [u8; 3],
    count: usize,
}

impl Ground {
    /// Prepares it; the error says what the machine lacks.
    pub fn prepare(count: usize) -> Result<Ground, String> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        if !rustix::process::geteuid().is_root() {
            return Err("only root can make network namespaces".to_owned());
        }
        clear_what_others_left()?;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let ground = Ground { stem: format!("{STEM}{}x{number}", std::process::id()), subnet: free_subnet(number)?, count };
        ground.build()?;
        Ok(ground)
    }

    fn build(&self) -> Result<(), String> {
        let bridge = self.bridge();
        run("ip", &["link", "add", &bridge, "type", "bridge"])?;
        run("ip", &["addr", "add", &format!("{}/24", self.ip(CLIENTS)), "dev", &bridge])?;
        run("ip", &["link", "set", &bridge, "up"])?;
        for place in 0..self.count {
            let (namespace, line) = (self.namespace(place), format!("{}v{place}", self.stem));
            run("ip", &["netns", "add", &namespace])?;
            run("ip", &["link", "add", &line, "type", "veth", "peer", "name", "eth0", "netns", &namespace])?;
            run("ip", &["link", "set", &line, "master", &bridge, "up"])?;
            run("ip", &["-n", &namespace, "addr", "add", &format!("{}/24", self.node_ip(place)), "dev", "eth0"])?;
            run("ip", &["-n", &namespace, "link", "set", "eth0", "up"])?;
            run("ip", &["-n", &namespace, "link", "set", "lo", "up"])?;
            // Proves at once that this kernel can cut and lose.
            self.firewall(place, &["-F", "INPUT"])?;
        }
        Ok(())
    }

    /// A seat for each node, each in its own namespace.
    pub fn seats(&self) -> Vec<Seat> {
        let launcher = |place| {
            let namespace = self.namespace(place);
            ["ip", "netns", "exec", &namespace].map(str::to_owned).to_vec()
        };
        (0..self.count).map(|place| Seat::at(self.node_ip(place), launcher(place))).collect()
    }

    /// Nothing of what one sends comes to another any more. Nobody is told.
    pub fn cut(&self, from: Sender, to: Place) {
        self.drop_some(from, to, &[]);
    }

    /// So many of a hundred packets that one sends to another are lost.
    pub fn lose(&self, from: Sender, to: Place, percent: u8) {
        let part = format!("0.{percent:02}");
        self.drop_some(from, to, &["-m", "statistic", "--mode", "random", "--probability", &part]);
    }

    fn drop_some(&self, from: Sender, to: Place, which: &[&str]) {
        let from = match from {
            Sender::Node(place) => self.node_ip(place),
            Sender::Clients => self.ip(CLIENTS),
        };
        let from = from.to_string();
        let rule = [&["-A", "INPUT", "-s", &from], which, &["-j", "DROP"]].concat();
        self.firewall(to, &rule).unwrap_or_else(|error| panic!("{error}"));
    }

    /// What a node sends to its clients does not leave it.
    pub fn cut_clients_off_from(&self, place: Place) {
        let clients = self.ip(CLIENTS).to_string();
        let rule = ["-A", "OUTPUT", "-d", &clients, "-j", "DROP"];
        self.firewall(place, &rule).unwrap_or_else(|error| panic!("{error}"));
    }

    /// What a node sends goes through a line so narrow, on which it waits.
    pub fn narrow(&self, place: Place, kbit: u32) {
        let rate = format!("{kbit}kbit");
        let line = ["netns", "exec", &self.namespace(place), "tc", "qdisc", "replace", "dev", "eth0", "root", "tbf"].map(str::to_owned);
        let line: Vec<&str> = line.iter().map(String::as_str).chain(["rate", &rate, "burst", "8kb", "latency", "400ms"]).collect();
        run("ip", &line).unwrap_or_else(|error| panic!("{error}"));
    }

    /// Heals all of it.
    pub fn heal(&self) {
        for place in 0..self.count {
            for chain in ["INPUT", "OUTPUT"] {
                self.firewall(place, &["-F", chain]).unwrap_or_else(|error| panic!("{error}"));
            }
            // Where none was made narrow, there is nothing to take away.
            let _ = run("ip", &["netns", "exec", &self.namespace(place), "tc", "qdisc", "del", "dev", "eth0", "root"]);
        }
    }

    fn firewall(&self, place: Place, rule: &[&str]) -> Result<(), String> {
        let namespace = self.namespace(place);
        run("ip", &[&["netns", "exec", &namespace, "iptables", "-w"], rule].concat())
    }

    fn bridge(&self) -> String {
        format!("{}b", self.stem)
    }

    fn namespace(&self, place: Place) -> String {
        format!("{}n{place}", self.stem)
    }

    fn node_ip(&self, place: Place) -> IpAddr {
        self.ip(u8::try_from(place + 1).expect("few nodes"))
    }

    fn ip(&self, host: u8) -> IpAddr {
        let [a, b, c] = self.subnet;
        Ipv4Addr::new(a, b, c, host).into()
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        for place in 0..self.count {
            let _ = run("ip", &["link", "del", &format!("{}v{place}", self.stem)]);
            let _ = run("ip", &["netns", "del", &self.namespace(place)]);
        }
        let _ = run("ip", &["link", "del", &self.bridge()]);
    }
}

/// Takes away what processes made that are gone, and nothing else.
fn clear_what_others_left() -> Result<(), String> {
    for line in run_for("ip", &["netns", "list"])?.lines() {
        let name = line.split_whitespace().next().unwrap_or_default();
        if is_orphan(name) {
            let _ = run("ip", &["netns", "del", name]);
        }
    }
    for line in run_for("ip", &["-o", "link", "show", "type", "bridge"])?.lines() {
        let name = line.split(':').nth(1).unwrap_or_default().trim();
        if is_orphan(name) {
            let _ = run("ip", &["link", "del", name]);
        }
    }
    Ok(())
}

/// Whether a name is one of ours, of a process that is gone.
fn is_orphan(name: &str) -> bool {
    let process = name.strip_prefix(STEM).and_then(|rest| rest.split_once('x')).and_then(|(id, _)| id.parse::<u32>().ok());
    process.is_some_and(|id| !std::path::Path::new(&format!("/proc/{id}")).exists())
}

/// A subnet that nobody on this machine has.
fn free_subnet(number: u32) -> Result<[u8; 3], String> {
    let taken = run_for("ip", &["-o", "-4", "addr"])?;
    let start = std::process::id() * 7 + number;
    let candidates = (0..SUBNETS).map(|step| (start + step) % SUBNETS).map(|place| place.to_be_bytes());
    let mut subnets = candidates.map(|[_, _, high, low]| [10, 128 + high, low]);
    let is_free = |[a, b, c]: &[u8; 3]| !taken.contains(&format!(" {a}.{b}.{c}."));
    subnets.find(is_free).ok_or_else(|| "no free subnet".to_owned())
}

fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    run_for(program, arguments).map(|_| ())
}

fn run_for(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(arguments).output().map_err(|error| format!("{program} can't be run: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{program} {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
}
