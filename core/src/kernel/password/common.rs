//! The passwords that are guessed first.

/// The 1000 most common ones of at least 8 bytes, in lower case: from the list of leaked passwords by frequency of
/// `@zxcvbn-ts/language-common` 4.1.3 (MIT).
static COMMON: &str = include_str!("common.txt");

/// Whether a password is one of them, in whatever case.
pub(crate) fn is_common(password: &str) -> bool {
    COMMON.lines().any(|common| common.eq_ignore_ascii_case(password))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::kernel::limits;

    #[test]
    fn common_passwords_are_known_in_any_case() {
        for common in ["12345678", "password", "Password", "QWERTYUIOP", "11111111"] {
            assert!(is_common(common), "{common}");
        }
        for other in ["correct horse battery", "12345679x", "", "password\n"] {
            assert!(!is_common(other), "{other}");
        }
    }

    #[test]
    fn the_list_has_only_what_could_be_a_password() {
        let all: BTreeSet<_> = COMMON.lines().collect();
        assert_eq!((all.len(), COMMON.lines().count()), (1000, 1000));
        let fits = |word: &&str| {
            (limits::PASSWORD_MIN_BYTES..=limits::PASSWORD_MAX_BYTES).contains(&word.len())
                && **word == word.to_ascii_lowercase()
        };
        assert!(all.iter().all(fits));
    }
}
