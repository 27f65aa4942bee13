//! The rules that settings are read by.

use clap::Parser;

use super::*;

secret_args! {
    /// A key.
    Key = "OPS_TEST_KEY", "ops-test-key";
    /// Another key, to see that groups do not collide.
    OtherKey = "OPS_TEST_OTHER_KEY", "ops-test-other-key";
}

#[derive(Debug, Parser)]
struct Everything {
    #[command(flatten)]
    key: Key,
    #[command(flatten)]
    other: OtherKey,
    #[command(flatten)]
    pool: PoolArgs,
    #[command(flatten)]
    telemetry: TelemetryArgs,
    #[command(flatten)]
    http: HttpArgs,
    #[command(flatten)]
    operations: OperationsArgs,
}

const DEFAULTS: &[(&str, &str)] =
    &[("listen_address", "127.0.0.1:8080"), ("operations_address", "127.0.0.1:9180"), ("database_role", "someone")];

fn parsed(arguments: &[&str]) -> Result<Everything, clap::Error> {
    try_parse_from(DEFAULTS, std::iter::once(&"test").chain(arguments))
}

#[test]
fn the_command_line_is_well_formed_and_every_flag_is_described() {
    let command = Everything::command();
    command.clone().debug_assert();
    for argument in command.get_arguments() {
        assert!(argument.get_help().is_some(), "{} has no help", argument.get_id());
        assert!(argument.get_env().is_some(), "{} has no variable", argument.get_id());
    }
}

#[test]
fn a_process_gives_shared_settings_its_own_defaults() {
    let settings = parsed(&[]).unwrap();
    assert_eq!(settings.http.listen_address.port(), 8080);
    assert_eq!(settings.pool.role(), Some("someone"));
    assert_eq!(parsed(&["--database-role", ""]).unwrap().pool.role(), None);
    assert!(!settings.http.docs);
    assert!(parsed(&["--docs"]).unwrap().http.docs);
    assert!(parsed(&["--docs", "true"]).unwrap().http.docs);
}

#[test]
fn a_secret_that_comes_from_a_file_says_which() {
    let settings = parsed(&["--ops-test-key-file", "/keys/one"]).unwrap();
    assert_eq!(settings.key.path(), Some("/keys/one".into()));
    assert_eq!(settings.other.path(), None);
}

#[test]
fn a_secret_is_never_printed() {
    let settings = parsed(&["--ops-test-key", "hunter2"]).unwrap();
    assert_eq!(settings.key.required().unwrap().expose(), "hunter2");
    assert!(!format!("{settings:?} {}", settings.key.required().unwrap()).contains("hunter2"));
}

#[test]
fn a_secret_comes_from_a_file_without_its_newline() {
    let path = std::env::temp_dir().join(format!("ops-secret-{}", uuid::Uuid::now_v7()));
    fs::write(&path, "from a file\n").unwrap();
    let path_text = path.to_str().unwrap();
    let settings = parsed(&["--ops-test-key-file", path_text]).unwrap();
    assert_eq!(settings.key.required().unwrap().expose(), "from a file");
    let both = parsed(&["--ops-test-key", "x", "--ops-test-key-file", path_text]).unwrap();
    assert!(matches!(both.key.required(), Err(ConfigError::Ambiguous { name: "OPS_TEST_KEY" })));
    fs::remove_file(path).unwrap();
}

#[test]
fn a_missing_secret_names_both_variables() {
    let settings = parsed(&[]).unwrap();
    assert!(settings.other.optional().unwrap().is_none());
    let message = settings.other.required().unwrap_err().to_string();
    assert!(message.contains("OPS_TEST_OTHER_KEY,") && message.contains("OPS_TEST_OTHER_KEY_FILE"), "{message}");
}

#[test]
fn a_bad_value_is_one_line() {
    for wrong in [["--listen-address", "nowhere"], ["--log-level", "a=b=c"], ["--cors-allowed-origins", "*"]] {
        let line = one_line(&parsed(&wrong).unwrap_err());
        assert!(line.starts_with("error: ") && line.contains(wrong[0]) && !line.contains('\n'), "{line}");
    }
}

#[test]
fn an_origin_has_neither_path_nor_wildcard() {
    let two: Origins = "https://a.example, http://localhost:5173".parse().unwrap();
    assert_eq!(two.0, ["https://a.example", "http://localhost:5173"]);
    for wrong in ["*", "https://a.example/", "a.example", "ftp://a.example"] {
        assert!(wrong.parse::<Origins>().is_err(), "{wrong}");
    }
}
