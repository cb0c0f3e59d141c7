//! What is counted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use mcp_store::testkit::{Call, Fault, FaultyStore};
use mcp_store::{Batch, Partition};
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};

use crate::support::{Servers, name, put};

/// Writes down everything under the name and labels of it.
#[derive(Clone, Default)]
struct Notebook(Arc<Mutex<BTreeMap<String, u64>>>);

struct Line(Notebook, String);

impl Notebook {
    fn line(&self, key: &Key) -> Arc<Line> {
        let labels: Vec<_> = key.labels().map(metrics::Label::value).collect();
        Arc::new(Line(self.clone(), format!("{} {}", key.name(), labels.join(" "))))
    }

    fn read(&self, line: &str) -> u64 {
        self.0.lock().unwrap().get(line).copied().unwrap_or_default()
    }
}

impl CounterFn for Line {
    fn increment(&self, value: u64) {
        *self.0.0.lock().unwrap().entry(self.1.clone()).or_default() += value;
    }
    fn absolute(&self, _: u64) {}
}

impl GaugeFn for Line {
    fn increment(&self, _: f64) {}
    fn decrement(&self, _: f64) {}
    fn set(&self, value: f64) {
        self.0.0.lock().unwrap().insert(self.1.clone(), if value > 0.5 { 1 } else { 0 });
    }
}

impl HistogramFn for Line {
    fn record(&self, _: f64) {
        CounterFn::increment(self, 1);
    }
}

impl Recorder for Notebook {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.line(key))
    }
    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.line(key))
    }
    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.line(key))
    }
}

#[test]
fn operations_are_counted_by_their_outcome() {
    let notebook = Notebook::default();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    metrics::with_local_recorder(&notebook, || {
        runtime.block_on(async {
            let servers = Servers::new();
            let faulty = FaultyStore::new(servers.store.clone(), Arc::new(servers.clock.clone()));
            let vault = servers.vault_on(Arc::new(faulty.clone())).await;
            let (partition, a) = (Partition::random(), name("a"));
            put(&vault, &partition, &a, "x").await;
            let create = || Batch::new().require_absent(a.clone()).put(a.clone(), "x", None);
            assert!(!vault.commit(&partition, create()).await.unwrap().is_done());
            faulty.fail_next(Call::Commit, Fault::LostAnswer);
            faulty.fail_next(Call::Commit, Fault::Unavailable);
            assert!(vault.commit(&partition, create()).await.is_err());
            assert!(vault.commit(&partition, create()).await.is_err());
            assert!(vault.get_one(&partition, &a).await.unwrap().is_some());
            assert!(vault.scan(&partition, "", None, 10).await.is_ok());
            mcp_store::Sweeper::new().start(&vault);
            servers.clock.until_sleeping(1).await;
            servers.clock.advance(std::time::Duration::from_secs(60));
            while faulty.calls(Call::Sweep) == 0 {
                tokio::task::yield_now().await;
            }
            servers.clock.until_sleeping(1).await;
        });
    });
    for (line, count) in [
        ("mcp_store_operations_total commit done", 1),
        ("mcp_store_operations_total commit refused", 1),
        ("mcp_store_operations_total commit unknown", 1),
        ("mcp_store_operations_total commit unavailable", 1),
        ("mcp_store_operations_total get done", 1),
        ("mcp_store_operations_total scan done", 1),
        ("mcp_store_operations_total sweep done", 1),
        ("mcp_store_operation_seconds commit", 4),
        ("mcp_store_operation_seconds get", 1),
        ("mcp_store_keys ", 1),
    ] {
        assert_eq!(notebook.read(line), count, "{line}");
    }
}
