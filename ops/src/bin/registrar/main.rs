//! The operator's command: everything that one does to Registrar from a shell. One file per subcommand; what they share
//! about this machine is in `local/`.
//!
//! Exit codes: 0 it is done, 1 it failed, 2 it was asked wrongly.

mod account;
mod bench;
mod bootstrap;
mod down;
mod import;
mod keys;
mod local;
mod migrate;
mod operator;
mod projection;
mod seed;
mod signals;
mod status;
mod test;
mod torture;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The operator's command of Registrar.
#[derive(Debug, Parser)]
#[command(
    name = "registrar",
    bin_name = "cargo ops",
    version,
    max_term_width = 120,
    after_help = "Examples:
  cargo ops up             build and start everything here, and stay in front; Ctrl-C stops it and keeps the data
  cargo ops up --detach    the same in the background; `cargo ops down` stops it
  cargo ops status --json  where everything is, for scripts
  cargo ops test           run everything that must pass

`cargo ops <command> --help` tells more of each."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build and start the whole system on this machine
    Up(up::Up),
    /// Stop what `up` has started
    Down,
    /// Tell what runs and where
    Status(status::Status),
    /// Run everything that must pass
    Test(test::Test),
    /// Break whatever can break while commands come in, and prove that nothing was lost
    Torture(torture::Torture),
    /// Bring the databases to today's schema, or tell how far they are
    Migrate(migrate::Migrate),
    /// Draw the secrets that the processes read from files, where they are missing, or rotate the signing key
    Keys(keys::DrawKeys),
    /// Post a sample academy to a running system
    Seed(seed::Seed),
    /// Rebuild, verify and steer the views
    Projection(projection::Projection),
    /// Take history over from another system
    Import(import::Import),
    /// Invite the first superadmin of an installation by a link that works once
    Bootstrap(bootstrap::Bootstrap),
    /// Make, show, unlock an account of a running system, or reset its password
    Account(account::Account),
    /// Measure how fast it is on this machine
    Bench(bench::Bench),
}

/// Why a subcommand failed.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Local(#[from] local::Error),
    #[error(transparent)]
    Test(#[from] test::Error),
    #[error(transparent)]
    Torture(#[from] torture::Error),
    #[error(transparent)]
    Migrate(#[from] migrate::Error),
    #[error(transparent)]
    Seed(#[from] seed::SeedError),
    #[error(transparent)]
    Import(#[from] import::ImportError),
    #[error(transparent)]
    Operator(#[from] operator::OperatorError),
    #[error(transparent)]
    Bench(#[from] bench::Error),
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Up(up) => up.run().await.map_err(Error::from),
        Command::Down => down::run().await.map_err(Error::from),
        Command::Status(status) => status.run().map_err(Error::from),
        Command::Test(test) => test.run().await.map_err(Error::from),
        Command::Torture(torture) => torture.run().await.map_err(Error::from),
        Command::Migrate(migrate) => migrate.run().await.map_err(Error::from),
        Command::Keys(keys) => keys.run().await.map_err(Error::from),
        Command::Bootstrap(bootstrap) => bootstrap.run().await.map_err(Error::from),
        Command::Account(account) => account.run().await.map_err(Error::from),
        Command::Seed(seed) => seed.run().await.map_err(Error::from),
        Command::Projection(projection) => projection.run().map_err(Error::from),
        Command::Import(import) => import.run().await.map_err(Error::from),
        Command::Bench(bench) => bench.run().await.map_err(Error::from),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // The table of steps, the test runner or the background process have told it all.
        Err(Error::Test(test::Error::Failed) | Error::Local(local::Error::Told(_))) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {}", ops::config::chain(&error));
            let asked_wrongly = matches!(
                error,
                Error::Local(local::Error::Usage(_))
                    | Error::Migrate(migrate::Error::Missing | migrate::Error::Config(_))
                    | Error::Import(import::ImportError::Usage(_))
            );
            ExitCode::from(if asked_wrongly { 2 } else { 1 })
        }
    }
}
