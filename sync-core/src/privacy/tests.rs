use proptest::prelude::*;

use super::*;

fn kinds(text: &str) -> Vec<Kind> {
    scan(text, None).into_iter().map(|place| place.kind).collect()
}

#[test]
fn numbers_of_people_are_found_however_they_are_written() {
    use Kind::{IdentityCard, LandlineNumber, MobileNumber};
    for (text, kind) in [
        ("13812345678", MobileNumber),
        ("请回电13812345678，谢谢", MobileNumber),
        ("１３８１２３４５６７８", MobileNumber),
        ("138 1234 5678", MobileNumber),
        ("138-1234-5678", MobileNumber),
        ("138.1234.5678", MobileNumber),
        ("138　1234　5678", MobileNumber),
        ("1 3 8 1 2 3 4 5 6 7 8", MobileNumber),
        ("138\u{200b}1234\u{200b}5678", MobileNumber),
        ("+86 138 1234 5678", MobileNumber),
        ("008613812345678", MobileNumber),
        ("013812345678", MobileNumber),
        ("一三八一二三四五六七八", MobileNumber),
        ("幺三八 一二三四 五六七八", MobileNumber),
        ("①③⑧①②③④⑤⑥⑦⑧", MobileNumber),
        ("tel13812345678", MobileNumber),
        ("案件12345 13812345678", MobileNumber),
        ("0531-82012345", LandlineNumber),
        ("(0531)82012345", LandlineNumber),
        ("（０５３１）８２０１２３４５", LandlineNumber),
        ("053182012345", LandlineNumber),
        ("010 6552 9988", LandlineNumber),
        ("+86-531-82012345", LandlineNumber),
        ("家里电话：82012345", LandlineNumber),
        ("Tel. 8201-2345", LandlineNumber),
        ("11010519491231002X", IdentityCard),
        ("11010519491231002x", IdentityCard),
        ("110105 19491231 002Ｘ", IdentityCard),
        ("１１０１０５１９４９１２３１００２Ｘ", IdentityCard),
        ("110105491231002", IdentityCard),
    ] {
        assert_eq!(kinds(text), [kind], "{text}");
    }
}

#[test]
fn honest_texts_pass() {
    for text in [
        "",
        "经十路与历山路口东北角有流动摊贩占道经营，约15个摊位。",
        "案件20261123-0004与20261122-0017重复，见20261123-0531 20261123-0532。",
        "车辆鲁A12345、鲁AD12345、鲁A·5K138停在消防通道。",
        "历下区经十路15号院3号楼2单元501室楼下噪音，22:30至06:00。",
        "2026-11-23 08:00至2026-11-24 18:00施工，2026年11月23日13时05分再次投诉。",
        "渣土车3辆，间隔5、10、15、20、25、30米。",
        "坐标117.120015, 36.651200；135.12345678, 48.1234567。",
        "请拨打12345或110、119，客服400-820-8820。",
        "许可证号 JN-2026-000123，编号0198f3a2-7c11-7d52-9e0b-5f2f6c1e4a77。",
        "哈希6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "罚款1,380.00元，面积138.5平方米，共12345678元。",
        "统一社会信用代码91370100MA3C4XYZ12。",
        "第一二三四五六七八九号摊位。",
        "二〇二六年十一月二十三日，三七二十一天内整改。",
        "公交138路、K50路、BRT1号线，邮编250014。",
        "银行卡尾号5678，合同编号2026112300000138。",
        "11010519491231002是一个少一位的编号，110105194912310021校验位不对",
        "The stalls at No. 138, Jingshi Road, block 1234 m of pavement.",
    ] {
        assert_eq!(scan(text, None), [], "{text}");
    }
}

#[test]
fn the_place_is_told_in_characters_and_never_the_value() {
    let places = scan("致电 138-1234-5678 与11010519491231002X。", None);
    let mobile = Place { from: 4, to: 16, kind: Kind::MobileNumber };
    let card = Place { from: 19, to: 36, kind: Kind::IdentityCard };
    assert_eq!(places, [mobile, card]);
}

const WANG: Identity<'_> = Identity {
    name: "王小丫",
    number: "+86 531-8201 2345",
    address: "历下区经十路15号院3号楼2单元501室",
};

#[test]
fn the_complainants_own_words_are_found() {
    use Kind::{ComplainantAddress, ComplainantName, ComplainantNumber};
    for (text, kind) in [
        ("王小丫反映楼下噪音", ComplainantName),
        ("投诉人王 小 丫反映", ComplainantName),
        ("王\u{200b}小丫", ComplainantName),
        ("回复至82012345", ComplainantNumber),
        ("８２０１-２３４５", ComplainantNumber),
        ("住在经十路15号院3号楼2单元501室", ComplainantAddress),
        ("经十路１５号院三号楼２单元５０１", ComplainantAddress),
    ] {
        let places = scan(text, Some(&WANG));
        let found: Vec<_> = places.iter().map(|place| place.kind).collect();
        assert_eq!(found, [kind], "{text}");
    }
    for honest in [
        "王女士反映楼下噪音",
        "历下区经十路路口有摊贩",
        "经十路3号门前，距路口2米，第501次投诉",
        "小丫的店门口占道",
        "尾号2345",
    ] {
        assert_eq!(scan(honest, Some(&WANG)), [], "{honest}");
    }
    assert_eq!(scan("什么都有", Some(&Identity::default())), []);
}

#[test]
fn one_number_in_two_ways_is_one_number() {
    let same =
        ["0531-82012345", "(0531) 8201 2345", "+86 531 8201 2345", "０５３１８２０１２３４５"];
    for number in same {
        assert_eq!(normal_number(number), "053182012345", "{number}");
    }
    for number in ["13812345678", "+8613812345678", "0086 138 1234 5678", "138-1234-5678"] {
        assert_eq!(normal_number(number), "13812345678", "{number}");
    }
    assert_eq!(normal_number("none"), "");
}

fn with_check(first: &str) -> String {
    let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = first.bytes().zip(weights).map(|(d, w)| u32::from(d - b'0') * w).sum();
    format!("{first}{}", char::from(b"10X98765432"[sum as usize % 11]))
}

proptest! {
    #[test]
    fn every_mobile_number_in_any_groups_is_found(
        tail in "[3-9][0-9]{9}", separator in "[ \\-\u{3000}－]{1,2}", cut in 1_usize..10, cut2 in 1_usize..10,
    ) {
        let digits = format!("1{tail}");
        let (low, high) = (cut.min(cut2), cut.max(cut2));
        let grouped = format!("{}{separator}{}{separator}{}", &digits[..low], &digits[low..high], &digits[high..]);
        let day = |text: &str| text.len() == 8 && (text.starts_with("19") || text.starts_with("20"));
        let has_day = [&digits[..low], &digits[low..high], &digits[high..]].into_iter().any(day);
        if !has_day {
            let found = scan(&format!("请联系{grouped}。"), None);
            prop_assert!(found.iter().any(|place| place.kind == Kind::MobileNumber), "{grouped}");
        }
        let found = scan(&format!("请联系{digits}。"), None);
        prop_assert_eq!(found, vec![Place { from: 4, to: 14, kind: Kind::MobileNumber }]);
    }

    #[test]
    fn every_identity_card_is_found_and_one_wrong_digit_makes_it_none(
        month in 1_u32..13, day in 1_u32..29, year in 1900_u32..2026, rest in "[0-9]{3}",
    ) {
        let card = with_check(&format!("370102{year}{month:02}{day:02}{rest}"));
        prop_assert!(scan(&card, None).iter().any(|place| place.kind == Kind::IdentityCard));
        let last = card.chars().last().unwrap();
        let other = if last == '5' { '6' } else { '5' };
        let wrong = format!("{}{other}", &card[..17]);
        prop_assert!(scan(&wrong, None).iter().all(|place| place.kind != Kind::IdentityCard));
    }

    #[test]
    fn no_text_stops_it_and_places_lie_within(text in "\\PC{0,200}", name in "\\PC{0,10}", address in "\\PC{0,40}") {
        let of = Identity { name: &name, number: "13812345678", address: &address };
        let length = text.chars().count();
        for place in scan(&text, Some(&of)) {
            prop_assert!(1 <= place.from && place.from <= place.to && place.to <= length);
        }
    }
}
