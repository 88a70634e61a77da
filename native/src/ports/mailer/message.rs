//! An email in the format of RFC 5322.

use bailiwick_core::ports::{Email, SendFailure};
use email_encoding::headers::{rfc2047, writer::EmailWriter};
use lettre::{
    Address, Message,
    message::{
        Mailbox, SinglePart,
        header::{HeaderName, HeaderValue},
    },
};

/// An address that SMTP can carry.
pub(super) fn address(text: &str) -> Option<Address> {
    text.parse().ok()
}

/// Text for a header. lettre encodes line ends, but panics over one in a name.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// The subject. lettre leaves ASCII text as it is, even if it looks encoded (RFC 2047) and every reader would decode
/// it; so such text is encoded once more.
fn subject_header(text: &str) -> HeaderValue {
    let name = HeaderName::new_from_ascii_str("Subject");
    if !text.contains("=?") {
        return HeaderValue::new(name, text.to_owned());
    }
    let mut encoded = String::new();
    // Writing to a String cannot fail.
    let _ = rfc2047::encode(text, &mut EmailWriter::new(&mut encoded, "Subject: ".len(), 0, false));
    HeaderValue::dangerous_new_pre_encoded(name, text.to_owned(), encoded)
}

/// Composes the message.
///
/// # Errors
/// SMTP cannot carry an address.
pub(super) fn compose(email: Email) -> Result<Message, SendFailure> {
    let Email { id, from_name, from, reply_to, to, subject, text } = email;
    let read = |of: &str, text: &str| {
        address(text)
            .ok_or_else(|| SendFailure::Never(format!("the address of {of} is none that SMTP can carry")))
    };
    let from = read("the sender", &from)?;
    // The same for every attempt, so that a receiver recognises an email that it has already.
    let message_id = format!("<{id}@{}>", from.domain());
    let mut message = Message::builder()
        .message_id(Some(message_id))
        .date_now()
        .from(Mailbox::new(Some(one_line(&from_name)), from))
        .to(Mailbox::new(None, read("the recipient", &to)?))
        .raw_header(subject_header(&one_line(&subject)))
        // RFC 3834, section 5: no automatic reply, such as a holiday notice, is wanted.
        .raw_header(HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        ));
    if let Some(reply_to) = reply_to {
        message = message.reply_to(Mailbox::new(None, read("replies", &reply_to)?));
    }
    message.singlepart(SinglePart::plain(text)).map_err(|error| SendFailure::Never(error.to_string()))
}

#[cfg(test)]
pub(super) mod tests {
    use uuid::Uuid;

    use super::*;

    pub(in super::super) fn email() -> Email {
        Email {
            id: Uuid::from_u128(7),
            from_name: "Acme".to_owned(),
            from: "bailiwick@example.com".to_owned(),
            reply_to: None,
            to: "ada@example.org".to_owned(),
            subject: "Hello".to_owned(),
            text: "A line.\nAnother one.".to_owned(),
        }
    }

    fn formatted(email: Email) -> String {
        String::from_utf8(compose(email).unwrap().formatted()).unwrap()
    }

    #[test]
    fn it_has_the_headers_that_it_needs() {
        let message = formatted(Email { reply_to: Some("desk@acme.example".to_owned()), ..email() });
        let (head, body) = message.split_once("\r\n\r\n").unwrap();
        for line in [
            "Message-ID: <00000000-0000-0000-0000-000000000007@example.com>",
            "From: Acme <bailiwick@example.com>",
            "To: ada@example.org",
            "Reply-To: desk@acme.example",
            "Subject: Hello",
            "Auto-Submitted: auto-generated",
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8",
        ] {
            assert!(head.lines().any(|found| found == line), "{line} is not in\n{head}");
        }
        assert!(head.lines().any(|line| line.starts_with("Date: ")), "{head}");
        assert_eq!(body.trim_end(), "A line.\r\nAnother one.");
        assert!(!formatted(email()).contains("Reply-To"));
    }

    #[test]
    fn what_is_not_ascii_travels_encoded() {
        let message = formatted(Email {
            from_name: "M\u{fc}ller & S\u{f6}hne".to_owned(),
            subject: "Olive submitted \u{201c}\u{dc}bung\u{201d}".to_owned(),
            text: "Gr\u{fc}\u{df}e".to_owned(),
            ..email()
        });
        assert!(message.is_ascii(), "{message}");
        assert!(message.contains("Subject: Olive submitted =?utf-8?b?"), "{message}");
        let sly = formatted(Email { subject: "=?utf-8?q?=48i?=".to_owned(), ..email() });
        assert!(sly.contains("Subject: =?utf-8?b?") && !sly.contains("=48i"), "{sly}");
        assert!(message.contains("Content-Transfer-Encoding: base64"), "{message}");
    }

    #[test]
    fn nothing_makes_a_header_of_its_own() {
        for evil in [
            "x\r\nBcc: eve@example.net",
            "x\nBcc: eve@example.net",
            "x\rBcc: eve",
            "\"x\" <eve@example.net>, y",
        ] {
            let message =
                formatted(Email { from_name: evil.to_owned(), subject: evil.to_owned(), ..email() });
            let (head, _) = message.split_once("\r\n\r\n").unwrap();
            assert!(!head.contains("\nBcc") && !head.contains("\rBcc"), "{head:?}");
            assert_eq!(head.matches("\r\nFrom: ").count(), 1, "{head:?}");
            let sent = compose(Email { from_name: evil.to_owned(), ..email() }).unwrap();
            let envelope = sent.envelope();
            assert_eq!(envelope.from().map(ToString::to_string).as_deref(), Some("bailiwick@example.com"));
            assert_eq!(
                envelope.to().iter().map(ToString::to_string).collect::<Vec<_>>(),
                ["ada@example.org"]
            );
        }
        for evil in ["ada@example.org\r\nBcc: eve@example.net", "ada@example.org, eve@example.net", "ada", ""]
        {
            let failed = compose(Email { to: evil.to_owned(), ..email() }).unwrap_err();
            assert!(matches!(failed, SendFailure::Never(_)), "{failed:?}");
        }
    }
}
