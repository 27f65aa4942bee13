//! Imports of accounts survive what happens to the process that carries them out.

use chrono::DateTime;
use command_api::{
    appender::Appender,
    domain::account_import::{self, Command},
    execute::{Actor, Context, Executor, Reply},
    imports::Imports,
    tail::Tail,
};
use events::{
    Personal, Role,
    account::{Account, AccountEvent, Origin},
    account_import::{AccountImport, AccountImportEvent, ImportFailure, RowError},
    ids::{AccountId, AccountImportId, AuthSessionId},
    log::{Filter, Keyring, LogReader, MasterKey},
    tenant::DEFAULT_TENANT,
};
use sqlx::PgPool;
use std::time::Duration;
use testkit::{TestDatabase, eventually};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const ADMIN: AccountId = AccountId::new(Uuid::from_u128(0xad));
const BOUND: Duration = Duration::from_secs(30);

/// A process of the command API, as far as imports go.
struct Process {
    executor: Executor,
    imports: Imports,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Process {
    fn start(pool: &PgPool, master: [u8; 32]) -> Self {
        let process = Self::idle(pool, master);
        let (imports, stop) = (process.imports.clone(), process.stop.clone());
        let running = tokio::spawn(async move {
            let Ok(()) = imports.run(stop).await;
        });
        Self { running, ..process }
    }

    /// One that takes lists in and does not carry them out.
    fn idle(pool: &PgPool, master: [u8; 32]) -> Self {
        let master = MasterKey::from_base64(&base64(&master)).unwrap();
        let keyring = Keyring::new(pool.clone(), &master);
        let log = LogReader::new(pool.clone(), keyring.clone());
        let (head, _) = watch::channel(0);
        let (appender, _) = Appender::start(pool.clone(), head, Tail::default());
        let executor = Executor::new(log, appender);
        let imports = Imports::new(pool.clone(), keyring, executor.clone());
        Self { executor, imports, stop: CancellationToken::new(), running: tokio::spawn(async {}) }
    }

    /// Has the admin there, and something happen to them.
    async fn admin(&self, happens: Option<&AccountEvent>) {
        let own = |text: &str| Personal::new(ADMIN, text.to_owned());
        let registered = &AccountEvent::Registered {
            account_id: ADMIN,
            email: own("admin@example.org"),
            username: None,
            role: Role::Admin,
            first_name: own("Ann"),
            last_name: own("Admin"),
            origin: Origin::Admin,
            portal_access: true,
            address: None,
            agent: None,
        };
        self.executor
            .execute(&context(), "admin", |work| {
                Box::pin(async move {
                    if !work.load::<Account>(ADMIN).await?.exists() {
                        work.new_subject(ADMIN);
                        work.append::<Account>(ADMIN, vec![registered.clone()]);
                    }
                    work.append::<Account>(ADMIN, happens.into_iter().cloned().collect());
                    Ok(Reply::ok(ADMIN))
                })
            })
            .await
            .unwrap();
    }

    /// Hands a list in, as the HTTP API does.
    async fn hand_in(&self, list: &str, dry_run: bool) -> AccountImportId {
        let (id, context) = (AccountImportId::new(Uuid::now_v7()), context());
        self.admin(None).await;
        let mut upload = self.imports.store().upload(id, &context, context.actor.unwrap()).await.unwrap();
        for part in list.as_bytes().chunks(1_000) {
            upload.push(part).await.unwrap();
        }
        let job = upload.finish().await.unwrap();
        let start = Command::Start { bytes: u64::try_from(list.len()).unwrap(), dry_run };
        let events = &account_import::decide(&AccountImport::default(), &context, start).unwrap();
        self.executor
            .execute(&context, "start", |work| {
                Box::pin(async move {
                    work.append::<AccountImport>(id, events.clone());
                    Ok(Reply::ok(id))
                })
            })
            .await
            .unwrap();
        self.imports.begin(&job).await.unwrap();
        id
    }
}

fn base64(bytes: &[u8]) -> String {
    base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes)
}

fn context() -> Context {
    let actor = Actor { account_id: ADMIN, role: Role::Admin, session_id: AuthSessionId::new(Uuid::from_u128(0x5e)) };
    let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    Context { actor: Some(actor), ..Context::of_the_system(DEFAULT_TENANT, now, Uuid::from_u128(7)) }
}

fn list(rows: usize) -> String {
    let rows = (1..=rows).map(|row| format!("person{row}@example.org,learner,Person,Number {row}\n"));
    std::iter::once("email,role,first_name,last_name\n".to_owned()).chain(rows).collect()
}

/// The events of the imports, in order.
async fn told(executor: &Executor) -> Vec<AccountImportEvent> {
    let filter = Filter { stream_type: Some("account_import".to_owned()), ..Filter::default() };
    let events = executor.log().read_filtered(0, 1_000, &filter).await.unwrap();
    let decoded = executor.log().decode(events).await.unwrap().into_iter();
    let own = decoded.map(|event| <AccountImport as events::Aggregate>::own(event.unwrap().event).unwrap());
    own.collect()
}

async fn until_ended(executor: &Executor) -> AccountImportEvent {
    eventually("the import ends", BOUND, async || {
        let last = told(executor).await.pop()?;
        matches!(last, AccountImportEvent::Finished { .. } | AccountImportEvent::Failed { .. }).then_some(last)
    })
    .await
}

async fn count(pool: &PgPool, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(pool).await.unwrap()
}

/// The accounts but for the admin's.
const REGISTERED: &str = "select count(*) - 1 from log.events where type = 'registrar.account.registered.v1'";
const WAITING: &str = "select count(*) from log.account_imports";

#[tokio::test]
async fn a_list_becomes_accounts_and_tells_which_rows_did_not() {
    let database = TestDatabase::log().await;
    let pool = database.pool_as("registrar_command").await;
    let process = Process::start(&pool, [7; 32]);
    let text = list(600)
        + "person1@example.org,learner,Person,Again\n"
        + "new@example.org,admin,Too,High\n"
        + "new@example.org,wizard,,Unknown\n"
        + "short@example.org,learner\n";
    process.hand_in(&text, false).await;
    assert_eq!(until_ended(&process.executor).await, AccountImportEvent::Finished { accepted: 600, refused: 4 });
    let error = |line, column: Option<&str>, code: &str| RowError {
        line,
        column: column.map(str::to_owned),
        code: code.to_owned(),
    };
    let errors: Vec<RowError> = told(&process.executor)
        .await
        .into_iter()
        .filter_map(|event| if let AccountImportEvent::Progressed { errors, .. } = event { Some(errors) } else { None })
        .flatten()
        .collect();
    let expected = [
        error(602, Some("email"), "duplicate"),
        error(603, Some("role"), "not-below-own"),
        error(604, Some("role"), "unknown"),
        error(604, Some("first_name"), "missing"),
        error(605, None, "columns"),
    ];
    assert_eq!(errors, expected);
    assert_eq!(count(&pool, REGISTERED).await, 600);
    eventually("the list is cleared away", BOUND, async || (count(&pool, WAITING).await == 0).then_some(())).await;
}

#[tokio::test]
async fn a_dry_run_makes_no_account_and_finds_the_names_that_are_taken() {
    let database = TestDatabase::log().await;
    let pool = database.pool_as("registrar_command").await;
    let process = Process::start(&pool, [7; 32]);
    process.hand_in(&list(3), false).await;
    until_ended(&process.executor).await;
    process.hand_in(&list(5), true).await;
    eventually("the dry run ends", BOUND, async || (told(&process.executor).await.len() == 6).then_some(())).await;
    let last = told(&process.executor).await.pop();
    assert_eq!(last, Some(AccountImportEvent::Finished { accepted: 2, refused: 3 }));
    assert_eq!(count(&pool, REGISTERED).await, 3);
}

#[tokio::test]
async fn a_job_goes_on_in_another_process_and_no_row_is_carried_out_twice() {
    let database = TestDatabase::log().await;
    let pool = database.pool_as("registrar_command").await;
    let first = Process::start(&pool, [7; 32]);
    first.hand_in(&list(2_000), false).await;
    eventually("some rows are done", BOUND, async || (count(&pool, REGISTERED).await > 10).then_some(())).await;
    // As a kill does: in the middle of a batch, its lease still running.
    first.running.abort();
    let owner = database.pool().await;
    sqlx::query("update log.account_imports set lease_until = now()").execute(&owner).await.unwrap();
    let second = Process::start(&pool, [7; 32]);
    assert_eq!(until_ended(&second.executor).await, AccountImportEvent::Finished { accepted: 2_000, refused: 0 });
    assert_eq!(count(&pool, REGISTERED).await, 2_000);
    assert_eq!(count(&pool, "select count(*) from log.claims").await, 2_000);
}

#[tokio::test]
async fn a_stop_leaves_the_job_to_the_next_start_at_once() {
    let database = TestDatabase::log().await;
    let pool = database.pool_as("registrar_command").await;
    let first = Process::start(&pool, [7; 32]);
    first.hand_in(&list(2_000), false).await;
    eventually("some rows are done", BOUND, async || (count(&pool, REGISTERED).await > 10).then_some(())).await;
    first.stop.cancel();
    first.running.await.unwrap();
    assert!(count(&pool, REGISTERED).await < 2_000, "the stop waits for a batch, not for the job");
    let second = Process::start(&pool, [7; 32]);
    assert_eq!(until_ended(&second.executor).await, AccountImportEvent::Finished { accepted: 2_000, refused: 0 });
    assert_eq!(count(&pool, REGISTERED).await, 2_000);
}

#[tokio::test]
async fn a_list_that_cannot_be_opened_any_more_fails_its_job_and_says_so() {
    let database = TestDatabase::log().await;
    let pool = database.pool_as("registrar_command").await;
    Process::idle(&pool, [7; 32]).hand_in(&list(3), false).await;
    // Another master key, as after a mistake in the configuration.
    let other = Process::start(&pool, [8; 32]);
    let failed = AccountImportEvent::Failed { reason: ImportFailure::ListLost };
    assert_eq!(until_ended(&other.executor).await, failed);
}

#[tokio::test]
async fn who_may_not_make_accounts_any_more_makes_no_more() {
    let database = TestDatabase::log().await;
    let pool = database.pool_as("registrar_command").await;
    let first = Process::idle(&pool, [7; 32]);
    first.hand_in(&list(3), false).await;
    first.admin(Some(&AccountEvent::RoleChanged { before: Role::Admin, after: Role::Auditor })).await;
    let second = Process::start(&pool, [7; 32]);
    let failed = AccountImportEvent::Failed { reason: ImportFailure::StarterLost };
    assert_eq!(until_ended(&second.executor).await, failed);
    assert_eq!(count(&pool, REGISTERED).await, 0);
}

#[tokio::test]
async fn a_list_lies_sealed() {
    let database = TestDatabase::log().await;
    let pool = database.pool_as("registrar_command").await;
    Process::idle(&pool, [7; 32]).hand_in(&list(3), false).await;
    let sql = "select count(*) from log.account_import_chunks where position('example'::bytea in content) > 0";
    assert_eq!(count(&pool, sql).await, 0);
    assert_eq!(count(&pool, WAITING).await, 1);
}
