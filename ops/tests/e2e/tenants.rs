//! Organisations beside one another: nothing of one shows in another, whoever asks; whoever acts in one from outside is
//! named in its history.

use crate::{
    academy::{Academy, ROLES, person, position_of},
    client::Call,
    contract::{Operation, operations},
    gates::{Gate, gate_of, sample},
    world::{DEFAULT, DEFAULT_ID, PASSWORD, World, id_of},
};
use serde_json::{Value, json};

/// Two organisations full of the same: the one that is always there, and another.
async fn two(world: &World) -> [Academy; 2] {
    let first = Academy::open(world).await;
    let superadmin = first.sign_in(world, "superadmin").await;
    let second = Academy::found(world, &superadmin, "north").await;
    [first, second]
}

#[tokio::test]
async fn every_operation_in_every_role_sees_and_changes_its_own_organisation_only() {
    let world = World::start().await;
    let [first, second] = two(&world).await;
    let operations = operations(&world).await;
    // A superadmin is of the first organisation, and names one to act in it: see below.
    let roles = [&ROLES[..], &ROLES[..4]];
    let (mut tried, mut shown) = (0, 0);
    for ((own, other), roles) in [(&first, &second), (&second, &first)].into_iter().zip(roles) {
        let before = recorded(&world, other).await;
        for operation in &operations {
            if operation.commands() && matches!(gate_of(operation), Gate::Open(_)) {
                continue;
            }
            let names_the_organisation = operation.path.starts_with("/v1/tenants");
            for role in roles.iter().filter(|role| !(names_the_organisation && **role == "superadmin")) {
                tried += 1;
                let what = format!("{} as {role} of {}", operation.key(), own.slug);
                let token = own.sign_in(&world, role).await;
                // About the other organisation's things.
                let answer = ask(&world, operation, other, &token).await;
                assert_shows_nothing(other, &answer.1, &what);
                // A source of imports is whatever its importer calls it, and nobody's.
                let is_own = operation.path.contains("/me/") || operation.path.contains("{source}");
                if operation.path.contains('{') && !is_own {
                    assert!(matches!(answer.0, 403 | 404), "{what}: {answer:?}");
                }
                // About its own: what is shown is its own alone.
                if !operation.commands() {
                    let answer = ask(&world, operation, own, &token).await;
                    assert_shows_nothing(other, &answer.1, &what);
                    shown += usize::from(own.marks().iter().any(|mark| answer.1.contains(mark)));
                }
            }
        }
        assert_eq!(recorded(&world, other).await, before, "nothing of {} was changed from outside", other.slug);
    }
    assert!(shown > 60, "only {shown} answers showed anything of their own organisation");
    println!(
        "{} routes × {} roles of two tenants: {tried} combinations, {shown} answers with something of their own",
        operations.len(),
        ROLES.len() + 4,
    );
}

/// Status and body of an operation on things of an organisation.
async fn ask(world: &World, operation: &Operation, about: &Academy, token: &str) -> (u16, String) {
    let mut call = sample(world, about, operation).await.token(token);
    if !operation.commands() {
        call = call.header("registrar-min-position", &about.position.to_string());
    }
    let answer = world.send(call).await;
    let mut body = answer.body;
    if let Some(object) = body.as_object_mut() {
        // The path that the asker named.
        object.remove("instance");
    }
    (answer.status.as_u16(), body.to_string())
}

fn assert_shows_nothing(other: &Academy, body: &str, what: &str) {
    for mark in other.marks() {
        assert!(!body.contains(&mark), "{what} shows {mark}: {body}");
    }
}

/// How many events an organisation has, but for log-ins and refusals of the test itself.
async fn recorded(world: &World, academy: &Academy) -> i64 {
    sqlx::query_scalar(
        "select count(*) from log.events where tenant_id = $1::text::uuid and stream_type not in ('auth_session', 'refusal')",
    )
    .bind(&academy.tenant_id)
    .fetch_one(&world.log.pool().await)
    .await
    .unwrap()
}

#[tokio::test]
async fn a_superadmin_acts_in_another_organisation_by_name_and_its_history_says_so() {
    let world = World::start().await;
    let [first, second] = two(&world).await;
    let superadmin = first.sign_in(&world, "superadmin").await;
    let inside = |call: Call| call.token(&superadmin).header("registrar-tenant", "north");

    let category = Call::post("/v1/categories").json(&json!({"name": "From afar"}));
    let made = world.send(inside(category)).await.expect(201);
    let position = position_of(&made).to_string();
    let listed = |call: Call| call.header("registrar-min-position", &position);
    let seen = world.send(listed(inside(Call::get("/v1/categories")))).await.expect(200);
    let names: Vec<_> = seen["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Bookkeeping of-north", "From afar"]);
    let at_home = world.send(listed(Call::get("/v1/categories").token(&superadmin))).await.expect(200);
    assert!(!at_home.to_string().contains("From afar"));
    let by_id = Call::get("/v1/categories").token(&superadmin).header("registrar-tenant", &second.tenant_id);
    assert_eq!(world.send(listed(by_id)).await.expect(200), seen);

    let auditor = second.sign_in(&world, "auditor").await;
    let trail = format!("/v1/audit/events?type=registrar.category.created.v1&after={}", second.position);
    let trail = world.send(listed(Call::get(trail).token(&auditor))).await.expect(200);
    let event = &trail["items"][0];
    assert_eq!(
        (&event["actorrole"], &event["actortenantid"], &event["tenantid"], &event["data"]["name"]),
        (&json!("superadmin"), &json!(DEFAULT_ID), &json!(second.tenant_id), &json!("From afar"))
    );
    for role in &ROLES[..4] {
        let call = inside(Call::get("/v1/categories")).token(&first.sign_in(&world, role).await);
        assert_eq!(world.send(call).await.problem(403), "forbidden", "{role}");
    }
}

#[tokio::test]
async fn a_superadmin_brings_a_list_of_people_into_another_organisation() {
    let world = World::start().await;
    let [first, second] = two(&world).await;
    let superadmin = first.sign_in(&world, "superadmin").await;
    let import = reqwest::Client::builder().no_proxy().build().unwrap();
    let import = import.post(format!("{}/v1/account-imports", world.command_api)).bearer_auth(&superadmin);
    let import = import.header("registrar-tenant", "north").header("content-type", "text/csv");
    let list = "email,role,first_name,last_name\nnew@example.org,learner,New,Comer\n";
    let import = import.body(list).send().await.unwrap().json::<serde_json::Value>().await.unwrap();
    let (path, position) =
        (format!("/v1/account-imports/{}", import["id"].as_str().unwrap()), position_of(&import).to_string());
    let admin = second.sign_in(&world, "admin").await;
    let ended = testkit::eventually("the import ends", std::time::Duration::from_secs(30), async || {
        let call = Call::get(&path).token(&admin).header("registrar-min-position", &position);
        let view = world.send(call).await.expect(200);
        (view["state"] != "running").then_some(view)
    });
    let ended = ended.await;
    assert_eq!((&ended["state"], &ended["accepted"]), (&json!("finished"), &json!(1)), "{ended}");
    let trail =
        format!("/v1/audit/events?type=registrar.account_import.finished.v1&stream={}", import["id"].as_str().unwrap());
    let auditor = second.sign_in(&world, "auditor").await;
    let trail = testkit::eventually("it is told", std::time::Duration::from_secs(10), async || {
        let trail = world.send(Call::get(&trail).token(&auditor)).await.expect(200);
        trail["items"].get(0).cloned()
    });
    assert_eq!(trail.await["actortenantid"], json!(DEFAULT_ID));
}

#[tokio::test]
async fn organisations_are_listed_changed_and_counted() {
    let world = World::start().await;
    let [first, second] = two(&world).await;
    let superadmin = first.sign_in(&world, "superadmin").await;
    let path = format!("/v1/tenants/{}", second.tenant_id);
    let change = json!({"name": "Far North", "registration": "closed", "settings": {"colour": "#004488"}});
    let admin = second.sign_in(&world, "admin").await;
    let changed = world.send(Call::patch(&path).token(&admin).json(&change)).await.expect(200);
    let position = position_of(&changed);

    let all = world.read("/v1/tenants", &superadmin, position).await.expect(200);
    let slugs: Vec<_> = all["items"].as_array().unwrap().iter().map(|item| item["slug"].as_str().unwrap()).collect();
    assert_eq!(slugs, ["north", DEFAULT]);
    let one = world.read(&path, &admin, position).await.expect(200);
    assert_eq!(
        (&one["name"], &one["registration"], &one["settings"]["colour"], &one["version"]),
        (&json!("Far North"), &json!("closed"), &json!("#004488"), &json!(2))
    );
    let own = world.read(&format!("/v1/tenants/{DEFAULT_ID}"), &superadmin, position).await.expect(200);
    assert_eq!((&own["slug"], &own["registration"]), (&json!(DEFAULT), &json!("open")));

    let numbers = world.read(&format!("{path}/statistics"), &superadmin, position).await.expect(200);
    assert_eq!((&numbers["accounts"]["total"], &numbers["courses"]["published"]), (&json!(14), &json!(4)));
    assert_eq!(numbers["revenue"], json!([{"amount_minor": 4_999, "currency": "EUR"}]));
    let people = world.read(&format!("{path}/accounts?role=trainer"), &superadmin, position).await.expect(200);
    let people = people["items"].as_array().unwrap();
    assert_eq!((people.len(), &people[0]["email"]), (1, &json!("instructor@example.org")));
    let of_another = format!("/v1/tenants/{DEFAULT_ID}/accounts");
    assert_eq!(world.read(&of_another, &admin, position).await.problem(404), "not-found");
}

#[tokio::test]
async fn registration_follows_the_policy_of_its_organisation() {
    let world = World::start().await;
    let superadmin = world.superadmin().await;
    let tenant = json!({"slug": "north", "name": "North"});
    let north = id_of(&world.post("/v1/tenants", &superadmin, tenant).await.expect(201));
    let register = async |tenant: &str, email: &str| {
        let person = json!({
            "tenant": tenant, "email": email, "password": PASSWORD, "first_name": "Ada", "last_name": "Lovelace",
        });
        world.post("/v1/auth/register", "", person).await
    };
    assert_eq!(register("north", "ada@example.org").await.problem(403), "registration-closed");
    let home = register(DEFAULT, "ada@example.org").await.expect(201);
    for (policy, status) in [("open", 201), ("invite", 403), ("closed", 403), ("open", 201)] {
        let change = Call::patch(format!("/v1/tenants/{north}")).token(&superadmin);
        world.send(change.json(&json!({"registration": policy}))).await.expect(200);
        let answer = register("north", &format!("{status}-{policy}-{}@example.org", crate::gates::unique())).await;
        assert_eq!(answer.status, status, "{policy}: {}", answer.body);
    }
    // The same address is another person's in another organisation.
    let there = register("north", "ada@example.org").await.expect(201);
    assert_ne!(there["id"], home["id"]);
    assert_eq!(there["account"]["tenant_id"], json!(north));
    let token = world.log_in_to("north", "ada@example.org", PASSWORD).await;
    let me = world.read("/v1/me", &token, position_of(&there)).await.expect(200);
    assert_eq!((&me["id"], &me["tenant_id"]), (&there["id"], &json!(north)));
    assert_eq!(register("nowhere", "ada@example.org").await.fields(), [("/tenant", "unknown")]);
}

#[tokio::test]
async fn the_catalogue_of_an_organisation_is_read_by_its_name() {
    let world = World::start().await;
    let [_, second] = two(&world).await;
    let read = async |tenant: &str| world.read(&format!("/v1/courses?tenant={tenant}"), "", second.position).await;
    let theirs = read("north").await.expect(200).to_string();
    assert!(theirs.contains("of-north") && !theirs.contains("of-default"), "{theirs}");
    let ours = read(DEFAULT).await.expect(200).to_string();
    assert!(ours.contains("of-default") && !ours.contains("of-north"), "{ours}");
    assert_eq!(read("nowhere").await.fields(), [("/query/tenant", "unknown")]);
}

#[tokio::test]
async fn the_names_of_roles_in_older_systems_are_taken() {
    let world = World::start().await;
    let superadmin = world.superadmin().await;
    let older = [
        ("student", "learner"),
        ("trainee", "learner"),
        ("candidate", "learner"),
        ("teacher", "instructor"),
        ("trainer", "instructor"),
    ];
    for (alias, role) in older {
        let created = world.post("/v1/accounts", &superadmin, person(alias, alias)).await.expect(201);
        let path = format!("/v1/accounts/{}", id_of(&created));
        let account = world.read(&path, &superadmin, position_of(&created)).await.expect(200);
        assert_eq!(account["role"], role, "{alias}");
        let changed = Call::post(format!("{path}/role")).token(&superadmin).json(&json!({"role": alias}));
        assert_eq!(world.send(changed).await.problem(409), "account-already-in-role", "{alias} is {role}");
        let found = world.read(&format!("/v1/accounts?role={alias}"), &superadmin, 0).await.expect(200);
        assert!(all(&found, "role", role), "{alias}: {found}");
    }
    let unknown = world.post("/v1/accounts", &superadmin, person("head", "headmaster")).await;
    assert_eq!(unknown.fields(), [("/role", "invalid")]);
}

fn all(list: &Value, member: &str, value: &str) -> bool {
    let items = list["items"].as_array().unwrap();
    !items.is_empty() && items.iter().all(|item| item[member] == value)
}

#[tokio::test]
async fn no_metric_tells_organisations_apart() {
    let world = World::start().await;
    let [first, second] = two(&world).await;
    let token = second.sign_in(&world, "learner").await;
    world.read("/v1/me", &token, second.position).await.expect(200);
    for operations in world.operations() {
        let metrics = world.client.send(&operations, Call::get("/metrics")).await.expect(200).to_string();
        assert!(metrics.contains("registrar_"), "{operations} tells metrics");
        for academy in [&first, &second] {
            assert!(!metrics.contains(&academy.tenant_id), "{operations}");
        }
        assert!(!metrics.contains("north"), "{operations}");
    }
}
