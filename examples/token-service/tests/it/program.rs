//! The program: its flags, its output, its shutdown.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};

use crate::process::program;

/// One sentence on standard error, nothing on standard output, and status 2.
fn assert_refused(flags: &[&str]) -> String {
    assert_command_refused(&mut program(flags), flags)
}

fn assert_command_refused(command: &mut Command, flags: &[&str]) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let stderr = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(2), "{flags:?}: {stderr}");
    assert!(stdout.is_empty(), "{flags:?}");
    assert_eq!(stderr.lines().count(), 1, "{flags:?}: {stderr}");
    stderr
}

#[test]
fn bad_flags_are_one_sentence_and_status_2() {
    for flags in [
        ["--demo", "--unknown"],
        ["--demo", "--listen"],
        ["--demo", "--database"],
        ["--demo", "--listen=nowhere"],
        ["--demo", "--lifetime=0"],
        ["--demo", "--lifetime=-1"],
        ["--demo", "--lifetime=soon"],
        ["--demo", "--issuer=issuer.example"],
        ["--demo", "--cors-origin=*"],
        ["--demo", "--cors-origin=https://app.example/"],
        ["--demo", "--issuer=ftp://issuer.example"],
        ["--demo", "--issuer=https://issuer.example?x=y"],
        ["--demo", "--issuer=http://e/:x"],
        ["--demo", "--issuer=http://e/.well-known/oauth-authorization-server"],
        ["--demo", "--database=sqlite:x.db"],
        ["--demo", "--database-file=url"],
        ["--demo", "--refresh-grace=-1"],
        ["--demo", "--refresh-grace=601"],
        ["--demo", "--audience=api.example"],
        ["--demo", "--audience=https://api.example/#x"],
        ["--demo", "--scope=two words=x"],
        ["--demo", "--scope==x"],
        ["--demo", "--trusted-proxy=proxy.example"],
        ["--demo", "--trusted-proxy=10.0.0.0/33"],
        ["--demo", "--proxy-header=x-real-ip"],
        ["--demo", "--requests-per-second=-1"],
        ["--demo", "--key-age=7"],
        ["--demo", "--drain=601"],
        ["--demo", "--dangerous-client-metadata-host=http://127.0.0.1"],
        ["--demo", "--dangerous-client-metadata-host=127.0.0.1:x"],
        ["--demo", "--dangerous-client-metadata-host=*"],
        ["--demo", "unknown"],
    ] {
        // If a flag is accepted by mistake, the port is a free one.
        let listen =
            if flags[1].starts_with("--listen") { &[][..] } else { &["--listen=127.0.0.1:0"] };
        assert_refused(&[listen, &flags].concat());
    }
}

#[test]
fn a_bad_value_is_quoted() {
    let said = assert_refused(&["--demo", "--lifetime", "-5"]);
    assert!(said.contains("'-5'") && said.contains("--lifetime"), "{said}");
    assert!(assert_refused(&["--demo", "--listen", ""]).contains("\"\""));
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    assert!(assert_refused(&["--demo", "--listen", &address]).contains(&address));
}

#[test]
fn a_log_filter_that_cannot_be_read_is_refused() {
    for filter in ["tower_jwt_auth=loud", "a=b=c"] {
        let flags = ["--demo", "--listen=127.0.0.1:0"];
        let said = assert_command_refused(program(&flags).env("RUST_LOG", filter), &flags);
        assert!(said.contains("RUST_LOG"), "{said}");
    }
}

#[cfg(unix)]
#[test]
fn it_says_what_it_does_warns_of_the_grant_and_ends_with_0() {
    for (signal, idle) in [("TERM", false), ("INT", true)] {
        // A filter for other targets does not turn warnings off.
        let filter = if idle { "tower_jwt_auth=debug" } else { "" };
        let mut process = program(&["--demo", "--listen", "127.0.0.1:0"])
            .env("RUST_LOG", filter)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "demo user: alice, password: wonderland");
        let client = lines.next().unwrap().unwrap();
        let secret = client.strip_prefix("demo client: demo, secret: ").unwrap();
        assert_eq!(secret.len(), 43);
        let line = lines.next().unwrap().unwrap();
        let address = line.strip_prefix("listening on http://").unwrap().to_owned();
        assert_eq!(lines.next().unwrap().unwrap(), format!("docs page: http://{address}/docs"));

        // Without --issuer, the issuer is the address that is bound.
        let mut stream = TcpStream::connect(&address).unwrap();
        let request = "GET /.well-known/openid-configuration HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.contains(&format!(r#""issuer":"http://{address}""#)), "{answer}");

        // An idle connection does not delay the shutdown.
        let _idle = idle.then(|| TcpStream::connect(&address).unwrap());
        let sent = Command::new("kill").args(["-s", signal, &process.id().to_string()]).status();
        assert!(sent.unwrap().success());
        assert_eq!(process.wait().unwrap().code(), Some(0), "{signal}");
        let mut log = String::new();
        process.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        assert!(log.contains("WARN") && log.contains("RFC 9700"), "{log}");
    }
}

#[cfg(unix)]
#[test]
fn the_banner_has_a_url_that_a_browser_can_open() {
    for (listen, host) in [("0.0.0.0:0", "127.0.0.1"), ("127.0.0.1:0", "127.0.0.1")] {
        let mut process =
            program(&["--demo", "--listen", listen]).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let page =
            lines.filter_map(|line| line.strip_prefix("docs page: ").map(str::to_owned)).next();
        process.kill().unwrap();
        process.wait().unwrap();
        let page = page.unwrap();
        let port = page.strip_prefix(&format!("http://{host}:")).unwrap();
        assert!(port.strip_suffix("/docs").unwrap().parse::<u16>().is_ok(), "{page}");
    }
}

/// The program's log while it serves with these flags.
#[cfg(unix)]
fn log_of(flags: &[&str]) -> String {
    let mut process = program(flags).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let is_serving = lines.map_while(Result::ok).any(|line| line.starts_with("listening on"));
    let sent = Command::new("kill").arg(process.id().to_string()).status();
    assert!(is_serving && sent.unwrap().success());
    assert_eq!(process.wait().unwrap().code(), Some(0));
    let mut log = String::new();
    process.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    log
}

#[cfg(unix)]
#[test]
fn an_issuer_without_a_host_is_warned_of() {
    for (flags, is_warned_of) in [
        (["--listen=0.0.0.0:0"].as_slice(), true),
        (&["--listen=127.0.0.1:0", "--issuer=http://0.0.0.0:8000"], true),
        (&["--listen=127.0.0.1:0", "--issuer=http://[::]:8000"], true),
        (&["--listen=0.0.0.0:0", "--issuer=http://issuer.example"], false),
        (&["--listen=127.0.0.1:0"], false),
    ] {
        let log = log_of(&[&["--demo"], flags].concat());
        assert_eq!(log.contains("cannot be reached"), is_warned_of, "{flags:?}: {log}");
    }
}

#[cfg(unix)]
#[test]
fn without_the_page_the_banner_does_not_name_it() {
    let mut process = program(&["--demo", "--listen", "127.0.0.1:0", "--no-docs"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("listening on ")));
    process.kill().unwrap();
    process.wait().unwrap();
    assert_eq!(lines.next(), None);
}
