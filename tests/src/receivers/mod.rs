//! Those whom the service tells things, each for real: an HTTP server as Slack and as an email API, and a mail server.

pub mod gates;
pub mod http;
pub mod smtp;

use std::{
    future::pending,
    sync::{OnceLock, mpsc},
};

use mail_parser::{Addr, MessageParser};

use self::{
    http::{Behaviour, Gate, Received, Receiver},
    smtp::{Letter, Refusal, SmtpSink},
};

/// The address that all emails come from.
pub const EMAIL_FROM: &str = "bailiwick@service.example";
/// The key of the email API.
pub const EMAIL_API_KEY: &str = "a key for the email API";
/// The path of the email API.
pub const EMAIL_PATH: &str = "/email";

/// One of each.
#[derive(Clone, Debug)]
pub struct Receivers {
    /// Plays Slack and the email API.
    pub http: Receiver,
    /// Takes emails by SMTP.
    pub smtp: SmtpSink,
}

impl Receivers {
    /// Starts them; they last as long as the runtime.
    pub async fn start() -> Self {
        Self { http: Receiver::start().await, smtp: SmtpSink::start() }
    }

    /// Those that all targets of this process share. They live on a runtime of their own.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Receivers> = OnceLock::new();
        SHARED.get_or_init(|| on_its_own(Self::start))
    }

    /// The settings of a target that sends emails by SMTP.
    pub fn by_smtp(&self) -> Vec<(&'static str, String)> {
        let own = [("EMAIL_PROVIDER", "smtp".to_owned()), ("SMTP_URL", self.smtp.url())];
        self.common().into_iter().chain(own).collect()
    }

    /// The settings of a target that posts emails to the email API.
    pub fn by_api(&self) -> Vec<(&'static str, String)> {
        let own = [
            ("EMAIL_PROVIDER", "http".to_owned()),
            ("EMAIL_API_URL", self.http.url(EMAIL_PATH)),
            ("EMAIL_API_KEY", EMAIL_API_KEY.to_owned()),
        ];
        self.common().into_iter().chain(own).collect()
    }

    fn common(&self) -> [(&'static str, String); 2] {
        [("OUTBOUND_ALLOW", self.http.origin().to_owned()), ("EMAIL_FROM", EMAIL_FROM.to_owned())]
    }
}

/// Starts something on a runtime of its own, which lasts as long as the process.
pub(crate) fn on_its_own<T, F>(start: impl FnOnce() -> F + Send + 'static) -> T
where
    T: Send + 'static,
    F: Future<Output = T>,
{
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            assert!(sender.send(start().await).is_ok(), "somebody waits");
            pending::<()>().await;
        });
    });
    receiver.recv().expect("it has started")
}

/// An email as who gets it sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The name and the address that it comes from.
    pub from: (String, String),
    /// The addresses that it is for.
    pub to: Vec<String>,
    /// The address for answers, if it is another one.
    pub reply_to: Option<String>,
    /// Its subject.
    pub subject: String,
    /// Its text, lines ended by `\n`.
    pub text: String,
    /// What a receiver can know a repetition by.
    pub id: String,
    /// Whether the receiver took it.
    pub taken: bool,
}

/// Why an address takes no mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It may take it later.
    ForNow,
    /// It never will.
    ForGood,
}

/// Where the emails of a target arrive.
#[derive(Clone, Debug)]
pub enum Mailbox {
    /// At the mail server.
    Smtp(SmtpSink),
    /// At the email API.
    Api(Receiver),
}

impl Mailbox {
    /// The mails for an address, in order, also those that were not taken.
    pub fn mails(&self, address: &str) -> Vec<Mail> {
        match self {
            Self::Smtp(sink) => {
                let whole = sink.letters(address).into_iter().filter(|letter| !letter.raw.is_empty());
                whole.map(|letter| from_letter(&letter)).collect()
            }
            Self::Api(receiver) => receiver.received(address).iter().map(from_request).collect(),
        }
    }

    /// Has so many mails to an address refused.
    pub fn refuse(&self, address: &str, trouble: Trouble, times: usize) {
        match self {
            Self::Smtp(sink) => sink.refuse(address, std::iter::repeat_n(trouble.refusal(), times)),
            Self::Api(receiver) => {
                receiver.behave(address, std::iter::repeat_n(trouble.behaviour(), times));
            }
        }
    }

    /// Has mails to an address taken as soon as the gate is open.
    pub fn hold(&self, address: &str, gate: &Gate) {
        match self {
            Self::Smtp(sink) => sink.hold(address, gate.clone()),
            Self::Api(receiver) => receiver.always(address, Behaviour::Held(gate.clone(), 200)),
        }
    }

    /// Has all mails to an address refused from now on.
    pub fn always_refuse(&self, address: &str, trouble: Trouble) {
        match self {
            Self::Smtp(sink) => sink.always_refuse(address, trouble.refusal()),
            Self::Api(receiver) => receiver.always(address, trouble.behaviour()),
        }
    }
}

impl Trouble {
    fn refusal(self) -> Refusal {
        match self {
            Self::ForNow => Refusal::Message(451),
            Self::ForGood => Refusal::Recipient(550),
        }
    }

    fn behaviour(self) -> Behaviour {
        match self {
            Self::ForNow => Behaviour::Status(503),
            Self::ForGood => Behaviour::Status(422),
        }
    }
}

fn from_letter(letter: &Letter) -> Mail {
    // The server has said that it takes nothing else.
    assert!(letter.raw.is_ascii(), "{letter:?}");
    let message = MessageParser::default().parse(&letter.raw).expect("a message");
    let address = |addr: &Addr<'_>| addr.address().unwrap_or_default().to_owned();
    let all = |addresses: Option<&mail_parser::Address<'_>>| -> Vec<_> {
        addresses.into_iter().flat_map(|addresses| addresses.iter().map(address)).collect()
    };
    let from = message.from().and_then(|from| from.first()).expect("a sender");
    let mail = Mail {
        from: (from.name().unwrap_or_default().to_owned(), address(from)),
        to: all(message.to()),
        reply_to: all(message.reply_to()).pop(),
        subject: message.subject().unwrap_or_default().to_owned(),
        text: message.body_text(0).unwrap_or_default().replace("\r\n", "\n"),
        id: message.message_id().unwrap_or_default().to_owned(),
        taken: letter.taken,
    };
    assert_eq!((&letter.from, &letter.to), (&mail.from.1, &mail.to), "the envelope is another one");
    assert!(message.date().is_some(), "{letter:?}");
    assert!(message.cc().is_none() && message.bcc().is_none(), "{letter:?}");
    mail
}

fn from_request(received: &Received) -> Mail {
    assert_eq!((received.method.as_str(), received.path.as_str()), ("POST", EMAIL_PATH));
    assert_eq!(received.header("content-type"), Some("application/json"));
    assert_eq!(received.header("authorization"), Some(&*format!("Bearer {EMAIL_API_KEY}")));
    let body = received.body.as_object().expect("an object");
    let mut names: Vec<_> = body.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["from", "reply_to", "subject", "text", "to"]);
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    let from = parse_mailbox(&text("from").expect("a sender"));
    let to = body["to"].as_array().expect("a list").iter();
    Mail {
        from,
        to: to.map(|to| to.as_str().expect("an address").to_owned()).collect(),
        reply_to: text("reply_to"),
        subject: text("subject").expect("a subject"),
        text: text("text").expect("a text"),
        id: received.header("idempotency-key").expect("a key").to_owned(),
        taken: received.taken(),
    }
}

/// The name and the address of `Name <address>`.
fn parse_mailbox(text: &str) -> (String, String) {
    let message = format!("From: {text}\r\n\r\n");
    let message = MessageParser::default().parse(&message).expect("a message");
    let addresses: Vec<_> = message.from().into_iter().flat_map(mail_parser::Address::iter).collect();
    let [from] = addresses.as_slice() else { panic!("{text} is not one sender") };
    (from.name().unwrap_or_default().to_owned(), from.address().unwrap_or_default().to_owned())
}
