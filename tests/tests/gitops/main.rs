//! What `examples/gitops` gives to GitOps controllers, without them and without a cluster.

mod health;
mod layouts;
