//! The type in `Authorized` has to name the scopes.

use axum_core::extract::FromRequestParts;
use tower_jwt_auth::Authorized;

struct ReadOrders;

fn extract<T: FromRequestParts<()>>() {}

fn main() {
    extract::<Authorized<ReadOrders>>();
}
