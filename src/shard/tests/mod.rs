//! Tests of the room as a whole: promises of the shards, on real groups, with a real log. What one file promises is tested in that file.

mod support;
mod net;
mod cluster;

mod suite;
mod commands;
mod restart;
mod damage;
mod crash;
mod anywhere;
mod power;
mod time;
mod snapshots;
mod homes;
mod replicas;
mod failover;
mod transfers;
mod leaving;
mod emptied;
mod meta;
mod backups;
