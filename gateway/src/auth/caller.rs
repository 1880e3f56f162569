//! Who asks.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::refusal::{Code, Refusal};

/// Who asks, as the guard has found it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Caller {
    /// Nobody has to show a key.
    #[default]
    Anyone,
    /// Somebody with a key of this namespace.
    Of(Arc<str>),
}

impl Caller {
    /// The one namespace that is open to them; nothing where all are.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        match self {
            Self::Anyone => None,
            Self::Of(namespace) => Some(namespace),
        }
    }

    /// Whether that namespace is open to them.
    #[must_use]
    pub fn opens(&self, namespace: &str) -> bool {
        self.namespace().is_none_or(|own| own == namespace)
    }

    /// Lets them into that namespace.
    ///
    /// # Errors
    /// When their key opens another one. It is the same whether or not the campaign exists, so it tells nobody.
    pub fn enter(&self, namespace: &str) -> Result<(), Refusal> {
        if self.opens(namespace) {
            return Ok(());
        }
        let message =
            "the key opens another namespace: send one of the namespace that is asked about".to_owned();
        Err(Refusal { code: Code::Forbidden, message })
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}
