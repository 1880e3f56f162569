//! A checkpoint's chat template: Jinja, in the dialect of transformers.

use std::path::{Path, PathBuf};

use engine::Conversation;
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, ErrorKind, Value, context};
use serde::Deserialize;

use crate::tokens::Tokens;

/// The template by itself, which goes before the one in the tokenizer's configuration.
const TEMPLATE: &str = "chat_template.jinja";
/// The tokenizer's configuration.
const CONFIG: &str = "tokenizer_config.json";
/// Steps that a template may take: the longest in use take some thousands.
const STEPS: u64 = 1_000_000;
/// The largest template, in bytes; those of models with tools have some twenty thousand.
const LARGEST: usize = 1 << 20;

/// Why a chat template can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// A file is there and cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The tokenizer's configuration is none.
    #[error("{} is not a tokenizer's configuration", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// A template is too long to be one.
    #[error("the template has more than {LARGEST} bytes")]
    TooLong,
    /// The template is no Jinja, or refuses a system and a user message.
    #[error("{0}: use the template of the model's makers, as chat_template.jinja in the model's folder")]
    Jinja(String),
    /// The template takes the messages and does not say them.
    #[error(
        "the chat template leaves out what the user says: use the template of the model's makers, as chat_template.jinja in \
         the model's folder"
    )]
    Deaf,
}

/// A template that was parsed.
#[derive(Debug)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    marks: Marks,
    roles: Roles,
}

/// Whose messages a template knows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Roles {
    SystemAndUser,
    /// The user says what the system would.
    UserAlone,
}

/// Words that no template changes, to see what becomes of messages.
const PROBES: [&str; 2] = ["alpha", "omega"];

/// What of the tokenizer's configuration a template is told.
#[derive(Clone, Debug, Default, Deserialize)]
struct Marks {
    #[serde(default, rename = "bos_token")]
    opening: Option<Mark>,
    #[serde(default, rename = "eos_token")]
    closing: Option<Mark>,
    #[serde(default, rename = "chat_template")]
    template: Option<Templates>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Mark {
    Text(String),
    Token { content: String },
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Templates {
    One(String),
    Named(Vec<Named>),
}

#[derive(Clone, Debug, Deserialize)]
struct Named {
    name: String,
    template: String,
}

impl Marks {
    fn open(folder: &Path) -> Result<Self, TemplateError> {
        let path = folder.join(CONFIG);
        match read(&path)? {
            None => Ok(Self::default()),
            Some(text) => serde_json::from_str(&text).map_err(|source| TemplateError::Parse { path, source }),
        }
    }

    /// The template itself; of several the one named `default`, else the first.
    fn template(&self) -> Option<&str> {
        match self.template.as_ref()? {
            Templates::One(text) => Some(text),
            Templates::Named(all) => {
                let chosen = all.iter().find(|it| it.name == "default").or_else(|| all.first());
                chosen.map(|it| it.template.as_str())
            }
        }
    }
}

impl Mark {
    fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Token { content: text } => text,
        }
    }
}

impl ChatTemplate {
    /// The template of the model in a folder, if it has one.
    ///
    /// # Errors
    /// When there is one that can't be read or is no Jinja.
    pub fn open(folder: &Path) -> Result<Option<Self>, TemplateError> {
        let marks = Marks::open(folder)?;
        let text = match read(&folder.join(TEMPLATE))? {
            Some(text) => Some(text),
            None => marks.template().map(str::to_owned),
        };
        text.map(|text| Self::new(text, marks)).transpose()
    }

    /// The template that the weights bring along, if they do.
    ///
    /// # Errors
    /// When it is no Jinja.
    pub fn of_weights(weights: &Conversation, tokens: &Tokens) -> Result<Option<Self>, TemplateError> {
        let mark = |token: Option<u32>| token.and_then(|token| tokens.name(token)).map(Mark::Text);
        let Conversation { template, opening, closing } = weights;
        let marks = Marks { opening: mark(*opening), closing: mark(*closing), template: None };
        template.clone().map(|text| Self::new(text, marks)).transpose()
    }

    fn new(text: String, marks: Marks) -> Result<Self, TemplateError> {
        if text.len() > LARGEST {
            return Err(TemplateError::TooLong);
        }
        let mut environment = Environment::new();
        // As transformers sets Jinja up.
        environment.set_syntax(
            SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().expect("Jinja's own signs"),
        );
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", |message: String| -> Result<String, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, message))
        });
        // Templates come with a model from anywhere. `strftime_now` is left out on purpose: templates ask whether it is
        // there, and copy may not depend on the day on which it is written.
        environment.set_fuel(Some(STEPS));
        environment.add_template_owned("chat", text).map_err(|error| jinja(&error))?;
        let probed = Self { environment, marks, roles: Roles::SystemAndUser };
        let roles = probed.roles()?;
        Ok(Self { roles, ..probed })
    }

    /// Some templates refuse a message of the system, and some leave it out in silence.
    fn roles(&self) -> Result<Roles, TemplateError> {
        let [system, user] = PROBES;
        let says_both = |told: &String| PROBES.iter().all(|probe| told.contains(probe));
        if self.rendered(Roles::SystemAndUser, system, user).is_ok_and(|told| says_both(&told)) {
            return Ok(Roles::SystemAndUser);
        }
        let told = self.rendered(Roles::UserAlone, system, user)?;
        if says_both(&told) { Ok(Roles::UserAlone) } else { Err(TemplateError::Deaf) }
    }

    /// A conversation of one system and one user message, up to where the model answers. Where the template knows no
    /// system message, the user says both.
    ///
    /// # Errors
    /// When the template refuses.
    pub fn render(&self, system: &str, user: &str) -> Result<String, TemplateError> {
        self.rendered(self.roles, system, user)
    }

    fn rendered(&self, roles: Roles, system: &str, user: &str) -> Result<String, TemplateError> {
        let message = |role: &str, content: &str| context! { role => role, content => content };
        let messages: Vec<Value> = match roles {
            Roles::SystemAndUser => vec![message("system", system), message("user", user)],
            Roles::UserAlone => vec![message("user", &format!("{system}\n\n{user}"))],
        };
        let mark = |mark: &Option<Mark>| mark.as_ref().map(|it| it.text().to_owned()).unwrap_or_default();
        let told = context! {
            messages,
            add_generation_prompt => true,
            enable_thinking => false,
            bos_token => mark(&self.marks.opening),
            eos_token => mark(&self.marks.closing),
        };
        let template = self.environment.get_template("chat").map_err(|error| jinja(&error))?;
        template.render(told).map_err(|error| jinja(&error))
    }
}

fn jinja(error: &Error) -> TemplateError {
    TemplateError::Jinja(error.to_string())
}

/// A file's text; nothing where there is no file.
fn read(path: &Path) -> Result<Option<String>, TemplateError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(TemplateError::Read { path: path.to_owned(), source }),
    }
}
