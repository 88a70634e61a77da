//! SMTP (RFC 5321) to one server, over a few connections that are kept for the next email.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bailiwick_core::ports::{Email, SendFailure};
use lettre::{
    Message,
    transport::smtp::{
        Error,
        authentication::{Credentials, DEFAULT_MECHANISMS},
        client::{AsyncSmtpConnection, Certificate, CertificateStore, Tls, TlsParameters},
        extension::ClientId,
    },
};
use percent_encoding::percent_decode_str;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};
use url::Url;
use uuid::Uuid;

use super::message;
use crate::ports::tls;

/// The maximum number of simultaneous connections: servers refuse clients that open too many.
const CONNECTIONS: usize = 8;
/// How long an idle connection is kept; servers close theirs after some minutes.
const IDLE: Duration = Duration::from_secs(30);
/// The fault of a URL is not described further: it holds a password.
const EXPECTED: &str = "expected smtp://USER:PASSWORD@HOST:PORT, with ?tls=required for STARTTLS, or smtps:// for TLS \
     from the start; special characters of the password percent-encoded.";

/// The connections to a server.
pub struct Smtp {
    host: String,
    port: u16,
    security: Tls,
    hello: ClientId,
    credentials: Option<Credentials>,
    timeout: Duration,
    slots: Semaphore,
    kept: Mutex<Vec<(AsyncSmtpConnection, Instant)>>,
}

impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Smtp(..)")
    }
}

/// The stage at which an attempt failed.
enum Failure {
    /// There is no usable connection.
    Connecting(Error),
    /// The server would not take the email.
    Sending(Error),
}

impl Smtp {
    /// Reads a URL as lettre's own `from_url` does: the scheme and `tls` decide how the connection is secured, and a
    /// path is the name for the greeting, if the host's own is not suitable.
    ///
    /// # Errors
    /// A sentence that does not hold the URL.
    pub(super) fn new(url: &str, timeout: Duration) -> Result<Self, String> {
        let expected = || EXPECTED.to_owned();
        let url = Url::parse(url).map_err(|_| expected())?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(expected)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let trust = || trust(&host).map_err(|error| format!("TLS cannot be used: {error}."));
        let (security, port) = match (url.scheme(), url.query()) {
            ("smtp", None) => (Tls::None, 25),
            ("smtp", Some("tls=opportunistic")) => (Tls::Opportunistic(trust()?), 587),
            ("smtp", Some("tls=required")) => (Tls::Required(trust()?), 587),
            ("smtps", None | Some("tls=required")) => (Tls::Wrapper(trust()?), 465),
            _ => return Err(expected()),
        };
        let decoded =
            |text: &str| percent_decode_str(text).decode_utf8().map(String::from).map_err(|_| expected());
        let credentials = match (url.username(), url.password()) {
            ("", None) => None,
            (user, Some(password)) if !user.is_empty() => {
                Some(Credentials::new(decoded(user)?, decoded(password)?))
            }
            _ => return Err(expected()),
        };
        let hello = match url.path().trim_matches('/') {
            "" => ClientId::default(),
            name if name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-')) => {
                ClientId::Domain(name.to_owned())
            }
            _ => return Err(expected()),
        };
        if url.fragment().is_some() {
            return Err(expected());
        }
        if credentials.is_some() && matches!(security, Tls::None) {
            tracing::warn!("SMTP_URL: without TLS the password travels as it is; ?tls=required protects it");
        }
        let port = url.port().unwrap_or(port);
        let (slots, kept) = (Semaphore::new(CONNECTIONS), Mutex::default());
        Ok(Self { host, port, security, hello, credentials, timeout, slots, kept })
    }

    /// Hands an email to the server.
    pub(super) async fn send(&self, email: Email) -> Result<(), SendFailure> {
        let id = email.id;
        let message = message::compose(email)?;
        match timeout(self.timeout, self.attempt(&message)).await {
            Ok(done) => done.map_err(|failure| judge(id, &failure)),
            Err(_) => Err(SendFailure::Later("the mail server did not answer in time".to_owned(), None)),
        }
    }

    /// If this is cancelled, so is the connection: it is kept only after the server's answer.
    async fn attempt(&self, message: &Message) -> Result<(), Failure> {
        // The semaphore is never closed.
        let _slot = self.slots.acquire().await.ok();
        let mut connection = self.connection().await.map_err(Failure::Connecting)?;
        connection.send(message.envelope(), &message.formatted()).await.map_err(Failure::Sending)?;
        self.keep(connection);
        Ok(())
    }

    async fn connection(&self) -> Result<AsyncSmtpConnection, Error> {
        while let Some(mut connection) = self.kept_one() {
            if connection.test_connected().await {
                return Ok(connection);
            }
        }
        self.connect().await
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Error> {
        let wrapped = match &self.security {
            Tls::Wrapper(parameters) => Some(parameters.clone()),
            Tls::None | Tls::Opportunistic(_) | Tls::Required(_) => None,
        };
        // A host can have several addresses; one that does not answer leaves time for another.
        let each = Some(self.timeout / 3);
        let server = (self.host.as_str(), self.port);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(server, each, &self.hello, wrapped, None).await?;
        match &self.security {
            Tls::Required(parameters) => connection.starttls(parameters.clone(), &self.hello).await?,
            Tls::Opportunistic(parameters) if connection.can_starttls() => {
                connection.starttls(parameters.clone(), &self.hello).await?;
            }
            Tls::Opportunistic(_) | Tls::None | Tls::Wrapper(_) => {}
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        Ok(connection)
    }

    fn kept_one(&self) -> Option<AsyncSmtpConnection> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(_, since)| since.elapsed() < IDLE);
        kept.pop().map(|(connection, _)| connection)
    }

    fn keep(&self, connection: AsyncSmtpConnection) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).push((connection, Instant::now()));
    }
}

fn trust(host: &str) -> Result<TlsParameters, Error> {
    let mut trust = TlsParameters::builder(host.to_owned()).certificate_store(CertificateStore::WebpkiRoots);
    for root in tls::system_roots() {
        trust = trust.add_root_certificate(Certificate::from_der(root.to_vec())?);
    }
    trust.build()
}

/// Whether an attempt can be repeated, and what may be shown of it: the server's text can name the operator's account,
/// so it goes into the log only.
fn judge(id: Uuid, failure: &Failure) -> SendFailure {
    let (Failure::Connecting(error) | Failure::Sending(error)) = failure;
    tracing::warn!(delivery = %id, %error, "an email was not taken");
    let code = error.status().map(u16::from);
    match (failure, code) {
        (Failure::Connecting(_), Some(code)) => {
            SendFailure::Later(format!("the mail server turned us away with {code}"), None)
        }
        (Failure::Connecting(_), None) if error.is_tls() => {
            SendFailure::Later("no secure connection to the mail server could be made".to_owned(), None)
        }
        (Failure::Connecting(_), None) => {
            SendFailure::Later("the mail server could not be reached".to_owned(), None)
        }
        // Authentication is wanted, or was not enough (RFC 4954, section 6): only the operator can mend that.
        (Failure::Sending(_), Some(code @ (500..))) if !matches!(code, 530 | 534 | 535 | 538) => {
            SendFailure::Never(format!("the mail server refused it with {code}"))
        }
        (Failure::Sending(_), Some(code)) => {
            SendFailure::Later(format!("the mail server refused it with {code}"), None)
        }
        // The address is not ASCII, and the server accepts none of that kind.
        (Failure::Sending(_), None) if error.is_client() => {
            SendFailure::Never("the mail server cannot carry an address of this kind".to_owned())
        }
        (Failure::Sending(_), None) => {
            SendFailure::Later("the connection to the mail server broke off".to_owned(), None)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use tokio::{
        io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
        net::{TcpListener, TcpStream},
    };

    use super::{super::message::tests::email, *};

    const SHORT: Duration = Duration::from_millis(400);

    /// A server with a given answer for each verb, and a positive one for all others.
    #[derive(Clone, Default)]
    struct Server {
        answers: Arc<Vec<(&'static str, &'static str)>>,
        connections: Arc<AtomicUsize>,
        heard: Arc<Mutex<String>>,
    }

    impl Server {
        async fn start(answers: &[(&'static str, &'static str)]) -> (Self, String) {
            let this = Self { answers: Arc::new(answers.to_vec()), ..Self::default() };
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let server = this.clone();
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    server.connections.fetch_add(1, Ordering::Relaxed);
                    let server = server.clone();
                    tokio::spawn(async move { server.converse(stream).await });
                }
            });
            (this, address.to_string())
        }

        async fn converse(self, stream: TcpStream) -> std::io::Result<()> {
            let mut stream = BufReader::new(stream);
            stream.write_all(self.answer("HELLO", "220 here\r\n").as_bytes()).await?;
            let (mut line, mut data) = (String::new(), false);
            while stream.read_line(&mut line).await? > 0 {
                self.heard.lock().unwrap().push_str(&line);
                let said = std::mem::take(&mut line);
                let answer = match said.trim_end() {
                    "." if data => {
                        data = false;
                        self.answer("END", "250 taken\r\n")
                    }
                    _ if data => continue,
                    "DATA" => {
                        let answer = self.answer("DATA", "354 go on\r\n");
                        data = answer.starts_with("354");
                        answer
                    }
                    said if said.starts_with("EHLO") => "250-here\r\n250 AUTH PLAIN LOGIN\r\n",
                    said => self.answer(said, "250 well\r\n"),
                };
                stream.write_all(answer.as_bytes()).await?;
            }
            Ok(())
        }

        fn answer(&self, said: &str, otherwise: &'static str) -> &'static str {
            let found = self.answers.iter().find(|(verb, _)| said.starts_with(verb));
            found.map_or(otherwise, |(_, answer)| answer)
        }

        fn connections(&self) -> usize {
            self.connections.load(Ordering::Relaxed)
        }

        fn heard(&self) -> String {
            self.heard.lock().unwrap().clone()
        }
    }

    async fn send_to(url: &str) -> Result<(), SendFailure> {
        Smtp::new(url, SHORT).unwrap().send(email()).await
    }

    #[tokio::test]
    async fn emails_follow_each_other_over_a_connection_that_is_kept() {
        let (server, address) = Server::start(&[]).await;
        let smtp = Smtp::new(&format!("smtp://user:hunter%202@{address}/bailiwick.example"), SHORT).unwrap();
        for _ in 0..3 {
            smtp.send(email()).await.unwrap();
        }
        assert_eq!(server.connections(), 1);
        let heard = server.heard();
        assert_eq!(heard.matches("MAIL FROM:<bailiwick@example.com>").count(), 3, "{heard}");
        assert_eq!(heard.matches("RCPT TO:<ada@example.org>").count(), 3, "{heard}");
        assert_eq!(heard.matches("EHLO bailiwick.example\r\n").count(), 1, "{heard}");
        // NUL, user, NUL, password.
        assert!(heard.contains("AUTH PLAIN AHVzZXIAaHVudGVyIDI="), "{heard}");
    }

    #[tokio::test]
    async fn only_what_cannot_work_is_given_up() {
        for (verb, answer, gives_up, said) in [
            ("RCPT", "550 no such user\r\n", true, "550"),
            ("END", "554 spam\r\n", true, "554"),
            ("RCPT", "451 busy\r\n", false, "451"),
            ("MAIL", "530 authenticate first\r\n", false, "530"),
            ("DATA", "421 going down\r\n", false, "421"),
            ("HELLO", "554 no service\r\n", false, "554"),
            ("AUTH", "535 user is not who they say\r\n", false, "535"),
            ("RCPT", "nonsense\r\n", false, "broke off"),
        ] {
            let (_server, address) = Server::start(&[(verb, answer)]).await;
            let text = match send_to(&format!("smtp://user:hunter2@{address}")).await.unwrap_err() {
                SendFailure::Never(text) if gives_up => text,
                SendFailure::Later(text, None) if !gives_up => text,
                other => panic!("{verb} {answer}: {other:?}"),
            };
            assert!(text.contains(said), "{text}");
            assert!(!text.contains("user") && !text.contains("hunter2"), "{text}");
        }
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_or_says_nothing_may_come_back() {
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let later = |text: &str| Err(SendFailure::Later(text.to_owned(), None));
        assert_eq!(send_to(&format!("smtp://{closed}")).await, later("the mail server could not be reached"));
        let (_silent, address) = Server::start(&[("END", "")]).await;
        assert_eq!(
            send_to(&format!("smtp://{address}")).await,
            later("the mail server did not answer in time")
        );
        let (_plain, address) = Server::start(&[]).await;
        for url in [format!("smtp://{address}?tls=required"), format!("smtps://{address}")] {
            assert!(matches!(send_to(&url).await, Err(SendFailure::Later(..))), "{url}");
        }
    }

    #[tokio::test]
    async fn a_connection_that_was_broken_off_is_not_used_again() {
        let (server, address) = Server::start(&[("END", "")]).await;
        let smtp = Smtp::new(&format!("smtp://{address}"), SHORT).unwrap();
        for _ in 0..2 {
            assert!(matches!(smtp.send(email()).await, Err(SendFailure::Later(..))));
        }
        assert_eq!(server.connections(), 2);
    }

    #[tokio::test]
    async fn no_more_connections_than_a_few_are_made() {
        let (server, address) = Server::start(&[]).await;
        let smtp = Arc::new(Smtp::new(&format!("smtp://{address}"), Duration::from_secs(20)).unwrap());
        let sending: Vec<_> = (0..40)
            .map(|_| {
                let smtp = smtp.clone();
                tokio::spawn(async move { smtp.send(email()).await })
            })
            .collect();
        for sent in sending {
            sent.await.unwrap().unwrap();
        }
        assert!(server.connections() <= CONNECTIONS, "{}", server.connections());
        assert_eq!(server.heard().matches("MAIL FROM").count(), 40);
    }

    #[test]
    fn urls_say_how_and_errors_do_not_repeat_them() {
        let read = |url: &str| {
            Smtp::new(url, SHORT).map(|smtp| (smtp.host.clone(), smtp.port, format!("{:?}", smtp.security)))
        };
        for (url, host, port, security) in [
            ("smtp://localhost", "localhost", 25, "None"),
            ("smtp://[::1]:1025", "::1", 1025, "None"),
            ("smtp://u:p@mail.example?tls=required", "mail.example", 587, "Required"),
            ("smtp://mail.example:25?tls=opportunistic", "mail.example", 25, "Opportunistic"),
            ("smtps://u:p@mail.example", "mail.example", 465, "Wrapper"),
        ] {
            assert_eq!(read(url), Ok((host.to_owned(), port, security.to_owned())), "{url}");
        }
        for url in [
            "mail.example",
            "http://u:hunter2@mail.example",
            "smtp://",
            "smtp://u@mail.example",
            "smtp://:hunter2@mail.example",
            "smtp://u:hunter2@mail.example?tls=maybe",
            "smtp://u:hunter2@mail.example?tls=required&x=1",
            "smtp://u:hunter2#x@mail.example",
            "smtp://u:hunter2@mail.example:99999",
            "smtp://u:hunter2@mail.example/a%20b",
        ] {
            assert_eq!(read(url), Err(EXPECTED.to_owned()), "{url}");
        }
        let smtp = Smtp::new("smtp://u:hunter2@mail.example", SHORT).unwrap();
        assert_eq!(format!("{smtp:?}"), "Smtp(..)");
    }
}
