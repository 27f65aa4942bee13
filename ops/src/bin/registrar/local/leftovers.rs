//! What runs that were killed have left, removed by the next one of their kind.

use super::{Error, lock::Lock, project::Project, servers::docker, supervisor};

/// Stops and removes the instances whose names begin so and whose holder has died. `release` lets go of what else is of
/// an instance of that name.
pub async fn remove(project: &Project, prefix: &str, release: impl AsyncFn(&str)) -> Result<(), Error> {
    for name in project.instances(prefix)? {
        let instance = project.instance(&name)?;
        // Whoever holds it is at work.
        let Ok(_lock) = Lock::take(&instance.lock_path()) else { continue };
        supervisor::stop_leftovers(&instance).await?;
        docker::clear_data(&instance).await;
        release(&name).await;
        instance.remove()?;
    }
    Ok(())
}
