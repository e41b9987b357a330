//! The committed corpus of the fuzz targets, as `cargo test` walks it: every file is run through the check of its target, and the samples that the code makes are
//! compared with the files. A finding is kept as a file whose name says what it was.

use std::fs;
use std::path::PathBuf;

fn folder(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target)
}

/// Runs the check of a target over its corpus. First come the samples: `UPDATE=1` writes those that are missing or have changed.
pub fn walk(target: &str, samples: Vec<(&str, Vec<u8>)>, check: fn(&[u8])) {
    let folder = folder(target);
    let is_update = std::env::var_os("UPDATE").is_some();
    for (name, bytes) in samples {
        let path = folder.join(name);
        if is_update {
            fs::create_dir_all(&folder).expect("the corpus can be written");
            fs::write(&path, &bytes).expect("the corpus can be written");
        }
        let kept = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; hint: UPDATE=1", path.display()));
        let hint = "the code writes another one now; hint: is a version to be counted up? then UPDATE=1";
        assert!(kept == bytes, "{}: {hint}", path.display());
    }
    let mut names: Vec<_> = fs::read_dir(&folder).expect("there is a corpus").map(|file| file.expect("it can be listed").path()).collect();
    names.sort();
    assert!(names.len() >= 3, "{target}: a corpus of {} files checks little", names.len());
    for path in names {
        let bytes = fs::read(&path).expect("the corpus can be read");
        println!("{}", path.display());
        check(&bytes);
    }
}
