//! What each metric says, for those who read `/metrics`. One line for every name of the list; a test sees to it.

use super::names;

/// Name and help of every metric.
pub(super) const HELP: &[(&str, &str)] = &[
    (names::HTTP_REQUESTS_TOTAL, "Requests answered, by route, method and status."),
    (names::HTTP_REQUEST_SECONDS, "Time to answer a request, by route."),
    (names::PUBLISHES_TOTAL, "Publishes answered, by status: queued, duplicate, sent, or an error's code."),
    (names::PUBLISH_SECONDS, "From taking a publish to its commit."),
    (names::ACKS_TOTAL, "Acks and dismisses answered, by result: confirm, or an error's code."),
    (names::ACK_SECONDS, "From taking an ack to its confirm."),
    (names::OFFERS_TOTAL, "Offers handed to connections."),
    (names::REDELIVERY_AFTER_ACK_TOTAL, "Offers of a key that this node had confirmed as settled before: a broken promise. Stays 0."),
    (
        names::SESSION_DROPPED_TOTAL,
        "Words of owners that were not passed on to a connection, and farewells that no owner heard, by reason: attempt, lease, offered, gone.",
    ),
    (names::SESSION_ATTACHES_TOTAL, "Attaches asked of owners, by greeting: hello, again."),
    (names::LEASES_RUN_OUT_TOTAL, "Connections from which all was withdrawn, because no owner spoke for them in time."),
    (names::CONNECTIONS, "Open connections, by kind: websocket, stream."),
    (names::CONNECTIONS_OPENED_TOTAL, "Connections that said hello, by kind."),
    (names::CONNECTIONS_CLOSED_TOTAL, "Connections that ended, by code: the close code's word, client or lost."),
    (names::MESSAGES_RECEIVED_TOTAL, "Client messages taken, by type."),
    (names::MESSAGES_SENT_TOTAL, "Server messages sent, by type."),
    (names::ACTORS, "User actors alive."),
    (names::NOTICES_SENT_TOTAL, "Notices sent to devices."),
    (names::NOTICES_SEEN_TOTAL, "Notices that a device has seen."),
    (names::REFUSED_CREDENTIALS_TOTAL, "Refused credentials, by kind: token, key, origin, role."),
    (names::LIMITED_TOTAL, "Requests and messages refused by a rate or a cap, by limit."),
    (names::OUTCOMES_TOTAL, "Outcomes there ever were on the shards owned here, by outcome."),
    (names::USERS, "Users in the ledger of a shard owned here."),
    (names::BUFFERED_DELIVERIES, "Unsettled deliveries of a shard owned here."),
    (names::BUFFERED_BYTES, "Bytes of the unsettled deliveries of a shard owned here."),
    (names::LEDGER_BYTES, "About the memory of the ledger of a shard owned here."),
    (names::SHARD_OWNER, "1 where this node owns the shard."),
    (names::SHARD_TERM, "The shard's Raft term."),
    (names::SHARD_APPLIED_INDEX, "The last entry that this node applied to the shard."),
    (names::SHARD_QUEUED, "Commands that wait to be proposed to the shard."),
    (names::SHARD_ELECTIONS_TOTAL, "Elections of the shard that this node won."),
    (names::SHARD_LEADER, "The node id of the shard's leader."),
    (names::SHARD_LAG, "Entries that a member of the shard is behind its leader, by node id."),
    (names::SHARD_QUORUM_AGE_MS, "Ms since a majority stood behind this node as the owner of the shard."),
    (names::SHARD_SNAPSHOT_INDEX, "The last entry that is in the shard's snapshot."),
    (names::SHARD_LOG_BYTES, "Bytes of the shard's log since its last purge."),
    (names::PROPOSALS_TOTAL, "Commands proposed, by result: applied, unavailable, unknown."),
    (names::ENTRY_COMMANDS, "Commands in one entry of the log."),
    (names::COMMIT_SECONDS, "From proposing an entry to its result."),
    (names::APPLY_SECONDS, "One apply of a batch of entries."),
    (names::LOG_SYNC_SECONDS, "One sync of the log, for all shards together."),
    (names::SNAPSHOTS_TOTAL, "Snapshots built."),
    (names::SNAPSHOTS_SENT_TOTAL, "Snapshots sent to other nodes."),
    (names::SNAPSHOTS_INSTALLED_TOTAL, "Snapshots from other nodes that were put in place."),
    (names::SNAPSHOT_SECONDS, "Time to build a snapshot."),
    (names::LINK_UP, "1 while there is a link to the node."),
    (names::LINK_OPENED_TOTAL, "Links to the node that came up; all but the first are reconnects."),
    (names::LINK_BYTES_TOTAL, "Bytes over the link to a node, by lane and direction."),
    (names::LINK_MESSAGES_TOTAL, "Messages over the link to a node, by lane and direction."),
    (names::LINK_QUEUE_BYTES, "Bytes that wait to be sent to a node, by lane."),
    (names::LINK_NOT_SENT_TOTAL, "Messages to a node that found their lane full, by lane."),
    (names::LINK_ROUND_TRIP_SECONDS, "From a ping to its pong, over the link to a node."),
    (names::LINK_REFUSED_TOTAL, "Peers that this node refused a link, by reason."),
    (names::PROCESS_RESIDENT_BYTES, "Resident memory of the process in bytes."),
    (names::PROCESS_OPEN_FDS, "File descriptors that the process has open."),
];

/// What a metric is, which its name tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// The kind of a metric of the list.
pub(super) fn kind_of(name: &str) -> Kind {
    match name {
        names::ENTRY_COMMANDS => Kind::Histogram,
        _ if name.ends_with("_total") => Kind::Counter,
        _ if name.ends_with("_seconds") => Kind::Histogram,
        _ => Kind::Gauge,
    }
}

/// The help of a metric.
pub(super) fn help_of(name: &str) -> &'static str {
    HELP.iter().find(|(described, _)| *described == name).map_or("", |(_, help)| help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_of_the_list_is_described_once() {
        let list = include_str!("../telemetry.rs");
        let mut listed: Vec<&str> =
            list.lines().filter(|line| line.trim_start().starts_with("pub const")).filter_map(|line| line.split('"').nth(1)).collect();
        let mut described: Vec<&str> = HELP.iter().map(|(name, _)| *name).collect();
        listed.sort_unstable();
        described.sort_unstable();
        assert!(!listed.is_empty());
        assert_eq!(listed, described);
    }

    #[test]
    fn the_name_of_a_metric_tells_its_kind() {
        assert_eq!(kind_of(names::OFFERS_TOTAL), Kind::Counter);
        assert_eq!(kind_of(names::COMMIT_SECONDS), Kind::Histogram);
        assert_eq!(kind_of(names::ENTRY_COMMANDS), Kind::Histogram);
        assert_eq!(kind_of(names::ACTORS), Kind::Gauge);
    }
}
