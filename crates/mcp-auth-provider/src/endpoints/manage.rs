//! Managing a registration (RFC 7592): `{register}/client?client_id=…`. Routes are exact paths, so the client is named by the
//! query.

use crate::settings::Paths;

/// Where registrations are managed.
pub(super) fn path(paths: &Paths) -> String {
    format!("{}/client", paths.register.trim_end_matches('/'))
}
