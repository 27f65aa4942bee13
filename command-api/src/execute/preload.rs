//! Many streams at once, for whoever is about to carry out many commands: one query in place of one for each.

use super::{Executor, cache::Folded, failed};
use events::{Aggregate, ids::TenantId, log::LogError};
use ops::problem::Problem;
use std::{collections::HashMap, sync::Arc};
use uuid::Uuid;

impl Executor {
    /// Has streams at hand for the commands to come. One that is not there is remembered as such; a decision that rests
    /// on what is remembered is checked at its append all the same.
    pub async fn preload<A: Aggregate>(&self, tenant_id: TenantId, ids: &[Uuid]) -> Result<(), Problem> {
        let missing: Vec<Uuid> = ids.iter().copied().filter(|id| self.0.cache.find(*id).is_none()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        self.fold_all::<A>(tenant_id, &missing).await.map_err(|error| failed(&error))
    }

    async fn fold_all<A: Aggregate>(&self, tenant_id: TenantId, ids: &[Uuid]) -> Result<(), LogError> {
        let mut streams: HashMap<Uuid, (TenantId, i64, A)> =
            ids.iter().map(|id| (*id, (tenant_id, 0, A::default()))).collect();
        let events = self.0.log.streams(ids).await?;
        for decoded in self.0.log.decode(events).await? {
            let decoded = decoded.map_err(|(_, error)| error)?;
            let Some((tenant_id, version, state)) = streams.get_mut(&decoded.recorded.stream.id) else { continue };
            (*tenant_id, *version) = (decoded.recorded.tenant_id, decoded.recorded.version);
            if let Some(event) = A::own(decoded.event) {
                state.evolve(&event);
            }
        }
        self.0.cache.extend(
            streams
                .into_iter()
                .map(|(id, (tenant_id, version, state))| (id, Folded { tenant_id, version, state: Arc::new(state) })),
        );
        Ok(())
    }
}
