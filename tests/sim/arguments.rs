//! The command line of `engage-sim`.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Parser;

use crate::plan::Plan;
use crate::plan::fault::Kind;
use crate::planted::Planted;

/// Runs simulated clusters, one for each seed, and checks what their clients saw against the contract.
#[derive(Clone, Debug, Parser)]
#[command(name = "engage-sim", version)]
pub struct Arguments {
    /// Which seeds to run: a range with both ends (1..200), or a list (3,7,9)
    #[arg(long, default_value = "1..200")]
    pub seeds: Seeds,
    /// Runs one seed
    #[arg(long, conflicts_with = "seeds")]
    pub seed: Option<u64>,
    /// How many seeds run at a time [default: one on each core]
    #[arg(long)]
    pub jobs: Option<usize>,
    /// Wall-clock seconds after which a seed counts as hung
    #[arg(long, default_value_t = 120)]
    pub limit: u64,
    /// Goes on after a seed has failed
    #[arg(long)]
    pub keep_going: bool,
    /// Makes faults of these kinds only; all else of the plans stays as it is
    #[arg(long, value_delimiter = ',', conflicts_with = "without")]
    pub only: Vec<Kind>,
    /// Makes no faults of these kinds
    #[arg(long, value_delimiter = ',')]
    pub without: Vec<Kind>,
    /// Writes what the nodes log to stderr; `ENGAGE_SIM_LOG` filters it (one seed)
    #[arg(long, visible_alias = "verbose")]
    pub log: bool,
    /// Writes the history of the seed to this file, as JSONL (one seed)
    #[arg(long)]
    pub history: Option<PathBuf>,
    /// Prints the hash of each seed's trace
    #[arg(long)]
    pub trace: bool,
    /// Keeps the trace in this file, a line for each event: two of them show where two runs part (one seed)
    #[arg(long)]
    pub trace_file: Option<PathBuf>,
    /// Prints the plans, and runs nothing
    #[arg(long)]
    pub plan: bool,
    /// Runs this seed in this process, and reports in a line of JSON. The binary starts itself so for each seed
    #[arg(long, hide = true)]
    pub child: Option<u64>,
    /// Breaks a promise in the history, so that the checker must find it
    #[arg(long, hide = true)]
    pub plant: Option<Planted>,
    /// Shows what this process draws for the seed of `--child`
    #[arg(long, hide = true)]
    pub draws: bool,
}

impl Arguments {
    /// The seeds to run, in order.
    pub fn seeds(&self) -> Vec<u64> {
        self.seed.map_or_else(|| self.seeds.0.clone(), |seed| vec![seed])
    }

    /// The plan of a seed, with the faults that are wanted.
    pub fn plan_of(&self, seed: u64) -> Plan {
        Plan::of(seed).keeping(|kind| !self.without.contains(&kind) && (self.only.is_empty() || self.only.contains(&kind)))
    }

    /// What makes a seed run as it does, to be given on to its process and to be shown with a failure.
    pub fn of_the_run(&self) -> Vec<String> {
        let list = |kinds: &[Kind]| kinds.iter().map(Kind::to_string).collect::<Vec<_>>().join(",");
        let mut arguments = Vec::new();
        for (name, kinds) in [("--only", &self.only), ("--without", &self.without)] {
            if !kinds.is_empty() {
                arguments.extend([name.to_owned(), list(kinds)]);
            }
        }
        if let Some(planted) = self.plant {
            arguments.extend(["--plant".to_owned(), planted.to_string()]);
        }
        arguments
    }
}

/// The seed that `--child` names, without the help of anything that might draw.
pub fn child_seed(arguments: impl Iterator<Item = String>) -> Option<u64> {
    arguments.skip_while(|argument| argument != "--child").nth(1)?.parse().ok()
}

/// A list of seeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seeds(pub Vec<u64>);

const SEEDS_MAX: usize = 1_000_000;

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Seeds, String> {
        let number = |text: &str| text.trim().parse::<u64>().map_err(|_| format!("{text:?} is no seed; hint: 1..200, or 3,7,9"));
        let mut seeds = Vec::new();
        for part in text.split(',') {
            let range: RangeInclusive<u64> = match part.split_once("..") {
                Some((first, last)) => number(first)?..=number(last.trim_start_matches('='))?,
                None => number(part)?..=number(part)?,
            };
            if range.end().saturating_sub(*range.start()) >= SEEDS_MAX as u64 {
                return Err(format!("{part:?} are more than {SEEDS_MAX} seeds"));
            }
            seeds.extend(range);
        }
        if seeds.is_empty() { Err(format!("{text:?} holds no seed")) } else { Ok(Seeds(seeds)) }
    }
}
