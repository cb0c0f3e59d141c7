//! The scripts, and how one is run: by its hash, and by its text where the server does not know it yet.

use std::sync::LazyLock;

use redis::{Cmd, Script as Hasher, Value};
use tokio::time::Instant;

use super::link::{Failure, Link};
use crate::StoreError;

pub(super) struct Script {
    text: &'static str,
    hash: LazyLock<String>,
}

macro_rules! script {
    ($file:literal) => {
        Script {
            text: include_str!($file),
            hash: LazyLock::new(|| Hasher::new(include_str!($file)).get_hash().to_owned()),
        }
    };
}

pub(super) static COMMIT: Script = script!("commit.lua");
pub(super) static SETTLE: Script = script!("settle.lua");
pub(super) static SCAN: Script = script!("scan.lua");
pub(super) static SWEEP: Script = script!("sweep.lua");
pub(super) static WALK: Script = script!("walk.lua");

impl Script {
    /// Runs it once. A script that was not known was not begun, so that its text may follow.
    pub(super) async fn run(
        &self,
        link: &Link,
        keys: &[String],
        arguments: &[Vec<u8>],
        deadline: Instant,
    ) -> Result<Value, Failure> {
        match link.run(&command("EVALSHA", &self.hash, keys, arguments), None, deadline).await {
            Err(Failure::UnknownScript) => {
                link.run(&command("EVAL", self.text, keys, arguments), None, deadline).await
            }
            answer => answer,
        }
    }

    /// Runs it, and once more if the connection breaks: for scripts that may run twice.
    pub(super) async fn read(
        &self,
        link: &Link,
        keys: &[String],
        arguments: &[Vec<u8>],
    ) -> Result<Value, StoreError> {
        self.read_on(link, None, keys, arguments).await
    }

    /// The same on the node that has this slot, whatever the keys are.
    pub(super) async fn read_on(
        &self,
        link: &Link,
        slot: Option<u16>,
        keys: &[String],
        arguments: &[Vec<u8>],
    ) -> Result<Value, StoreError> {
        let answer = match link.read(&command("EVALSHA", &self.hash, keys, arguments), slot).await {
            Err(Failure::UnknownScript) => {
                link.read(&command("EVAL", self.text, keys, arguments), slot).await
            }
            answer => answer,
        };
        Ok(answer?)
    }
}

fn command(verb: &str, script: &str, keys: &[String], arguments: &[Vec<u8>]) -> Cmd {
    let mut command = Cmd::new();
    command.arg(verb).arg(script).arg(keys.len());
    for key in keys {
        command.arg(key);
    }
    for argument in arguments {
        command.arg(argument.as_slice());
    }
    command
}
