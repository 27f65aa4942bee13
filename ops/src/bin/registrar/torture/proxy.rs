//! A wire that can be cut: a TCP proxy between one process and one server.

use std::net::Ipv4Addr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

use crate::local::{Error, files};

/// What happens on a wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Bytes pass.
    Open,
    /// Connections are reset, new ones too.
    Cut,
    /// Nothing passes; connections stay as they are.
    Stalled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    mode: Mode,
    /// Connections made before this one never pass a byte again, nor does their client learn that.
    silenced_before: u64,
}

/// One process's way to one server.
#[derive(Debug)]
pub struct Link {
    /// Whose it is.
    pub process: &'static str,
    /// Where it leads.
    pub server: &'static str,
    /// Where the process connects to.
    pub port: u16,
    state: watch::Sender<State>,
}

impl Link {
    /// A wire to a port of this machine.
    pub async fn lay(process: &'static str, server: &'static str, to: u16) -> Result<Self, Error> {
        let failed = || files::failed("listen for", server);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed())?;
        let port = listener.local_addr().map_err(failed())?.port();
        let state = watch::Sender::new(State { mode: Mode::Open, silenced_before: 0 });
        tokio::spawn(accept(listener, to, state.clone()));
        Ok(Self { process, server, port, state })
    }

    /// Resets every connection, and every new one until it is mended.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.mode = Mode::Cut);
    }

    /// Lets nothing pass until it is mended; what was on its way arrives then.
    pub fn stall(&self) {
        self.state.send_modify(|state| state.mode = Mode::Stalled);
    }

    /// Lets everything pass again.
    pub fn mend(&self) {
        self.state.send_modify(|state| state.mode = Mode::Open);
    }

    /// Mends it for new connections alone: the old ones have lost their server and are never told, as after a power
    /// failure at the other end.
    pub fn mend_for_new_connections(&self) {
        self.state.send_modify(|state| *state = State { mode: Mode::Open, silenced_before: u64::MAX });
    }
}

async fn accept(listener: TcpListener, to: u16, state: watch::Sender<State>) {
    let mut number = 0;
    while let Ok((client, _)) = listener.accept().await {
        // Whoever comes after a silence is not part of it.
        state.send_if_modified(|state| {
            state.silenced_before = state.silenced_before.min(number);
            false
        });
        number += 1;
        tokio::spawn(pass(client, number - 1, to, state.subscribe()));
    }
}

async fn pass(client: TcpStream, number: u64, to: u16, mut state: watch::Receiver<State>) {
    if state.borrow().mode == Mode::Cut {
        return reset(&client);
    }
    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, to)).await else { return reset(&client) };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let ended = tokio::select! {
        () = both_ways(&mut from_client, to_server, from_server, &to_client, state.clone()) => Ended::ByThemselves,
        ended = interruption(number, &mut state) => ended,
    };
    match (ended, to_client.reunite(from_client)) {
        (Ended::Cut, Ok(client)) => reset(&client),
        (Ended::Silenced, Ok(mut client)) => {
            // It goes on talking to nobody, until it gives up.
            let mut void = vec![0; 16 * 1024];
            while client.read(&mut void).await.is_ok_and(|length| length > 0) {}
        }
        _ => {}
    }
}

enum Ended {
    ByThemselves,
    Cut,
    Silenced,
}

async fn interruption(number: u64, state: &mut watch::Receiver<State>) -> Ended {
    let changed = state.wait_for(|state| state.mode == Mode::Cut || number < state.silenced_before).await;
    match changed {
        Ok(state) if state.mode == Mode::Cut => Ended::Cut,
        Ok(_) => Ended::Silenced,
        Err(_) => Ended::ByThemselves,
    }
}

async fn both_ways(
    from_client: &mut OwnedReadHalf,
    mut to_server: OwnedWriteHalf,
    mut from_server: OwnedReadHalf,
    to_client: &OwnedWriteHalf,
    state: watch::Receiver<State>,
) {
    let up = async {
        let mut state = state.clone();
        let mut buffer = vec![0; 64 * 1024];
        while let Some(length) = read(from_client, &mut buffer, &mut state).await {
            if to_server.write_all(&buffer[..length]).await.is_err() {
                return;
            }
        }
    };
    let down = async {
        let mut state = state.clone();
        let mut buffer = vec![0; 64 * 1024];
        while let Some(length) = read(&mut from_server, &mut buffer, &mut state).await {
            if write_all(to_client, &buffer[..length]).await.is_err() {
                return;
            }
        }
    };
    // One side that closes closes the other: neither PostgreSQL nor NATS leaves a connection half open.
    tokio::select! {
        () = up => {}
        () = down => {}
    }
}

/// What came, once it may pass.
async fn read(from: &mut OwnedReadHalf, buffer: &mut [u8], state: &mut watch::Receiver<State>) -> Option<usize> {
    let length = from.read(buffer).await.ok().filter(|length| *length > 0)?;
    state.wait_for(|state| state.mode != Mode::Stalled).await.ok()?;
    Some(length)
}

/// Writes through a shared half, so that the socket can be put together again when this is abandoned.
async fn write_all(to: &OwnedWriteHalf, mut bytes: &[u8]) -> std::io::Result<()> {
    while !bytes.is_empty() {
        to.writable().await?;
        match to.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Makes the end of a connection, which is when it is dropped, an RST rather than a FIN.
fn reset(client: &TcpStream) {
    let _ = client.set_zero_linger();
}
