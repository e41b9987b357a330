//! The files of the console. A test sees to it that none of the folder is left out.

use super::asset::Asset;

/// What `/console` itself answers.
pub static PAGE: Asset = Asset::new("index.html", include_str!("assets/index.html"));

macro_rules! files {
    ($($name:literal),* $(,)?) => { &[$(Asset::new($name, include_str!(concat!("assets/", $name)))),*] };
}

/// What lies under it.
pub static PARTS: &[Asset] = files![
    "api.js",
    "app.js",
    "base.css",
    "chart.js",
    "dialogs.js",
    "dom.js",
    "format.js",
    "frame.css",
    "frame.js",
    "histogram.js",
    "history.js",
    "icon.svg",
    "login.js",
    "main.js",
    "narrow.css",
    "overview.css",
    "parts.js",
    "poller.js",
    "rules-bounds.js",
    "rules-cluster.js",
    "search.js",
    "session.js",
    "table.css",
    "table.js",
    "tail.js",
    "track.js",
    "trouble.js",
    "verdict.js",
    "view-nodes.js",
    "view-outcomes.js",
    "view-overview.js",
    "view-shards.js",
    "view-users.js",
    "views.css",
];
