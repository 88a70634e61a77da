//! The `Mailer` port: into the log, or by SMTP.

mod message;
mod smtp;

use bailiwick_core::{
    Config,
    config::EmailProvider,
    ports::{Email, Mailer, SendFailure},
};

pub use self::smtp::Smtp;

/// The mailer that `EMAIL_PROVIDER` names.
#[derive(Debug)]
pub enum AnyMailer {
    /// Emails are written into the log. (With `http`, the core sends them by itself, and none arrives here.)
    Console,
    /// Emails are handed to a server.
    Smtp(Box<Smtp>),
}

impl AnyMailer {
    /// Makes the mailer. Nothing is connected to yet.
    ///
    /// # Errors
    /// One sentence for each invalid setting.
    pub fn new(config: &Config) -> Result<Self, Vec<String>> {
        match (config.email_provider, &config.smtp_url) {
            (EmailProvider::Console | EmailProvider::Http, _) => Ok(Self::Console),
            (EmailProvider::Smtp, Some(url)) => {
                let mut faults = Vec::new();
                if message::address(config.email_from.as_str()).is_none() {
                    faults.push("EMAIL_FROM: expected an address that SMTP can carry.".to_owned());
                }
                match Smtp::new(url.expose(), config.outbound_timeout) {
                    Ok(smtp) if faults.is_empty() => return Ok(Self::Smtp(Box::new(smtp))),
                    Ok(_) => {}
                    Err(fault) => faults.push(format!("SMTP_URL: {fault}")),
                }
                Err(faults)
            }
            (EmailProvider::Smtp, None) => {
                Err(vec!["SMTP_URL: it is not set, but EMAIL_PROVIDER is smtp.".to_owned()])
            }
        }
    }
}

impl Mailer for AnyMailer {
    async fn send(&self, email: Email) -> Result<(), SendFailure> {
        match self {
            Self::Console => {
                let Email { to, subject, text, .. } = email;
                tracing::info!(to, subject, text, "email");
                Ok(())
            }
            Self::Smtp(smtp) => smtp.send(email).await,
        }
    }
}
