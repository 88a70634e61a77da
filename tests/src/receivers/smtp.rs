//! A mail server that keeps what it is given (RFC 5321), without TLS and without extensions, so that nothing is left to
//! it that a message must have by itself.

use std::{
    collections::{HashMap, VecDeque},
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::future::join_all;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpSocket, TcpStream},
};

use super::http::Gate;

/// At which point, and with which code, mail to an address is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// When the recipient is named.
    Recipient(u16),
    /// When the message is there.
    Message(u16),
}

/// A message that came.
#[derive(Clone, Debug, Default)]
pub struct Letter {
    /// Who sends it, as the envelope says.
    pub from: String,
    /// Who shall get it, as the envelope says.
    pub to: Vec<String>,
    /// The message, with its lines as they were before they travelled.
    pub raw: Vec<u8>,
    /// Whether it was taken.
    pub taken: bool,
}

#[derive(Debug, Default)]
struct Script {
    first: VecDeque<Refusal>,
    then: Option<Refusal>,
}

#[derive(Debug, Default)]
struct State {
    letters: Vec<Letter>,
    scripts: HashMap<String, Script>,
    held: HashMap<String, Gate>,
}

/// The server.
#[derive(Clone, Debug)]
pub struct SmtpSink {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

/// A port where a server will be. Until then connections to it are refused.
#[derive(Debug)]
pub struct Reserved(TcpSocket);

impl Reserved {
    /// Takes a port.
    pub fn new() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
        Self(socket)
    }

    /// The `SMTP_URL` of the server that will be there.
    pub fn url(&self) -> String {
        format!("smtp://{}", self.0.local_addr().expect("an address"))
    }

    /// Opens it.
    pub fn open(self) -> SmtpSink {
        SmtpSink::on(self.0.listen(1024).expect("a listener"))
    }
}

impl Default for Reserved {
    fn default() -> Self {
        Self::new()
    }
}

impl SmtpSink {
    /// Starts one, which lasts as long as the runtime.
    pub fn start() -> Self {
        Reserved::new().open()
    }

    fn on(listener: TcpListener) -> Self {
        let this = Self { address: listener.local_addr().expect("an address"), state: Arc::default() };
        let sink = this.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let sink = sink.clone();
                // With an error the other side went away.
                tokio::spawn(async move { sink.converse(stream).await });
            }
        });
        this
    }

    /// Its `SMTP_URL`.
    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// Has the next messages to an address refused; those after them are taken.
    pub fn refuse(&self, address: &str, first: impl IntoIterator<Item = Refusal>) {
        let script = Script { first: first.into_iter().collect(), then: None };
        self.state().scripts.insert(address.to_owned(), script);
    }

    /// Has all messages to an address refused from now on.
    pub fn always_refuse(&self, address: &str, refusal: Refusal) {
        let script = Script { first: VecDeque::new(), then: Some(refusal) };
        self.state().scripts.insert(address.to_owned(), script);
    }

    /// Has messages to an address taken as soon as the gate is open.
    pub fn hold(&self, address: &str, gate: Gate) {
        self.state().held.insert(address.to_owned(), gate);
    }

    /// The messages for an address, in order, also those that were not taken.
    pub fn letters(&self, address: &str) -> Vec<Letter> {
        let for_them = |letter: &&Letter| letter.to.iter().any(|to| to == address);
        self.state().letters.iter().filter(for_them).cloned().collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The refusal of this message to this address, if it is one of the next to be refused.
    fn refusal(&self, address: &str) -> Option<Refusal> {
        let mut state = self.state();
        let script = state.scripts.get_mut(address)?;
        script.first.pop_front().or(script.then)
    }

    async fn converse(self, stream: TcpStream) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        let (mut letter, mut refused) = (Letter::default(), None);
        stream.write_all(b"220 sink\r\n").await?;
        loop {
            let mut line = Vec::new();
            if stream.read_until(b'\n', &mut line).await? == 0 {
                return Ok(());
            }
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            let verb = line.get(..4).unwrap_or(&line).to_ascii_uppercase();
            let reply = match verb.as_str() {
                "EHLO" | "HELO" => "250 sink".to_owned(),
                "MAIL" => {
                    letter = Letter { from: path(&line), ..Letter::default() };
                    "250 go on".to_owned()
                }
                "RCPT" => {
                    let to = path(&line);
                    refused = self.refusal(&to);
                    letter.to.push(to);
                    match refused {
                        Some(Refusal::Recipient(code)) => {
                            self.state().letters.push(std::mem::take(&mut letter));
                            format!("{code} not here")
                        }
                        _ => "250 go on".to_owned(),
                    }
                }
                "DATA" if letter.to.is_empty() => "503 for whom?".to_owned(),
                "DATA" => {
                    stream.write_all(b"354 go on\r\n").await?;
                    letter.raw = read_message(&mut stream).await?;
                    letter.taken = refused.is_none();
                    let held: Vec<_> =
                        letter.to.iter().filter_map(|to| self.state().held.get(to).cloned()).collect();
                    join_all(held.iter().map(Gate::opened)).await;
                    self.state().letters.push(std::mem::take(&mut letter));
                    match refused.take() {
                        Some(Refusal::Message(code) | Refusal::Recipient(code)) => format!("{code} not this"),
                        None => "250 taken".to_owned(),
                    }
                }
                "RSET" => {
                    (letter, refused) = (Letter::default(), None);
                    "250 forgotten".to_owned()
                }
                "NOOP" => "250 here".to_owned(),
                "QUIT" => {
                    stream.write_all(b"221 bye\r\n").await?;
                    return Ok(());
                }
                _ => "502 unknown".to_owned(),
            };
            stream.write_all(format!("{reply}\r\n").as_bytes()).await?;
        }
    }
}

/// The address between angle brackets.
fn path(line: &str) -> String {
    let inner = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inner.map_or("", |(path, _)| path).to_owned()
}

/// Reads a message to its end, without the dots that protect its lines on the way (section 4.5.2).
async fn read_message(stream: &mut BufReader<TcpStream>) -> io::Result<Vec<u8>> {
    let mut message = Vec::new();
    loop {
        let mut line = Vec::new();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match line.strip_prefix(b".") {
            Some(b"\r\n") => return Ok(message),
            Some(rest) => message.extend_from_slice(rest),
            None => message.extend_from_slice(&line),
        }
    }
}
