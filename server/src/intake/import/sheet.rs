//! A line of a table as a case.

use onscene_sync_core::fact::body::Channel;
use onscene_sync_core::place::{Datum, Site};

use super::headings::{Field, Headings};
use super::table::{Line, Table};
use super::{Draft, Item, cells, matter_of};
use crate::cases::site::{Circle, Degrees, SiteForm};
use crate::intake::matters::Matter;
use crate::vault::record::Complainant;

/// Lines above the headings at most: titles.
const TITLES: usize = 5;

/// What does not stand in a file itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choices {
    /// Datum of coordinates where no column says it.
    pub datum: Option<Datum>,
    /// Minutes by which the bureau's clocks are ahead of UTC.
    pub utc_offset_min: i32,
    /// Radius of a site where no column says it, metres.
    pub radius_m: f64,
}

/// A table's cases.
#[derive(Debug, Clone, PartialEq)]
pub struct Sheet {
    /// The line of the headings, and titles above it.
    pub head: Vec<Line>,
    /// Headings of the columns that are not read.
    pub unread: Vec<String>,
    /// The cases, in order.
    pub items: Vec<Item<Line>>,
}

/// Reads the cases of a table. `open` are the kinds of matter that may be named.
///
/// # Errors
/// When the headings are not found or may mean two things.
pub fn read(table: &Table, open: &[Matter], choices: Choices) -> Result<Sheet, String> {
    let (above, headings) = find_headings(table)?;
    let (head, rest) = table.lines.split_at(above + 1);
    let item = |line: &Line| {
        let read = table.cells(line).and_then(|cells| draft(&headings, &cells, open, choices));
        Item { line: line.number, raw: line.clone(), read }
    };
    let items = rest.iter().map(item).collect();
    Ok(Sheet { head: head.to_vec(), unread: headings.unread.clone(), items })
}

fn find_headings(table: &Table) -> Result<(usize, Headings), String> {
    for (above, line) in table.lines.iter().take(TITLES).enumerate() {
        let found = table.cells(line).ok().map(|cells| Headings::read(&cells)).transpose()?;
        if let Some(headings) = found.flatten() {
            return Ok((above, headings));
        }
    }
    Err(format!(
        "no line of headings was found among the first {TITLES}: a column `事项` (matter) and a column \
         `内容` (summary) must be there"
    ))
}

/// The cells of a line by what they mean.
struct Row<'r> {
    headings: &'r Headings,
    cells: &'r [String],
}

impl Row<'_> {
    fn get(&self, field: Field) -> &str {
        let at = self.headings.columns.iter().position(|column| *column == Some(field));
        at.and_then(|at| self.cells.get(at)).map_or("", |cell| cell)
    }

    /// Reads a cell; what is wrong names the column, and the word unless it is about a person.
    fn read<T>(&self, field: Field, read: impl Fn(&str) -> Result<T, String>) -> Result<T, String> {
        let word = self.get(field);
        read(word).map_err(|why| {
            let shown: String = word.chars().take(40).collect();
            let shown = if field.is_personal() { String::new() } else { format!(" `{shown}`") };
            format!("{field:?}{shown} {why}")
        })
    }
}

fn draft(
    headings: &Headings,
    cells: &[String],
    open: &[Matter],
    choices: Choices,
) -> Result<Draft, String> {
    let (found, expected) = (cells.len(), headings.columns.len());
    if cells.iter().skip(expected).any(|cell| !cell.is_empty()) {
        return Err(format!(
            "has {found} cells, the headings {expected}: is a comma not in quotation marks?"
        ));
    }
    let row = Row { headings, cells };
    let matter = matter_of(open, row.get(Field::Matter))?;
    let summary = match (row.get(Field::Place), row.get(Field::Summary)) {
        (_, "") => return Err("says nothing of what the matter is".to_owned()),
        ("", summary) => summary.to_owned(),
        (place, summary) => format!("{place}：{summary}"),
    };
    let reference = Some(row.get(Field::Reference).to_owned()).filter(|text| !text.is_empty());
    Ok(Draft {
        reference,
        class: row.read(Field::Class, cells::class)?,
        channel: row.read(Field::Channel, cells::channel)?.unwrap_or(Channel::Transfer),
        matter: matter.key.clone(),
        summary,
        raised_at: row.read(Field::RaisedAt, |text| cells::moment(text, choices.utc_offset_min))?,
        site: site(&row, choices)?,
        grave: row.read(Field::Grave, cells::yes)?,
        link: None,
        closed: None,
        complainant: complainant(&row)?,
        content: content(&row),
    })
}

fn site(row: &Row<'_>, choices: Choices) -> Result<Option<Site>, String> {
    let number = |text: &str| match text {
        "" => Ok(None),
        text => text.parse::<f64>().map(Some).map_err(|_| "is no number".to_owned()),
    };
    let (lat, lon) = match (row.read(Field::Latitude, number)?, row.read(Field::Longitude, number)?)
    {
        (Some(lat), Some(lon)) => (lat, lon),
        (None, None) => return Ok(None),
        _ => return Err("has only one of latitude and longitude".to_owned()),
    };
    let datum = row.read(Field::Datum, cells::datum)?.or(choices.datum).ok_or(
        "has coordinates of no named datum: add a column `坐标系` (WGS84, GCJ02 or BD09), or say \
         --datum for the whole file",
    )?;
    let radius_m = row.read(Field::Radius, number)?.unwrap_or(choices.radius_m);
    let circle = Some(Circle { centre: Degrees { lat, lon }, radius_m });
    let form = SiteForm { datum, circle, polygon: None, corridor: None };
    form.to_site().map(Some).map_err(|error| error.to_string())
}

fn complainant(row: &Row<'_>) -> Result<Option<Complainant>, String> {
    let parts = [("name", Field::Name), ("number", Field::Number), ("address", Field::HomeAddress)];
    if parts.iter().all(|(_, field)| row.get(*field).is_empty()) {
        return Ok(None);
    }
    let fields = parts.map(|(key, field)| (key.to_owned(), row.get(field).into()));
    Complainant::try_from(serde_json::Value::Object(fields.into_iter().collect())).map(Some)
}

/// All that is read of a line, in an order that does not hang on the columns'.
fn content(row: &Row<'_>) -> Vec<u8> {
    let mut fields: Vec<Field> = row.headings.columns.iter().flatten().copied().collect();
    fields.sort_unstable();
    let parts = fields.into_iter().filter(|field| !row.get(*field).is_empty());
    parts.flat_map(|field| format!("{field:?}={}\n", row.get(field)).into_bytes()).collect()
}
