//! What a URL may say: TLS, a pooler, passwords that stay secret.

use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use token_service::store::{SqlStore, Store};

use super::server::{Server, as_postgres, folder, own, run};
use super::{Faulty, address, calls, run_on, within};
use crate::process::program;

/// The error of a URL, with its causes. It says no password.
async fn refused(url: &str) -> String {
    let error = SqlStore::open(url).await.unwrap_err();
    let mut said = format!("{error} {error:?}");
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        said += &format!(" {error} {error:?}");
        cause = error.source();
    }
    for password in ["hunter2", "hunter3"] {
        assert!(!said.contains(password), "{said}");
    }
    said
}

#[tokio::test]
async fn tls_is_verified_by_the_given_authority() {
    if std::env::var("POSTGRES_URL").is_err() {
        return;
    }
    let server = Server::start(&[]).await;
    let certificates = folder();
    let path = |name: &str| certificates.path().join(name).display().to_string();
    for authority in ["ours", "theirs"] {
        let (key, certificate) =
            (path(&format!("{authority}.key")), path(&format!("{authority}.pem")));
        let subject = format!("/CN={authority}");
        run(Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"])
            .args([
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-subj",
                &subject,
                "-keyout",
                &key,
                "-out",
                &certificate,
            ]));
    }
    fs::write(path("names"), "subjectAltName=DNS:localhost").unwrap();
    run(Command::new("openssl").args(["req", "-newkey", "ec", "-nodes", "-pkeyopt"]).args([
        "ec_paramgen_curve:P-256",
        "-subj",
        "/CN=localhost",
        "-keyout",
        &path("server.key"),
        "-out",
        &path("server.csr"),
    ]));
    run(Command::new("openssl")
        .args(["x509", "-req", "-days", "2", "-CAcreateserial", "-in"])
        .args([
            &path("server.csr"),
            "-CA",
            &path("ours.pem"),
            "-CAkey",
            &path("ours.key"),
            "-extfile",
            &path("names"),
            "-out",
            &path("server.pem"),
        ]));
    for (from, to) in [("server.key", "data/server.key"), ("server.pem", "data/server.crt")] {
        fs::copy(path(from), server.file(to)).unwrap();
        own(&server.file(to));
    }
    // Only with TLS, and a password.
    fs::write(
        server.file("data/pg_hba.conf"),
        "hostssl all safe all scram-sha-256\nhost all service all trust\n",
    )
    .unwrap();
    run_on(&server.url(), "CREATE ROLE safe SUPERUSER LOGIN PASSWORD 'hunter2'").await;
    run_on(&server.url(), "ALTER SYSTEM SET ssl = on").await;
    run_on(&server.url(), "SELECT pg_reload_conf()").await;

    let port = server.address.port();
    let url = |host: &str, password: &str, query: &str| {
        format!("postgres://safe:{password}@{host}:{port}/postgres?{query}")
    };
    let verified = format!("sslmode=verify-full&sslrootcert={}", path("ours.pem"));
    let good = url("localhost", "hunter2", &verified);
    let mut store = None;
    for _ in 0..100 {
        match SqlStore::open(&good).await {
            Ok(opened) => {
                store = Some(opened);
                break;
            }
            // Until the server has read its settings.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
    store.unwrap().ping().await.unwrap();

    let others = format!("sslmode=verify-full&sslrootcert={}", path("theirs.pem"));
    assert!(refused(&url("localhost", "hunter2", &others)).await.contains("UnknownIssuer"));
    assert!(refused(&url("127.0.0.1", "hunter2", &verified)).await.contains("NotValidForName"));
    assert!(refused(&url("localhost", "hunter2", "sslmode=disable")).await.contains("pg_hba.conf"));
    assert!(
        refused(&url("localhost", "hunter3", &verified))
            .await
            .contains("password authentication failed")
    );
}

#[tokio::test]
async fn a_url_that_is_wrong_shows_no_password() {
    for url in [
        "postgres://service:hunter2@127.0.0.1:1/db",
        "postgres://service:hunter2@[::/db",
        "postgres://service:hunter2@localhost:notaport/db",
        "postgres://service@127.0.0.1:1/db?password=hunter2",
        "postgres://service@127.0.0.1:1/db?passwort=hunter2",
        "postgres://service:hunter2@127.0.0.1:1/db?port=hunter3",
    ] {
        refused(url).await;
        let output = program(&["user", "list", "--database", url]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{said}");
        assert!(!said.contains("hunter"), "{said}");
    }
}

#[tokio::test]
async fn a_pooler_works_by_session() {
    let Some(faulty) = Faulty::new().await else { return };
    let calls = faulty.calls().await;
    let (folder, port) =
        (folder(), TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port());
    let settings = format!(
        "[databases]\n* = host=127.0.0.1 port={} user=service\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
         listen_port = {port}\nauth_type = any\npool_mode = session\nunix_socket_dir =\n\
         default_pool_size = 4\nignore_startup_parameters = extra_float_digits\n",
        address(&faulty.url).port()
    );
    let file = folder.path().join("pgbouncer.ini");
    fs::write(&file, settings).unwrap();
    let started = as_postgres("/usr/sbin/pgbouncer".as_ref())
        .arg(&file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _pooler = Pooler(started);
    faulty.proxy.switch(([127, 0, 0, 1], port).into());
    faulty.ready().await;
    for call in &calls {
        within(5, "served", async || call.is_served(&faulty.client).await).await;
    }
    // With fewer connections than an instance has, those there are serve.
    let reads: Vec<_> = calls.into_iter().filter(|call| !call.writes).collect();
    let served = calls::at_once(&faulty.client, &reads, 20).await;
    assert!(served >= 18, "{served} of 20");
}

/// It ends with the test.
struct Pooler(Child);

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
