//! A connection that breaks on demand.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What becomes of the next command that is sent to the server, and of its connection. Everything else is passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It arrives, and so does the answer.
    Passed,
    /// The connection breaks before it arrives.
    CutBefore,
    /// It arrives, and the connection breaks before the answer does.
    CutAfter,
    /// The connection breaks, and it arrives when it is [released](Proxy::release).
    Late,
    /// It stays under way, and the connection stays open.
    Stuck,
}

/// Stands between a client and a server on the loopback interface.
#[derive(Clone)]
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    target: u16,
    /// Which pieces are commands, and not what is said when connecting.
    is_command: fn(&[u8]) -> bool,
    fates: Mutex<Vec<Fate>>,
    released: watch::Sender<bool>,
    cut: watch::Sender<u64>,
}

impl Proxy {
    pub(crate) async fn new(target: u16, is_command: fn(&[u8]) -> bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            target,
            is_command,
            fates: Mutex::default(),
            released: watch::Sender::new(false),
            cut: watch::Sender::new(0),
        });
        let accepting = shared.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(accepting.clone().serve(client));
            }
        });
        Self { address, shared }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// What becomes of the next commands, the first first.
    pub(crate) fn doom(&self, fates: &[Fate]) {
        let mut next = self.shared.fates.lock().unwrap();
        assert!(next.is_empty(), "the fates of before have come true");
        next.extend(fates.iter().rev());
    }

    /// How many fates have not come true yet.
    pub(crate) fn doomed(&self) -> usize {
        self.shared.fates.lock().unwrap().len()
    }

    /// Waits until no more than `count` fates are left.
    pub(crate) async fn until_doomed(&self, count: usize) {
        let met = async {
            while self.doomed() > count {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), met).await.expect("the fates come true");
    }

    /// Lets what is late arrive, and waits until it has.
    pub(crate) async fn release(&self) {
        self.shared.released.send_replace(true);
        let mut arrived = self.shared.released.subscribe();
        arrived.wait_for(|released| !released).await.unwrap();
    }

    /// Breaks all connections.
    pub(crate) fn cut(&self) {
        self.shared.cut.send_modify(|number| *number += 1);
    }
}

impl Shared {
    fn next(&self, piece: &[u8]) -> Fate {
        if !(self.is_command)(piece) {
            return Fate::Passed;
        }
        self.fates.lock().unwrap().pop().unwrap_or(Fate::Passed)
    }

    async fn serve(self: Arc<Self>, mut client: TcpStream) {
        let mut cut = self.cut.subscribe();
        cut.mark_unchanged();
        let Ok(mut server) = TcpStream::connect(("127.0.0.1", self.target)).await else {
            return;
        };
        let (mut asked, mut answered) = (vec![0; 1 << 20], vec![0; 1 << 20]);
        loop {
            tokio::select! {
                read = client.read(&mut asked) => {
                    let Ok(length @ 1..) = read else { return };
                    let sent = &asked[..length];
                    match self.next(sent) {
                        Fate::Passed => {
                            if server.write_all(sent).await.is_err() {
                                return;
                            }
                        }
                        Fate::CutBefore => return,
                        Fate::CutAfter => {
                            let _ = server.write_all(sent).await;
                            // The answer shows that it was carried out.
                            let _ = server.read(&mut answered).await;
                            return;
                        }
                        Fate::Late => {
                            drop(client);
                            let mut released = self.released.subscribe();
                            if released.wait_for(|released| *released).await.is_ok() {
                                let _ = server.write_all(sent).await;
                                let _ = server.read(&mut answered).await;
                            }
                            self.released.send_replace(false);
                            return;
                        }
                        Fate::Stuck => {
                            let _ = cut.changed().await;
                            return;
                        }
                    }
                }
                read = server.read(&mut answered) => {
                    let Ok(length @ 1..) = read else { return };
                    if client.write_all(&answered[..length]).await.is_err() {
                        return;
                    }
                }
                _ = cut.changed() => return,
            }
        }
    }
}
