//! What those who speak to servers elsewhere have in common: which addresses they take, whom they trust, and how much
//! they read.

pub(crate) mod address;
pub(crate) mod authorities;
pub(crate) mod body;
