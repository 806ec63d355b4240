//! Reading the configuration and refusing what is wrong in it by name.

use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Format as _, Toml};
use thiserror::Error;

use super::Config;

/// Variables that start like ours and are not keys.
const NOT_KEYS: [&str; 2] = ["config", "test_postgres"];

/// A configuration that cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file that was asked for is not there.
    #[error("{0}: no such file: make one with `onscene check --print-example`")]
    NoFile(PathBuf),
    /// A key is unknown or its value has the wrong type.
    #[error("{place}: {what}: see `onscene check --print-example` for every key and its form")]
    Key {
        /// File or variable, and the key.
        place: String,
        /// What is wrong.
        what: String,
    },
    /// A value makes no sense.
    #[error("`{key}` {mend}")]
    Value {
        /// The key.
        key: &'static str,
        /// What it must be.
        mend: &'static str,
    },
}

impl Config {
    /// Reads `file` if given, then the environment over it.
    ///
    /// # Errors
    /// When the file is absent, a key unknown or a value wrong: the text names it.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let mut figment = Figment::new();
        if let Some(file) = file {
            if !file.is_file() {
                return Err(ConfigError::NoFile(file.to_owned()));
            }
            figment = figment.merge(Toml::file_exact(file));
        }
        Self::extract(&figment.merge(Env::prefixed("ONSCENE_").ignore(&NOT_KEYS).split("__")))
    }

    fn extract(figment: &Figment) -> Result<Self, ConfigError> {
        let config: Self = figment.extract().map_err(|error| {
            let source = error.metadata.as_ref().map_or_else(String::new, |metadata| {
                metadata
                    .source
                    .as_ref()
                    .map_or_else(|| metadata.name.to_string(), std::string::ToString::to_string)
            });
            let key = error.path.join(".");
            ConfigError::Key { place: format!("{source} `{key}`"), what: error.kind.to_string() }
        })?;
        config.validate()?;
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(toml: &str) -> String {
        Config::extract(&Figment::new().merge(Toml::string(toml))).unwrap_err().to_string()
    }

    #[test]
    fn an_empty_file_gives_the_defaults() {
        assert_eq!(Config::extract(&Figment::new()).unwrap(), Config::default());
    }

    #[test]
    fn an_unknown_key_or_a_bad_value_is_refused_by_name() {
        let unknown = refused("[http]\nlisten_on = \"x\"");
        assert!(unknown.contains("listen_on") && unknown.contains("one of"), "{unknown}");
        let section = refused("[htpp]\n");
        assert!(section.contains("htpp"), "{section}");
        let of_wrong_type = refused("[database]\nconnections = \"many\"");
        assert!(of_wrong_type.contains("database.connections"), "{of_wrong_type}");
        let senseless = refused("[bureau]\nutc_offset_min = 5000");
        assert!(senseless.contains("`bureau.utc_offset_min` must be between"), "{senseless}");
        let issuer = refused("[oidc]\nissuer = \"http://id.example.org\"");
        assert!(issuer.contains("`oidc.issuer` must be an https://"), "{issuer}");
        let client = refused("[oidc]\nissuer = \"https://id.example.org\"");
        assert!(client.contains("`oidc.redirect_url`"), "{client}");
        let url = refused("[database]\nurl = \"mysql://x\"");
        assert!(url.contains("`database.url` must start with postgres://"), "{url}");
    }

    #[test]
    fn a_password_does_not_show() {
        let mut config = Config::default();
        config.database.url.0 = "postgres://u:hunter2@db/onscene".to_owned();
        assert!(!format!("{config:?}").contains("hunter2"));
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = Config::load(Some(Path::new("/nowhere/onscene.toml"))).unwrap_err();
        assert!(error.to_string().starts_with("/nowhere/onscene.toml: no such file"));
    }
}
