//! A lock that ends with the process that holds it, however that ends, and that names its holder.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Seek, Write},
    path::Path,
    thread,
    time::Duration,
};

use super::{Error, files};

/// Held until it is dropped or the process ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, or says who has it.
    pub fn take(path: &Path) -> Result<Self, Error> {
        // Whoever asks for the holder has the lock for an instant: that is not a refusal yet.
        let mut attempts = 0;
        loop {
            match try_take(path)? {
                Ok(lock) => return Ok(lock),
                Err(_) if attempts < 5 => {
                    attempts += 1;
                    thread::sleep(Duration::from_millis(20));
                }
                Err(pid) => return Err(Error::Running { pid }),
            }
        }
    }

    /// The process that holds the lock, if one does.
    pub fn holder(path: &Path) -> Result<Option<u32>, Error> {
        if !path.exists() {
            return Ok(None);
        }
        Ok(try_take(path)?.err())
    }
}

fn try_take(path: &Path) -> Result<Result<Lock, u32>, Error> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(files::failed("open", path))?;
    match file.try_lock() {
        Ok(()) => {
            file.set_len(0)
                .and_then(|()| file.rewind())
                .and_then(|()| write!(file, "{}", std::process::id()))
                .map_err(files::failed("write", path))?;
            Ok(Ok(Lock { _file: file }))
        }
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            file.read_to_string(&mut holder).map_err(files::failed("read", path))?;
            Ok(Err(holder.trim().parse().unwrap_or_default()))
        }
        Err(TryLockError::Error(error)) => Err(files::failed("lock", path)(error)),
    }
}
