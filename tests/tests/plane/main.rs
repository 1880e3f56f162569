//! Our definitions and the operator's pass against a real API server. No root, no node.

mod brand;
mod quiet;
mod server;
mod transitions;
