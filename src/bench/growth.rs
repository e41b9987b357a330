//! The job `growth`: what a command costs in CPU as users, shards and nodes become more. A series of runs of the job `commit`, each on nodes of its own.

use super::BenchError;
use super::commit;
use super::options::{Options, Own, Place};
use super::report::Report;
use super::run::{Show, Stage};

const SHARDS: [u16; 4] = [1, 4, 16, 64];
const NODES: [usize; 3] = [1, 3, 5];
/// What stays the same while another number grows.
const USUAL_SHARDS: u16 = 16;
const USUAL_USERS: usize = 10_000;
const WRITERS_MAX: usize = 100_000;

/// One run of the series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    users: usize,
    shards: u16,
    nodes: usize,
    /// Which of the three grows.
    what: &'static str,
}

pub(super) async fn run(options: &Options, show: Show<'_>) -> Result<Report, BenchError> {
    let Place::Own(most) = options.place else { return Err(BenchError::NeedsOwnNodes { job: options.job.name() }) };
    let storage = if most.is_durable { "synced to disk" } else { "in memory" };
    let mut report = Report::new(format!("growth, {storage}, {} writers a shard", options.writer_count));
    for row in rows(options.user_count, most) {
        let Row { users, shards, nodes, what } = row;
        show(Stage::Say(format!("{users} users, {shards} shards, {nodes} nodes")));
        let place = Place::Own(Own { node_count: nodes, shard_count: shards, ..most });
        // As many for each shard: with fewer the entries hold fewer commands, and it is entries that cost.
        let writer_count = options.writer_count.saturating_mul(usize::from(shards)).min(WRITERS_MAX);
        let found = commit::run(&Options { place, user_count: users, writer_count, ..options.clone() }, show).await?;
        let of = |key: &str| found.figure(key).unwrap_or(0.0);
        let name = format!("{what}: {users} users, {shards} shards, {nodes} nodes");
        let key = format!("{what}_{users}_{shards}_{nodes}");
        // Seconds per 1,000 are ms for each.
        report.add(&format!("{key}_cpu_us"), &format!("{name}: CPU µs for each command"), of("cpu_s_per_1000") * 1_000.0);
        report.add(&format!("{key}_per_second"), &format!("{name}: commands/s"), of("commits_per_second"));
        report.add(&format!("{key}_failed"), &format!("{name}: not applied"), of("failed"));
    }
    Ok(report)
}

/// Users tenfold and again, then shards, then nodes, up to what was asked for.
fn rows(users_max: usize, most: Own) -> Vec<Row> {
    let usual = Row { users: users_max.min(USUAL_USERS), shards: USUAL_SHARDS.min(most.shard_count), nodes: 1, what: "users" };
    let users = [users_max / 100, users_max / 10, users_max].map(|users| Row { users: users.max(1), ..usual });
    let shards = SHARDS.into_iter().filter(|count| *count <= most.shard_count).map(|shards| Row { shards, what: "shards", ..usual });
    let nodes = NODES.into_iter().filter(|count| *count <= most.node_count).map(|nodes| Row { nodes, what: "nodes", ..usual });
    users.into_iter().chain(shards).chain(nodes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_grows_by_itself_and_no_further_than_asked() {
        let rows = rows(1_000_000, Own { node_count: 3, shard_count: 64, thread_count: 0, is_durable: true });
        let of = |what: &str| rows.iter().filter(|row| row.what == what).map(|row| (row.users, row.shards, row.nodes)).collect::<Vec<_>>();
        assert_eq!(of("users"), [(10_000, 16, 1), (100_000, 16, 1), (1_000_000, 16, 1)]);
        assert_eq!(of("shards"), [(10_000, 1, 1), (10_000, 4, 1), (10_000, 16, 1), (10_000, 64, 1)]);
        assert_eq!(of("nodes"), [(10_000, 16, 1), (10_000, 16, 3)]);
    }
}
