//! Lists of cases and figures as files: CSV and GeoJSON, page by page as they are sent, and workbooks.
//!
//! | module | holds |
//! |---|---|
//! | [`sheet`] | the columns of a list for people, and what keeps a cell from being a formula |
//! | [`stream`] | CSV and GeoJSON |
//! | [`workbook`] | xlsx, with charts of the figures |

pub mod sheet;
pub mod stream;
pub mod workbook;
