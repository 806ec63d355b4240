//! A CSV file as spreadsheets write it: with or without a byte order mark, in UTF-8, UTF-16 or GB18030,
//! parted by commas, semicolons or tabs. Every byte of it belongs to one line, so that what cannot be
//! read can be handed back as it was.

use std::ops::Range;

use encoding_rs::{Encoding, GB18030, UTF_8, UTF_16BE, UTF_16LE};
use onscene_sync_core::limits::{IMPORT_BYTES, IMPORT_ROWS};

/// A file, cut into lines.
#[derive(Debug)]
pub struct Table {
    /// The bytes that the lines lie in; those of the file unless that was UTF-16.
    pub bytes: Vec<u8>,
    /// What the cells are written in.
    encoding: &'static Encoding,
    delimiter: u8,
    /// The lines, oldest first, empty ones left out.
    pub lines: Vec<Line>,
}

/// One line of a table; cells may hold line ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its number in the file, from 1.
    pub number: u64,
    /// Where it lies.
    pub raw: Range<usize>,
    cells: Vec<Vec<u8>>,
}

/// A file that is no table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// Too many bytes.
    #[error("the file has {0} bytes, at most {IMPORT_BYTES} are read at once: split it")]
    TooLarge(usize),
    /// Too many lines.
    #[error("the file has more than {IMPORT_ROWS} lines: split it")]
    TooLong,
    /// It cannot be UTF-16, as its first bytes say.
    #[error("the file begins as UTF-16 and is not: save it as UTF-8")]
    Encoding,
}

impl Table {
    /// Cuts a file into lines.
    ///
    /// # Errors
    /// When it is too large; never for what stands in a line.
    pub fn read(file: Vec<u8>) -> Result<Self, TableError> {
        if file.len() > IMPORT_BYTES {
            return Err(TableError::TooLarge(file.len()));
        }
        let (bytes, encoding, start) = decode(file)?;
        let delimiter = delimiter(&bytes[start..]);
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .from_reader(&bytes[start..]);
        let mut lines: Vec<Line> = Vec::new();
        let mut record = csv::ByteRecord::new();
        // The reader counts lines from where it stood, which may be before a line end or empty lines.
        let (mut counted, mut number) = (start, 1);
        while reader.read_byte_record(&mut record).is_ok_and(|more| more) {
            let Some(position) = record.position() else { break };
            let stood = start + usize::try_from(position.byte()).unwrap_or(usize::MAX);
            let ends = bytes[stood..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
            let begin = stood + ends.count();
            number += bytes[counted..begin].iter().filter(|byte| **byte == b'\n').count() as u64;
            counted = begin;
            if let Some(last) = lines.last_mut() {
                last.raw.end = begin;
            }
            let cells = record.iter().map(<[u8]>::to_vec).collect();
            lines.push(Line { number, raw: begin..bytes.len(), cells });
            if lines.len() > IMPORT_ROWS {
                return Err(TableError::TooLong);
            }
        }
        lines.retain(|line| line.cells.iter().any(|cell| !cell.trim_ascii().is_empty()));
        Ok(Self { bytes, encoding, delimiter, lines })
    }

    /// The name of what the cells are written in.
    #[must_use]
    pub fn encoding(&self) -> &'static str {
        self.encoding.name()
    }

    /// A line's cells, without spaces at their ends.
    ///
    /// # Errors
    /// Which cell is not text.
    pub fn cells(&self, line: &Line) -> Result<Vec<String>, String> {
        if !quotes_are_whole(&self.bytes[line.raw.clone()], self.delimiter) {
            return Err(
                "a quotation mark is not closed, or words follow one that is: close it at \
                        the end of its cell, or double it where it is meant"
                    .into(),
            );
        }
        let text = |(index, cell): (usize, &Vec<u8>)| {
            let text = self.encoding.decode_without_bom_handling_and_without_replacement(cell);
            let text = text.ok_or_else(|| {
                format!("column {} holds bytes that are not {}", index + 1, self.encoding())
            })?;
            Ok(text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}').to_owned())
        };
        line.cells.iter().enumerate().map(text).collect()
    }
}

/// Whether every cell that begins with a quotation mark ends with one. Otherwise the reader takes
/// lines together until the next mark anywhere.
fn quotes_are_whole(raw: &[u8], delimiter: u8) -> bool {
    let ends = |byte: u8| byte == delimiter || matches!(byte, b'\r' | b'\n');
    let (mut quoted, mut begins) = (false, true);
    let mut bytes = raw.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if quoted && byte == b'"' {
            if bytes.next_if_eq(&b'"').is_some() {
                continue;
            }
            quoted = false;
            if bytes.peek().is_some_and(|next| !ends(*next)) {
                return false;
            }
        } else if byte == b'"' && begins {
            quoted = true;
        }
        begins = !quoted && ends(byte);
    }
    !quoted
}

/// The bytes, what they are written in, and where the first line begins.
fn decode(file: Vec<u8>) -> Result<(Vec<u8>, &'static Encoding, usize), TableError> {
    match Encoding::for_bom(&file) {
        Some((encoding, mark)) if encoding == UTF_16LE || encoding == UTF_16BE => {
            let text = encoding.decode_without_bom_handling_and_without_replacement(&file[mark..]);
            let text = text.ok_or(TableError::Encoding)?.into_owned();
            Ok((text.into_bytes(), UTF_8, 0))
        }
        Some((_, mark)) => Ok((file, UTF_8, mark)),
        None if mostly_utf_8(&file) => Ok((file, UTF_8, 0)),
        None => Ok((file, GB18030, 0)),
    }
}

/// One broken line does not make a file GB18030: what most lines with more than ASCII are, counts.
fn mostly_utf_8(file: &[u8]) -> bool {
    let lines = file.split(|byte| *byte == b'\n').filter(|line| !line.is_ascii());
    let (good, bad): (Vec<_>, Vec<_>) = lines.partition(|line| std::str::from_utf8(line).is_ok());
    good.len() >= bad.len()
}

/// Whatever stands most often in the first line.
fn delimiter(bytes: &[u8]) -> u8 {
    let first = bytes.split(|byte| *byte == b'\n').find(|line| !line.trim_ascii().is_empty());
    let first = first.unwrap_or_default();
    let count = |wanted: u8| first.iter().filter(|byte| **byte == wanted).count();
    let best = [b',', b'\t', b';'].into_iter().rev().max_by_key(|wanted| count(*wanted));
    best.unwrap_or(b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(file: &[u8]) -> Vec<Vec<String>> {
        let table = Table::read(file.to_vec()).unwrap();
        table.lines.iter().map(|line| table.cells(line).unwrap()).collect()
    }

    #[test]
    fn every_encoding_that_spreadsheets_write_reads_the_same() {
        let text = "事项,内容\r\n噪声扰民,\"喇叭,太吵\"\r\n";
        let expected = [["事项", "内容"], ["噪声扰民", "喇叭,太吵"]];
        let utf_16: Vec<u8> = "\u{feff}事项\t内容\r\n噪声扰民\t喇叭,太吵\r\n"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        for file in [
            text.as_bytes().to_vec(),
            format!("\u{feff}{text}").into_bytes(),
            GB18030.encode(text).0.into_owned(),
            utf_16,
        ] {
            assert_eq!(cells(&file), expected);
        }
    }

    #[test]
    fn every_byte_of_a_line_can_be_handed_back() {
        let file = "a,b\n1,\"x\ny\"\n\n2,z";
        let table = Table::read(file.as_bytes().to_vec()).unwrap();
        let raw: Vec<_> = table.lines.iter().map(|line| &file[line.raw.clone()]).collect();
        assert_eq!(raw.concat(), file);
        let numbers: Vec<_> = table.lines.iter().map(|line| line.number).collect();
        assert_eq!(numbers, [1, 2, 5]);
    }

    #[test]
    fn broken_bytes_and_open_quotes_are_named_and_spoil_no_other_line() {
        let mut file = "事项,内容\n噪声,好\n噪声,".as_bytes().to_vec();
        file.extend([0xff, 0xfe, b'\n']);
        file.extend("噪声,又好\n噪声,\"没有结束\n".as_bytes());
        let table = Table::read(file).unwrap();
        assert_eq!(table.encoding(), "UTF-8");
        let read: Vec<_> = table.lines.iter().map(|line| table.cells(line).is_ok()).collect();
        assert_eq!(read, [true, true, false, true, false]);
        let why = table.cells(&table.lines[2]).unwrap_err();
        assert_eq!(why, "column 2 holds bytes that are not UTF-8");
        assert!(table.cells(&table.lines[4]).unwrap_err().contains("quotation mark"));
    }

    #[test]
    fn lines_between_two_stray_quotes_are_refused_and_none_is_swallowed() {
        let file = "噪声,\"没有结束\n噪声,\"又好\n噪声,\"他说\"\"好\"\"\"\n";
        let table = Table::read(file.as_bytes().to_vec()).unwrap();
        let raw: Vec<_> = table.lines.iter().map(|line| &file[line.raw.clone()]).collect();
        assert_eq!(raw.concat(), file, "it is handed back whole");
        let first = table.cells(&table.lines[0]).unwrap_err();
        assert!(first.contains("words follow one"), "{first}");
        let last = table.lines.last().unwrap();
        assert_eq!(table.cells(last).unwrap(), ["噪声", "他说\"好\""]);
    }

    proptest::proptest! {
        #[test]
        fn no_file_is_too_strange(file in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            if let Ok(table) = Table::read(file) {
                for line in &table.lines {
                    let _either = table.cells(line);
                    proptest::prop_assert!(line.raw.end <= table.bytes.len());
                }
            }
        }
    }
}
