//! The bulletin as a Word document (docx), A4, laid out like the papers of a Chinese office.

use std::io::Cursor;

use docx_rs::{
    AlignmentType, Docx, Footer, LineSpacing, PageMargin, PageNum, Paragraph, ParagraphBorder,
    ParagraphBorderPosition, ParagraphBorders, Run,
};
use thiserror::Error;

use super::page::{
    Line, RED, bars, body_font, caption, columns, gap, head_run, paragraph, run, section, table,
};
use super::story::{Story, UnitLine};
use crate::statistics::words::per_cent;

/// The document could not be put together.
#[derive(Debug, Error)]
#[error("the document: {0}")]
pub struct DocumentError(String);

/// Writes the document.
///
/// # Errors
/// When it cannot be packed.
pub fn document(story: &Story) -> Result<Vec<u8>, DocumentError> {
    let mut docx = Docx::new()
        .page_size(11_906, 16_838)
        .page_margin(PageMargin::new().top(1_700).bottom(1_500).left(1_550).right(1_550))
        .default_fonts(body_font())
        .default_size(28)
        .footer(page_number());
    docx = heading(docx, story);
    docx = whole(docx, story);
    docx = units(docx, story);
    docx = matters(docx, story);
    docx = places(docx, story);
    docx = docx.add_paragraph(section("五、办理质量"));
    docx = story.quality.iter().fold(docx, |docx, text| docx.add_paragraph(paragraph(text)));
    docx = docx.add_paragraph(section("六、统计说明"));
    docx = (1..).zip(&story.notes).fold(docx, |docx, (number, note)| {
        docx.add_paragraph(paragraph(&format!("{number}．{note}")))
    });
    docx = signature(docx, story);
    let mut bytes = Cursor::new(Vec::new());
    docx.build().pack(&mut bytes).map_err(|error| DocumentError(error.to_string()))?;
    Ok(bytes.into_inner())
}

/// The bureau in red over a red line, the title under it.
fn heading(docx: Docx, story: &Story) -> Docx {
    let red = Paragraph::new()
        .add_run(head_run(&story.bureau, 44).color(RED).bold())
        .align(AlignmentType::Center);
    let line = ParagraphBorder::new(ParagraphBorderPosition::Bottom).color(RED).size(18);
    let line = ParagraphBorders::with_empty().set(line);
    let mut kind = Paragraph::new()
        .add_run(run("12345市民服务热线工作通报", 30).color(RED))
        .align(AlignmentType::Center)
        .line_spacing(LineSpacing::new().after(200));
    kind.property = kind.property.set_borders(line);
    let title = Paragraph::new()
        .add_run(head_run(&format!("{}市民诉求办理情况通报", story.period), 38))
        .align(AlignmentType::Center)
        .line_spacing(LineSpacing::new().before(240).after(240));
    docx.add_paragraph(red).add_paragraph(kind).add_paragraph(title)
}

fn whole(docx: Docx, story: &Story) -> Docx {
    let docx = docx.add_paragraph(section("一、总体情况"));
    let docx = story.summary.iter().fold(docx, |docx, text| docx.add_paragraph(paragraph(text)));
    if story.days.is_empty() {
        return docx;
    }
    let values: Vec<_> = story.days.iter().map(|(_, count)| *count).collect();
    let label = |day: &String| day.get(8..).unwrap_or_default().trim_start_matches('0').to_owned();
    // More than a month of days has no room for labels.
    let labels: Vec<_> = story
        .days
        .iter()
        .map(|(day, _)| if values.len() > 31 { String::new() } else { label(day) })
        .collect();
    let highest = values.iter().max().copied().unwrap_or(0);
    let docx = docx.add_paragraph(caption(&format!("图1　每日受理件数（最高{highest}件）")));
    let docx = if values.len() <= 62 { docx.add_table(columns(&values, &labels)) } else { docx };
    docx.add_paragraph(gap()).add_paragraph(paragraph(&story.on_days))
}

fn units(docx: Docx, story: &Story) -> Docx {
    const HEADS: [&str; 9] = [
        "单位",
        "派遣",
        "按时到达率",
        "待复核",
        "未回传",
        "按时反馈率",
        "退办",
        "办结",
        "按时办结率",
    ];
    const WIDTHS: [usize; 9] = [1_800, 800, 1_060, 820, 820, 1_060, 660, 840, 940];
    let rate =
        |unit: &UnitLine, name| per_cent(unit.counts.rate_of(name).and_then(|rate| rate.share));
    let lines = story.units.iter().map(|unit| {
        let count = |name| unit.counts.of(name).to_string();
        let cells = vec![
            unit.name.clone(),
            count("orders"),
            rate(unit, "arrival_on_time"),
            count("arrival_undecided"),
            count("arrival_silent"),
            rate(unit, "feedback_on_time"),
            count("returned"),
            count("closed"),
            rate(unit, "closing_on_time"),
        ];
        Line { cells, bold: unit.depth == 0, indent: unit.depth }
    });
    let lines: Vec<_> = lines.collect();
    let mut docx = docx
        .add_paragraph(section("二、各单位办理情况"))
        .add_paragraph(caption("表1　各单位办理情况"))
        .add_table(table(&HEADS, &WIDTHS, &lines))
        .add_paragraph(gap());
    let charted: Vec<_> = story
        .units
        .iter()
        .filter_map(|unit| {
            let rate = unit.counts.rate_of("arrival_on_time").filter(|rate| rate.of > 0)?;
            Some((unit.name.clone(), rate.met * 1_000 / rate.of, per_cent(rate.share)))
        })
        .collect();
    if !charted.is_empty() {
        docx = docx
            .add_paragraph(caption("图2　各单位按时到达率（未认定的暂按未按时计算）"))
            .add_table(bars(&charted, 1_000))
            .add_paragraph(gap());
    }
    story.on_units.iter().fold(docx, |docx, text| docx.add_paragraph(paragraph(text)))
}

fn matters(docx: Docx, story: &Story) -> Docx {
    let docx =
        docx.add_paragraph(section("三、诉求构成")).add_paragraph(paragraph(&story.on_matters));
    let most = story.matters.first().map_or(0, |(_, count)| *count);
    let lines: Vec<_> = story
        .matters
        .iter()
        .map(|(name, count)| (name.clone(), *count, format!("{count}件")))
        .collect();
    if lines.is_empty() {
        return docx;
    }
    docx.add_paragraph(caption("图3　各类事项受理件数"))
        .add_table(bars(&lines, most))
        .add_paragraph(gap())
}

fn places(docx: Docx, story: &Story) -> Docx {
    let docx = docx.add_paragraph(section("四、诉求集中区域"));
    if story.places.is_empty() {
        return docx.add_paragraph(paragraph("本期受理事项未登记地点。"));
    }
    let lines = (1..).zip(&story.places).map(|(rank, (area, count, share))| {
        let cells = vec![format!("{rank}　{area}"), count.to_string(), share.clone()];
        Line { cells, bold: false, indent: 0 }
    });
    let lines: Vec<_> = lines.collect();
    docx.add_paragraph(caption("表2　诉求最集中的区域（WGS-84坐标，约1公里见方）"))
        .add_table(table(&["区域", "受理件数", "占比"], &[5_600, 1_600, 1_600], &lines))
        .add_paragraph(gap())
}

fn signature(docx: Docx, story: &Story) -> Docx {
    let right = |text: &str| {
        Paragraph::new().add_run(run(text, 28)).align(AlignmentType::Right).keep_lines(true)
    };
    docx.add_paragraph(gap())
        .add_paragraph(gap())
        .add_paragraph(right(&story.bureau).keep_next(true))
        .add_paragraph(right(&story.dated))
}

fn page_number() -> Footer {
    let number = Paragraph::new()
        .add_run(Run::new().add_text("— ").size(24))
        .add_page_num(PageNum::new())
        .add_run(Run::new().add_text(" —").size(24))
        .align(AlignmentType::Center);
    Footer::new().add_paragraph(number)
}
