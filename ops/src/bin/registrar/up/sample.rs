//! The sample data of the first start: posted as commands, like all data, and its log-ins remembered.

use tokio_util::sync::CancellationToken;

use crate::local::{
    Error, files,
    keys::Keys,
    project::Instance,
    state::{Login, State},
};

/// The log-ins of the sample data.
pub async fn logins(
    instance: &Instance,
    _state: &State,
    _keys: &Keys,
    _wanted: bool,
    _cancel: &CancellationToken,
) -> Result<Vec<Login>, Error> {
    Ok(files::find_json(&instance.path("logins.json"))?.unwrap_or_default())
}
