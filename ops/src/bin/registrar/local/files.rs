//! Files and folders of `.local/`, with errors that name the path. What is secret is readable by its owner alone and is
//! never seen half written.

use std::{
    fs,
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};

use super::Error;

/// An error about `path`, for `map_err`.
pub fn failed(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
    let path = path.into();
    move |source| match source.kind() {
        io::ErrorKind::PermissionDenied => Error::Denied { action, path, source },
        _ => Error::File { action, path, source },
    }
}

/// Makes the folder with exactly this mode, whatever the umask; its parents where they are missing.
pub fn folder(path: &Path, mode: u32) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(failed("make", path))?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(failed("set the mode of", path))
}

/// Writes a file that only its owner reads: beside its place first, so that no reader sees half of it.
pub fn write_private(path: &Path, content: &[u8]) -> Result<(), Error> {
    let beside = path.with_added_extension("new");
    remove(&beside)?;
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)
        .map_err(failed("write", &beside))?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(failed("write", &beside))?;
    fs::rename(&beside, path).map_err(failed("write", path))
}

/// Writes a value as a private JSON file.
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), Error> {
    let mut content =
        serde_json::to_vec_pretty(value).map_err(|source| Error::Damaged { path: path.into(), source })?;
    content.push(b'\n');
    write_private(path, &content)
}

/// Reads a JSON file; nothing where there is none.
pub fn find_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Error> {
    match fs::read(path) {
        Ok(content) => {
            serde_json::from_slice(&content).map(Some).map_err(|source| Error::Damaged { path: path.into(), source })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path)(error)),
    }
}

/// Opens a log to append to, made private where it is new.
pub fn append(path: &Path) -> Result<fs::File, Error> {
    fs::OpenOptions::new().append(true).create(true).mode(0o600).open(path).map_err(failed("write", path))
}

/// Removes a file, or a folder with all that is in it; what is not there is removed already.
pub fn remove(path: &Path) -> Result<(), Error> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", path)(error)),
        _ => Ok(()),
    }
}

/// The last line of a log that tells why its program stopped: the last that speaks of an error, else the last at all.
/// Empty where there is no log.
pub fn last_words(path: &Path) -> String {
    const ENOUGH: u64 = 16 * 1024;
    let read = || -> io::Result<Vec<u8>> {
        let mut file = fs::File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(ENOUGH)))?;
        let mut content = Vec::new();
        file.read_to_end(&mut content)?;
        Ok(content)
    };
    let content = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&content);
    let mut lines = text.lines().rev().map(str::trim).filter(|line| !line.is_empty());
    let last = lines.clone().next().unwrap_or_default();
    let telling =
        lines.find(|line| ["FATAL", "PANIC", "ERROR", "[FTL]", "error:"].iter().any(|word| line.contains(word)));
    telling.unwrap_or(last).chars().take(300).collect()
}

/// Copies a folder for other users to read and execute.
pub fn copy_for_all(from: &Path, to: &Path) -> Result<(), Error> {
    folder(to, 0o755)?;
    for entry in fs::read_dir(from).map_err(failed("read", from))? {
        let entry = entry.map_err(failed("read", from))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let metadata = fs::metadata(&source).map_err(failed("read", &source))?;
        if metadata.is_dir() {
            copy_for_all(&source, &target)?;
        } else {
            fs::copy(&source, &target).map_err(failed("copy", &source))?;
            let mode = if metadata.permissions().mode() & 0o100 == 0 { 0o644 } else { 0o755 };
            fs::set_permissions(&target, fs::Permissions::from_mode(mode))
                .map_err(failed("set the mode of", &target))?;
        }
    }
    Ok(())
}
