//! A server whose authentication is configured by `config.toml` and by environment variables.
//!
//! ```sh
//! cargo run -p from_config
//! curl -i -H "Authorization: Bearer $TOKEN" http://127.0.0.1:3000/me   # $TOKEN: see the README
//! curl -i http://127.0.0.1:3000/me
//! ```
//!
//! A variable replaces one member of the file. With this one, the token of the README is refused, since it has no scope:
//!
//! ```sh
//! SHOP_AUTH__REQUIRED_SCOPES=orders:read cargo run -p from_config
//! curl -i -H "Authorization: Bearer $TOKEN" http://127.0.0.1:3000/me
//! ```
//!
//! A mistake is an error that names the member:
//!
//! ```sh
//! SHOP_AUTH__ISSUERS__DEMO__LEEWAY_SECONDS=900 cargo run -p from_config
//! ```

use std::error::Error;
use std::process::ExitCode;

use axum::Router;
use axum::routing::get;
use config::{Config, Environment, File};
use serde::Deserialize;
use tokio::net::TcpListener;
use tower_jwt_auth::{JwtAuthLayer, LayerConfig, VerifiedToken};

/// The settings of the server. Those of the layer are a part of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    listen: String,
    auth: LayerConfig,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
}

async fn me(token: VerifiedToken<Claims>) -> String {
    format!("hello, {}", token.sub)
}

#[tokio::main]
async fn main() -> ExitCode {
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", with_causes(&*error));
            ExitCode::from(2)
        }
    }
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let settings = read()?;
    let auth: JwtAuthLayer<Claims> = JwtAuthLayer::from_config(&settings.auth)?;
    let app = Router::new().route("/me", get(me)).route_layer(auth);

    let listener = TcpListener::bind(settings.listen).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}

/// The settings of the file that the first argument names, and of the variables that begin with `SHOP_`.
fn read() -> Result<Settings, Box<dyn Error>> {
    let path = std::env::args().nth(1);
    let path = path.as_deref().unwrap_or("examples/from_config/config.toml");
    let settings = Config::builder()
        .add_source(File::with_name(path))
        .add_source(Environment::with_prefix("SHOP").prefix_separator("_").separator("__"))
        .build()?;
    Ok(serde_path_to_error::deserialize(settings)?)
}

fn with_causes(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
