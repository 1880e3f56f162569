//! What was typed, and what it means.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use api::wire::part::Part;
use api::{DurationError, NoNamespace, Scope};
use clap::{Args, Parser, Subcommand};

use crate::auth::files::ApiKeyFiles;
use crate::auth::{Account, NoAccount};
use crate::cors::{NoOrigin, Origins};
use crate::decide::{NoCookie, VisitorCookie};
use crate::ledger::export::Format;
use crate::ledger::export::schedule::Schedule;
use crate::ledger::stream::Place;
use crate::probe::ProbeArgs;
use crate::size::Size;
use crate::telemetry::LogFormat;
use crate::tls::{CertificateFiles, TlsArgs};

/// Broadside's roles on the path of traffic: `decide` answers which copy a person sees, `ledger` records what they did.
#[derive(Clone, Debug, Parser)]
#[command(name = "gateway", version)]
pub struct Cli {
    /// What this process does.
    #[command(subcommand)]
    pub command: CommandArgs,
    /// What is logged: a level, or directives such as `info,gateway=debug`.
    #[arg(long, global = true, env = "BROADSIDE_LOG", default_value = "info")]
    pub log: String,
    /// How a line of the log looks.
    #[arg(long, global = true, env = "BROADSIDE_LOG_FORMAT", value_enum, default_value = "text")]
    pub log_format: LogFormat,
}

/// What a process does.
#[derive(Clone, Debug, Subcommand)]
pub enum CommandArgs {
    /// Answer which copy a person sees. Stateless: run two or more.
    Decide(CommonArgs),
    /// Record exposures and rewards, and sum them. Run one, on a volume; behind a stream, one for each part.
    Ledger(LedgerArgs),
    /// Both in one process, for a single machine.
    All(LedgerArgs),
    /// Print what was shown and what came of it, a line of JSON for each exposure that was counted and is still in the log,
    /// oldest first; or write it to a file, as Parquet too. The ledger may run meanwhile.
    Export(ExportArgs),
    /// Say what of a ledger can't be read, and set it aside where that is asked for.
    Repair(RepairArgs),
    /// Copy a ledger as it is at this moment to another folder. The ledger may run meanwhile.
    Backup(BackupArgs),
    /// Make a ledger from a backup, all of which is verified before anything is written.
    Restore(RestoreArgs),
    /// Ask gateway and ledger as an application would, and print a line for each check. Fails unless all is well.
    Probe(ProbeArgs),
}

/// What a process with a ledger takes.
#[derive(Args, Clone, Debug)]
pub struct LedgerArgs {
    /// What every role takes.
    #[command(flatten)]
    pub common: CommonArgs,
    /// The folder of the ledger, on a volume that outlives the process.
    #[arg(long, env = "BROADSIDE_DATA", value_name = "DIR")]
    pub data: PathBuf,
    /// Which of several ledgers behind one stream this is: `0/2` and `1/2` for two, up to 64. Each has the campaigns of its
    /// part, and a folder of its own, which stays of that part. `0/1` has all.
    #[arg(
        long,
        env = "BROADSIDE_PART",
        value_name = "I/N",
        default_value_t = Part::WHOLE,
        requires = "servers",
        hide_default_value = true
    )]
    pub part: Part,
    /// How long what was accepted is kept in the log for `gateway export`, such as `30d`; as long as the ledger itself needs
    /// it where nothing is said. Kept or not, the oldest goes before an event is refused for want of room.
    #[arg(long, env = "BROADSIDE_KEEP_LOG", value_name = "DURATION")]
    pub keep_log: Option<String>,
    /// How much room what is only kept may take, such as `20Gi`: the oldest goes before its time.
    #[arg(long, env = "BROADSIDE_KEEP_LOG_SIZE", value_name = "SIZE", requires = "keep_log")]
    pub keep_log_size: Option<Size>,
    /// The ServiceAccount that is told totals, as `system:serviceaccount:NAMESPACE:NAME`: who asks shows a token of it for
    /// the audience `broadside-ledger`, and the API server is asked whose it is. Without it everyone is told.
    #[arg(long, env = "BROADSIDE_TOTALS_ACCOUNT", value_name = "ACCOUNT")]
    pub totals_account: Option<String>,
    /// Where and how often what was counted is exported, where it is.
    #[command(flatten)]
    pub export: ScheduleArgs,
}

/// What exports by schedule are.
#[derive(Args, Clone, Debug)]
pub struct ScheduleArgs {
    /// A folder for exports, for this ledger alone: a file goes there after each period, of the exposures that were counted
    /// in it. What is there is yours: nothing is ever removed.
    #[arg(long, env = "BROADSIDE_EXPORT_DIR", value_name = "DIR", requires = "export_every")]
    pub export_dir: Option<PathBuf>,
    /// How long a period is, such as `1d`, in UTC; a minute at least. Keep the log longer than that and the longest window
    /// of a campaign together: `--keep-log`.
    #[arg(long, env = "BROADSIDE_EXPORT_EVERY", value_name = "DURATION", requires_all = ["export_dir", "keep_log"])]
    pub export_every: Option<String>,
    /// How these files are written.
    #[arg(long, env = "BROADSIDE_EXPORT_FORMAT", value_enum, default_value_t, requires = "export_every")]
    pub export_format: Format,
}

/// What an export takes.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct ExportArgs {
    /// The folder of the ledger.
    #[arg(long, env = "BROADSIDE_DATA", value_name = "DIR")]
    pub data: PathBuf,
    /// Only this campaign's lines.
    #[arg(long, value_name = "UID")]
    pub campaign: Option<String>,
    /// How it is written.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// The file that it is written to, which is there once it is whole. Else lines of JSON are printed.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// What a repair takes.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct RepairArgs {
    /// The folder of the ledger, which must not run.
    #[arg(long, env = "BROADSIDE_DATA", value_name = "DIR")]
    pub data: PathBuf,
    /// Set aside what can't be read, and all that follows it. Without this, nothing is changed.
    #[arg(long)]
    pub set_aside: bool,
}

/// What a backup takes.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct BackupArgs {
    /// The folder of the ledger. It is only read.
    #[arg(long, env = "BROADSIDE_DATA", value_name = "DIR")]
    pub data: PathBuf,
    /// The folder of the backup: empty, or not there.
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
}

/// What a restore takes.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct RestoreArgs {
    /// The folder of the backup. It is only read.
    #[arg(long, value_name = "DIR")]
    pub from: PathBuf,
    /// The folder of the ledger: empty, or not there.
    #[arg(long, env = "BROADSIDE_DATA", value_name = "DIR")]
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
    /// The namespaces whose tables are served, with commas between them, or again for each; or `all`. Files are not filtered.
    #[arg(
        long,
        env = "BROADSIDE_NAMESPACE",
        default_value = "all",
        value_name = "NAME,..|all",
        value_delimiter = ','
    )]
    pub namespace: Vec<String>,
    /// The file of the release's secret, at least 32 bytes; the same for every process of a release.
    #[arg(long, env = "BROADSIDE_KEY_FILE", value_name = "FILE")]
    pub key_file: PathBuf,
    /// Record each person's decision too, so that a variant that is shown more seldom than the others is found early. The
    /// process records by itself (`all`), or to a stream (`--nats`).
    #[arg(long, env = "BROADSIDE_RECORD_DECISIONS")]
    pub record_decisions: bool,
    /// The origins whose web pages may read answers, such as `https://shop.example`, or `*` for all; with commas between
    /// them, or again for each.
    #[arg(long, env = "BROADSIDE_ALLOW_ORIGIN", value_name = "ORIGIN|*", value_delimiter = ',')]
    pub allow_origin: Vec<String>,
    /// The name of a cookie by which pages that send no subject are known again. It is set for visitors who allow measuring.
    #[arg(long, env = "BROADSIDE_VISITOR_COOKIE", value_name = "NAME")]
    pub visitor_cookie: Option<String>,
    /// The domain to whose hosts that cookie is sent, such as `shop.example`; the gateway's own host where none is named.
    #[arg(long, env = "BROADSIDE_VISITOR_DOMAIN", value_name = "DOMAIN", requires = "visitor_cookie")]
    pub visitor_domain: Option<String>,
    /// A folder of the keys with which applications ask, `NAMESPACE.NAME` each, 32 bytes or more of text; without it
    /// everyone is answered.
    #[arg(long, env = "BROADSIDE_API_KEYS", value_name = "DIR")]
    pub api_keys: Option<PathBuf>,
    /// How many requests each of these keys may send in a second to this process, and as many at once.
    #[arg(long, env = "BROADSIDE_RATE_LIMIT", value_name = "NUMBER", requires = "api_keys")]
    pub rate_limit: Option<NonZeroU32>,
    /// With what connections are encrypted, where they are.
    #[command(flatten)]
    pub tls: TlsArgs,
    /// What the stream of events is, where there is one.
    #[command(flatten)]
    pub nats: NatsArgs,
}

/// What was typed, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Serve.
    Serve(Box<Config>),
    /// Print the log, or write it to a file.
    Export(ExportArgs),
    /// Mend the ledger.
    Repair(RepairArgs),
    /// Copy the ledger.
    Backup(BackupArgs),
    /// Make it from its copy.
    Restore(RestoreArgs),
    /// Ask others.
    Probe(ProbeArgs),
}

/// What the stream of events is.
#[derive(Args, Clone, Debug)]
pub struct NatsArgs {
    /// The servers of NATS JetStream, with commas between them, such as `nats://nats:4222`: events go to a stream there, and
    /// every role takes them; a ledger follows it.
    #[arg(long = "nats", env = "BROADSIDE_NATS", value_name = "URL,..")]
    pub servers: Option<String>,
    /// The credentials file that names this client to them.
    #[arg(
        long = "nats-credentials",
        env = "BROADSIDE_NATS_CREDENTIALS",
        value_name = "FILE",
        requires = "servers"
    )]
    pub credentials: Option<PathBuf>,
    /// The stream's name. Its subjects are `NAME.events.>`; one that is not there is made.
    #[arg(
        long = "nats-stream",
        env = "BROADSIDE_NATS_STREAM",
        value_name = "NAME",
        default_value = "broadside"
    )]
    pub stream: String,
    /// On how many servers a stream that is made is kept: three survive the loss of one.
    #[arg(long = "nats-replicas", env = "BROADSIDE_NATS_REPLICAS", value_name = "N", default_value = "1", value_parser = clap::value_parser!(u8).range(1..=5))]
    pub replicas: u8,
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
    /// The cookie by which visitors are known again, where they are.
    pub visitors: Option<VisitorCookie>,
    /// The keys with which applications ask, where they are asked for.
    pub api_keys: Option<ApiKeyFiles>,
    /// Where the certificate lies, where connections are encrypted.
    pub tls: Option<CertificateFiles>,
    /// The stream that events go to, where there is one.
    pub stream: Option<Place>,
    /// What becomes of decisions.
    pub decisions: Decisions,
}

/// What becomes of the decisions of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decisions {
    /// Nobody is told.
    Untold,
    /// They are recorded, each person's once.
    Recorded,
}

/// What a process does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// It decides.
    Decide,
    /// It records, in that folder.
    Ledger(Recording),
    /// It does both.
    All(Recording),
}

/// Where it is recorded, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// The ledger's folder.
    pub data: PathBuf,
    /// The part of the stream that it has; all there is without a stream.
    pub part: Part,
    /// How long the log is kept beyond what the ledger needs.
    pub keep_log: Duration,
    /// How much room that may take at most.
    pub kept_in: Size,
    /// The account that is told totals; everyone where none is named.
    pub totals_account: Option<Account>,
    /// Where and how often what was counted is exported, where it is.
    pub export: Option<Schedule>,
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
    /// A namespace is none.
    #[error("--namespace: {0}, or `all`")]
    NoNamespace(#[from] NoNamespace),
    /// All namespaces, and some.
    #[error("--namespace: `all` has every other in it: name those that are served, or leave them out")]
    AllAndSome,
    /// An origin is none.
    #[error("--allow-origin: {0}")]
    NoOrigin(NoOrigin),
    /// A cookie is none.
    #[error(transparent)]
    NoCookie(#[from] NoCookie),
    /// Any page could ask in its visitors' names.
    #[error(
        "--allow-origin: `*` lets any page ask with --visitor-cookie in its visitors' names: name the origins of yours"
    )]
    CookieForAnyOrigin,
    /// A process has no decisions, or no place to record them.
    #[error(
        "--record-decisions: this process decides and records nothing: use `gateway all`, or `gateway decide` with --nats"
    )]
    NothingToRecord,
    /// The name of a stream can't be a part of a subject.
    #[error("--nats-stream: {0:?} is no name: write letters, digits, `-` and `_`, at most 64")]
    NoStream(String),
    /// An address of the stream would be logged with what is in it.
    #[error(
        "--nats: leave user and password out of the address, which is logged: --nats-credentials FILE names the client"
    )]
    Password,
    /// A duration is none.
    #[error("--keep-log: {0}")]
    NoDuration(DurationError),
    /// An account is none.
    #[error("--totals-account: {0}")]
    NoAccount(NoAccount),
    /// The length of a period is none.
    #[error("--export-every: {0}")]
    NoPeriod(DurationError),
    /// Each run reads the log.
    #[error("--export-every: the log is read for each file: write a minute or more, such as 1h or 1d")]
    TooOften,
    /// A period would be gone from the log before it is exported.
    #[error(
        "--keep-log: longer than --export-every is needed: add the longest window of a campaign to it, such as 30d"
    )]
    KeptTooShort,
    /// Columns can't be printed.
    #[error("--format parquet: it is written to a file: name one with --out FILE")]
    NoFile,
}

impl TryFrom<CommandArgs> for Command {
    type Error = ConfigError;

    fn try_from(command: CommandArgs) -> Result<Self, ConfigError> {
        Ok(match command {
            CommandArgs::Decide(common) => Self::Serve(Box::new(Config::new(Role::Decide, common)?)),
            CommandArgs::Ledger(ledger) => {
                let (recording, common) = ledger.checked()?;
                Self::Serve(Box::new(Config::new(Role::Ledger(recording), common)?))
            }
            CommandArgs::All(ledger) => {
                let (recording, common) = ledger.checked()?;
                Self::Serve(Box::new(Config::new(Role::All(recording), common)?))
            }
            CommandArgs::Export(export) => Self::Export(export.checked()?),
            CommandArgs::Repair(repair) => Self::Repair(repair),
            CommandArgs::Backup(backup) => Self::Backup(backup),
            CommandArgs::Restore(restore) => Self::Restore(restore),
            CommandArgs::Probe(probe) => Self::Probe(probe),
        })
    }
}

impl LedgerArgs {
    fn checked(self) -> Result<(Recording, CommonArgs), ConfigError> {
        let Self { common, data, part, keep_log, keep_log_size, totals_account, export } = self;
        let seconds = keep_log.map(|typed| api::Duration(typed).seconds()).transpose();
        let keep_log = Duration::from_secs(seconds.map_err(ConfigError::NoDuration)?.unwrap_or(0));
        let totals_account = totals_account.map(|typed| typed.parse()).transpose();
        let totals_account = totals_account.map_err(ConfigError::NoAccount)?;
        let export = export.checked(keep_log)?;
        let kept_in = keep_log_size.unwrap_or(Size::ALL);
        Ok((Recording { data, part, keep_log, kept_in, totals_account, export }, common))
    }
}

impl ScheduleArgs {
    fn checked(self, keep_log: Duration) -> Result<Option<Schedule>, ConfigError> {
        let Self { export_dir: Some(folder), export_every: Some(every), export_format: format } = self else {
            return Ok(None);
        };
        let every = Duration::from_secs(api::Duration(every).seconds().map_err(ConfigError::NoPeriod)?);
        match every {
            _ if every < SHORTEST_PERIOD => Err(ConfigError::TooOften),
            _ if every >= keep_log => Err(ConfigError::KeptTooShort),
            _ => Ok(Some(Schedule { folder, every, format })),
        }
    }
}

/// The log is read for each export, which takes two seconds for a million subjects.
const SHORTEST_PERIOD: Duration = Duration::from_secs(60);

impl ExportArgs {
    fn checked(self) -> Result<Self, ConfigError> {
        if self.format == Format::Parquet && self.out.is_none() { Err(ConfigError::NoFile) } else { Ok(self) }
    }
}

impl Config {
    fn new(role: Role, common: CommonArgs) -> Result<Self, ConfigError> {
        let CommonArgs {
            listen,
            tables,
            namespace,
            key_file,
            record_decisions,
            allow_origin,
            visitor_cookie,
            visitor_domain,
            api_keys,
            rate_limit,
            tls,
            nats,
        } = common;
        let origins = Origins::parse(&allow_origin).map_err(ConfigError::NoOrigin)?;
        let cookie = |name: String| VisitorCookie::new(&name, visitor_domain.as_deref());
        let visitors = visitor_cookie.map(cookie).transpose()?;
        if visitors.is_some() && origins == Origins::Any {
            return Err(ConfigError::CookieForAnyOrigin);
        }
        let stream = nats.place()?;
        Ok(Self {
            decisions: decisions(record_decisions, &role, stream.as_ref())?,
            role,
            listen,
            source: source(&tables, &namespace)?,
            key_file,
            origins,
            visitors,
            api_keys: api_keys.map(|folder| ApiKeyFiles { folder, rate: rate_limit }),
            tls: tls.files(),
            stream,
        })
    }
}

fn decisions(are_recorded: bool, role: &Role, stream: Option<&Place>) -> Result<Decisions, ConfigError> {
    match role {
        _ if !are_recorded => Ok(Decisions::Untold),
        Role::Decide if stream.is_some() => Ok(Decisions::Recorded),
        Role::All(_) => Ok(Decisions::Recorded),
        Role::Decide | Role::Ledger(_) => Err(ConfigError::NothingToRecord),
    }
}

impl NatsArgs {
    fn place(self) -> Result<Option<Place>, ConfigError> {
        let Self { servers, credentials, stream, replicas } = self;
        let is_plain = |letter: u8| letter.is_ascii_alphanumeric() || matches!(letter, b'-' | b'_');
        if !(1..=64).contains(&stream.len()) || !stream.bytes().all(is_plain) {
            return Err(ConfigError::NoStream(stream));
        }
        if servers.as_ref().is_some_and(|servers| servers.contains('@')) {
            return Err(ConfigError::Password);
        }
        Ok(servers.map(|servers| Place { servers, credentials, stream, replicas: usize::from(replicas) }))
    }
}

fn source(tables: &str, namespaces: &[String]) -> Result<Source, ConfigError> {
    if tables == "kubernetes" {
        return scope(namespaces).map(Source::Cluster);
    }
    let folder = PathBuf::from(tables);
    if folder.is_dir() { Ok(Source::Folder(folder)) } else { Err(ConfigError::NoFolder(folder)) }
}

fn scope(namespaces: &[String]) -> Result<Scope, ConfigError> {
    match namespaces {
        [all] if all == "all" => Ok(Scope::All),
        some if some.iter().any(|name| name == "all") => Err(ConfigError::AllAndSome),
        some => Ok(some.iter().map(|name| name.parse()).collect::<Result<Vec<_>, _>>()?.into()),
    }
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
            match Command::try_from(cli.command)? {
                Command::Serve(config) => Ok(*config),
                other => panic!("{other:?} serves nothing"),
            }
        };
        let source = |line: &str| read(line).map(|config| config.source);
        assert_eq!(source("gateway decide --key-file k"), Ok(Source::Cluster(Scope::All)));
        let some = |names: &[&str]| {
            let names = names.iter().map(|name| name.parse().unwrap()).collect::<Vec<_>>();
            Source::Cluster(names.into())
        };
        assert_eq!(source("gateway decide --key-file k --namespace shop"), Ok(some(&["shop"])));
        for two in ["shop,blog", "blog --namespace shop"] {
            assert_eq!(
                source(&format!("gateway decide --key-file k --namespace {two}")),
                Ok(some(&["blog", "shop"]))
            );
        }
        let odd = source("gateway decide --key-file k --namespace shop,all");
        assert_eq!(odd, Err(ConfigError::AllAndSome));
        let odd = source("gateway decide --key-file k --namespace Shop").unwrap_err().to_string();
        assert!(odd.starts_with("--namespace: \"Shop\" names no namespace: write lower-case"), "{odd}");
        assert_eq!(source("gateway decide --key-file k --tables ."), Ok(Source::Folder(".".into())));
        let missing = ConfigError::NoFolder("/no/such".into());
        assert_eq!(source("gateway decide --key-file k --tables /no/such"), Err(missing));
        let role = |line: &str| read(line).map(|config| config.role);
        let recording = |days: u64| Recording {
            data: "/var/lib/ledger".into(),
            part: Part::WHOLE,
            keep_log: Duration::from_secs(days * 86_400),
            kept_in: Size::ALL,
            totals_account: None,
            export: None,
        };
        let ledger = role("gateway ledger --data /var/lib/ledger --key-file k");
        assert_eq!(ledger, Ok(Role::Ledger(recording(0))));
        let all = "gateway all --data /var/lib/ledger --key-file k --keep-log";
        assert_eq!(role(&format!("{all} 30d")), Ok(Role::All(recording(30))));
        let bounded = Recording { kept_in: Size(20 << 30), ..recording(30) };
        assert_eq!(role(&format!("{all} 30d --keep-log-size 20Gi")), Ok(Role::All(bounded)));
        let odd = Cli::try_parse_from(format!("{all} 30d --keep-log-size 20GB").split(' ')).unwrap_err();
        assert!(odd.to_string().contains("\"20GB\" is no size: write a whole number of bytes"), "{odd}");
        let odd = role(&format!("{all} month")).unwrap_err();
        assert!(odd.to_string().starts_with("--keep-log: \"month\" is no duration"), "{odd}");
        let odd = role("gateway ledger --data d --key-file k --totals-account operator").unwrap_err();
        let remedy =
            "--totals-account: \"operator\" is no account: write system:serviceaccount:NAMESPACE:NAME";
        assert_eq!(odd.to_string(), remedy);
        let exporting = format!("{all} 30d --export-dir exports --export-every");
        let schedule = role(&format!("{exporting} 1d --export-format parquet"));
        let every = Duration::from_secs(86_400);
        let schedule_of = |format| Some(Schedule { folder: "exports".into(), every, format });
        let expected = Recording { export: schedule_of(Format::Parquet), ..recording(30) };
        assert_eq!(schedule, Ok(Role::All(expected)));
        for (every, remedy) in [
            ("daily", r#"--export-every: "daily" is no duration: write it like"#),
            ("59s", "--export-every: the log is read for each file: write a minute or more"),
            ("30d", "--keep-log: longer than --export-every is needed"),
        ] {
            let odd = role(&format!("{exporting} {every}")).unwrap_err();
            assert!(odd.to_string().starts_with(remedy), "{odd}");
        }
        for (one, others) in [
            ("--export-dir exports", "--export-every <DURATION>"),
            ("--export-every 1d --keep-log 30d", "--export-dir <DIR>"),
            ("--export-every 1d --export-dir exports", "--keep-log <DURATION>"),
            ("--export-format parquet", "--export-every <DURATION>"),
        ] {
            let line = format!("gateway ledger --data d --key-file k {one}");
            let odd = Cli::try_parse_from(line.split(' ')).unwrap_err();
            assert!(odd.to_string().contains(others), "{odd}");
        }
        let origins = |line: &str| read(line).map(|config| config.origins);
        let two = "https://shop.example,http://localhost:3000";
        let listed = origins(&format!("gateway decide --key-file k --allow-origin {two}"));
        let again = two.replace(',', " --allow-origin ");
        assert_eq!(listed, origins(&format!("gateway decide --key-file k --allow-origin {again}")));
        assert!(matches!(listed, Ok(Origins::Listed(listed)) if listed.len() == 2));
        let odd = origins("gateway decide --key-file k --allow-origin https://shop.example/").unwrap_err();
        let remedy = r#"--allow-origin: "https://shop.example/" is no origin: write https://shop.example"#;
        assert_eq!(odd.to_string(), remedy);
        let visitors =
            |line: &str| read(&format!("gateway decide --key-file k {line}")).map(|config| config.visitors);
        let cookie = VisitorCookie::new("visitor", Some("shop.example")).unwrap();
        assert_eq!(visitors("--visitor-cookie visitor --visitor-domain shop.example"), Ok(Some(cookie)));
        let odd = visitors("--visitor-cookie visitor --allow-origin *");
        assert_eq!(odd, Err(ConfigError::CookieForAnyOrigin));
        let odd = visitors("--visitor-cookie a;b").unwrap_err();
        assert!(odd.to_string().starts_with("--visitor-cookie: \"a;b\" is no name"), "{odd}");
        let stream = |line: &str| read(line).map(|config| config.stream.map(|place| place.stream));
        let nats = "gateway decide --key-file k --nats";
        assert_eq!(stream(&format!("{nats} nats://a:4222,nats://b:4222")), Ok(Some("broadside".to_owned())));
        assert_eq!(stream(&format!("{nats} nats://me:secret@a:4222")), Err(ConfigError::Password));
        let odd = stream(&format!("{nats} nats://a:4222 --nats-stream a.b"));
        assert_eq!(odd, Err(ConfigError::NoStream("a.b".to_owned())));
        let ledger = "gateway ledger --data /var/lib/ledger --key-file k --part";
        let second = Recording { part: "1/2".parse().unwrap(), ..recording(0) };
        assert_eq!(role(&format!("{ledger} 1/2 --nats nats://a:4222")), Ok(Role::Ledger(second)));
        for (line, remedy) in [
            (format!("{ledger} 1/2"), "--nats <URL,..>"),
            (format!("{ledger} 2/2 --nats nats://a:4222"), "\"2/2\" is no part: write I/N for ledger I of N"),
        ] {
            let odd = Cli::try_parse_from(line.split(' ')).unwrap_err();
            assert!(odd.to_string().contains("--part") && odd.to_string().contains(remedy), "{odd}");
        }
        let decisions = |line: &str| {
            read(&format!("gateway {line} --key-file k --record-decisions")).map(|it| it.decisions)
        };
        assert_eq!(read("gateway decide --key-file k").map(|it| it.decisions), Ok(Decisions::Untold));
        assert_eq!(decisions("all --data d"), Ok(Decisions::Recorded));
        assert_eq!(decisions("decide --nats nats://a:4222"), Ok(Decisions::Recorded));
        assert_eq!(decisions("decide"), Err(ConfigError::NothingToRecord));
        assert_eq!(decisions("ledger --data d"), Err(ConfigError::NothingToRecord));
        let keys = "gateway decide --key-file k --api-keys keys --rate-limit 50";
        let rate = read(keys).map(|config| config.api_keys.and_then(|files| files.rate));
        assert_eq!(rate, Ok(NonZeroU32::new(50)));
        let odd = Cli::try_parse_from("gateway decide --key-file k --rate-limit 50".split(' ')).unwrap_err();
        assert!(odd.to_string().contains("--api-keys <DIR>"), "{odd}");
        let tls =
            read("gateway decide --key-file k --tls-cert tls.crt --tls-key tls.key").map(|config| config.tls);
        let files = CertificateFiles { certificate: "tls.crt".into(), key: "tls.key".into() };
        assert_eq!(tls, Ok(Some(files)));
        for (one, other) in [("--tls-cert", "--tls-key <FILE>"), ("--tls-key", "--tls-cert <FILE>")] {
            let odd = Cli::try_parse_from(["gateway", "decide", "--key-file", "k", one, "f"]).unwrap_err();
            assert!(odd.to_string().contains(other), "{odd}");
        }
        assert!(
            Cli::try_parse_from(["gateway", "ledger", "--key-file", "k"]).is_err(),
            "a ledger needs a volume"
        );
    }
}
