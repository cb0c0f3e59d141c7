//! Who asks: registration, metadata documents, and how clients prove themselves.

mod assertions;
mod documents;
mod documents_guard;
mod documents_load;
mod key_sets;
mod known;
mod management;
mod registration;
mod registration_limits;
mod secrets;
pub(crate) mod stand;
