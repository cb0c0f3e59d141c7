//! Which path leads where. Exact matches only: a path that is almost right is no path at all.

use std::sync::Arc;

use http::Method;

use crate::gate::Gate;
use crate::{Access, BoxService, ConfigError, PublicUrl, Route};

use super::RouteInfo;

/// Where a path leads.
#[derive(Clone)]
pub(super) enum Target {
    /// An MCP endpoint, with its path below the site.
    Protected { gate: Arc<Gate>, service: BoxService, path: Arc<str> },
    /// Anything else, with its path below the site or the host.
    Open(Arc<Route>),
    /// The health probe.
    Health,
}

/// All paths of a site.
#[derive(Default)]
pub(super) struct Table {
    /// A site has few paths: comparing them all costs less than hashing one.
    by_path: Vec<(Box<str>, Target)>,
    pub(super) routes: Vec<RouteInfo>,
}

impl Table {
    pub(super) fn find(&self, path: &str) -> Option<&Target> {
        self.by_path.iter().find(|(known, _)| **known == *path).map(|(_, target)| target)
    }

    /// Adds a path below the site: once as the world writes it, and once as a proxy that strips the site's own path
    /// passes it on.
    pub(super) fn add_below(
        &mut self,
        site: &PublicUrl,
        path: &str,
        target: &Target,
    ) -> Result<(), ConfigError> {
        check_path(path)?;
        let path = path.trim_end_matches('/');
        self.add(&format!("{}{path}", site.path()), target)?;
        if site.path().is_empty() { Ok(()) } else { self.add(path, target) }
    }

    /// Adds a path counted from the root of the host. One that is taken by the very same route already is no conflict.
    pub(super) fn add(&mut self, path: &str, target: &Target) -> Result<(), ConfigError> {
        let path = if path.is_empty() { "/" } else { path };
        check_path(path)?;
        if self.find(path).is_some() {
            return Err(ConfigError::new(format!("two routes want the path {path}: move one of them")));
        }
        self.by_path.push((path.into(), target.clone()));
        let (methods, access) = match target {
            Target::Protected { .. } => (Vec::new(), Access::Protected),
            Target::Open(route) => (route.methods().to_vec(), route.access()),
            Target::Health => (vec![Method::GET], Access::Public),
        };
        self.routes.push(RouteInfo { path: path.to_owned(), methods, access });
        Ok(())
    }
}

fn check_path(path: &str) -> Result<(), ConfigError> {
    let plain = path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-_.~".contains(&b));
    if path == "/" || (path.starts_with('/') && plain && !path.contains("//") && !path.ends_with('/')) {
        return Ok(());
    }
    Err(ConfigError::new(format!(
        "{path:?} cannot be a path here: write it like /mcp, with letters, digits and - _ . ~ between the slashes"
    )))
}
