//! A disk that can be full or slow, for one process.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::cluster::succeeded;

/// The disk of a process that was started with its environment.
pub(super) struct Disk {
    folder: PathBuf,
    environment: Vec<String>,
}

impl Disk {
    /// A disk that can be full for files whose path holds one word, and slow for those whose path holds another. It is
    /// built in a folder that the process can read.
    pub(super) fn build(folder: &Path, full: &str, slow: &str) -> Self {
        let (source, library) = (
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/postgres_failures/disk.c"),
            folder.join("disk.so"),
        );
        let mut compiler = Command::new("cc");
        compiler
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
            .arg(&library)
            .arg(source)
            .arg("-ldl");
        succeeded(compiler.output());
        let environment = vec![
            format!("LD_PRELOAD={}", library.display()),
            format!("DISK_CONTROL={}", folder.display()),
            format!("DISK_FULL={full}"),
            format!("DISK_SLOW={slow}"),
        ];
        Self { folder: folder.to_owned(), environment }
    }

    /// What the process is started with: each `NAME=value`.
    pub(super) fn environment(&self) -> &[String] {
        &self.environment
    }

    /// From now on no file can grow.
    pub(super) fn fill(&self) {
        fs::write(self.folder.join("full"), "").expect("writable");
    }

    /// There is room again.
    pub(super) fn make_room(&self) {
        fs::remove_file(self.folder.join("full")).expect("it was full");
    }

    /// From now on a sync takes two seconds.
    pub(super) fn slow_down(&self) {
        fs::write(self.folder.join("slow"), "").expect("writable");
    }

    /// It is as quick as ever.
    pub(super) fn speed_up(&self) {
        fs::remove_file(self.folder.join("slow")).expect("it was slow");
    }
}
