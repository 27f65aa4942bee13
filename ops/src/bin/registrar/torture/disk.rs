//! What the read models lie on, and filling it up. As root it is a small file system in memory, which is really full
//! then; else PostgreSQL is made to answer as though it were.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use sqlx::{Connection, PgConnection};

use crate::local::{
    Error,
    account::Account,
    files, job,
    project::{Instance, Project},
};

/// The name under which it is mounted.
const SOURCE: &str = "registrar-torture";
const SIZE: &str = "size=1g,mode=0711";
const FILLER: &str = "filler";

/// Makes every step of a projection fail as it does on a full disk.
const INJECT: &str = "
    create function public.disk_is_full() returns trigger language plpgsql as $$
    begin
        raise exception 'could not extend file: No space left on device' using errcode = 'disk_full';
    end
    $$;
    create trigger disk_is_full before update on read.projections execute function public.disk_is_full();";
const TAKE_BACK: &str = "drop function if exists public.disk_is_full() cascade";

/// A disk that can be filled.
#[derive(Debug)]
pub enum Disk {
    /// A file system of its own, mounted here.
    Mounted(PathBuf),
    /// None: the error is injected.
    Injected,
}

impl Disk {
    /// Mounts one where the data of this instance's PostgreSQL will be, where this user may.
    pub async fn prepare(instance: &Instance) -> Result<Self, Error> {
        if !nix::unistd::geteuid().is_root() {
            return Ok(Self::Injected);
        }
        let data = instance.data_folder(Account::find_unprivileged()?.as_ref())?;
        let place = data.parent().unwrap_or(Path::new("/")).to_path_buf();
        let mut mount = job::command("mount");
        mount.args(["-t", "tmpfs", "-o", SIZE, SOURCE]).arg(&place);
        if job::answer("mount", &mut mount).await.is_err() {
            return Ok(Self::Injected);
        }
        // What is mounted hides what was in the folder.
        files::folder(&instance.logs(), 0o700)?;
        Ok(Self::Mounted(place))
    }

    /// How it is filled, for the report.
    pub fn manner(&self) -> &'static str {
        match self {
            Self::Mounted(_) => "a file system of 1 GiB, really full",
            Self::Injected => "an injected error, since this user may not mount a file system",
        }
    }

    /// Fills it up. `url` is the superuser's, of the database on it.
    pub async fn fill(&self, url: &str) -> Result<(), Error> {
        match self {
            Self::Mounted(place) => {
                let filler = place.join(FILLER);
                let writing = move || fill(&filler).map_err(files::failed("fill", filler));
                tokio::task::spawn_blocking(writing).await.unwrap_or(Ok(()))
            }
            Self::Injected => run(url, INJECT).await,
        }
    }

    /// Makes room again.
    pub async fn clear(&self, url: &str) -> Result<(), Error> {
        match self {
            Self::Mounted(place) => files::remove(&place.join(FILLER)),
            Self::Injected => run(url, TAKE_BACK).await,
        }
    }

    /// Gives it back, with all that is on it.
    pub async fn release(&self) {
        if let Self::Mounted(place) = self {
            unmount(place).await;
        }
    }
}

/// Gives back what killed runs of this source tree have left mounted below the folders of an instance.
pub async fn release_leftovers(project: &Project, instance: &str) {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let of_this_tree = |place: &&str| {
        place.contains(&format!("/{instance}/"))
            && (Path::new(place).starts_with(project.root()) || place.contains(&project.tag()))
    };
    let places = mounts.lines().filter_map(|line| line.strip_prefix(SOURCE)?.split_whitespace().next());
    for place in places.filter(of_this_tree) {
        unmount(Path::new(place)).await;
    }
}

async fn unmount(place: &Path) {
    // Lazily: a program that is just ending may still hold it.
    let mut umount = job::command("umount");
    if let Err(error) = job::answer("umount", umount.arg("-l").arg(place)).await {
        eprintln!("{}", ops::config::chain(&error));
    }
}

/// Writes until nothing more goes in, in ever smaller pieces.
fn fill(path: &Path) -> io::Result<()> {
    let mut file = fs::File::create(path)?;
    for piece in [1 << 20, 1 << 16, 1 << 12] {
        let zeros = vec![0_u8; piece];
        loop {
            match file.write_all(&zeros) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::StorageFull => break,
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

async fn run(url: &str, statements: &'static str) -> Result<(), Error> {
    let failed = |source| Error::Database { action: "fill the disk of the read models".to_owned(), source };
    let mut connection = PgConnection::connect(url).await.map_err(failed)?;
    sqlx::raw_sql(statements).execute(&mut connection).await.map_err(failed)?;
    connection.close().await.map_err(failed)
}
