//! CONTRACT §10: the command line and the configuration, end to end.

mod checks;
mod histories;
mod commands;
mod first_start;
mod backups;
mod bench;
mod members;
mod demo;
