//! The metadata documents of a site's resources, at every place a client looks (RFC 9728 §3.1, spec AUTH-34 to AUTH-38).

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Response};

use crate::resource::{WELL_KNOWN, is_safe};
use crate::{
    Access, Authenticator, Body, BoxService, ConfigError, ProtectedResource, PublicUrl, ResourceMetadata,
    Route,
};

use super::table::{Table, Target};

/// Mounts the documents: for each resource where RFC 9728 has clients look and where challenges point, and that of the
/// first resource at the root, where clients look last. A place that two could have is the one's for whom it is the more
/// telling: an endpoint at the root has its own document there, wherever it stands in the list.
pub(super) fn mount(
    table: &mut Table,
    site: &PublicUrl,
    resources: &[ProtectedResource],
    authenticator: &dyn Authenticator,
) -> Result<(), ConfigError> {
    let mut documents = Vec::new();
    for resource in resources {
        let metadata = authenticator.metadata(resource);
        if metadata.open {
            continue;
        }
        check(&metadata)?;
        resource.check()?;
        let text = serde_json::to_vec(&resource.document(&metadata))
            .map_err(|error| ConfigError::new("the resource metadata cannot be written").because(error))?;
        documents.push((resource, document(Bytes::from(text))));
    }
    // Under the host's root, by the book; nothing else may stand there.
    for (resource, target) in &documents {
        table.add(&resource.well_known_path(), target)?;
    }
    // Under the site's path, where a proxy that forwards nothing else finds it; and as such a proxy passes it on. The
    // places coincide where the site has no path.
    let below = documents
        .iter()
        .map(|(resource, target)| (format!("{}{WELL_KNOWN}{}", site.path(), resource.path()), target));
    let stripped =
        documents.iter().map(|(resource, target)| (format!("{WELL_KNOWN}{}", resource.path()), target));
    let root = documents.first().into_iter().flat_map(|(_, target)| {
        [(WELL_KNOWN.to_owned(), target), (format!("{}{WELL_KNOWN}", site.path()), target)]
    });
    for (path, target) in below.chain(stripped).chain(root) {
        if table.find(&path).is_none() {
            table.add(&path, target)?;
        }
    }
    Ok(())
}

/// What clients are sent to must be https, or loopback (spec AUTH-55, SEC-07).
fn check(metadata: &ResourceMetadata) -> Result<(), ConfigError> {
    for issuer in &metadata.authorization_servers {
        if !is_safe(issuer.as_str()) {
            return Err(ConfigError::new(format!(
                "the authorization server {issuer} is not an https URL: clients would be sent there to sign in"
            )));
        }
    }
    Ok(())
}

fn document(text: Bytes) -> Target {
    let service = BoxService::from_fn(move |_| {
        let mut response = Response::new(Body::from(text.clone()));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
        async { response }
    });
    Target::Open(Arc::new(Route::new(WELL_KNOWN, [Method::GET], Access::Public, service)))
}
