//! PostgreSQL servers of a test's own, which it may kill.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sqlx::{Connection, PgConnection};
use tempfile::TempDir;
use tokio::time::Instant;

pub struct Server {
    process: Child,
    pub address: SocketAddr,
    folder: TempDir,
}

impl Server {
    /// A new server with these options.
    pub async fn start(options: &[&str]) -> Self {
        let folder = folder();
        run(postgres("initdb").arg("-D").arg(folder.path().join("data")).args([
            "-A",
            "trust",
            "-U",
            "service",
            "-E",
            "UTF8",
            "--no-locale",
            "--no-sync",
        ]));
        Self::serve(folder, options).await
    }

    /// A standby of this server.
    pub async fn standby(&self) -> Self {
        let folder = folder();
        let url = format!("postgres://service@{}/postgres?application_name=standby", self.address);
        run(postgres("pg_basebackup").arg("-D").arg(folder.path().join("data")).args([
            "-R",
            "-c",
            "fast",
            "--no-sync",
            "-d",
            &url,
        ]));
        Self::serve(folder, &[]).await
    }

    async fn serve(folder: TempDir, options: &[&str]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = start(folder.path(), port, options);
        let server = Self { process, address: ([127, 0, 0, 1], port).into(), folder };
        server.wait().await;
        server
    }

    async fn wait(&self) {
        let end = Instant::now() + Duration::from_secs(30);
        while let Err(error) = PgConnection::connect(&self.url()).await {
            assert!(Instant::now() < end, "{error}: {}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub fn url(&self) -> String {
        format!("postgres://service@{}/postgres", self.address)
    }

    /// A file beside the data.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.file("log")).unwrap_or_default()
    }

    /// Ends it: at once, as if its machine had lost power, or in order.
    pub fn kill(&mut self, signal: &str) {
        send(&self.process, signal);
        self.process.wait().unwrap();
    }

    /// Starts it again.
    pub async fn restart(&mut self) {
        self.process = start(self.folder.path(), self.address.port(), &[]);
        self.wait().await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Ok(None) = self.process.try_wait() {
            send(&self.process, "QUIT");
            let _ = self.process.wait();
        }
    }
}

fn send(process: &Child, signal: &str) {
    let sent = Command::new("kill").args(["-s", signal, &process.id().to_string()]).status();
    assert!(sent.unwrap().success());
}

fn start(folder: &Path, port: u16, options: &[&str]) -> Child {
    let log = fs::OpenOptions::new().create(true).append(true).open(folder.join("log")).unwrap();
    postgres("postgres")
        .arg("-D")
        .arg(folder.join("data"))
        .args(["-p", &port.to_string(), "-h", "127.0.0.1", "-k", "", "-c", "fsync=off"])
        .args(options.iter().flat_map(|option| ["-c", option]))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

/// A program of PostgreSQL, which does not run as root.
fn postgres(name: &str) -> Command {
    let versions = fs::read_dir("/usr/lib/postgresql").unwrap();
    let newest = versions.map(|entry| entry.unwrap().path()).max().unwrap();
    as_postgres(&newest.join("bin").join(name))
}

/// A program that does not run as root.
pub fn as_postgres(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
    command
}

pub fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// A folder of the user that the servers run as.
pub fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    own(folder.path());
    folder
}

pub fn own(path: &Path) {
    if is_root() {
        run(Command::new("chown").arg("postgres:").arg(path));
    }
}

#[track_caller]
pub fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
