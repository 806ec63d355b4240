//! One HTTP/1.1 connection that counts what passes through it. It costs next to nothing, so that the
//! load does not take the CPU from the server.

use onscene_mobile::{HttpReply, HttpRequest};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What has passed, heads included, TCP's own not.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Traffic {
    pub(crate) requests: u64,
    pub(crate) up: u64,
    pub(crate) down: u64,
    /// Bytes of bodies alone, both ways.
    pub(crate) bodies: u64,
}

impl Traffic {
    pub(crate) const fn bytes(&self) -> u64 {
        self.up + self.down
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.up += other.up;
        self.down += other.down;
        self.bodies += other.bodies;
    }
}

/// A connection to the server.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    pub(crate) traffic: Traffic,
}

impl Wire {
    /// Connects to `http://host:port`.
    pub(crate) async fn connect(url: &str) -> Self {
        let address = url.strip_prefix("http://").expect("the server is on the loopback");
        let stream = TcpStream::connect(address).await.expect("the server listens");
        stream.set_nodelay(true).expect("a socket takes this option");
        Self { stream, traffic: Traffic::default() }
    }

    /// Sends a request and reads its answer.
    pub(crate) async fn exchange(&mut self, request: &HttpRequest) -> HttpReply {
        let (host, path) = split(&request.url);
        let length = request.body.len();
        let mut bytes = format!(
            "{} {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}\r\n",
            request.method
        );
        for (name, value) in &request.headers {
            bytes.push_str(&format!("{name}: {value}\r\n"));
        }
        bytes.push_str("\r\n");
        let bytes = [bytes.as_bytes(), &request.body].concat();
        self.stream.write_all(&bytes).await.expect("the server reads");
        self.traffic.up += bytes.len() as u64;
        self.traffic.requests += 1;
        let (reply, read) = self.read_reply().await;
        self.traffic.down += read as u64;
        self.traffic.bodies += (length + reply.body.len()) as u64;
        reply
    }

    async fn read_reply(&mut self) -> (HttpReply, usize) {
        let mut buffer = Vec::with_capacity(16 * 1024);
        let head = loop {
            let end = buffer.windows(4).position(|four| four == b"\r\n\r\n");
            if let Some(end) = end {
                break end;
            }
            self.read_more(&mut buffer).await;
        };
        let text = String::from_utf8_lossy(&buffer[..head]).into_owned();
        let mut lines = text.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a status line");
        let status = status.parse().expect("a status");
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length = length.map_or(0, |(_, value)| value.parse().expect("a length"));
        let whole = head + 4 + length;
        while buffer.len() < whole {
            self.read_more(&mut buffer).await;
        }
        (HttpReply { status, headers, body: buffer[head + 4..whole].to_vec() }, whole)
    }

    async fn read_more(&mut self, buffer: &mut Vec<u8>) {
        let read = self.stream.read_buf(buffer).await.expect("the server answers");
        assert!(read > 0, "the server hung up: {}", String::from_utf8_lossy(buffer));
    }
}

fn split(url: &str) -> (&str, &str) {
    let rest = url.strip_prefix("http://").expect("the server is on the loopback");
    rest.split_at(rest.find('/').unwrap_or(rest.len()))
}
