//! A client so plain that it costs every server the same little.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sends a request and reads its answer.
pub(crate) async fn exchange(stream: &mut TcpStream, request: &[u8]) -> Vec<u8> {
    stream.write_all(request).await.expect("the server reads");
    let (mut answer, mut length) = (Vec::with_capacity(2048), None);
    while length.is_none_or(|length| answer.len() < length) {
        let read = stream.read_buf(&mut answer).await.expect("the server answers");
        assert!(read > 0, "the server closed: {}", String::from_utf8_lossy(&answer));
        length = length.or_else(|| whole(&answer));
    }
    assert!(answer.starts_with(b"HTTP/1.1 20"), "{}", String::from_utf8_lossy(&answer));
    answer
}

/// What follows the head.
pub(crate) fn body(answer: &[u8]) -> &[u8] {
    &answer[head(answer).expect("it is whole")..]
}

/// The length of head and body, once the head is there.
fn whole(answer: &[u8]) -> Option<usize> {
    let head = std::str::from_utf8(&answer[..head(answer)?]).ok()?.to_ascii_lowercase();
    let length = head.split("\r\n").find_map(|line| line.strip_prefix("content-length: "))?;
    Some(head.len() + length.parse::<usize>().ok()?)
}

fn head(answer: &[u8]) -> Option<usize> {
    answer.windows(4).position(|end| end == b"\r\n\r\n").map(|start| start + 4)
}
