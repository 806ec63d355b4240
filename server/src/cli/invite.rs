//! `onscene invite`: the way in for who runs the hub.

use std::io::Write;

use clap::Args;
use onscene_sync_core::id::PersonId;

use super::CliError;
use crate::app::App;
use crate::auth::Role;
use crate::auth::signin::invitation;
use crate::config::Config;
use crate::http::accounts::new_invitation;
use crate::store::{RowExt as _, StoreError, Tx};

#[derive(Debug, Args)]
pub(super) struct InviteArgs {
    /// Which administrator; the longest-serving one unless it is said.
    #[arg(long)]
    person: Option<PersonId>,
}

pub(super) async fn run(
    args: InviteArgs,
    config: Config,
    out: &mut (impl Write + Send),
) -> Result<(), CliError> {
    let app = App::open(config).await?;
    let invited =
        app.store.with_tx("cli.invite", (app.clone(), args.person), |tx, (app, wanted)| {
            Box::pin(async move {
                let Some((person, name)) = administrator(tx, *wanted).await? else {
                    return Ok(None);
                };
                let (new, issued) = new_invitation(app, person);
                invitation::insert(tx, &new, None).await?;
                Ok::<_, StoreError>(Some((person, name, issued)))
            })
        });
    let invited = invited.await?;
    app.store.close().await;
    let Some((person, name, issued)) = invited else {
        return Err(CliError::Invite(
            "there is no such administrator: GET /v1/people shows everybody and their roles"
                .to_owned(),
        ));
    };
    writeln!(
        out,
        "{name} ({person}) is invited until {}",
        app.config.bureau.local(issued.expires_at)
    )?;
    writeln!(out, "code: {}", issued.code.0)?;
    Ok(writeln!(
        out,
        "choose a login name and a password with it: POST {}/v1/sign-in/invitation",
        app.config.http.public_url
    )?)
}

async fn administrator(
    tx: &mut Tx,
    wanted: Option<PersonId>,
) -> Result<Option<(PersonId, String)>, StoreError> {
    let rows = sqlx::query(
        "SELECT person_id, name FROM person WHERE role = $1 AND closed_at IS NULL \
         ORDER BY created_at, person_id",
    )
    .bind(Role::Administrator.as_str())
    .fetch_all(tx.conn())
    .await?;
    for row in rows {
        let person = PersonId::from_bytes(row.array("person_id")?);
        if wanted.is_none_or(|wanted| wanted == person) {
            return Ok(Some((person, row.text("name")?)));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_administrator_is_invited_and_nobody_else() {
        let dir = tempfile::tempdir().unwrap();
        let config = Config::for_tests(dir.path());
        let mut out = Vec::new();
        run(InviteArgs { person: None }, config.clone(), &mut out).await.unwrap();
        let out = String::from_utf8(out).unwrap();
        assert!(out.starts_with("First administrator ("), "{out}");
        assert!(out.contains("code: oni_") && out.contains("/v1/sign-in/invitation"), "{out}");
        let stranger = InviteArgs { person: Some(PersonId::from_bytes([9; 16])) };
        let refused = run(stranger, config, &mut Vec::new()).await.unwrap_err();
        assert!(refused.to_string().contains("no such administrator"), "{refused}");
    }
}
