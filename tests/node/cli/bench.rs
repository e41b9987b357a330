//! `engage bench`: each job tells its figures, and leaves nothing behind.

use std::time::Duration;

use serde_json::Value;

use crate::support::runner::{Ran, run_for};

/// Nodes start, and a short run ends, on a busy machine.
const DEADLINE: Duration = Duration::from_secs(90);
const QUICK: [&str; 4] = ["--span", "1s", "--warm-up", "500ms"];

fn bench(arguments: &[&str]) -> Ran {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let place = folder.path().to_str().expect("a path of UTF-8");
    let arguments: Vec<&str> = ["bench"].iter().chain(arguments).copied().collect();
    let ran = run_for(&arguments, &[("TMPDIR", place)], DEADLINE);
    let left: Vec<_> = folder.path().read_dir().expect("it is there").flatten().map(|entry| entry.file_name()).collect();
    assert!(left.is_empty(), "{arguments:?} left {left:?}");
    ran
}

fn figures(arguments: &[&str]) -> Value {
    let ran = bench(&[arguments, &QUICK, &["--json"]].concat());
    ran.succeeds();
    let report: Value = serde_json::from_str(&ran.stdout).expect("it is JSON");
    assert_eq!(report["broken"], serde_json::json!([]));
    report
}

fn figure(report: &Value, key: &str) -> f64 {
    report["figures"][key].as_f64().unwrap_or_else(|| panic!("{key} is a figure of {report}"))
}

#[test]
fn deliveries_are_counted_and_their_waits_told_and_drawn() {
    let plot = tempfile::NamedTempFile::new().expect("a temporary file");
    let path = plot.path().to_str().expect("a path of UTF-8");
    let report = figures(&["deliver", "--nodes", "3", "--users", "20", "--plot", path]);
    assert!(figure(&report, "deliveries_per_second") > 1.0);
    assert!(figure(&report, "publish_to_confirm_p50_ms") > 0.0);
    assert!(figure(&report, "publish_to_confirm_p50_ms") <= figure(&report, "publish_to_confirm_max_ms"));
    let drawn = std::fs::read_to_string(path).expect("it is there");
    assert!(drawn.starts_with("<svg") && drawn.contains("<polyline"), "{drawn}");
}

#[test]
fn a_given_rate_is_kept() {
    let report = figures(&["deliver", "--nodes", "1", "--memory", "--users", "20", "--rate", "50"]);
    let rate = figure(&report, "deliveries_per_second");
    assert!((35.0..=65.0).contains(&rate), "{rate}");
}

#[test]
fn what_waited_is_offered_once_and_not_at_the_second_return() {
    let report = figures(&["recover", "--nodes", "1", "--memory", "--users", "30", "--waiting", "4"]);
    assert_eq!((figure(&report, "offers"), figure(&report, "second_offers")), (120.0, 0.0));
}

#[test]
fn idle_connections_commits_and_failovers_are_measured() {
    assert!(figure(&figures(&["idle", "--nodes", "1", "--memory", "--users", "200"]), "hellos_per_second") > 1.0);
    assert!(figure(&figures(&["commit", "--nodes", "1", "--shards", "2", "--users", "50", "--writers", "8"]), "commits_per_second") > 1.0);
    let failover = figures(&["failover", "--shards", "3", "--users", "60", "--rate", "60", "--kills", "1"]);
    assert!(figure(&failover, "outages") >= 1.0 && figure(&failover, "next_confirm_max_s") > 0.0, "{failover}");
}

#[test]
fn absent_users_take_what_is_told_and_growth_is_a_series_of_runs() {
    let absent = figures(&["absent", "--memory", "--shards", "2", "--users", "2000", "--settled", "5", "--waiting", "5"]);
    assert!(figure(&absent, "full_mib") > 0.0 && figure(&absent, "waiting_kib_per_user") > 0.0, "{absent}");
    let growth = figures(&["growth", "--memory", "--users", "200", "--nodes", "1", "--shards", "4", "--writers", "8"]);
    assert!(figure(&growth, "users_2_4_1_cpu_us") > 0.0 && figure(&growth, "shards_200_1_1_per_second") > 1.0, "{growth}");
    assert!(growth["figures"]["nodes_200_4_3_cpu_us"].is_null(), "{growth}");
}

#[test]
fn a_load_on_another_machine_is_refused() {
    let ran = bench(&["deliver", "--url", "http://192.0.2.1:7400", "--key", "a-key-of-16-bytes"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("loads go to loopback only"), "{}", ran.stderr);
    assert_eq!(bench(&["sprint"]).code, 2);
}
