//! The program as a process of its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use tempfile::TempDir;

pub fn program(flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_token-service"));
    command.args(flags).stdin(Stdio::null()).env_remove("RUST_LOG");
    command
}

/// A folder with a database in it.
pub struct Database(TempDir);

impl Database {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn url(&self) -> String {
        format!("sqlite:{}", self.0.path().join("service.db").display())
    }

    pub fn file(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    /// Runs a command of the administration with this standard input.
    pub fn run(&self, arguments: &[&str], input: &str) -> Output {
        let url = self.url();
        let mut command = program(&[&["--database", &url], arguments].concat());
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that reads nothing may have ended already.
        let _ = process.stdin.take().unwrap().write_all(input.as_bytes());
        process.wait_with_output().unwrap()
    }

    /// The standard output of a command that succeeds, and says nothing on standard error.
    #[track_caller]
    pub fn succeed(&self, arguments: &[&str], input: &str) -> String {
        let output = self.run(arguments, input);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), stderr.as_str()), (Some(0), ""), "{arguments:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The one sentence of a command that fails with this status.
    #[track_caller]
    pub fn fail(&self, arguments: &[&str], input: &str, status: i32) -> String {
        let output = self.run(arguments, input);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {stderr}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        assert_eq!(stderr.lines().count(), 1, "{arguments:?}: {stderr}");
        stderr
    }

    /// Serves on this database.
    pub fn serve(&self, flags: &[&str]) -> Server {
        let url = self.url();
        Server::start(&[&["--database", &url], flags].concat())
    }
}

/// The program while it serves. It is killed when this is dropped.
pub struct Server {
    process: Child,
    pub address: String,
    /// The lines before that of the address.
    pub said: String,
    log: Option<JoinHandle<String>>,
    _stdout: BufReader<std::process::ChildStdout>,
}

impl Server {
    pub fn start(flags: &[&str]) -> Self {
        Self::start_with(flags, &[])
    }

    /// With environment variables.
    pub fn start_with(flags: &[&str], variables: &[(&str, &str)]) -> Self {
        let flags = [&["--listen", "127.0.0.1:0"], flags].concat();
        let mut command = program(&flags);
        command.envs(variables.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        // It is read all the time: a full pipe would stop the program.
        let mut stderr = process.stderr.take().unwrap();
        let log = std::thread::spawn(move || {
            let mut log = String::new();
            stderr.read_to_string(&mut log).unwrap();
            log
        });
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let mut said = String::new();
        let address = loop {
            let mut line = String::new();
            if stdout.read_line(&mut line).unwrap() == 0 {
                panic!("it does not serve: {}", log.join().unwrap());
            }
            if let Some(address) = line.trim_end().strip_prefix("listening on http://") {
                break address.to_owned();
            }
            said.push_str(&line);
        };
        Self { process, address, said, log: Some(log), _stdout: stdout }
    }

    /// What follows this text on a line before that of the address.
    #[track_caller]
    pub fn said(&self, before: &str) -> &str {
        let found = self.said.lines().find_map(|line| line.strip_prefix(before));
        found.unwrap_or_else(|| panic!("no {before:?}: {}", self.said))
    }

    /// Ends it by SIGTERM. Returns its status and its log.
    #[cfg(unix)]
    pub fn stop(self) -> (Option<i32>, String) {
        self.terminate();
        self.wait()
    }

    /// Waits for its end. Returns its status and its log.
    #[cfg(unix)]
    pub fn wait(mut self) -> (Option<i32>, String) {
        let status = self.process.wait().unwrap().code();
        (status, self.log.take().unwrap().join().unwrap())
    }

    #[cfg(unix)]
    pub fn terminate(&self) {
        let sent = Command::new("kill").arg(self.process.id().to_string()).status();
        assert!(sent.unwrap().success());
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// The status and the body of the response.
    pub fn request(&self, head: &str, body: &str) -> (u16, String) {
        let mut stream = self.connect();
        let length = body.len();
        let request = format!(
            "{head}\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1.to_owned();
        (status, body)
    }

    pub fn get(&self, path: &str) -> (u16, String) {
        self.request(&format!("GET {path} HTTP/1.1"), "")
    }

    pub fn protected(&self, token: &str) -> u16 {
        self.request(&format!("GET /protected HTTP/1.1\r\nauthorization: Bearer {token}"), "").0
    }

    pub fn post(&self, path: &str, form: &str) -> (u16, String) {
        let media_type = "application/x-www-form-urlencoded";
        self.request(&format!("POST {path} HTTP/1.1\r\ncontent-type: {media_type}"), form)
    }

    pub fn log_in(&self, name: &str, password: &str) -> (u16, String) {
        self.post("/token", &format!("grant_type=password&username={name}&password={password}"))
    }

    /// An access token by the password grant.
    #[track_caller]
    pub fn token(&self, name: &str, password: &str) -> String {
        let (status, body) = self.log_in(name, password);
        assert_eq!(status, 200, "{body}");
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        body["access_token"].as_str().unwrap().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
