//! Counters through the `metrics` facade, with feature `metrics`; nothing at all without.
//!
//! | name | labels | counts |
//! |---|---|---|
//! | `mcp_auth_requests_total` | `endpoint` (its path below the public URL), `status` | answers of the endpoints |
//! | `mcp_auth_events_total` | `kind`, `outcome` (`allowed`, `denied`, `failed`) | decisions, as the audit trail has them |
//!
//! Kinds worth an alarm or a graph:
//!
//! | `kind` | |
//! |---|---|
//! | `code_redeemed`, `token_refreshed` | tokens that were issued |
//! | `refresh_repeated` | a client got the same answer again, because it lost the first or asked twice |
//! | `refresh_reuse`, `code_replay` | a used token or code came back: stolen, or a broken client |
//! | `grant_ended`, `access_token_revoked` | revocations, by whomever |
//! | `code_of_another_client`, `refresh_by_another_client`, `revocation` (`denied`) | somebody holds what is not its own |
//! | `introspection` (`denied`) | a resource server asked about another's token |
//!
//! No label has a value that a peer chose.

use http::StatusCode;
use mcp_core::audit::Outcome;

/// An endpoint answered.
#[cfg(feature = "metrics")]
pub(crate) fn answered(endpoint: &std::sync::Arc<str>, status: StatusCode) {
    let endpoint = metrics::SharedString::from_shared(endpoint.clone());
    metrics::counter!("mcp_auth_requests_total", "endpoint" => endpoint, "status" => code(status))
        .increment(1);
}

/// An endpoint answered.
#[cfg(not(feature = "metrics"))]
pub(crate) fn answered(_: &std::sync::Arc<str>, _: StatusCode) {}

/// Something was decided.
#[cfg(feature = "metrics")]
pub(crate) fn decided(kind: &'static str, outcome: Outcome) {
    metrics::counter!("mcp_auth_events_total", "kind" => kind, "outcome" => outcome.as_str()).increment(1);
}

/// Something was decided.
#[cfg(not(feature = "metrics"))]
pub(crate) fn decided(_: &'static str, _: Outcome) {}

/// The statuses these endpoints have, without a copy for each request.
#[cfg(feature = "metrics")]
fn code(status: StatusCode) -> &'static str {
    match status.as_u16() {
        200 => "200",
        201 => "201",
        204 => "204",
        302 => "302",
        303 => "303",
        400 => "400",
        401 => "401",
        403 => "403",
        404 => "404",
        413 => "413",
        429 => "429",
        503 => "503",
        code if code < 400 => "other",
        code if code < 500 => "4xx",
        _ => "5xx",
    }
}

#[cfg(all(test, feature = "metrics"))]
mod tests {
    use std::sync::{Arc, Mutex};

    use metrics::{
        Counter, CounterFn, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    };

    use super::*;

    /// Notes down every count.
    #[derive(Clone, Default)]
    struct Notes(Arc<Mutex<Vec<String>>>);

    struct One(Notes, String);

    impl CounterFn for One {
        fn increment(&self, value: u64) {
            self.0.0.lock().expect("no test panics with it").push(format!("{} {value}", self.1));
        }

        fn absolute(&self, _: u64) {}
    }

    impl Recorder for Notes {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
            let labels: Vec<String> = key.labels().map(|l| format!("{}={}", l.key(), l.value())).collect();
            Counter::from_arc(Arc::new(One(self.clone(), format!("{} {}", key.name(), labels.join(",")))))
        }

        fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
            Gauge::noop()
        }

        fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
            Histogram::noop()
        }
    }

    #[test]
    fn counts_have_the_names_that_are_documented() {
        let notes = Notes::default();
        metrics::with_local_recorder(&notes, || {
            answered(&Arc::from("/token"), StatusCode::OK);
            answered(&Arc::from("/token"), StatusCode::IM_A_TEAPOT);
            decided("refresh_reuse", Outcome::Denied);
        });
        assert_eq!(
            *notes.0.lock().unwrap(),
            [
                "mcp_auth_requests_total endpoint=/token,status=200 1",
                "mcp_auth_requests_total endpoint=/token,status=4xx 1",
                "mcp_auth_events_total kind=refresh_reuse,outcome=denied 1",
            ]
        );
    }
}
