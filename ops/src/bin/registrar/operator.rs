//! What the subcommands share that act on a running system as its operator: a token of their own, signed with the
//! installation's key, and the two APIs. Nothing is written past them: what an operator does is decided, recorded and
//! audited as everything else is, with `operator` for its actor's role.

use std::time::Duration;

use chrono::Utc;
use clap::Args;
use ops::{
    config::ConfigError,
    operator::{self, DEFAULT_TENANT_ID},
    tokens::{KeyError, SignError, Signer},
};
use reqwest::{Method, header::HeaderMap};
use serde_json::Value;
use uuid::Uuid;

/// How long the operator's token is good: for one command.
const TOKEN_LIFETIME: Duration = Duration::from_mins(1);
/// The longest that one request may take.
const REQUEST_BOUND: Duration = Duration::from_secs(35);

/// Characters that a search takes.
const LONGEST_SEARCH: usize = 200;

ops::secret_args! {
    /// The key that the command API signs access tokens with: an Ed25519 private key in PKCS#8 PEM. It is what shows
    /// that you operate the installation.
    pub SigningKey = "SIGNING_KEY", "signing-key";
}

/// Which system, and as whom.
#[derive(Debug, Args)]
#[command(next_help_heading = "The running system")]
pub struct OperatorArgs {
    /// The command API
    #[arg(long, env = "COMMAND_API", default_value = "http://127.0.0.1:8080", value_name = "URL")]
    command_api: String,
    /// The query API
    #[arg(long, env = "QUERY_API", default_value = "http://127.0.0.1:8081", value_name = "URL")]
    query_api: String,
    #[command(flatten)]
    signing_key: SigningKey,
    /// Who issues access tokens, as the processes are configured
    #[arg(long, env = "TOKEN_ISSUER", default_value = "registrar", value_name = "NAME")]
    token_issuer: String,
    /// Whom access tokens are meant for, as the processes are configured
    #[arg(long, env = "TOKEN_AUDIENCE", default_value = "registrar", value_name = "NAME")]
    token_audience: String,
    /// The organisation to act in
    #[arg(long, env = "TENANT_ID", default_value_t = DEFAULT_TENANT_ID, value_name = "UUID")]
    tenant_id: Uuid,
}

/// Why the operator did not get what they asked for.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The settings cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The key cannot be used.
    #[error("SIGNING_KEY is not usable")]
    Key(#[from] KeyError),
    /// The token could not be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// An API cannot be reached.
    #[error("{url} cannot be reached: is it running, and is that its address?")]
    Unreachable {
        /// Where it should be.
        url: String,
        /// What happened.
        source: reqwest::Error,
    },
    /// An API refused.
    #[error("{detail} ({slug}, {status})")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The problem's name.
        slug: String,
        /// What it says.
        detail: String,
    },
    /// There is no such account.
    #[error("no account of this organisation has the address {0}")]
    NoAccount(String),
    /// Nothing is to be done.
    #[error("{0}")]
    Needless(String),
}

/// The operator, with their token.
pub struct Operator {
    client: reqwest::Client,
    command_api: String,
    query_api: String,
    token: String,
}

impl OperatorArgs {
    /// Signs the token.
    pub fn sign_in(&self) -> Result<Operator, OperatorError> {
        let key = self.signing_key.required()?;
        let signer = Signer::from_pem(&key, &self.token_issuer, &self.token_audience, TOKEN_LIFETIME)?;
        let client = reqwest::Client::builder().timeout(REQUEST_BOUND).user_agent("registrar").build();
        let trim = |url: &str| url.trim_end_matches('/').to_owned();
        Ok(Operator {
            client: client.map_err(|source| OperatorError::Unreachable { url: self.command_api.clone(), source })?,
            command_api: trim(&self.command_api),
            query_api: trim(&self.query_api),
            token: operator::token(&signer, self.tenant_id, Utc::now())?,
        })
    }
}

impl Operator {
    /// Posts a command; sent twice by accident, it is carried out once.
    pub async fn command(&self, path: &str, body: &Value) -> Result<Value, OperatorError> {
        let key = Uuid::now_v7().to_string();
        let mut headers = HeaderMap::new();
        if let Ok(key) = key.parse() {
            headers.insert("idempotency-key", key);
        }
        let url = format!("{}{path}", self.command_api);
        self.send(self.client.request(Method::POST, &url).headers(headers).json(body), &url).await
    }

    /// Asks a query.
    pub async fn query(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value, OperatorError> {
        let url = format!("{}{path}", self.query_api);
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        self.send(self.client.request(Method::GET, format!("{url}?{query}")), &url).await
    }

    /// The account of this address, as its view shows it.
    pub async fn find_account(&self, email: &str) -> Result<Value, OperatorError> {
        let wanted = email.trim().to_lowercase();
        let search: String = wanted.chars().take(LONGEST_SEARCH).collect();
        let mut cursor = None;
        loop {
            let mut parameters = vec![("search", search.as_str()), ("limit", "200")];
            parameters.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let page = self.query("/v1/accounts", &parameters).await?;
            let items = page["items"].as_array().map(Vec::as_slice).unwrap_or_default();
            if let Some(found) = items.iter().find(|account| account["email"].as_str() == Some(&wanted)) {
                return Ok(found.clone());
            }
            cursor = page["next"].as_str().map(str::to_owned);
            if cursor.is_none() {
                return Err(OperatorError::NoAccount(wanted));
            }
        }
    }

    async fn send(&self, request: reqwest::RequestBuilder, url: &str) -> Result<Value, OperatorError> {
        let unreachable = |source| OperatorError::Unreachable { url: url.to_owned(), source };
        let answer = request.bearer_auth(&self.token).send().await.map_err(unreachable)?;
        let status = answer.status();
        let text = answer.text().await.map_err(unreachable)?;
        let body: Value = serde_json::from_str(&text).unwrap_or_default();
        if status.is_success() { Ok(body) } else { Err(refused(status.as_u16(), &body)) }
    }
}

fn refused(status: u16, problem: &Value) -> OperatorError {
    let text = |member: &str| problem[member].as_str().unwrap_or_default();
    let fields = problem["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    let fields = fields.iter().map(|field| {
        let pointer = field["pointer"].as_str().unwrap_or_default().trim_start_matches('/').to_owned();
        format!("{pointer}: {}", field["detail"].as_str().unwrap_or_default())
    });
    let said = if text("detail").is_empty() { text("title") } else { text("detail") };
    let told: Vec<String> = std::iter::once(said.to_owned()).filter(|said| !said.is_empty()).chain(fields).collect();
    OperatorError::Refused {
        status,
        slug: text("type").rsplit('/').next().unwrap_or_default().to_owned(),
        detail: if told.is_empty() { "the API refused".to_owned() } else { told.join("; ") },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_refusal_is_told_in_one_line_with_the_fields_that_are_wrong() {
        let problem = json!({
            "type": "https://registrar.dev/problems/invalid-request", "title": "Not valid",
            "errors": [{"pointer": "/email", "code": "email", "detail": "must be an e-mail address"}],
        });
        assert_eq!(
            refused(422, &problem).to_string(),
            "Not valid; email: must be an e-mail address (invalid-request, 422)"
        );
        assert_eq!(refused(502, &Value::Null).to_string(), "the API refused (, 502)");
    }
}
