//! What `examples/gitops` gives to GitOps controllers: without them and without a cluster, and by the controllers themselves on one.

mod argo_cd;
mod flux;
mod health;
mod layouts;
mod repository;
