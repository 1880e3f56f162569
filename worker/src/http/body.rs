//! The body of an answer, as far as it may go.

use reqwest::Response;

/// The largest answer in JSON that is read, in bytes: a thousand times a completion of four thousand letters, since
/// engines may tell much of each token; four thousand bytes for each of a thousand files on a page of a listing.
const LARGEST: usize = 4 << 20;

/// What is said of an answer that is larger.
pub(crate) const TOO_LARGE: &str = "its answer is larger than 4 MiB";

/// Why there is no body.
#[derive(Debug)]
pub(crate) enum BodyError {
    /// The connection failed.
    Cut(reqwest::Error),
    /// It is too large.
    TooLarge,
}

/// Reads a body to its end, or no further than it may go.
pub(crate) async fn read(mut response: Response) -> Result<Vec<u8>, BodyError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(BodyError::Cut)? {
        if body.len() + chunk.len() > LARGEST {
            return Err(BodyError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
