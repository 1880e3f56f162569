//! Downloads official releases and holds them against their publishers' checksums.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;

use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};

use super::{Error, architecture, cache_error};
use crate::binaries::{Binary, Component};
use crate::hex;

/// The host that is asked whether there is internet: the one with the most to give.
const PROBE: &str = "https://dl.k8s.io/release/stable.txt";

/// A host that takes longer to answer would take longer still to send 500 MB than Go takes to build them.
const PATIENCE: Duration = Duration::from_secs(3);

/// Between two pieces of a download. A line that is silent for longer is dead, and we would wait for ever.
const SILENCE: Duration = Duration::from_secs(30);

/// One published file and the list of checksums that its publisher gives for it.
#[derive(Debug, PartialEq, Eq)]
struct Release {
    url: String,
    sums: String,
    /// The path inside the archive; `None` where the file is the binary itself.
    member: Option<String>,
}

/// A client, if the releases' host answers soon.
pub(super) async fn reachable() -> Option<reqwest::Client> {
    let client = client()?;
    let answer = client.head(PROBE).timeout(PATIENCE).send().await.ok()?;
    answer.status().is_success().then_some(client)
}

/// A client that refuses plain HTTP, redirects to it included: a checksum that comes that way proves nothing.
fn client() -> Option<reqwest::Client> {
    builder().https_only(true).build().ok()
}

fn builder() -> reqwest::ClientBuilder {
    crate::api::install_provider();
    reqwest::Client::builder().connect_timeout(PATIENCE).read_timeout(SILENCE)
}

/// A client that finds nobody behind the releases' hosts.
#[cfg(test)]
pub(super) fn unreachable() -> reqwest::Client {
    let nowhere = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
    let hosts = ["dl.k8s.io", "get.helm.sh", "github.com"];
    hosts.iter().fold(builder().no_proxy(), |builder, host| builder.resolve(host, nowhere)).build().unwrap()
}

/// Downloads `binary` into the file `part`. What fails its checksum is not written there.
pub(super) async fn download(client: &reqwest::Client, binary: Binary, part: &Path) -> Result<(), Error> {
    take(client, &release(binary), part).await
}

async fn take(client: &reqwest::Client, release: &Release, part: &Path) -> Result<(), Error> {
    let expected = expected(client, release).await?;
    let packed = part.with_extension("download");
    let saved = save(client, &release.url, &packed).await;
    // Half a download is of no use, and a build in its stead would leave it there for good.
    let found = saved.inspect_err(|_| drop(std::fs::remove_file(&packed)))?;
    if found != expected {
        std::fs::remove_file(&packed).map_err(|source| cache_error(&packed, source))?;
        return Err(Error::Checksum { url: release.url.clone(), expected, found });
    }
    unpack(release, &packed, part)?;
    std::fs::remove_file(&packed).map_err(|source| cache_error(&packed, source))
}

async fn expected(client: &reqwest::Client, release: &Release) -> Result<String, Error> {
    let refused = |source| Error::Download { url: release.sums.clone(), source };
    let answer = client.get(&release.sums).send().await.and_then(reqwest::Response::error_for_status);
    let list = answer.map_err(refused)?.text().await.map_err(refused)?;
    let file = release.url.rsplit('/').next().unwrap_or_default();
    checksum(&list, file).ok_or_else(|| Error::Unlisted { url: release.sums.clone(), file: file.into() })
}

/// Finds the checksum of `file` in a list: either lines of `hash  name`, or the hash alone.
fn checksum(list: &str, file: &str) -> Option<String> {
    let is_hash = |word: &str| word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    list.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let hash = words.next().filter(|word| is_hash(word))?;
        let named = words.next().is_none_or(|name| name.trim_start_matches('*') == file);
        named.then(|| hash.to_ascii_lowercase())
    })
}

/// Writes what `url` sends to `path` and returns its SHA-256 in hexadecimal.
async fn save(client: &reqwest::Client, url: &str, path: &Path) -> Result<String, Error> {
    let refused = |source| Error::Download { url: url.into(), source };
    let mut answer =
        client.get(url).send().await.and_then(reqwest::Response::error_for_status).map_err(refused)?;
    let mut file = File::create(path).map_err(|source| cache_error(path, source))?;
    let mut sum = Sha256::new();
    while let Some(bytes) = answer.chunk().await.map_err(refused)? {
        sum.update(&bytes);
        file.write_all(&bytes).map_err(|source| cache_error(path, source))?;
    }
    Ok(hex(&sum.finalize()))
}

fn unpack(release: &Release, packed: &Path, part: &Path) -> Result<(), Error> {
    let mut input = File::open(packed).map_err(|source| cache_error(packed, source))?;
    let Some(member) = &release.member else {
        return write(&mut input, part);
    };
    let refused = |source| Error::Archive { url: release.url.clone(), member: member.clone(), source };
    let mut archive = tar::Archive::new(GzDecoder::new(input));
    for entry in archive.entries().map_err(|source| refused(Some(source)))? {
        let mut entry = entry.map_err(|source| refused(Some(source)))?;
        if entry.path().is_ok_and(|path| path == Path::new(member)) {
            return write(&mut entry, part);
        }
    }
    Err(refused(None))
}

fn write(input: &mut impl Read, path: &Path) -> Result<(), Error> {
    let copied = File::create(path).and_then(|mut file| io::copy(input, &mut file));
    copied.map(drop).map_err(|source| cache_error(path, source))
}

/// Where the publisher of `binary` has it.
fn release(binary: Binary) -> Release {
    let (name, version, arch) = (binary.name(), binary.component().version(), architecture());
    match binary.component() {
        Component::Kubernetes => {
            let url = format!("https://dl.k8s.io/release/{version}/bin/linux/{arch}/{name}");
            Release { sums: format!("{url}.sha256"), url, member: None }
        }
        Component::Etcd => {
            let folder = format!("https://github.com/etcd-io/etcd/releases/download/{version}");
            let stem = format!("etcd-{version}-linux-{arch}");
            let url = format!("{folder}/{stem}.tar.gz");
            Release { url, sums: format!("{folder}/SHA256SUMS"), member: Some(format!("{stem}/etcd")) }
        }
        Component::Coredns => {
            let number = version.trim_start_matches('v');
            let folder = format!("https://github.com/coredns/coredns/releases/download/{version}");
            let url = format!("{folder}/coredns_{number}_linux_{arch}.tgz");
            Release { sums: format!("{url}.sha256"), url, member: Some("coredns".into()) }
        }
        Component::Helm => {
            let url = format!("https://get.helm.sh/helm-{version}-linux-{arch}.tar.gz");
            Release { sums: format!("{url}.sha256sum"), url, member: Some(format!("linux-{arch}/helm")) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::routing::get;
    use flate2::write::GzEncoder;

    const HASH: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    /// A client for servers on loopback, which speak plain HTTP.
    fn loopback() -> reqwest::Client {
        builder().no_proxy().build().unwrap()
    }

    /// Serves `content` and `list` on loopback and describes them as a release.
    async fn publish(content: Vec<u8>, list: String, member: Option<&str>) -> Release {
        let router = Router::new()
            .route("/tool", get(move || async move { content }))
            .route("/sums", get(move || async move { list }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Release { url: format!("{base}/tool"), sums: format!("{base}/sums"), member: member.map(Into::into) }
    }

    fn archive(member: &str, content: &[u8]) -> Vec<u8> {
        let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), flate2::Compression::fast()));
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o755);
        builder.append_data(&mut header, member, content).unwrap();
        builder.into_inner().unwrap().finish().unwrap()
    }

    #[tokio::test]
    async fn a_plain_file_with_the_right_sum_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let part = folder.path().join("tool.part");
        let release = publish(b"test".to_vec(), HASH.into(), None).await;
        take(&loopback(), &release, &part).await.unwrap();
        assert_eq!(std::fs::read(&part).unwrap(), b"test");
    }

    #[tokio::test]
    async fn an_altered_file_is_refused_and_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let part = folder.path().join("tool.part");
        let release = publish(b"tent".to_vec(), format!("{HASH}  tool\n"), None).await;
        let error = take(&loopback(), &release, &part).await.unwrap_err();
        assert!(matches!(error, Error::Checksum { .. }), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "something was kept");
    }

    #[tokio::test]
    async fn the_binary_is_taken_out_of_its_archive() {
        let folder = tempfile::tempdir().unwrap();
        let part = folder.path().join("helm.part");
        let packed = archive("linux-amd64/helm", b"binary");
        let sum = hex(&Sha256::digest(&packed));
        let release = publish(packed, format!("{sum}  tool\n"), Some("linux-amd64/helm")).await;
        take(&loopback(), &release, &part).await.unwrap();
        assert_eq!(std::fs::read(&part).unwrap(), b"binary");
    }

    #[tokio::test]
    async fn a_file_that_is_missing_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let mut release = publish(Vec::new(), HASH.into(), None).await;
        release.url += "-of-another-name";
        let error = take(&loopback(), &release, &folder.path().join("x.part")).await.unwrap_err();
        assert!(matches!(error, Error::Download { .. }), "{error}");
    }

    #[tokio::test]
    async fn plain_http_is_refused() {
        let release = publish(b"test".to_vec(), HASH.into(), None).await;
        assert!(client().unwrap().get(&release.url).send().await.is_err());
        assert!(loopback().get(&release.url).send().await.is_ok());
    }

    #[test]
    fn checksums_are_found_by_name_or_alone() {
        let other = "a".repeat(64);
        let list = format!("{other}  etcd-linux-arm64.tar.gz\n{HASH} *etcd-linux-amd64.tar.gz\n");
        assert_eq!(checksum(&list, "etcd-linux-amd64.tar.gz").as_deref(), Some(HASH));
        assert_eq!(checksum(HASH, "kubelet").as_deref(), Some(HASH));
        assert_eq!(checksum(&list, "etcd-linux-s390x.tar.gz"), None);
        assert_eq!(checksum("<html>Not found</html>", "kubelet"), None);
    }

    #[test]
    fn urls_follow_each_publisher() {
        let arch = architecture();
        let cases = [
            (Binary::Kubelet, format!("https://dl.k8s.io/release/v1.37.2/bin/linux/{arch}/kubelet")),
            (Binary::Helm, format!("https://get.helm.sh/helm-v4.3.1-linux-{arch}.tar.gz")),
            (
                Binary::Etcd,
                format!(
                    "https://github.com/etcd-io/etcd/releases/download/v3.7.3/etcd-v3.7.3-linux-{arch}.tar.gz"
                ),
            ),
            (
                Binary::Coredns,
                format!(
                    "https://github.com/coredns/coredns/releases/download/v1.15.0/coredns_1.15.0_linux_{arch}.tgz"
                ),
            ),
        ];
        for (binary, url) in cases {
            assert_eq!(release(binary).url, url);
        }
    }
}
