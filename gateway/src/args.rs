//! What was typed, and what it means.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::cors::{NoOrigin, Origins};
use crate::tables::cluster::Scope;
use crate::telemetry::LogFormat;

/// Broadside's roles on the path of traffic: `decide` answers which copy a person sees, `ledger` records what they did.
#[derive(Clone, Debug, Parser)]
#[command(name = "gateway", version)]
pub struct Cli {
    /// What this process does.
    #[command(subcommand)]
    pub role: RoleArgs,
    /// What is logged: a level, or directives such as `info,gateway=debug`.
    #[arg(long, global = true, env = "BROADSIDE_LOG", default_value = "info")]
    pub log: String,
    /// How a line of the log looks.
    #[arg(long, global = true, env = "BROADSIDE_LOG_FORMAT", value_enum, default_value = "text")]
    pub log_format: LogFormat,
}

/// What a process does.
#[derive(Clone, Debug, Subcommand)]
pub enum RoleArgs {
    /// Answer which copy a person sees. Stateless: run two or more.
    Decide(CommonArgs),
    /// Record exposures and rewards, and sum them. Run one, on a volume.
    Ledger(LedgerArgs),
    /// Both in one process, for a single machine.
    All(LedgerArgs),
}

/// What a process with a ledger takes.
#[derive(Args, Clone, Debug)]
pub struct LedgerArgs {
    /// What every role takes.
    #[command(flatten)]
    pub common: CommonArgs,
    /// The folder of the ledger, on a volume that outlives the process.
    #[arg(long, env = "BROADSIDE_DATA")]
    pub data: PathBuf,
}

/// What every role takes.
#[derive(Args, Clone, Debug)]
pub struct CommonArgs {
    /// Where to listen.
    #[arg(long, env = "BROADSIDE_LISTEN", default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,
    /// Where tables come from: `kubernetes`, or a folder of AdTable files (YAML or JSON, one table each).
    #[arg(long, env = "BROADSIDE_TABLES", default_value = "kubernetes", value_name = "kubernetes|DIR")]
    pub tables: String,
    /// The namespace whose tables are served, or `all`. Files are not filtered.
    #[arg(long, env = "BROADSIDE_NAMESPACE", default_value = "all", value_name = "NAME|all")]
    pub namespace: String,
    /// The file of the release's secret, at least 32 bytes; the same for every process of a release.
    #[arg(long, env = "BROADSIDE_KEY_FILE", value_name = "FILE")]
    pub key_file: PathBuf,
    /// The origins whose web pages may read answers, such as `https://shop.example`, or `*` for all; with commas between
    /// them, or again for each.
    #[arg(long, env = "BROADSIDE_ALLOW_ORIGIN", value_name = "ORIGIN|*", value_delimiter = ',')]
    pub allow_origin: Vec<String>,
}

/// A checked configuration. It holds no secret, only where the secret lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// What this process does.
    pub role: Role,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where tables come from.
    pub source: Source,
    /// The file of the release's secret.
    pub key_file: PathBuf,
    /// The origins whose pages may read answers.
    pub origins: Origins,
}

/// What a process does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// It decides.
    Decide,
    /// It records, in that folder.
    Ledger(PathBuf),
    /// It does both.
    All(PathBuf),
}

/// Where tables come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The API server.
    Cluster(Scope),
    /// A folder.
    Folder(PathBuf),
}

/// Why what was typed can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The folder of tables is none.
    #[error("--tables: {} is no folder: create it, or use `kubernetes`", .0.display())]
    NoFolder(PathBuf),
    /// The namespace is none.
    #[error("--namespace is empty: name one, or use `all`")]
    NoNamespace,
    /// An origin is none.
    #[error("--allow-origin: {0}")]
    NoOrigin(NoOrigin),
}

impl TryFrom<RoleArgs> for Config {
    type Error = ConfigError;

    fn try_from(role: RoleArgs) -> Result<Self, ConfigError> {
        let (role, common) = match role {
            RoleArgs::Decide(common) => (Role::Decide, common),
            RoleArgs::Ledger(LedgerArgs { common, data }) => (Role::Ledger(data), common),
            RoleArgs::All(LedgerArgs { common, data }) => (Role::All(data), common),
        };
        let CommonArgs { listen, tables, namespace, key_file, allow_origin } = common;
        let origins = Origins::parse(&allow_origin).map_err(ConfigError::NoOrigin)?;
        Ok(Self { role, listen, source: source(&tables, namespace)?, key_file, origins })
    }
}

fn source(tables: &str, namespace: String) -> Result<Source, ConfigError> {
    if tables == "kubernetes" {
        return match namespace.as_str() {
            "" => Err(ConfigError::NoNamespace),
            "all" => Ok(Source::Cluster(Scope::All)),
            _ => Ok(Source::Cluster(Scope::Namespace(namespace))),
        };
    }
    let folder = PathBuf::from(tables);
    if folder.is_dir() { Ok(Source::Folder(folder)) } else { Err(ConfigError::NoFolder(folder)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn what_is_typed_becomes_a_configuration() {
        Cli::command().debug_assert();
        let read = |line: &str| {
            let cli = Cli::try_parse_from(line.split_whitespace()).expect("it parses");
            Config::try_from(cli.role)
        };
        let source = |line: &str| read(line).map(|config| config.source);
        assert_eq!(source("gateway decide --key-file k"), Ok(Source::Cluster(Scope::All)));
        let one = Source::Cluster(Scope::Namespace("shop".into()));
        assert_eq!(source("gateway decide --key-file k --namespace shop"), Ok(one));
        assert_eq!(source("gateway decide --key-file k --tables ."), Ok(Source::Folder(".".into())));
        let missing = ConfigError::NoFolder("/no/such".into());
        assert_eq!(source("gateway decide --key-file k --tables /no/such"), Err(missing));
        let ledger = read("gateway ledger --data /var/lib/ledger --key-file k").map(|config| config.role);
        assert_eq!(ledger, Ok(Role::Ledger("/var/lib/ledger".into())));
        let all = read("gateway all --data /var/lib/ledger --key-file k").map(|config| config.role);
        assert_eq!(all, Ok(Role::All("/var/lib/ledger".into())));
        let origins = |line: &str| read(line).map(|config| config.origins);
        let two = "https://shop.example,http://localhost:3000";
        let listed = origins(&format!("gateway decide --key-file k --allow-origin {two}"));
        let again = two.replace(',', " --allow-origin ");
        assert_eq!(listed, origins(&format!("gateway decide --key-file k --allow-origin {again}")));
        assert!(matches!(listed, Ok(Origins::Listed(listed)) if listed.len() == 2));
        let odd = origins("gateway decide --key-file k --allow-origin https://shop.example/").unwrap_err();
        let remedy = r#"--allow-origin: "https://shop.example/" is no origin: write https://shop.example"#;
        assert_eq!(odd.to_string(), remedy);
        assert!(
            Cli::try_parse_from(["gateway", "ledger", "--key-file", "k"]).is_err(),
            "a ledger needs a volume"
        );
    }
}
