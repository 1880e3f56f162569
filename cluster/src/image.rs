//! Writes container images without a container engine: files of this machine, packed as a Docker archive.
//!
//! The same files give the same bytes. The format is the one of `docker save`, which containerd imports:
//! <https://github.com/moby/docker-image-spec/blob/main/spec.md>.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::hex;

/// An image with one layer.
#[derive(Clone, Debug)]
pub struct Image {
    /// Its name with a tag, such as `broadside.local/echo:1`. A name without a registry's host is taken for one of
    /// Docker's by Kubernetes.
    pub reference: String,
    /// The program and its first arguments.
    pub entrypoint: Vec<String>,
    /// The user it runs as, best by number, such as `65532`: `runAsNonRoot` cannot judge a name.
    pub user: String,
    /// Files of this machine and their absolute paths inside; all readable and executable by everybody.
    pub files: Vec<(PathBuf, String)>,
}

impl Image {
    /// Writes the archive and returns the image's ID, `sha256:` and the sum of its configuration. A file of that name is
    /// replaced; on an error what is there is no archive.
    pub fn write(&self, archive: &Path) -> io::Result<String> {
        let layer = archive.with_added_extension("layer");
        let packed = self.write_layer(&layer).and_then(|sum| self.pack(archive, &layer, &sum));
        let removed = fs::remove_file(&layer);
        packed.and_then(|id| removed.map(|()| id))
    }

    /// Returns the SHA-256 of the layer.
    fn write_layer(&self, layer: &Path) -> io::Result<String> {
        let mut builder = tar::Builder::new(Summing { file: File::create(layer)?, sum: Sha256::new() });
        for (source, inside) in &self.files {
            let file = File::open(source)?;
            let size = file.metadata()?.len();
            append(&mut builder, inside.trim_start_matches('/'), size, file)?;
        }
        Ok(hex(&builder.into_inner()?.sum.finalize()))
    }

    fn pack(&self, archive: &Path, layer: &Path, sum: &str) -> io::Result<String> {
        let config = self.config(sum).to_string();
        let id = hex(&Sha256::digest(&config));
        let config_name = format!("{id}.json");
        let layer_name = format!("{sum}.tar");
        let manifest = json!([{"Config": config_name, "RepoTags": [self.reference], "Layers": [layer_name]}])
            .to_string();
        let mut builder = tar::Builder::new(File::create(archive)?);
        let file = File::open(layer)?;
        let size = file.metadata()?.len();
        append(&mut builder, &layer_name, size, file)?;
        append(&mut builder, &config_name, config.len() as u64, config.as_bytes())?;
        append(&mut builder, "manifest.json", manifest.len() as u64, manifest.as_bytes())?;
        builder.into_inner()?.sync_data()?;
        Ok(format!("sha256:{id}"))
    }

    fn config(&self, layer_sum: &str) -> serde_json::Value {
        json!({
            "architecture": crate::fetch::architecture(),
            "os": "linux",
            "config": {"Entrypoint": self.entrypoint, "User": self.user},
            "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{layer_sum}")]},
        })
    }
}

fn append(
    builder: &mut tar::Builder<impl Write>,
    path: &str,
    size: u64,
    content: impl Read,
) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(0o755);
    builder.append_data(&mut header, path, content)
}

/// Sums what passes through to a file.
struct Summing {
    file: File,
    sum: Sha256,
}

impl Write for Summing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.sum.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(folder: &Path) -> Image {
        let file = folder.join("tool");
        fs::write(&file, "content").unwrap();
        Image {
            reference: "broadside.local/tool:1".into(),
            entrypoint: vec!["/bin/tool".into()],
            user: "65532".into(),
            files: vec![(file, "/bin/tool".into())],
        }
    }

    fn read(archive: &Path) -> std::collections::BTreeMap<String, Vec<u8>> {
        let mut archive = tar::Archive::new(File::open(archive).unwrap());
        let entries = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            (entry.path().unwrap().display().to_string(), content)
        });
        entries.collect()
    }

    #[test]
    fn the_manifest_leads_to_a_layer_with_the_sum_that_the_configuration_states() {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("tool.tar");
        let id = image(folder.path()).write(&archive).unwrap();
        let files = read(&archive);
        let manifest: serde_json::Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
        let config: serde_json::Value =
            serde_json::from_slice(&files[manifest[0]["Config"].as_str().unwrap()]).unwrap();
        let layer = &files[manifest[0]["Layers"][0].as_str().unwrap()];
        let stated = config["rootfs"]["diff_ids"][0].as_str().unwrap();
        assert_eq!(stated, format!("sha256:{}", hex(&Sha256::digest(layer))));
        assert_eq!(config["config"]["User"], "65532");
        assert!(files.contains_key(&format!("{}.json", id.trim_start_matches("sha256:"))), "{id}");
    }

    #[test]
    fn the_same_files_give_the_same_bytes_and_nothing_is_left_beside_them() {
        let folder = tempfile::tempdir().unwrap();
        let image = image(folder.path());
        let [one, two] = ["one.tar", "two.tar"].map(|name| folder.path().join(name));
        image.write(&one).unwrap();
        image.write(&two).unwrap();
        assert_eq!(fs::read(&one).unwrap(), fs::read(&two).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }
}
