//! A network that breaks: passes bytes on between a client and the server, counts them, and cuts
//! the connection where it is told to.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Bytes passed on at once, and the pause after them.
const STEP: usize = 16 * 1024;
const PAUSE: Duration = Duration::from_millis(2);

/// See the module. The cuts are made in turn, one for each connection that reaches its own.
#[derive(Debug, Clone)]
pub(super) struct Proxy {
    pub(super) url: String,
    passed: Arc<AtomicU64>,
    cuts: Arc<Mutex<Vec<u64>>>,
}

impl Proxy {
    /// In front of `server` (host and port). Each of `cuts` ends one connection after it has sent so
    /// many bytes.
    pub(super) async fn start(server: String, cuts: &[u64]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let cuts = cuts.iter().rev().copied().collect();
        let proxy = Self { url, passed: Arc::default(), cuts: Arc::new(Mutex::new(cuts)) };
        let accepting = proxy.clone();
        tokio::spawn(async move {
            loop {
                let Ok((client, _)) = listener.accept().await else { return };
                let (proxy, server) = (accepting.clone(), server.clone());
                tokio::spawn(async move { proxy.connection(client, &server).await });
            }
        });
        proxy
    }

    /// Bytes that clients have sent through it.
    pub(super) fn passed(&self) -> u64 {
        self.passed.load(Ordering::SeqCst)
    }

    /// Cuts that were not reached.
    pub(super) fn cuts_left(&self) -> usize {
        self.cuts.lock().unwrap().len()
    }

    async fn connection(&self, client: TcpStream, server: &str) {
        // Nobody there: the client sees its connection close.
        let Ok(server) = TcpStream::connect(server).await else { return };
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let up = async {
            let (mut sent, mut buffer) = (0, vec![0; STEP]);
            loop {
                let end = self.cuts.lock().unwrap().last().copied().unwrap_or(u64::MAX);
                let room = usize::try_from(end.saturating_sub(sent)).unwrap_or(STEP).min(STEP);
                if room == 0 {
                    self.cuts.lock().unwrap().pop();
                    return;
                }
                let Ok(n) = from_client.read(&mut buffer[..room]).await else { return };
                if n == 0 || to_server.write_all(&buffer[..n]).await.is_err() {
                    return;
                }
                sent += n as u64;
                self.passed.fetch_add(n as u64, Ordering::SeqCst);
                tokio::time::sleep(PAUSE).await;
            }
        };
        let down = tokio::io::copy(&mut from_server, &mut to_client);
        tokio::select! {
            () = up => {}
            _ = down => {}
        }
    }
}
