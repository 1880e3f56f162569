//! Who may ask: applications by keys of their namespace.
//!
//! ```text
//! --api-keys DIR ─files─▶ ApiKeys ◀─find─ guard ◀─ Authorization: Bearer KEY
//!                                           │
//!                                           ▼
//!                             Caller ─opens─▶ the namespace that is asked about
//! ```
//!
//! Without the flag there is no guard, and everyone is let in.

mod caller;
pub mod files;
mod guard;
mod keys;

pub use caller::Caller;
pub use guard::Access;
pub use keys::{ApiKey, ApiKeyError, ApiKeys, KEY_MINIMUM, Spent};
