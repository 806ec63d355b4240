//! Workbooks (xlsx): a list of cases, and the figures of a period with charts that the reader's own
//! program draws.

use std::collections::BTreeMap;

use rust_xlsxwriter::{Chart, ChartType, Format, Workbook, Worksheet, XlsxError};

use super::sheet::HEADS;
use crate::statistics::counts::Counts;
use crate::statistics::figures::Figures;
use crate::statistics::indicator::{CASES, Indicator, ORDERS};
use crate::statistics::period::Period;
use crate::statistics::words;

/// Cases in one workbook: longer lists are for CSV, which is not held in memory.
pub const ROWS: usize = 50_000;

/// Groups that a chart shows.
const BARS: u32 = 20;

/// Cases as a table, each as [`HEADS`] name them. Cells are text, so none is a formula.
///
/// # Errors
/// When the workbook cannot be written.
pub fn of_cases(rows: &[[String; HEADS.len()]]) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    let bold = Format::new().set_bold();
    let sheet = workbook.add_worksheet().set_name("案件")?;
    for (column, head) in (0..).zip(HEADS) {
        sheet.write_string_with_format(0, column, head, &bold)?;
        sheet.set_column_width(column, if head == "内容" { 48 } else { 18 })?;
    }
    for (line, cells) in (1..).zip(rows) {
        for (column, cell) in (0..).zip(cells) {
            match cell.parse::<f64>() {
                Ok(degrees) if HEADS[usize::from(column)].contains("WGS-84") => {
                    sheet.write_number(line, column, degrees)?;
                }
                _ => {
                    sheet.write_string(line, column, cell)?;
                }
            }
        }
    }
    sheet.set_freeze_panes(1, 0)?;
    workbook.save_to_buffer()
}

/// The figures of a period: one sheet for each way to divide them.
///
/// # Errors
/// When the workbook cannot be written.
pub fn of_figures(period: Period, figures: &Figures) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    let whole = vec![(period.to_string(), figures.total.clone())];
    let units = figures.units.iter().map(|(unit, counts)| (unit.name.clone(), counts.clone()));
    let days = figures.days.iter().map(|(day, count)| (day.to_string(), *count));
    table(workbook.add_worksheet(), "总体", "期间", &whole, None)?;
    let arrival = Some(("按时到达率", "arrival_on_time"));
    table(workbook.add_worksheet(), "按单位", "单位", &units.collect::<Vec<_>>(), arrival)?;
    for (name, head, groups) in [
        ("按事项", "事项", named(&figures.matters, |key| figures.matter(key))),
        ("按类别", "类别", named(&figures.classes, words::class)),
        ("按渠道", "渠道", named(&figures.channels, words::channel)),
    ] {
        table(workbook.add_worksheet(), name, head, &groups, Some(("受理件数", "registered")))?;
    }
    daily(workbook.add_worksheet(), &days.collect::<Vec<_>>())?;
    workbook.save_to_buffer()
}

/// Groups under the words for people.
fn named<'f>(
    groups: &'f BTreeMap<String, Counts>,
    word: impl Fn(&'f str) -> &'f str,
) -> Vec<(String, Counts)> {
    groups.iter().map(|(key, counts)| (word(key).to_owned(), counts.clone())).collect()
}

/// A line for each group: all counts, then all rates; and a chart of one of them.
fn table(
    sheet: &mut Worksheet,
    name: &str,
    head: &str,
    groups: &[(String, Counts)],
    chart: Option<(&str, &str)>,
) -> Result<(), XlsxError> {
    sheet.set_name(name)?;
    let bold = Format::new().set_bold().set_text_wrap();
    let per_cent = Format::new().set_num_format("0.0%");
    sheet.write_string_with_format(0, 0, head, &bold)?;
    sheet.set_column_width(0, 28)?;
    let indicators: Vec<&Indicator> = CASES.iter().chain(&ORDERS).collect();
    let rates = Counts::default().rates();
    let titles = indicators.iter().map(|one| (one.name, one.title));
    let titles: Vec<_> = titles.chain(rates.iter().map(|rate| (rate.name, rate.title))).collect();
    for (column, (_, title)) in (1..).zip(&titles) {
        sheet.write_string_with_format(0, column, *title, &bold)?;
    }
    for (line, (key, counts)) in (1..).zip(groups) {
        sheet.write_string(line, 0, key)?;
        let mut column = 1;
        for indicator in &indicators {
            #[expect(clippy::cast_precision_loss, reason = "counts of cases are far below 2^53")]
            sheet.write_number(line, column, counts.of(indicator.name) as f64)?;
            column += 1;
        }
        for rate in counts.rates() {
            if let Some(share) = rate.share {
                sheet.write_number_with_format(line, column, share, &per_cent)?;
            }
            column += 1;
        }
    }
    sheet.set_freeze_panes(1, 1)?;
    let last = u32::try_from(groups.len()).unwrap_or(u32::MAX).min(BARS);
    let charted = chart.and_then(|(title, wanted)| {
        let rates_first = titles.iter().rposition(|(name, _)| *name == wanted)?;
        Some((title, u16::try_from(rates_first + 1).ok()?))
    });
    if let Some((title, column)) = charted.filter(|_| last > 0) {
        let mut chart = Chart::new(ChartType::Bar);
        let series = chart.add_series();
        series.set_categories((name, 1, 0, last, 0)).set_values((name, 1, column, last, column));
        series.set_name(title);
        chart.title().set_name(title);
        chart.legend().set_hidden();
        chart.y_axis().set_reverse();
        sheet.insert_chart(last + 3, 1, &chart)?;
    }
    Ok(())
}

fn daily(sheet: &mut Worksheet, days: &[(String, i64)]) -> Result<(), XlsxError> {
    const NAME: &str = "按日";
    sheet.set_name(NAME)?;
    sheet.set_column_width(0, 14)?;
    sheet.write_string(0, 0, "日期")?;
    sheet.write_string(0, 1, "受理")?;
    for (line, (day, count)) in (1..).zip(days) {
        sheet.write_string(line, 0, day)?;
        #[expect(clippy::cast_precision_loss, reason = "counts of cases are far below 2^53")]
        sheet.write_number(line, 1, *count as f64)?;
    }
    let last = u32::try_from(days.len()).unwrap_or(u32::MAX);
    if last > 0 {
        let mut chart = Chart::new(ChartType::Column);
        let series = chart.add_series();
        series.set_categories((NAME, 1, 0, last, 0)).set_values((NAME, 1, 1, last, 1));
        chart.title().set_name("每日受理件数");
        chart.legend().set_hidden();
        sheet.insert_chart(1, 3, &chart)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workbook_is_a_zip_that_holds_its_words_and_charts() {
        let mut figures = Figures::default();
        figures.matters.insert("noise".to_owned(), Counts::default());
        let bytes = of_figures(Period::month("2026-10").unwrap(), &figures).unwrap();
        assert_eq!(&bytes[..4], b"PK\x03\x04");
        let mut cells: [String; HEADS.len()] = Default::default();
        cells[4] = "=HYPERLINK(\"http://x\")".to_owned();
        assert_eq!(&of_cases(&[cells]).unwrap()[..2], b"PK");
    }
}
