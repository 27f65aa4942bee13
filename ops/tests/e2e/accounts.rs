//! Accounts from the invitation to the end, as admins and operators keep them.

use crate::world::{PASSWORD, World, first_superadmin};
use reqwest::Client;
use serde_json::{Value, json};
use std::time::Duration;
use testkit::eventually;

fn position(answer: &Value) -> i64 {
    answer["position"].as_i64().unwrap()
}

fn person(email: &str, more: &Value) -> Value {
    let mut person = json!({"email": email, "password": PASSWORD, "first_name": "Ines", "last_name": "Newcomer"});
    person.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    person
}

#[tokio::test]
async fn who_is_invited_comes_once_with_the_role_of_the_invitation() {
    let world = World::start().await;
    let admin = world.superadmin().await;
    let invite = json!({"email": "Ines@Example.org", "role": "teacher"});
    let invited = world.post("/v1/invitations", &admin, invite.clone()).await.expect(201);
    let token = json!({"invitation": invited["invitation_token"]});
    let letter = async || world.letters("ines@example.org").pop();
    let letter = eventually("the invitation is mailed", Duration::from_secs(10), letter).await;
    assert!(letter.contains(&format!("register#{}", invited["invitation_token"].as_str().unwrap())), "{letter}");

    let other = world.post("/v1/auth/register", "", person("eve@example.org", &token)).await.expect(422);
    assert_eq!(
        (&other["errors"][0]["pointer"], &other["errors"][0]["code"]),
        (&json!("/email"), &json!("not-invited"))
    );
    let guessed =
        world.post("/v1/auth/register", "", person("ines@example.org", &json!({"invitation": "guess"}))).await;
    assert_eq!(guessed.problem(403), "invalid-invitation");
    let came = world.post("/v1/auth/register", "", person("ines@example.org", &token)).await.expect(201);
    assert_eq!(came["account"]["role"], "instructor");
    let again = world.post("/v1/auth/register", "", person("ines@example.org", &token)).await;
    assert_eq!(again.problem(403), "invalid-invitation");
    assert_eq!(world.post("/v1/invitations", &admin, invite).await.problem(409), "email-taken");

    let list = world.read("/v1/invitations?status=accepted", &admin, position(&came)).await.expect(200);
    assert_eq!((&list["items"][0]["id"], &list["items"][0]["account_id"]), (&invited["id"], &came["id"]));
    let ines = world.log_in("ines@example.org", PASSWORD).await;
    world.post("/v1/courses", &ines, json!({"title": "Latin"})).await.expect(201);

    let invite = json!({"email": "late@example.org", "role": "learner", "expires_in_hours": 1});
    let late = world.post("/v1/invitations", &admin, invite).await.expect(201);
    let revoke = format!("/v1/invitations/{}/revoke", late["id"].as_str().unwrap());
    world.post(&revoke, &admin, json!({})).await.expect(200);
    assert_eq!(world.post(&revoke, &admin, json!({})).await.problem(409), "invitation-already-revoked");
    let token = json!({"invitation": late["invitation_token"]});
    let refused = world.post("/v1/auth/register", "", person("late@example.org", &token)).await;
    assert_eq!(refused.problem(403), "invalid-invitation");
}

#[tokio::test]
async fn a_change_of_role_ends_sessions_and_tells_what_was_before() {
    let world = World::start().await;
    let admin = world.superadmin().await;
    let (_, learner) = world.learner("ada").await;
    let path = |what: &str| format!("/v1/accounts/{learner}/{what}");

    let changed = world.post(&path("role"), &admin, json!({"role": "instructor"})).await.expect(200);
    let same = world.post(&path("role"), &admin, json!({"role": "trainer"})).await;
    assert_eq!(same.problem(409), "account-already-in-role");
    let sessions = format!("/v1/audit/sessions?account={learner}");
    let sessions = world.read(&sessions, &admin, position(&changed)).await.expect(200);
    assert_eq!(sessions["items"][0]["reason"], "role_changed");
    let audit = format!("/v1/audit/events?subject={learner}&type=registrar.account.role_changed.v1");
    let audit = world.read(&audit, &admin, position(&changed)).await.expect(200);
    assert_eq!(audit["items"][0]["data"], json!({"before": "learner", "after": "instructor"}));
    assert_eq!(audit["items"][0]["actorrole"], "superadmin");
    let token = world.log_in("ada@example.org", PASSWORD).await;
    world.post("/v1/courses", &token, json!({"title": "Latin"})).await.expect(201);

    world.post(&path("revoke-portal-access"), &admin, json!({})).await.expect(200);
    let credentials = json!({"email": "ada@example.org", "password": PASSWORD});
    let refused = world.post("/v1/auth/login", "", credentials.clone()).await;
    assert_eq!(refused.problem(403), "portal-access-revoked");
    world.post(&path("grant-portal-access"), &admin, json!({})).await.expect(200);

    let moved = world.post(&path("email"), &admin, json!({"email": "countess@example.org"})).await.expect(200);
    assert_eq!(world.post("/v1/auth/login", "", credentials).await.problem(401), "wrong-credentials");
    let found = world.read("/v1/accounts?search=COUNTESS", &admin, position(&moved)).await.expect(200);
    assert_eq!((&found["items"][0]["id"], &found["items"][0]["role"]), (&json!(learner), &json!("instructor")));

    let reset = world.post(&path("reset-password"), &admin, json!({})).await.expect(200);
    let temporary = json!({"email": "countess@example.org", "password": reset["temporary_password"]});
    let login = world.post("/v1/auth/login", "", temporary).await.expect(200);
    assert_eq!(login["must_set_password"], true);
    assert_eq!(world.post(&path("unlock"), &admin, json!({})).await.problem(409), "account-not-locked");
    let own = world.read("/v1/me", &admin, 0).await.expect(200)["id"].as_str().unwrap().to_owned();
    let oneself = world.post(&format!("/v1/accounts/{own}/role"), &admin, json!({"role": "learner"})).await;
    assert_eq!(oneself.problem(403), "forbidden");
}

#[tokio::test]
async fn a_list_of_people_becomes_accounts_and_goes_out_again_as_a_file() {
    let world = World::start().await;
    let admin = world.superadmin().await;
    let client = Client::builder().no_proxy().build().unwrap();
    let post = async |query: &str, kind: &str, body: String| {
        let request = client.post(format!("{}/v1/account-imports{query}", world.command_api)).bearer_auth(&admin);
        let answer = request.header("content-type", kind).body(body).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let ended = async |import: &Value| {
        let path = format!("/v1/account-imports/{}", import["id"].as_str().unwrap());
        eventually("the import ends", Duration::from_secs(30), async || {
            let view = world.read(&path, &admin, position(import)).await.expect(200);
            (view["state"] != "running").then_some(view)
        })
        .await
    };
    let mut list = "email;role;first_name;last_name;username\r\n".to_owned();
    list.extend((1..=300).map(|row| format!("person{row}@example.org;student;Zoë;=Number {row};\r\n")));
    list += "root@example.org;student;Second;Root;\r\nnobody;student;No;Body;\r\n";

    let (status, import) = post("?dry_run=true", "text/csv; charset=utf-8", list.clone()).await;
    assert_eq!(status, 202, "{import}");
    let view = ended(&import).await;
    assert_eq!((&view["accepted"], &view["refused"], &view["dry_run"]), (&json!(300), &json!(2), &json!(true)));
    let expected = json!([
        {"line": 302, "column": "email", "code": "taken"}, {"line": 303, "column": "email", "code": "email"},
    ]);
    assert_eq!(view["errors"], expected);

    let form = format!("--b\r\ncontent-disposition: form-data; name=\"file\"\r\n\r\n{list}\r\n--b--\r\n");
    let (status, import) = post("", "multipart/form-data; boundary=b", form).await;
    assert_eq!(status, 202, "{import}");
    let view = ended(&import).await;
    assert_eq!((&view["state"], &view["accepted"], &view["errors"]), (&json!("finished"), &json!(300), &expected));
    let found = world.read("/v1/accounts?search=zoe%20person300@", &admin, 0).await.expect(200);
    assert_eq!(found["items"].as_array().unwrap().len(), 1);

    // A hash of "U*U", from the test vectors of crypt_blowfish.
    let hash = "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
    let hashed = format!("email,role,first_name,last_name,password_hash\nold@example.org,learner,Old,Hand,{hash}\n");
    let (_, import) = post("", "text/csv", hashed).await;
    assert_eq!(ended(&import).await["accepted"], 1);
    for _ in 0..2 {
        world.log_in("old@example.org", "U*U").await;
    }

    let export = format!("{}/v1/accounts/export?search=person7@", world.query_api);
    let export = client.get(export).bearer_auth(&admin).send().await.unwrap().text().await.unwrap();
    assert!(export.contains(",person7@example.org,,learner,Zoë,'=Number 7,true,"), "{export}");

    for (query, kind, body, status, problem) in [
        ("", "application/json", "{}".to_owned(), 415, "unsupported-media-type"),
        ("", "text/csv", "email,role\r\n".to_owned(), 422, "invalid-request"),
        ("", "text/csv", String::new(), 422, "invalid-request"),
        ("", "multipart/form-data; boundary=b", "--b--\r\n".to_owned(), 422, "invalid-request"),
        ("?dry=true", "text/csv", list.clone(), 422, "invalid-request"),
        (
            "",
            "text/csv",
            format!("email,role,first_name,last_name\n{}", "\n".repeat(100_001)),
            413,
            "payload-too-large",
        ),
    ] {
        let (answered, body) = post(query, kind, body).await;
        assert_eq!(answered, status, "{kind}: {body}");
        assert!(body["type"].as_str().unwrap().ends_with(problem), "{kind}: {body}");
    }
}

#[tokio::test]
async fn an_operator_begins_an_installation_and_keeps_its_accounts() {
    let world = World::start().await;
    let (done, token) = world.registrar(&["bootstrap", "--email", "root@example.org"]);
    assert!(done, "{token}");
    let token = json!({"invitation": token.lines().next().unwrap()});
    let root = world.post("/v1/auth/register", "", person("root@example.org", &token)).await.expect(201);
    assert_eq!(root["account"]["role"], "superadmin");
    let position = root["position"].as_i64().unwrap();
    let root = world.log_in("root@example.org", PASSWORD).await;
    world.read("/v1/me", &root, position).await.expect(200);
    let audit = "/v1/audit/events?type=registrar.invitation.issued.v1";
    let audit = world.read(audit, &root, position).await.expect(200);
    assert_eq!(audit["items"][0]["actorrole"], "operator");
    let (done, told) = world.registrar(&["bootstrap", "--email", "second@example.org"]);
    assert!(!done && told.contains("there is an active superadmin"), "{told}");
    let mut third = first_superadmin();
    third["email"] = json!("third@example.org");
    assert_eq!(world.post("/v1/auth/bootstrap", "", third).await.problem(409), "bootstrap-done");

    let ada = ["--email", "ada@example.org"];
    let create = ["account", "create", "--role", "admin", "--first-name", "Ada", "--last-name", "Lovelace"];
    let (done, told) = world.registrar(&[&create[..], &ada].concat());
    assert!(done, "{told}");
    let password = told.lines().next().unwrap().rsplit(' ').next().unwrap().to_owned();
    let login = json!({"email": "ada@example.org", "password": password});
    assert_eq!(world.post("/v1/auth/login", "", login.clone()).await.expect(200)["must_set_password"], true);
    let shown = eventually("the account is shown", Duration::from_secs(10), async || {
        let (done, told) = world.registrar(&[&["account", "show"][..], &ada].concat());
        done.then_some(told)
    })
    .await;
    assert!(shown.contains("role               admin"), "{shown}");
    let (done, told) = world.registrar(&[&["account", "reset-password"][..], &ada].concat());
    assert!(done && told.starts_with("ada@example.org logs in with "), "{told}");
    assert_eq!(world.post("/v1/auth/login", "", login).await.problem(401), "wrong-credentials");
    let (done, told) = world.registrar(&[&["account", "unlock"][..], &ada].concat());
    assert!(!done && told.contains("account-not-locked"), "{told}");
    let (done, told) = world.registrar(&["account", "show", "--email", "nobody@example.org"]);
    assert!(!done && told.contains("no account of this organisation has the address nobody@example.org"), "{told}");
}

#[tokio::test]
async fn wherever_the_first_superadmin_comes_from_the_bootstrap_is_over() {
    let world = World::start().await;
    let create = ["account", "create", "--role", "superadmin", "--first-name", "Ada", "--last-name", "Lovelace"];
    let (done, told) = world.registrar(&[&create[..], &["--email", "ada@example.org"]].concat());
    assert!(done, "{told}");
    assert_eq!(world.post("/v1/auth/bootstrap", "", first_superadmin()).await.problem(409), "bootstrap-done");
}
