//! Who may ask: applications by keys of their namespace, and the operator by its account.
//!
//! ```text
//! --api-keys DIR ─files─▶ ApiKeys ◀─find─ guard ◀─ Authorization: Bearer KEY
//!                                           │
//!                                           ▼
//!                             Caller ─opens─▶ the namespace that is asked about
//!
//! --totals-account ─▶ Totals ◀─ guard ◀─ Authorization: Bearer TOKEN
//!                        └─TokenReview─▶ API server
//! ```
//!
//! Without the flags there is no guard, and everyone is let in.

mod caller;
pub mod files;
mod guard;
mod keys;
mod metrics;
mod operator;
mod shown;

pub use caller::Caller;
pub use guard::Access;
pub use keys::{ApiKey, ApiKeyError, ApiKeys, KEY_MINIMUM, Spent};
pub use metrics::counted;
pub use operator::{AUDIENCE, Account, HOLDS_FOR, NoAccount, Reviewer, Totals};
pub use shown::ShownKey;
