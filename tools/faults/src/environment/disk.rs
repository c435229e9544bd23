use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use ordered_testkit::unique;

const MEGABYTES: usize = 512;

/// A small disk of its own, in memory; gone with this value.
#[derive(Debug)]
pub(crate) struct Disk(PathBuf);

impl Disk {
    /// Mounts it, for which a process has to be root.
    pub(crate) fn mount() -> io::Result<Self> {
        let path = std::env::temp_dir().join(unique("faults-disk"));
        fs::create_dir_all(&path)?;
        let output = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={MEGABYTES}m"), "tmpfs"])
            .arg(&path)
            .output()?;
        if output.status.success() {
            return Ok(Self(path));
        }
        let _ = fs::remove_dir(&path);
        Err(io::Error::other(
            String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        ))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes until nothing more fits.
    pub(crate) fn fill(&self) -> io::Result<()> {
        let mut file = File::create(self.ballast())?;
        let block = vec![1; 64 * 1024];
        loop {
            match file.write(&block) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::StorageFull => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    pub(crate) fn free(&self) -> io::Result<()> {
        fs::remove_file(self.ballast())
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily, since Redis may still be on it.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        let _ = fs::remove_dir(&self.0);
    }
}
