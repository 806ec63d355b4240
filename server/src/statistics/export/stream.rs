//! CSV and GeoJSON, a page of cases at a time: however long the list is, one page is in memory.

use axum::body::{Body, Bytes};
use futures_util::stream::try_unfold;
use serde_json::{Value, json};

use super::sheet::{HEADS, Reading, defused};
use crate::app::App;
use crate::cases::list::{Filter, PAGE, Row, list};
use crate::store::StoreError;

/// What Excel needs to read UTF-8.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// The two forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// RFC 4180 with a byte order mark, heads in Chinese, cells that cannot be formulas.
    Csv,
    /// A feature collection, RFC 7946; cases without a place have no geometry.
    GeoJson,
}

/// A list that is being written.
struct Writing {
    app: App,
    form: Form,
    reading: Reading,
    filter: Filter,
    stage: Stage,
    rows: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Head,
    Rows,
    Tail,
    Done,
}

/// The cases of `filter` as a body. If the database fails half-way the body breaks off, so that
/// nobody takes a part for the whole.
pub fn body(app: App, form: Form, reading: Reading, filter: Filter) -> Body {
    let filter = Filter { limit: PAGE, ..filter };
    let writing = Writing { app, form, reading, filter, stage: Stage::Head, rows: 0 };
    Body::from_stream(try_unfold(writing, |mut writing| async move {
        let part = match writing.stage {
            Stage::Head => writing.head(),
            Stage::Rows => writing.page().await?,
            Stage::Tail => writing.tail(),
            Stage::Done => return Ok::<_, StoreError>(None),
        };
        Ok(Some((Bytes::from(part), writing)))
    }))
}

impl Writing {
    fn head(&mut self) -> String {
        self.stage = Stage::Rows;
        match self.form {
            Form::Csv => format!("{BYTE_ORDER_MARK}{}", csv_line(&HEADS.map(str::to_owned))),
            Form::GeoJson => "{\"type\":\"FeatureCollection\",\"features\":[\n".to_owned(),
        }
    }

    async fn page(&mut self) -> Result<String, StoreError> {
        let read = self
            .app
            .store
            .with_read("export.page", self.filter.clone(), |tx, filter| Box::pin(list(tx, filter)));
        let page = read.await?;
        let mut part = String::new();
        for row in &page.rows {
            match self.form {
                Form::Csv => part.push_str(&csv_line(&self.reading.cells(row))),
                Form::GeoJson => {
                    part.push_str(if self.rows == 0 { "" } else { ",\n" });
                    part.push_str(&self.feature(row).to_string());
                }
            }
            self.rows += 1;
        }
        self.filter.after = page.next;
        if page.next.is_none() {
            self.stage = Stage::Tail;
        }
        Ok(part)
    }

    fn tail(&mut self) -> String {
        self.stage = Stage::Done;
        match self.form {
            Form::Csv => String::new(),
            Form::GeoJson => "\n]}\n".to_owned(),
        }
    }

    fn feature(&self, row: &Row) -> Value {
        let geometry = row
            .place
            .map(|place| json!({ "type": "Point", "coordinates": [place.lon, place.lat] }));
        json!({
            "type": "Feature",
            "id": row.id,
            "geometry": geometry,
            "properties": {
                "number": row.number,
                "class": row.about["class"],
                "channel": row.about["channel"],
                "matter": row.about["matter"],
                "summary": row.about["summary"],
                "phase": row.phase,
                "unit": row.unit,
                "registered_at": self.reading.moment(Some(row.registered_at)),
                "verdict": row.verdict,
                "closed_at": row.closed_at.map(|at| self.reading.moment(Some(at))),
            },
        })
    }
}

/// One line of RFC 4180, defused.
fn csv_line(cells: &[String]) -> String {
    let mut line =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let written = line.write_record(cells.iter().map(|cell| defused(cell)));
    debug_assert!(written.is_ok(), "writing to memory cannot fail");
    String::from_utf8(line.into_inner().unwrap_or_default()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_quoted_where_it_must_be_and_never_a_formula() {
        let cells = ["a,b", "=1+1", "两\n行", "\"引\""].map(str::to_owned);
        let expected = "\"a,b\",'=1+1,\"两\n行\",\"\"\"引\"\"\"\r\n";
        assert_eq!(csv_line(&cells), expected);
    }
}
