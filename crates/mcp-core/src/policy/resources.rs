//! The rules for resources, whatever their URIs look like.

use std::collections::{BTreeSet, HashMap};

use crate::Scopes;

use super::uri::{Readings, key, scheme_end};

/// What resources need, by URI and by how URIs begin. A rule holds for a URI if it holds for any of its readings.
#[derive(Clone, Debug, Default)]
pub(super) struct ResourceRules {
    /// By key, without what names nothing at its end.
    exact: HashMap<String, Scopes>,
    /// By how keys begin.
    under: Vec<(String, Scopes)>,
    /// The schemes of all rules, with their colons.
    schemes: BTreeSet<String>,
    /// All that any resource needs.
    all: Scopes,
}

impl ResourceRules {
    /// Adds a rule for one resource.
    pub(super) fn add(&mut self, uri: &str, scopes: &Scopes) {
        for key in keys(Readings::of_rule(uri).texts.iter().map(|text| text.trim())) {
            self.note(&key, scopes);
            let entry = self.exact.entry(without_end(&key).to_owned()).or_default();
            *entry = entry.union(scopes);
        }
    }

    /// Adds a rule for all resources that begin so.
    pub(super) fn add_under(&mut self, prefix: &str, scopes: &Scopes) {
        // A letter is put behind, or a name that has only begun might be taken for a whole one: `.` for the dot it begins with.
        let readings = Readings::of_rule(&format!("{prefix}x"));
        let readings = readings.texts.iter().filter_map(|text| text.strip_suffix('x'));
        for key in keys(readings.map(str::trim_start)) {
            self.note(&key, scopes);
            self.under.push((key, scopes.clone()));
        }
    }

    fn note(&mut self, key: &str, scopes: &Scopes) {
        let scheme = key.get(..scheme_end(key)).filter(|scheme| !scheme.is_empty());
        self.schemes.extend(scheme.map(ToOwned::to_owned));
        self.all = self.all.union(scopes);
    }

    /// Whether there is no rule.
    pub(super) fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.under.is_empty()
    }

    /// The scopes of all rules that hold for a URI; nothing if none does.
    pub(super) fn needs(&self, uri: &str) -> Option<Scopes> {
        if self.is_empty() {
            return None;
        }
        let readings = Readings::of(uri);
        if !readings.complete {
            // It may be anything.
            return Some(self.all.clone());
        }
        let mut needed = None;
        for key in keys(readings.texts.iter().map(|text| text.trim())) {
            if scheme_end(&key) == 0 {
                // No URI, and a server that takes it nevertheless will take it for one of its own.
                for scheme in &self.schemes {
                    self.look_up(&format!("{scheme}{key}"), &mut needed);
                }
            }
            self.look_up(&key, &mut needed);
        }
        needed
    }

    fn look_up(&self, key: &str, needed: &mut Option<Scopes>) {
        // A resource is the same with a fragment, and may be with a query.
        for end in [Some(key.len()), key.find('#'), key.find('?')].into_iter().flatten() {
            let key = &key[..end];
            let under =
                self.under.iter().filter(|(prefix, _)| is_under(key, prefix)).map(|(_, scopes)| scopes);
            for scopes in self.exact.get(without_end(key)).into_iter().chain(under) {
                *needed = Some(needed.take().map_or_else(|| scopes.clone(), |needed| needed.union(scopes)));
            }
        }
    }
}

/// Slashes and spaces at the end name nothing.
fn without_end(key: &str) -> &str {
    key.trim_end_matches(|c: char| c == '/' || c.is_whitespace())
}

/// A folder is under itself, with or without the slash.
fn is_under(key: &str, prefix: &str) -> bool {
    key.starts_with(prefix) || prefix.strip_suffix('/') == Some(key.trim_end())
}

/// The keys of texts, each once.
fn keys<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut keys = Vec::new();
    for key in texts.map(key) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys
}
