//! What an operator sees from outside: metrics, the access log, and the ID of each request.
//!
//! Neither a metric nor a line of the log has a path, query, header, body, token, code, password or cookie of a client. A
//! route is its template, and an error one of a fixed list. The log names a client by its registered ID, or the host of its
//! document, once the client is found, and has the client's address.
//!
//! - [`client_name`]: how the log names a client;
//! - [`facts`]: what the endpoints note about a request while it is handled;
//! - [`requests`]: around all routes, counts and logs each request;
//! - [`request_id`]: the ID of each request;
//! - [`meters`]: the metrics by name, recorded with the `metrics` facade, which costs next to nothing without a recorder.

pub(crate) mod client_name;
pub(crate) mod facts;
pub(crate) mod meters;
pub(crate) mod request_id;
pub(crate) mod requests;
