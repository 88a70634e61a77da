//! Passwords: bcrypt, with the parts that take long given to the [`Hasher`](crate::ports::Hasher) port.

pub(crate) mod common;

use std::fmt;

/// A password as it was typed. Does not print.
#[derive(Clone)]
pub struct Password(pub(crate) String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// A new password: none of those that are guessed first. Does not print.
#[derive(Clone)]
pub struct NewPassword(pub(crate) Password);

impl fmt::Debug for NewPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewPassword(..)")
    }
}

/// Work for the hasher.
pub enum HashJob {
    /// Make a bcrypt hash.
    Hash {
        /// What to hash.
        password: Password,
        /// The work factor: 2^cost rounds.
        cost: u32,
        /// Random bytes.
        salt: [u8; 16],
    },
    /// Compare with a bcrypt hash.
    Verify {
        /// The password as it was typed.
        password: Password,
        /// The stored hash; without one, as for an unknown email, or with an empty one, as for an account without a
        /// password, the comparison takes as long and fails.
        hash: Option<String>,
        /// The work factor where there is no stored hash.
        cost: u32,
    },
}

impl fmt::Debug for HashJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hash { .. } => "Hash(..)",
            Self::Verify { .. } => "Verify(..)",
        })
    }
}

/// The result of a [`HashJob`].
pub enum HashOutcome {
    /// The bcrypt hash.
    Hash(String),
    /// Whether the password is the right one.
    Verified(bool),
}

impl HashJob {
    /// Does the work, on the calling thread: about a quarter of a second at cost 12.
    pub fn execute(self) -> HashOutcome {
        match self {
            Self::Hash { password, cost, salt } => HashOutcome::Hash(
                // Fails only for a cost outside 4..=31, which the configuration does not admit; an empty hash
                // matches no password.
                bcrypt::hash_with_salt(password.0, cost, salt)
                    .map_or_else(|_| String::new(), |parts| parts.to_string()),
            ),
            Self::Verify { password, hash, cost } => {
                // An account without a password has an empty one.
                let hash = hash.filter(|hash| !hash.is_empty());
                let known = hash.is_some();
                let hash = hash.unwrap_or_else(|| nobodys_hash(cost));
                HashOutcome::Verified(bcrypt::verify(password.0, &hash).unwrap_or(false) && known)
            }
        }
    }
}

/// A well-formed hash that belongs to nobody.
fn nobodys_hash(cost: u32) -> String {
    format!("$2b${cost:02}$abcdefghijklmnopqrstuuMwzLIPFT8Zo5JsbMaCuHCFxSMYG39ye")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password(text.to_owned())
    }

    #[test]
    fn a_hash_verifies_its_password_only() {
        let HashOutcome::Hash(hash) =
            (HashJob::Hash { password: password("correct horse"), cost: 4, salt: [7; 16] }).execute()
        else {
            panic!("hashing gives a hash")
        };
        let verify = |text: &str, hash: Option<String>| {
            matches!(
                (HashJob::Verify { password: password(text), hash, cost: 4 }).execute(),
                HashOutcome::Verified(true)
            )
        };
        assert!(verify("correct horse", Some(hash.clone())));
        assert!(!verify("battery staple", Some(hash)));
        assert!(!verify("correct horse", None));
        assert!(!verify("correct horse", Some(String::new())) && !verify("", Some(String::new())));
    }

    #[test]
    fn nobodys_hash_is_worth_the_work() {
        // Parsing it must succeed, or the answer for an unknown email would come at once.
        assert_eq!(nobodys_hash(4).len(), 60);
        assert!(matches!(bcrypt::verify("anything", &nobodys_hash(4)), Ok(false)));
    }
}
