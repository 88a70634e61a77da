//! Faults that tests of the service itself request by `X-Fault`.

use crate::{config::Config, ports::hold::Hold};

/// The hold of `X-Fault: hold URL`, where faults are injected, if the URL has an origin that the operator allows.
pub(super) fn asked_hold(config: &Config, fault: Option<&[u8]>) -> Option<Hold> {
    let fault = fault.filter(|_| config.fault_injection)?;
    let url = str::from_utf8(fault).ok()?.strip_prefix("hold ")?;
    let permit = config.outbound_allow.permit(url, Some(&[])).ok()?;
    Some(Hold::new(url.to_owned(), permit.trusted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_held_or_asked_but_where_the_operator_has_said_so() {
        let asked = |faults: &str, fault: &str| {
            let config = Config::read(|name| match name {
                "FAULT_INJECTION" => Some(faults.to_owned()),
                "OUTBOUND_ALLOW" => Some("http://127.0.0.1:9000".to_owned()),
                _ => None,
            });
            asked_hold(&config.unwrap(), Some(fault.as_bytes())).is_some()
        };
        assert!(asked("true", "hold http://127.0.0.1:9000/gate"));
        assert!(!asked("false", "hold http://127.0.0.1:9000/gate"));
        for other in ["panic", "hold ", "hold http://127.0.0.1:9001/gate", "hold https://example.com/gate"] {
            assert!(!asked("true", other), "{other}");
        }
    }
}
