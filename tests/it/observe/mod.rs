//! What is seen of a layer from outside: observers, metrics, spans, and the line at the start.

mod outcomes;
