//! The language is written down: one JSON schema for every stored event type, checked in under `events/schemas`.

use events::{
    account::AccountEvent, account_import::AccountImportEvent, assessment::AssessmentEvent,
    auth_session::AuthSessionEvent, category::CategoryEvent, course::CourseEvent, enrollment::EnrollmentEvent,
    invitation::InvitationEvent, payment::PaymentEvent, refusal::RefusalEvent, submission::SubmissionEvent,
    tenant::TenantEvent,
};
use schemars::{JsonSchema, Schema, generate::SchemaSettings};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, path::PathBuf};

/// The schema of each type's data, by type name.
fn schemas() -> BTreeMap<String, String> {
    fn of<E: JsonSchema>(into: &mut BTreeMap<String, String>) {
        let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
        let schema: Schema = settings.into_generator().into_root_schema_for::<E>();
        let variants = schema.get("oneOf").and_then(Value::as_array).expect("an event is one of its variants");
        for variant in variants {
            let name = variant.pointer("/properties/type/const").and_then(Value::as_str).expect("a type name");
            let mut data = variant.pointer("/properties/data").cloned().expect("data");
            data["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
            data["$id"] = json!(format!("https://registrar.dev/schemas/{name}.json"));
            data["title"] = json!(name);
            if let Some(description) = variant.get("description") {
                data["description"] = description.clone();
            }
            let text = serde_json::to_string_pretty(&data).expect("JSON") + "\n";
            assert!(into.insert(name.to_owned(), text).is_none(), "{name} is the name of two events");
        }
    }
    let mut all = BTreeMap::new();
    of::<AccountEvent>(&mut all);
    of::<AccountImportEvent>(&mut all);
    of::<InvitationEvent>(&mut all);
    of::<AuthSessionEvent>(&mut all);
    of::<CategoryEvent>(&mut all);
    of::<CourseEvent>(&mut all);
    of::<EnrollmentEvent>(&mut all);
    of::<PaymentEvent>(&mut all);
    of::<AssessmentEvent>(&mut all);
    of::<SubmissionEvent>(&mut all);
    of::<RefusalEvent>(&mut all);
    of::<TenantEvent>(&mut all);
    all
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("schemas")
}

#[test]
fn every_stored_event_type_has_its_schema_checked_in() {
    let written: BTreeMap<String, String> =
        schemas().into_iter().map(|(name, schema)| (format!("{name}.json"), schema)).collect();
    if std::env::var_os("REGISTRAR_UPDATE_SCHEMAS").is_some() {
        fs::create_dir_all(folder()).unwrap();
        for (name, schema) in &written {
            fs::write(folder().join(name), schema).unwrap();
        }
    }
    let checked_in: BTreeMap<String, String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap()))
        .collect();
    assert_eq!(
        written.keys().collect::<Vec<_>>(),
        checked_in.keys().collect::<Vec<_>>(),
        "a stored type name is for ever; new ones are written with `cargo ops test --update`"
    );
    for (name, schema) in &written {
        assert_eq!(schema, &checked_in[name], "{name} has changed: give the event a new version, or --update");
    }
}

#[test]
fn a_type_name_says_registrar_aggregate_event_and_version() {
    for name in schemas().keys() {
        let parts: Vec<&str> = name.split('.').collect();
        assert!(matches!(parts[..], ["registrar", _, _, version] if version.starts_with('v')), "{name}");
    }
}
