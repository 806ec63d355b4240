//! A roster from a table, as a spreadsheet writes it: all of its lines are taken, or none.
//!
//! The headings are 单位 `unit`, 人员 `person`, 岗位 `post`, 开始 `from`, 结束 `until`, in any order; units and
//! people go by their name or id.

use std::collections::BTreeMap;

use onscene_sync_core::id::{PersonId, UnitId};
use onscene_sync_core::limits::DUTY_IMPORT_ROWS;
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::Serialize;

use super::shift::{Plan, ShiftPost};
use crate::intake::import::cells::moment;
use crate::intake::import::table::{Line, Table};

/// A line that cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct WrongLine {
    /// Its number in the file, from 1.
    pub line: u64,
    /// What is wrong and how to mend it.
    pub why: String,
}

/// Units and people by what a table may call them.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    units: BTreeMap<String, Vec<UnitId>>,
    people: BTreeMap<String, Vec<(PersonId, UnitId)>>,
}

impl Directory {
    /// Adds a unit.
    pub fn unit(&mut self, id: UnitId, name: &str) {
        self.units.entry(name.to_owned()).or_default().push(id);
        self.units.entry(id.to_string()).or_default().push(id);
    }

    /// Adds a person of a unit.
    pub fn person(&mut self, id: PersonId, unit: UnitId, name: &str) {
        self.people.entry(name.to_owned()).or_default().push((id, unit));
        self.people.entry(id.to_string()).or_default().push((id, unit));
    }

    fn find_unit(&self, text: &str) -> Result<UnitId, String> {
        match self.units.get(text).map_or(&[][..], Vec::as_slice) {
            [unit] => Ok(*unit),
            [] => Err(format!("`{text}` is no unit within your reach: write its name or its id")),
            _ => Err(format!("`{text}` is the name of several units: write the id")),
        }
    }

    /// The person of this name, of the unit itself if there are several.
    fn find_person(&self, text: &str, unit: UnitId) -> Result<PersonId, String> {
        let named = self.people.get(text).map_or(&[][..], Vec::as_slice);
        let own: Vec<_> = named.iter().filter(|person| person.1 == unit).collect();
        match (&own[..], named) {
            ([one], _) => Ok(one.0),
            ([], [one]) => Ok(one.0),
            ([], []) => {
                Err(format!("`{text}` is nobody within your reach: write the name or the id"))
            }
            _ => Err(format!("`{text}` is the name of several people: write the id")),
        }
    }
}

/// The columns of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Columns([usize; 5]);

const HEADINGS: [(&str, &[&str]); 5] = [
    ("unit", &["unit", "单位", "值班单位"]),
    ("person", &["person", "人员", "值班人员", "姓名"]),
    ("post", &["post", "岗位"]),
    ("from", &["from", "开始", "开始时间"]),
    ("until", &["until", "结束", "结束时间"]),
];

impl Columns {
    fn of(cells: &[String]) -> Result<Self, String> {
        let mut places = [0; 5];
        for (place, (name, words)) in places.iter_mut().zip(HEADINGS) {
            let found = cells.iter().position(|cell| {
                let cell = cell.to_lowercase();
                words.contains(&&cell[..])
            });
            *place = found.ok_or_else(|| {
                format!("there is no column `{name}` ({}): name it in the first line", words[1])
            })?;
        }
        Ok(Self(places))
    }
}

/// The shifts of a table, with their lines.
///
/// # Errors
/// Every line that is wrong.
pub fn read(
    file: Vec<u8>,
    directory: &Directory,
    utc_offset_min: i32,
) -> Result<Vec<(u64, Plan)>, Vec<WrongLine>> {
    let whole = |why: String| vec![WrongLine { line: 1, why }];
    let table = Table::read(file).map_err(|error| whole(error.to_string()))?;
    let [heading, lines @ ..] = &table.lines[..] else {
        return Err(whole("the table is empty: give headings and at least one shift".to_owned()));
    };
    if lines.is_empty() || lines.len() > DUTY_IMPORT_ROWS {
        let why = format!("the table has {} shifts: give 1 to {DUTY_IMPORT_ROWS}", lines.len());
        return Err(whole(why));
    }
    let columns = table.cells(heading).and_then(|cells| Columns::of(&cells)).map_err(whole)?;
    let (mut plans, mut wrong) = (Vec::with_capacity(lines.len()), Vec::new());
    for line in lines {
        match shift(&table, line, columns, directory, utc_offset_min) {
            Ok(plan) => plans.push((line.number, plan)),
            Err(why) => wrong.push(WrongLine { line: line.number, why }),
        }
    }
    if wrong.is_empty() { Ok(plans) } else { Err(wrong) }
}

fn shift(
    table: &Table,
    line: &Line,
    Columns(places): Columns,
    directory: &Directory,
    utc_offset_min: i32,
) -> Result<Plan, String> {
    let cells = table.cells(line)?;
    let [unit, person, post, from, until] =
        places.map(|place| cells.get(place).map_or("", String::as_str));
    let unit = directory.find_unit(unit)?;
    let time = |column: &str, text: &str| -> Result<Millis, String> {
        let at = moment(text, utc_offset_min).map_err(|why| format!("`{column}` {why}"))?;
        at.ok_or_else(|| format!("`{column}` is empty: write it as 2026-11-23 08:00"))
    };
    Ok(Plan {
        unit,
        person: directory.find_person(person, unit)?,
        post: post_of(post)?,
        from: time("from", from)?,
        until: time("until", until)?,
    })
}

fn post_of(word: &str) -> Result<ShiftPost, String> {
    match &word.to_lowercase()[..] {
        "desk" | "值守" | "值班" | "值班员" => Ok(ShiftPost::Desk),
        "team" | "备勤" => Ok(ShiftPost::Team),
        "leader" | "带班" | "带班领导" => Ok(ShiftPost::Leader),
        _ => Err(format!("`post` is `{word}`: write 值守 (desk), 备勤 (team) or 带班 (leader)")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SQUAD: UnitId = UnitId::from_bytes([1; 16]);
    const OTHER: UnitId = UnitId::from_bytes([2; 16]);

    fn person(n: u8) -> PersonId {
        PersonId::from_bytes([n; 16])
    }

    fn directory() -> Directory {
        let mut directory = Directory::default();
        directory.unit(SQUAD, "泉城路中队");
        directory.unit(OTHER, "大明湖中队");
        directory.person(person(1), SQUAD, "李娜");
        directory.person(person(2), OTHER, "李娜");
        directory.person(person(3), OTHER, "王强");
        directory
    }

    fn lines(text: &str) -> Result<Vec<(u64, Plan)>, Vec<WrongLine>> {
        read(text.as_bytes().to_vec(), &directory(), 480)
    }

    #[test]
    fn a_table_of_a_spreadsheet_is_read_in_its_own_words() {
        let text = "岗位,单位,姓名,开始时间,结束时间\r\n值守,泉城路中队,李娜,2026-12-01 08:00,2026/12/2 8:00\r\n\
                    带班,泉城路中队,王强,2026-12-01 08:00,2026-12-02 08:00\r\n";
        let plans = lines(text).unwrap();
        // 2026-12-01T00:00Z.
        let from = Millis(1_796_083_200_000);
        let until = from.plus(86_400_000);
        assert_eq!(
            plans[0],
            (2, Plan { unit: SQUAD, person: person(1), post: ShiftPost::Desk, from, until })
        );
        assert_eq!((plans[1].1.person, plans[1].1.post), (person(3), ShiftPost::Leader));
    }

    #[test]
    fn every_wrong_line_is_named_at_once() {
        let text = "unit,person,post,from,until\n\
                    泉城路中队,李娜,desk,2026-12-01 08:00,2026-12-02 08:00\n\
                    没有中队,李娜,desk,2026-12-01 08:00,2026-12-02 08:00\n\
                    泉城路中队,赵六,desk,2026-12-01 08:00,2026-12-02 08:00\n\
                    泉城路中队,李娜,cook,2026-12-01 08:00,2026-12-02 08:00\n\
                    泉城路中队,李娜,desk,tomorrow,2026-12-02 08:00\n\
                    泉城路中队,李娜,desk,2026-12-01 08:00,\n";
        let wrong = lines(text).unwrap_err();
        assert_eq!(wrong.iter().map(|one| one.line).collect::<Vec<_>>(), [3, 4, 5, 6, 7]);
        for (one, said) in wrong.iter().zip(["没有中队", "赵六", "cook", "`from`", "`until`"])
        {
            assert!(one.why.contains(said), "{one:?}");
        }
        let wrong = lines("unit,person\n泉城路中队,李娜\n").unwrap_err();
        assert!(wrong[0].why.contains("岗位"), "{wrong:?}");
        assert!(lines("").unwrap_err()[0].why.contains("empty"));
    }

    #[test]
    fn a_name_of_several_people_is_not_guessed() {
        let mut directory = directory();
        directory.person(person(4), SQUAD, "李娜");
        let text = "unit,person,post,from,until\n泉城路中队,李娜,desk,2026-12-01,2026-12-02\n";
        let wrong = read(text.as_bytes().to_vec(), &directory, 480).unwrap_err();
        assert!(wrong[0].why.contains("several people"), "{wrong:?}");
        let text = text.replace("李娜", &person(4).to_string());
        assert_eq!(read(text.into_bytes(), &directory, 480).unwrap()[0].1.person, person(4));
    }

    proptest! {
        #[test]
        fn no_file_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _either = read(bytes, &directory(), 480);
        }
    }
}
