//! The sample data of the first start. Its log-ins are remembered when all of it is there, so a start that was cut short
//! is made good by the next one, and a start after that posts nothing.

use crate::{
    local::{Error, console, files, keys::Keys, processes::Places, project::Instance, state::Login},
    seed,
};
use tokio_util::sync::CancellationToken;

/// The log-ins of the sample data, which is posted where it is not there yet and wanted.
pub async fn logins(
    instance: &Instance,
    places: &Places,
    keys: &Keys,
    wanted: bool,
    cancel: &CancellationToken,
) -> Result<Vec<Login>, Error> {
    let remembered_at = instance.path("logins.json");
    if let Some(logins) = files::find_json(&remembered_at)? {
        return Ok(logins);
    }
    if !wanted {
        return Ok(Vec::new());
    }
    let target = seed::Target {
        command_api: places.command_api.clone(),
        query_api: places.query_api.clone(),
        bootstrap_token: Some(keys.read_bootstrap_token()?),
    };
    let _quiet = console::mute();
    let seeded = cancel.run_until_cancelled(seed::run(&target)).await.ok_or(Error::Interrupted)?;
    let logins = seeded.map_err(|error| Error::Seed(Box::new(error)))?.logins;
    files::write_json(&remembered_at, &logins)?;
    Ok(logins)
}
