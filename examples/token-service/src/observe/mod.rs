//! What an operator sees from outside: metrics, the access log, and the ID of each request.
//!
//! Neither a metric nor a line of the log has text that a client chose: no path, query, header, body, token, code,
//! password or cookie. A route is its template, and an error one of a fixed list. The log names a client by its ID once the
//! client is found in the store, and has the client's address.
//!
//! - [`facts`]: what the endpoints note about a request while it is handled;
//! - [`requests`]: around all routes, counts and logs each request;
//! - [`request_id`]: the ID of each request;
//! - [`meters`]: the metrics by name, recorded with the `metrics` facade, which costs next to nothing without a recorder.

pub(crate) mod facts;
pub(crate) mod meters;
pub(crate) mod request_id;
pub(crate) mod requests;
