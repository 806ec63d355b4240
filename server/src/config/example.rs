//! The example configuration, made from the sections' own words.

use serde::Serialize;

use super::{Config, Section};

impl Config {
    /// A complete file with every key, its meaning and its default.
    #[must_use]
    pub fn example() -> String {
        let config = Self::default();
        let mut text = String::from(
            "# Onscene's configuration. Every key is shown with its default and may be left out.\n\
             # A variable ONSCENE_<SECTION>__<KEY>, as ONSCENE_HTTP__LISTEN, takes precedence.\n",
        );
        write(&mut text, "http", &config.http);
        write(&mut text, "data", &config.data);
        write(&mut text, "blob", &config.blob);
        write(&mut text, "evidence", &config.evidence);
        write(&mut text, "database", &config.database);
        write(&mut text, "keys", &config.keys);
        write(&mut text, "sign_in", &config.sign_in);
        write(&mut text, "oidc", &config.oidc);
        write(&mut text, "bureau", &config.bureau);
        write(&mut text, "open311", &config.open311);
        write(&mut text, "cases", &config.cases);
        write(&mut text, "sms", &config.sms);
        write(&mut text, "log", &config.log);
        write(&mut text, "metrics", &config.metrics);
        text
    }
}

fn write<S: Section + Serialize>(text: &mut String, name: &str, section: &S) {
    let values = toml::Table::try_from(section).unwrap_or_default();
    text.push('\n');
    comment(text, S::ABOUT);
    text.push_str(&format!("[{name}]\n"));
    for (key, words) in S::KEYS {
        comment(text, words);
        match values.get(*key) {
            Some(value) => text.push_str(&format!("{key} = {value}\n")),
            None => text.push_str(&format!("#{key} =\n")),
        }
    }
}

fn comment(text: &mut String, words: &[&str]) {
    for line in words {
        text.push_str(&format!("#{line}\n"));
    }
}

#[cfg(test)]
mod tests {
    use figment::Figment;
    use figment::providers::{Format as _, Toml};

    use super::*;

    #[test]
    fn the_example_reads_back_as_the_defaults_and_shows_every_key() {
        let example = Config::example();
        let read: Config = Figment::new().merge(Toml::string(&example)).extract().unwrap();
        assert_eq!(read, Config::default());
        let shown = toml::Table::try_from(Config::default()).unwrap();
        for (section, keys) in shown {
            assert!(example.contains(&format!("[{section}]")), "{section}");
            for key in keys.as_table().unwrap().keys() {
                assert!(example.contains(&format!("\n{key} = ")), "{section}.{key}");
            }
        }
    }

    #[test]
    fn the_shipped_example_is_this_one() {
        let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/config.example.toml");
        assert_eq!(
            std::fs::read_to_string(shipped).unwrap(),
            Config::example(),
            "make it anew: onscene check --print-example > deploy/config.example.toml"
        );
    }
}
