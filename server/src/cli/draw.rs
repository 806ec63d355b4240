//! `onscene draw …`: a published draw in the hands of whoever doubts it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Write};
use std::path::{Path, PathBuf};

use clap::Subcommand;
use onscene_sync_core::id::Hash;
use onscene_sync_core::limits::DRAW_FILE_BYTES;

use super::CliError;
use crate::bundle::verify::Line;
use crate::supervision::files::{NAMES, verify as repeat};

#[derive(Debug, Subcommand)]
pub(super) enum DrawCommand {
    /// Repeat a draw from its published files and say what that proves. Needs no database and no
    /// network; exits with 1 when something is not as it should be.
    Verify {
        /// The folder with `commitment.txt`, `list.txt`, `supervisors.txt`, and as far as they are
        /// there `commitment.tlog-proof`, `seed.txt`, `drawn.txt`.
        folder: PathBuf,
        /// The hub's public key, 64 hexadecimal digits, as the bureau publishes it.
        #[arg(long, value_name = "HEX")]
        key: Option<Hash>,
    },
}

pub(super) fn verify(
    folder: &Path,
    key: Option<Hash>,
    out: &mut impl Write,
) -> Result<(), CliError> {
    let mut files = BTreeMap::new();
    for name in NAMES {
        files.extend(read(&folder.join(name))?.map(|text| (name, text)));
    }
    let lines = repeat(&files, key);
    lines.iter().try_for_each(|line| writeln!(out, "{line}"))?;
    if lines.iter().any(|line| matches!(line, Line::Fails(_))) {
        return Err(CliError::CheckFailed);
    }
    Ok(())
}

fn read(path: &Path) -> Result<Option<String>, CliError> {
    let at = |source| CliError::Read { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(at(error)),
    };
    let mut text = String::new();
    file.take(DRAW_FILE_BYTES).read_to_string(&mut text).map_err(at)?;
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use onscene_sync_core::fact::body::CaseClass;
    use onscene_sync_core::id::{DocId, PersonId, UnitId};
    use onscene_sync_core::rules::draw::{
        Commitment, DrawRules, Eligible, Supervisor, draw, drawn_text, list_text, root_of_lines,
        supervisors_text,
    };
    use onscene_sync_core::time::Millis;

    use super::*;

    #[test]
    fn a_folder_of_published_files_is_repeated_and_a_changed_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        let said = |key| {
            let mut out = Vec::new();
            let result = verify(dir.path(), key, &mut out);
            (result.is_ok(), String::from_utf8(out).unwrap())
        };
        assert!(said(None).1.contains("commitment.txt is missing"));
        let unit = UnitId::from_bytes([1; 16]);
        let case = DocId::from_bytes([2; 16]);
        let list = BTreeSet::from([Eligible { case, unit, class: CaseClass::Help }]);
        let unit = UnitId::from_bytes([3; 16]);
        let people = BTreeSet::from([Supervisor { person: PersonId::from_bytes([4; 16]), unit }]);
        let rules = DrawRules { share_ppm: 50_000, per_unit: 1, at_most: 60 };
        let commitment = Commitment {
            draw: DocId::from_bytes([5; 16]),
            from: Millis(0),
            to: Millis(1),
            frozen_at: Millis(2),
            cases: 1,
            list: root_of_lines(&list_text(&list)),
            supervisors: root_of_lines(&supervisors_text(&people)),
            rules,
            salt: Some(Hash::from_bytes([6; 32])),
            source: "drand quicknet round 1".to_owned(),
        };
        let seed = "ab".repeat(32);
        write("commitment.txt", &commitment.to_text());
        write("list.txt", &list_text(&list));
        write("supervisors.txt", &supervisors_text(&people));
        assert!(said(None).1.contains("not proven  which cases are drawn: there is no seed yet"));
        write("seed.txt", &(seed.clone() + "\n"));
        let drawn = draw(&commitment, &seed.parse().unwrap(), &list, &people);
        write("drawn.txt", &drawn_text(&drawn));
        let (sound, out) = said(None);
        assert!(sound && out.contains("proven      the 1 drawn cases follow"), "{out}");
        assert!(out.contains("not proven  that the hub committed to it"), "{out}");
        write("drawn.txt", "");
        let (sound, out) = said(None);
        assert!(!sound && out.contains("FAIL        drawn.txt is not what"), "{out}");
    }
}
