//! Every licence of everything we are built of is one we can live with.

use crate::metadata::Metadata;

/// Permissive licences; a new one is a decision and needs a line here.
const ALLOWED: [&str; 8] =
    ["Apache-2.0", "BSD-3-Clause", "BSL-1.0", "CDLA-Permissive-2.0", "ISC", "MIT", "Unicode-3.0", "Zlib"];

/// Names each package whose licence is missing or not allowed.
pub(crate) fn check(metadata: &Metadata) -> Vec<String> {
    metadata
        .packages
        .iter()
        .filter_map(|package| {
            let name = format!("{} {}", package.name, package.version);
            match &package.license {
                None => Some(format!("{name}: its manifest names no licence")),
                Some(licence) if !acceptable(licence) => {
                    Some(format!("{name}: the licence `{licence}` is not on the list"))
                }
                Some(_) => None,
            }
        })
        .collect()
}

/// Judges an SPDX expression: one side of an OR is enough, both sides of an AND are needed.
fn acceptable(expression: &str) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut parser = Parser { words: &words, next: 0 };
    let verdict = parser.either();
    verdict && parser.next == words.len()
}

struct Parser<'a> {
    words: &'a [&'a str],
    next: usize,
}

impl Parser<'_> {
    fn either(&mut self) -> bool {
        let mut verdict = self.both();
        while self.take("OR") {
            verdict |= self.both();
        }
        verdict
    }

    fn both(&mut self) -> bool {
        let mut verdict = self.one();
        while self.take("AND") {
            verdict &= self.one();
        }
        verdict
    }

    fn one(&mut self) -> bool {
        if self.take("(") {
            let verdict = self.either();
            return self.take(")") && verdict;
        }
        let Some(&name) = self.words.get(self.next) else {
            return false;
        };
        self.next += 1;
        if self.take("WITH") {
            let Some(&exception) = self.words.get(self.next) else {
                return false;
            };
            self.next += 1;
            return ALLOWED.contains(&format!("{name} WITH {exception}").as_str());
        }
        ALLOWED.contains(&name)
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.words.get(self.next) == Some(&word);
        self.next += usize::from(found);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn or_needs_one_and_needs_both() {
        for good in [
            "MIT",
            "GPL-3.0 OR MIT",
            "MIT/Apache-2.0",
            "ISC AND (Apache-2.0 OR ISC)",
            "Apache-2.0 WITH LLVM-exception OR MIT",
        ] {
            assert!(acceptable(good), "{good}");
        }
        for bad in [
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "GPL-3.0 AND MIT OR AGPL-3.0",
            "MIT WITH odd-exception",
            "(MIT",
            "MIT MIT",
            "",
        ] {
            assert!(!acceptable(bad), "{bad}");
        }
    }
}
