//! A proxy between the service and PostgreSQL that fails in the ways in which networks do.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub struct Proxy {
    pub address: SocketAddr,
    state: Arc<State>,
    listening: Mutex<Option<JoinHandle<()>>>,
}

struct State {
    target: Mutex<SocketAddr>,
    /// Connections with another number are cut.
    cut: watch::Sender<u64>,
    /// While it is set nothing is passed on. A connection that has met it passes nothing on any more: half open.
    is_frozen: AtomicBool,
    /// In milliseconds, for each packet to the server.
    delay: AtomicU64,
    /// The packets from the server that are still passed on; then one connection is cut. Negative: all are.
    packets: AtomicI64,
    /// Whether the connection is cut that has sent COMMIT, before the answer.
    loses_commit: AtomicBool,
    accepted: AtomicU64,
}

impl Proxy {
    /// In front of the server at this address.
    pub async fn new(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            target: Mutex::new(target),
            cut: watch::Sender::new(0),
            is_frozen: AtomicBool::new(false),
            delay: AtomicU64::new(0),
            packets: AtomicI64::new(-1),
            loses_commit: AtomicBool::new(false),
            accepted: AtomicU64::new(0),
        });
        let proxy = Self { address, state, listening: Mutex::default() };
        proxy.listen(listener);
        proxy
    }

    fn listen(&self, listener: TcpListener) {
        let state = Arc::clone(&self.state);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                state.accepted.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(serve(client, Arc::clone(&state)));
            }
        });
        *self.listening.lock().unwrap() = Some(task);
    }

    /// Cuts all connections.
    pub fn cut(&self) {
        self.state.cut.send_modify(|number| *number += 1);
    }

    /// Cuts all connections, and refuses further ones.
    pub async fn refuse(&self) {
        let task = self.listening.lock().unwrap().take().unwrap();
        task.abort();
        let _ = task.await;
        self.cut();
    }

    /// Accepts connections again.
    pub async fn accept(&self) {
        self.listen(TcpListener::bind(self.address).await.unwrap());
    }

    /// Accepts everything, and says nothing.
    pub fn freeze(&self) {
        self.state.is_frozen.store(true, Ordering::SeqCst);
    }

    /// Serves new connections again. The old ones stay silent for ever.
    pub fn thaw(&self) {
        self.state.is_frozen.store(false, Ordering::SeqCst);
    }

    /// Delays each packet to the server.
    pub fn delay(&self, delay: Duration) {
        self.state.delay.store(delay.as_millis() as u64, Ordering::SeqCst);
    }

    /// Cuts the next connection that sends COMMIT, once the server has it and before the answer.
    pub fn lose_commit(&self) {
        self.state.loses_commit.store(true, Ordering::SeqCst);
    }

    /// Cuts a connection after so many packets of the server. Whether it has happened is [`has_lost`](Self::has_lost).
    pub fn lose_after(&self, packets: i64) {
        self.state.packets.store(packets, Ordering::SeqCst);
    }

    pub fn has_lost(&self) -> bool {
        let left = self.state.packets.swap(-1, Ordering::SeqCst);
        left < 0
    }

    /// Cuts all connections, and leads to another server.
    pub fn switch(&self, target: SocketAddr) {
        *self.state.target.lock().unwrap() = target;
        self.cut();
    }

    /// The connections so far.
    pub fn accepted(&self) -> u64 {
        self.state.accepted.load(Ordering::Relaxed)
    }
}

async fn serve(client: TcpStream, state: Arc<State>) {
    let mut cut = state.cut.subscribe();
    tokio::select! {
        _ = cut.changed() => {}
        () = relay(client, &state) => {}
    }
}

async fn relay(mut client: TcpStream, state: &State) {
    thawed(state).await;
    let target = *state.target.lock().unwrap();
    let Ok(mut server) = TcpStream::connect(target).await else { return };
    for stream in [&client, &server] {
        stream.set_nodelay(true).unwrap();
    }
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let is_lost = AtomicBool::new(false);
    let requests = async {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
            thawed(state).await;
            tokio::time::sleep(Duration::from_millis(state.delay.load(Ordering::SeqCst))).await;
            let packet = &buffer[..length];
            if packet.windows(6).any(|word| word == b"COMMIT")
                && state.loses_commit.swap(false, Ordering::SeqCst)
            {
                is_lost.store(true, Ordering::SeqCst);
            }
            if to_server.write_all(packet).await.is_err() {
                break;
            }
        }
    };
    let answers = async {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(length @ 1..) = from_server.read(&mut buffer).await {
            thawed(state).await;
            let counts = |left: i64| (left >= 0).then_some(left - 1);
            let before = state.packets.fetch_update(Ordering::SeqCst, Ordering::SeqCst, counts);
            if is_lost.load(Ordering::SeqCst) || before == Ok(0) {
                break;
            }
            if to_client.write_all(&buffer[..length]).await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        () = requests => {}
        () = answers => {}
    }
}

async fn thawed(state: &State) {
    if state.is_frozen.load(Ordering::SeqCst) {
        pending::<()>().await;
    }
}
