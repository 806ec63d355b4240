//! Real processes, killed at any moment: nothing that was acknowledged is lost, nothing is doubled.

#[cfg(test)]
mod phone;
#[cfg(test)]
mod server;

/// Kills of the phone in an ordinary run; `ONSCENE_KILLS` chooses another number. The server is
/// killed a fifth as often on SQLite and a twentieth as often on PostgreSQL.
const KILLS: u32 = 200;

/// Where the moments of the kills come from.
const SEED: u64 = 20_261_123;

fn kills() -> u32 {
    let chosen = std::env::var("ONSCENE_KILLS");
    chosen.map_or(KILLS, |text| text.parse().expect("ONSCENE_KILLS is a number"))
}

/// The text in an answer of the API.
fn text(value: &serde_json::Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("text expected, not {value}"))
}
