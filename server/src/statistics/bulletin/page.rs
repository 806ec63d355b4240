//! Paragraphs, tables and bars of a document.

use docx_rs::{
    AlignmentType, HeightRule, LineSpacing, LineSpacingType, Paragraph, Run, RunFonts, Shading,
    ShdType, SpecialIndentType, Table, TableAlignmentType, TableBorder, TableBorderPosition,
    TableBorders, TableCell, TableCellMargins, TableLayoutType, TableRow, VAlignType, WidthType,
};

/// Width of the text on the page, twentieths of a point.
pub(super) const WIDTH: usize = 8_800;
/// Blue of the bars, grey of the heads, red of the title.
const BAR: &str = "2F5C8F";
const HEAD: &str = "E8EEF5";
pub(super) const RED: &str = "C00000";
/// Lines of a table that are kept on one page.
const TOGETHER: usize = 30;
/// Parts that a bar's lane is divided into.
const PARTS: i64 = 40;

/// Text: 仿宋 for what is read, 黑体 for heads; any machine without them takes what it has.
pub(super) fn body_font() -> RunFonts {
    RunFonts::new().east_asia("仿宋_GB2312").ascii("Times New Roman").hi_ansi("Times New Roman")
}

fn head_font() -> RunFonts {
    RunFonts::new().east_asia("黑体").ascii("Arial").hi_ansi("Arial")
}

/// Text of a size in half points.
pub(super) fn run(text: &str, size: usize) -> Run {
    Run::new().add_text(text).size(size).fonts(body_font())
}

pub(super) fn head_run(text: &str, size: usize) -> Run {
    Run::new().add_text(text).size(size).fonts(head_font())
}

/// A paragraph of the text, its first line set in by two characters.
pub(super) fn paragraph(text: &str) -> Paragraph {
    Paragraph::new()
        .add_run(run(text, 28))
        .indent(None, Some(SpecialIndentType::FirstLine(560)), None, None)
        .line_spacing(LineSpacing::new().line_rule(LineSpacingType::Exact).line(520))
        .align(AlignmentType::Both)
}

/// The head of a section.
pub(super) fn section(text: &str) -> Paragraph {
    Paragraph::new()
        .add_run(head_run(text, 30))
        .indent(None, Some(SpecialIndentType::FirstLine(560)), None, None)
        .line_spacing(LineSpacing::new().before(160).after(60))
        .keep_next(true)
        .outline_lvl(0)
}

/// The title of a table or chart.
pub(super) fn caption(text: &str) -> Paragraph {
    Paragraph::new()
        .add_run(head_run(text, 22))
        .align(AlignmentType::Center)
        .line_spacing(LineSpacing::new().before(140).after(60))
        .keep_next(true)
}

/// A gap after a table.
pub(super) fn gap() -> Paragraph {
    Paragraph::new().line_spacing(LineSpacing::new().line_rule(LineSpacingType::Exact).line(160))
}

/// A line of a table: its cells, and whether it is set apart.
pub(super) struct Line {
    pub(super) cells: Vec<String>,
    pub(super) bold: bool,
    pub(super) indent: usize,
}

/// A table whose first column is text and whose others are numbers. `widths` add up to [`WIDTH`].
pub(super) fn table(heads: &[&str], widths: &[usize], lines: &[Line]) -> Table {
    let head = heads.iter().zip(widths).map(|(head, width)| {
        let text = Paragraph::new().add_run(head_run(head, 19)).align(AlignmentType::Center);
        let text = text.keep_next(true);
        cell(text, *width).shading(Shading::new().shd_type(ShdType::Clear).fill(HEAD))
    });
    let mut rows = vec![TableRow::new(head.collect()).cant_split()];
    for (place, line) in lines.iter().enumerate() {
        // A short table stays on one page; a long one is cut between lines.
        let together = lines.len() <= TOGETHER && place + 1 < lines.len();
        let cells = line.cells.iter().zip(widths).enumerate().map(|(column, (text, width))| {
            let text = run(text, 20);
            let text = if line.bold { text.bold() } else { text };
            let paragraph = Paragraph::new().add_run(text).keep_next(together);
            let paragraph = if column == 0 {
                let left = i32::try_from(line.indent * 200 + 40).unwrap_or(40);
                paragraph.indent(Some(left), None, None, None)
            } else {
                paragraph.align(AlignmentType::Center)
            };
            cell(paragraph, *width)
        });
        let row = TableRow::new(cells.collect()).cant_split();
        rows.push(row.row_height(360.0).height_rule(HeightRule::AtLeast));
    }
    framed(Table::new(rows), widths)
}

/// Horizontal bars: a label, a bar against the longest, and what is written behind it.
pub(super) fn bars(lines: &[(String, i64, String)], full: i64) -> Table {
    const LABEL: usize = 2_300;
    const VALUE: usize = 1_700;
    let lane = WIDTH - LABEL - VALUE;
    let parts = usize::try_from(PARTS).unwrap_or(1);
    let mut grid = vec![LABEL];
    grid.extend(std::iter::repeat_n(lane / parts, parts));
    grid.push(VALUE);
    let rows = lines.iter().enumerate().map(|(place, (label, value, text))| {
        let length = usize::try_from(value.saturating_mul(PARTS) / full.max(1)).unwrap_or(0);
        let length = length.clamp(usize::from(*value > 0), parts);
        let together = place + 1 < lines.len();
        let words = |text: &str, align| {
            Paragraph::new().add_run(run(text, 20)).align(align).keep_next(together)
        };
        let mut cells = vec![cell(words(label, AlignmentType::Right), LABEL)];
        if length > 0 {
            let shade = Shading::new().shd_type(ShdType::Clear).fill(BAR);
            let bar = cell(words("", AlignmentType::Left), lane / parts * length);
            cells.push(bar.grid_span(length).shading(shade));
        }
        if length < parts {
            let rest = cell(words("", AlignmentType::Left), lane / parts * (parts - length));
            cells.push(rest.grid_span(parts - length));
        }
        cells.push(cell(words(text, AlignmentType::Left), VALUE));
        TableRow::new(cells).cant_split().row_height(380.0).height_rule(HeightRule::Exact)
    });
    // White lines keep the bars apart.
    Table::new(rows.collect())
        .set_grid(grid)
        .layout(TableLayoutType::Fixed)
        .width(WIDTH, WidthType::Dxa)
        .align(TableAlignmentType::Center)
        .set_borders(apart(TableBorderPosition::InsideH, TableBorderPosition::InsideV, 36))
}

/// White lines between the cells one way, none the other way and around.
fn apart(white: TableBorderPosition, none: TableBorderPosition, size: usize) -> TableBorders {
    TableBorders::new()
        .set(TableBorder::new(white).color("FFFFFF").size(size))
        .clear(none)
        .clear(TableBorderPosition::Top)
        .clear(TableBorderPosition::Left)
        .clear(TableBorderPosition::Right)
        .clear(TableBorderPosition::Bottom)
}

/// Upright bars, one for each day, in steps of a twelfth of the highest.
pub(super) fn columns(values: &[i64], labels: &[String]) -> Table {
    const STEPS: i64 = 12;
    let highest = values.iter().copied().max().unwrap_or(0).max(1);
    let width = WIDTH / values.len().max(1);
    let empty = || Paragraph::new().add_run(run("", 4)).keep_next(true);
    let mut rows: Vec<TableRow> = (0..STEPS)
        .rev()
        .map(|step| {
            let cells = values.iter().map(|value| {
                let filled = value * STEPS > step * highest;
                let fill = if filled { BAR } else { "FFFFFF" };
                let shade = Shading::new().shd_type(ShdType::Clear).fill(fill);
                cell(empty(), width).shading(shade)
            });
            TableRow::new(cells.collect())
                .cant_split()
                .row_height(150.0)
                .height_rule(HeightRule::Exact)
        })
        .collect();
    let labels = labels.iter().map(|label| {
        let text = Paragraph::new().add_run(run(label, 13)).align(AlignmentType::Center);
        cell(text, width)
    });
    rows.push(TableRow::new(labels.collect()).cant_split());
    Table::new(rows)
        .set_grid(vec![width; values.len()])
        .layout(TableLayoutType::Fixed)
        .width(width * values.len(), WidthType::Dxa)
        .align(TableAlignmentType::Center)
        .margins(TableCellMargins::new().margin(0, 0, 0, 0))
        .set_borders(apart(TableBorderPosition::InsideV, TableBorderPosition::InsideH, 10))
}

fn cell(paragraph: Paragraph, width: usize) -> TableCell {
    TableCell::new()
        .add_paragraph(paragraph)
        .width(width, WidthType::Dxa)
        .vertical_align(VAlignType::Center)
}

fn framed(table: Table, widths: &[usize]) -> Table {
    let line = |position| TableBorder::new(position).color("7F7F7F").size(4);
    let borders = [
        TableBorderPosition::Top,
        TableBorderPosition::Bottom,
        TableBorderPosition::Left,
        TableBorderPosition::Right,
        TableBorderPosition::InsideH,
        TableBorderPosition::InsideV,
    ]
    .into_iter()
    .fold(TableBorders::new(), |borders, position| borders.set(line(position)));
    table
        .set_grid(widths.to_vec())
        .layout(TableLayoutType::Fixed)
        .width(WIDTH, WidthType::Dxa)
        .align(TableAlignmentType::Center)
        .set_borders(borders)
}
