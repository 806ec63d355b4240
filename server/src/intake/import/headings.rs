//! Which column of a table is what, by its heading in Chinese or English.

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// Number of the case where it comes from.
    Reference,
    /// Class.
    Class,
    /// Channel.
    Channel,
    /// Kind of matter.
    Matter,
    /// What it is about.
    Summary,
    /// Where, in words.
    Place,
    /// When it was raised.
    RaisedAt,
    /// Latitude, degrees.
    Latitude,
    /// Longitude, degrees.
    Longitude,
    /// Datum of both.
    Datum,
    /// Radius of the site, metres.
    Radius,
    /// For the leaders to see.
    Grave,
    /// The complainant's name.
    Name,
    /// The complainant's number.
    Number,
    /// The complainant's address.
    HomeAddress,
}

impl Field {
    /// It says who complained.
    #[must_use]
    pub const fn is_personal(self) -> bool {
        matches!(self, Self::Name | Self::Number | Self::HomeAddress)
    }
}

const HEADINGS: &[(Field, &[&str])] = &[
    (Field::Reference, &["编号", "工单编号", "工单号", "案件编号", "流水号", "reference"]),
    (Field::Class, &["类别", "诉求类别", "诉求类型", "class"]),
    (Field::Channel, &["渠道", "受理渠道", "来源", "诉求来源", "channel"]),
    (Field::Matter, &["事项", "事项类别", "问题类别", "问题类型", "事项分类", "matter", "kind"]),
    (
        Field::Summary,
        &["内容", "诉求内容", "问题描述", "反映内容", "诉求描述", "summary", "description"],
    ),
    (Field::Place, &["地点", "事发地点", "发生地点", "事发地址", "问题地址", "place", "location"]),
    (
        Field::RaisedAt,
        &["时间", "来电时间", "受理时间", "诉求时间", "反映时间", "raised_at", "time"],
    ),
    (Field::Latitude, &["纬度", "lat", "latitude"]),
    (Field::Longitude, &["经度", "lon", "lng", "long", "longitude"]),
    (Field::Datum, &["坐标系", "datum"]),
    (Field::Radius, &["半径", "半径(米)", "radius_m"]),
    (Field::Grave, &["重大", "是否重大", "grave"]),
    (Field::Name, &["姓名", "来电人", "投诉人", "诉求人", "联系人", "name"]),
    (Field::Number, &["电话", "联系电话", "来电号码", "手机", "手机号", "phone"]),
    (Field::HomeAddress, &["联系地址", "住址", "家庭住址", "complainant_address"]),
];

/// Headings that could be the matter's or the complainant's: guessing wrong would give somebody away.
const AMBIGUOUS: [&str; 3] = ["地址", "address", "number"];

/// The columns of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headings {
    /// What each column holds; `None` is not read.
    pub columns: Vec<Option<Field>>,
    /// Headings of the columns that are not read.
    pub unread: Vec<String>,
}

impl Headings {
    /// Reads a line of headings; `None` when it is none: what it is about and of what kind must be
    /// there.
    ///
    /// # Errors
    /// A heading that may mean two things, or two columns of one meaning.
    pub fn read(cells: &[String]) -> Result<Option<Self>, String> {
        let columns: Vec<Option<Field>> = cells.iter().map(|cell| field(cell)).collect();
        let holds = |field: Field| columns.contains(&Some(field));
        if !holds(Field::Matter) || !holds(Field::Summary) {
            return Ok(None);
        }
        if let Some(cell) = cells.iter().find(|cell| AMBIGUOUS.contains(&&normal(cell)[..])) {
            return Err(format!(
                "the column `{cell}` may be where the matter is or where the complainant lives: call \
                 it `事发地址` (place) or `联系地址` (complainant_address)"
            ));
        }
        for (index, field) in columns.iter().enumerate() {
            if field.is_some() && columns[..index].contains(field) {
                return Err(format!(
                    "the column `{}` is there twice, under this or a like name",
                    cells[index]
                ));
            }
        }
        let unread =
            cells.iter().zip(&columns).filter(|(cell, field)| field.is_none() && !cell.is_empty());
        let unread = unread.map(|(cell, _)| cell.clone()).collect();
        Ok(Some(Self { columns, unread }))
    }
}

fn field(cell: &str) -> Option<Field> {
    let cell = normal(cell);
    HEADINGS.iter().find(|(_, names)| names.contains(&&cell[..])).map(|(field, _)| *field)
}

fn normal(cell: &str) -> String {
    let half = |c| match c {
        '（' => '(',
        '）' => ')',
        c => c,
    };
    cell.chars().filter(|c| !c.is_whitespace()).map(half).collect::<String>().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(cells: &[&str]) -> Result<Option<Headings>, String> {
        Headings::read(&cells.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn headings_are_known_in_chinese_and_english() {
        let found = read(&["工单编号", " 问题类型 ", "诉求内容", "联系电话", "半径（米）", "备注"]);
        let found = found.unwrap().unwrap();
        let fields =
            [Field::Reference, Field::Matter, Field::Summary, Field::Number, Field::Radius];
        assert_eq!(found.columns[..5], fields.map(Some));
        assert_eq!((found.columns[5], &found.unread[..]), (None, &["备注".to_owned()][..]));
        assert!(read(&["Matter", "Summary"]).unwrap().is_some());
        assert_eq!(read(&["十一月工单汇总"]), Ok(None));
    }

    #[test]
    fn what_could_give_somebody_away_is_not_guessed() {
        let error = read(&["事项", "内容", "地址"]).unwrap_err();
        assert!(error.contains("`事发地址`") && error.contains("`联系地址`"), "{error}");
        assert!(read(&["事项", "内容", "诉求内容"]).unwrap_err().contains("twice"));
    }
}
