//! As little of an HTTP/1.1 client as a load generator needs: one kept-alive connection, one request at a time, answers
//! with a `Content-Length`. It shares the processors with what it measures, so it does nothing that is not needed.

use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Headers that an answer may have.
const MAX_HEADERS: usize = 48;
/// The first size of the buffer for an answer; it grows to the largest.
const BUFFER: usize = 16 * 1024;

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The connection failed.
    #[error("the connection failed")]
    Connection(#[from] io::Error),
    /// The server ended it in the middle of an answer.
    #[error("the connection was closed before the answer was complete")]
    Closed,
    /// The answer is not HTTP, or not of the kind that this client reads.
    #[error("the answer cannot be read: {0}")]
    Unreadable(String),
}

/// An answer.
#[derive(Debug)]
pub struct Reply<'a> {
    /// The status.
    pub status: u16,
    /// `Registrar-Position`, where it was sent.
    pub position: Option<i64>,
    /// The body.
    pub body: &'a [u8],
}

/// One connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// What the head of an answer says.
struct Head {
    status: u16,
    position: Option<i64>,
    length: usize,
    content: usize,
}

impl Connection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(BUFFER) })
    }

    /// Sends a whole request and reads the whole answer.
    pub async fn call(&mut self, request: &[u8]) -> Result<Reply<'_>, CallError> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let mut head = None;
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(CallError::Closed);
            }
            if head.is_none() {
                head = parse(&self.buffer)?;
            }
            if let Some(Head { status, position, length, content }) = head
                && self.buffer.len() >= length + content
            {
                return Ok(Reply { status, position, body: &self.buffer[length..length + content] });
            }
        }
    }
}

/// Reads the head where it is complete.
fn parse(bytes: &[u8]) -> Result<Option<Head>, CallError> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response.parse(bytes).map_err(|error| CallError::Unreadable(error.to_string()))?;
    let httparse::Status::Complete(length) = parsed else { return Ok(None) };
    let status = response.code.unwrap_or_default();
    let (mut position, mut content) = (None, None);
    for header in response.headers.iter() {
        let number = || std::str::from_utf8(header.value).ok().and_then(|text| text.parse::<i64>().ok());
        if header.name.eq_ignore_ascii_case("content-length") {
            content = number().and_then(|length| usize::try_from(length).ok());
        } else if header.name.eq_ignore_ascii_case("registrar-position") {
            position = number();
        }
    }
    let content = match content {
        Some(content) => content,
        None if matches!(status, 204 | 304) => 0,
        None => return Err(CallError::Unreadable(format!("an answer {status} without Content-Length"))),
    };
    Ok(Some(Head { status, position, length, content }))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn an_answer_is_read_to_its_end_however_it_arrives() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 64];
            for answer in [
                ["HTTP/1.1 201 Created\r\ncontent-le", "ngth: 5\r\nRegistrar-Position: 41\r\n\r\nab", "cde"],
                ["HTTP/1.1 204 No Content\r\n", "\r\n", ""],
            ] {
                let _ = stream.read(&mut request).await.unwrap();
                for piece in answer {
                    stream.write_all(piece.as_bytes()).await.unwrap();
                    stream.flush().await.unwrap();
                    tokio::task::yield_now().await;
                }
            }
        });
        let mut connection = Connection::open(address).await.unwrap();
        let reply = connection.call(b"POST / HTTP/1.1\r\n\r\n").await.unwrap();
        assert_eq!((reply.status, reply.position, reply.body), (201, Some(41), &b"abcde"[..]));
        let reply = connection.call(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        assert_eq!((reply.status, reply.position, reply.body), (204, None, &b""[..]));
        server.await.unwrap();
        assert!(matches!(
            connection.call(b"GET / HTTP/1.1\r\n\r\n").await,
            Err(CallError::Closed | CallError::Connection(_))
        ));
    }
}
