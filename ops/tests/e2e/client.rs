//! A client that remembers how it was refused, so that what the contracts declare can be held against it.

use reqwest::{
    Client as Http, Method, StatusCode,
    header::{HeaderMap, HeaderName},
};
use serde_json::{Value, json};
use std::sync::{Mutex, PoisonError};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A request to be sent.
#[derive(Debug, Clone)]
pub struct Call {
    pub method: Method,
    pub path: String,
    token: String,
    headers: Vec<(String, String)>,
    body: Option<String>,
}

impl Call {
    /// A request without token, headers and body.
    pub fn new(method: &str, path: impl Into<String>) -> Self {
        let method = method.parse().unwrap();
        Self { method, path: path.into(), token: String::new(), headers: Vec::new(), body: None }
    }

    pub fn get(path: impl Into<String>) -> Self {
        Self::new("GET", path)
    }

    pub fn post(path: impl Into<String>) -> Self {
        Self::new("POST", path)
    }

    pub fn patch(path: impl Into<String>) -> Self {
        Self::new("PATCH", path)
    }

    /// With an access token; an empty one is none.
    pub fn token(mut self, token: &str) -> Self {
        token.clone_into(&mut self.token);
        self
    }

    /// With a header, in place of one of the same name.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a JSON body.
    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").text(body.to_string())
    }

    /// With a body as it stands.
    pub fn text(mut self, body: impl Into<String>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// The body, where it has one.
    pub fn body(&self) -> Option<&str> {
        self.body.as_deref()
    }

    /// The head of the request as it goes over the wire, with the promise of a body of so many bytes.
    fn head(&self, host: &str, length: usize) -> String {
        let mut lines = vec![
            format!("{} {} HTTP/1.1", self.method, self.path),
            format!("host: {host}"),
            "connection: close".to_owned(),
            format!("content-length: {length}"),
        ];
        let token = Some(&self.token).filter(|token| !token.is_empty());
        lines.extend(token.map(|token| format!("authorization: Bearer {token}")));
        lines.extend(self.headers.iter().map(|(name, value)| format!("{name}: {value}")));
        lines.join("\r\n") + "\r\n\r\n"
    }
}

/// An answer, read.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answer {
    /// The body of an answer of this status; any other fails the test and shows the problem.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        self.body
    }

    /// The last part of the problem's type, of an answer of this status.
    #[track_caller]
    pub fn problem(self, status: u16) -> String {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        self.slug().expect("a problem").to_owned()
    }

    /// The last part of the problem's type, where it is a problem.
    pub fn slug(&self) -> Option<&str> {
        self.body["type"].as_str()?.strip_prefix("https://registrar.dev/problems/")
    }

    /// The pointers and codes of the fields that were wrong.
    pub fn fields(&self) -> Vec<(&str, &str)> {
        let text = |error: &Value, member: &str| error[member].as_str().map(str::len).is_some();
        let errors = self.body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        errors
            .iter()
            .filter(|error| text(error, "pointer") && text(error, "code"))
            .map(|error| (error["pointer"].as_str().unwrap(), error["code"].as_str().unwrap()))
            .collect()
    }
}

/// How a request was refused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refused {
    pub method: String,
    pub path: String,
    pub slug: String,
}

/// Sends requests.
pub struct Client {
    http: Http,
    refused: Mutex<Vec<Refused>>,
}

impl Client {
    pub fn new() -> Self {
        Self { http: Http::builder().no_proxy().build().unwrap(), refused: Mutex::default() }
    }

    /// Sends a request to a process.
    pub async fn send(&self, base: &str, call: Call) -> Answer {
        let mut request = self.http.request(call.method.clone(), format!("{base}{}", call.path));
        if !call.token.is_empty() {
            request = request.bearer_auth(call.token);
        }
        for (name, value) in call.headers {
            request = request.header(name, value);
        }
        if let Some(body) = call.body {
            request = request.body(body);
        }
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        let text = answer.text().await.unwrap();
        let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap_or(json!(text)) };
        let answer = Answer { status, headers, body };
        if status.is_client_error() || status.is_server_error() {
            self.remember(call.method.as_str(), &call.path, &answer);
        }
        answer
    }

    /// Sends only the head of a request, whose body never comes; its answer.
    pub async fn send_head(&self, base: &str, call: &Call, length: usize) -> Answer {
        let host = base.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(host).await.unwrap();
        stream.write_all(call.head(host, length).as_bytes()).await.unwrap();
        let mut answered = String::new();
        stream.read_to_string(&mut answered).await.unwrap();
        let (head, body) = answered.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let pairs = head.lines().filter_map(|line| line.split_once(": "));
        let headers = pairs.map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()));
        let answer = Answer { status, headers: headers.collect(), body: serde_json::from_str(body).unwrap() };
        self.remember(call.method.as_str(), &call.path, &answer);
        answer
    }

    /// Whether the process answers at all.
    pub async fn reaches(&self, url: &str) -> bool {
        self.http.get(url).send().await.is_ok_and(|answer| answer.status().is_success())
    }

    /// Remembers a refusal; every one is a problem document with its status in it.
    fn remember(&self, method: &str, path: &str, answer: &Answer) {
        assert_eq!(answer.headers["content-type"], "application/problem+json", "{method} {path}: {}", answer.body);
        assert_eq!(answer.body["status"], answer.status.as_u16(), "{method} {path}");
        let slug = answer.slug().unwrap_or_else(|| panic!("{method} {path} is refused with no problem of ours"));
        let (path, _) = path.split_once('?').unwrap_or((path, ""));
        let refused = Refused { method: method.to_owned(), path: path.to_owned(), slug: slug.to_owned() };
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).push(refused);
    }

    /// How every request so far was refused that was.
    pub fn refused(&self) -> Vec<Refused> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
