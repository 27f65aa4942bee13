//! Which organisation a request means, whether it is entered from another, and that there always is the default one.
//!
//! A slug never changes hands and a tenant never goes, so what is found stays true; it is read from the log all the
//! same, for the few requests that name one.

use crate::{
    config::Settings,
    domain::tenant::{self, Command, Slug},
    execute::{Context, Executor, Reply, Work},
};
use chrono::{SubsecRound, Utc};
use events::{
    Aggregate, Role, StreamRef,
    ids::TenantId,
    log::LogError,
    tenant::{DEFAULT_SLUG, DEFAULT_TENANT, INSTALLATION, RegistrationPolicy, SLUG_SCOPE, Tenant},
};
use ops::problem::Problem;
use std::{convert::Infallible, time::Duration};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long to wait before the default organisation is tried again, while the log cannot be reached.
const AGAIN: Duration = Duration::from_secs(1);

/// The tenant that a slug, or an id, names.
pub async fn find(executor: &Executor, name: &str) -> Result<Option<TenantId>, Problem> {
    if name == DEFAULT_SLUG {
        return Ok(Some(DEFAULT_TENANT));
    }
    if let Ok(id) = Uuid::parse_str(name) {
        let stream = StreamRef { stream_type: Tenant::STREAM_TYPE.into(), id };
        let events = executor.log().stream(&stream, 0).await.map_err(unreadable)?;
        return Ok((!events.is_empty()).then_some(TenantId::new(id)));
    }
    let Ok(slug) = Slug::try_new(name) else { return Ok(None) };
    let digest = executor.log().keyring().claim_digest(SLUG_SCOPE, slug.as_str());
    let found = executor.log().find_claim(INSTALLATION, SLUG_SCOPE, &digest).await.map_err(unreadable)?;
    Ok(found.map(|stream| TenantId::new(stream.id)))
}

/// The tenant in which somebody acts who names one in `Registrar-Tenant`: for superadmins alone.
pub async fn enter(executor: &Executor, role: Role, name: &str) -> Result<TenantId, Problem> {
    if !role.crosses_tenants() {
        return Err(Problem::forbidden("Only a superadmin acts in another organisation: leave out Registrar-Tenant."));
    }
    let unknown = || {
        let pointer = format!("/headers/{}", ops::http::TENANT);
        Problem::invalid_field(pointer, "unknown", "there is no organisation of this name or id")
    };
    find(executor, name).await?.ok_or_else(unknown)
}

/// Whether people may register themselves in the organisation of the request. Until the default one is there, the
/// operator's settings say so.
pub async fn registration(
    work: &mut Work<'_>,
    context: &Context,
    settings: &Settings,
) -> Result<RegistrationPolicy, Problem> {
    let tenant = work.load::<Tenant>(context.tenant_id).await?;
    Ok(if tenant.exists() { tenant.state.details.registration } else { settings.registration_policy })
}

/// Sees to it that there is a default organisation, and ends when there is.
pub async fn open_default(
    executor: Executor,
    registration: RegistrationPolicy,
    stop: CancellationToken,
) -> Result<(), Infallible> {
    while !stop.is_cancelled() {
        match try_open_default(&executor, registration).await {
            Ok(()) => break,
            Err(problem) => {
                tracing::warn!(problem = problem.slug(), "the default organisation cannot be seen to just now");
                stop.run_until_cancelled(tokio::time::sleep(AGAIN)).await;
            }
        }
    }
    Ok(())
}

async fn try_open_default(executor: &Executor, registration: RegistrationPolicy) -> Result<(), Problem> {
    let context = &Context::of_the_system(DEFAULT_TENANT, Utc::now().trunc_subsecs(6), Uuid::now_v7());
    executor
        .execute(context, "tenant.open_default", |work| {
            Box::pin(async move {
                let tenant = work.load::<Tenant>(DEFAULT_TENANT).await?;
                let events = tenant::decide(&tenant.state, context, Command::OpenDefault { registration })?;
                work.claim::<Tenant>(SLUG_SCOPE, DEFAULT_SLUG, DEFAULT_TENANT, tenant::Refusal::SlugTaken);
                work.append::<Tenant>(DEFAULT_TENANT, events);
                Ok(Reply::ok(DEFAULT_TENANT))
            })
        })
        .await
        .map(drop)
}

fn unreadable(error: LogError) -> Problem {
    match error {
        LogError::Database(error) => error.into(),
        error => Problem::internal(&error),
    }
}
