//! A made-up year of a city: 40 units, 14 kinds of matter, places around a centre, busy days and hours.

use onscene_server::cases::project::grams::grams;
use onscene_server::store::{Store, StoreError, Tx, Value, insert_many};
use onscene_sync_core::id::UnitId;
use onscene_sync_core::place::Position;
use onscene_sync_core::time::Millis;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// The end of the year: 2026-11-23 08:00 in Jinan.
pub(crate) const NOW: Millis = Millis(1_795_392_000_000);
const MINUTE: i64 = 60_000;
const YEAR: i64 = 365 * 1_440 * MINUTE;
/// Cases in one transaction.
const BATCH: u32 = 2_000;

/// The city as questions need it.
pub(crate) struct City {
    /// The bureau, then its five districts, then their squads.
    pub(crate) units: Vec<UnitId>,
    pub(crate) orders: u64,
    pub(crate) grams: u64,
}

const MATTERS: [(&str, &str, u32); 14] = [
    ("street_vending", "流动摊贩占道经营堵塞人行道", 24),
    ("noise", "夜间施工噪声扰民居民无法休息", 16),
    ("parking", "机动车违章停放占用盲道", 13),
    ("illegal_building", "楼顶违法建设加盖彩钢房", 9),
    ("litter", "路边垃圾无人清运异味严重", 8),
    ("smoke", "饭店油烟直排熏人", 7),
    ("mud_trucks", "渣土车遗撒泥土路面打滑", 5),
    ("outdoor_advertising", "户外广告牌破损有坠落危险", 4),
    ("dust", "工地扬尘未覆盖", 4),
    ("road_damage", "路面塌陷井盖缺失", 3),
    ("greenery", "树木倒伏压住车辆", 3),
    ("street_lamp", "路灯不亮夜间出行不便", 2),
    ("sewage", "污水外溢流到街面", 1),
    ("other", "其他事项请核实", 1),
];
const ROADS: [&str; 16] = [
    "经十路",
    "泉城路",
    "解放路",
    "历山路",
    "舜耕路",
    "文化东路",
    "工业南路",
    "花园路",
    "二环东路",
    "山大路",
    "千佛山路",
    "大明湖路",
    "济泺路",
    "北园大街",
    "纬二路",
    "和平路",
];

/// One case with all its columns.
struct Made {
    case: [u8; 16],
    values: Vec<Value>,
    order_values: Vec<Value>,
    grams: Vec<i64>,
}

/// Fills the tables.
pub(crate) async fn make(store: &Store, cases: u32) -> City {
    let mut chance = ChaCha8Rng::seed_from_u64(12_345);
    let units = add_units(store, &mut chance).await;
    let mut city = City { units, orders: 0, grams: 0 };
    for first in (0..cases).step_by(BATCH as usize) {
        let batch: Vec<Made> = (first..cases.min(first + BATCH))
            .map(|number| one(&mut chance, number, cases, &city.units))
            .collect();
        city.orders += batch.len() as u64;
        city.grams += batch.iter().map(|made| made.grams.len() as u64).sum::<u64>();
        store
            .with_tx("bench.fill", batch, |tx, batch| Box::pin(put(tx, batch)))
            .await
            .expect("room");
    }
    analyse(store).await;
    city
}

/// What PostgreSQL's own housekeeping and SQLite's `PRAGMA optimize` would have done by then.
async fn analyse(store: &Store) {
    let done = store.with_tx("bench.analyse", (), |tx, ()| {
        Box::pin(async move {
            for table in ["case_row", "dispatch_order"] {
                let sql = sqlx::AssertSqlSafe(format!("ANALYZE {table}"));
                sqlx::query(sql).execute(tx.conn()).await?;
            }
            Ok::<_, StoreError>(())
        })
    });
    done.await.expect("statistics");
}

async fn add_units(store: &Store, chance: &mut ChaCha8Rng) -> Vec<UnitId> {
    let units: Vec<UnitId> = (0..41).map(|_| UnitId::from_bytes(chance.random())).collect();
    let added = store.with_tx("bench.units", units.clone(), |tx, units| {
        Box::pin(async move {
            for (place, unit) in units.iter().enumerate() {
                let parent = match place {
                    0 => None,
                    1..=5 => Some(units[0]),
                    _ => Some(units[1 + place % 5]),
                };
                sqlx::query(
                    "INSERT INTO unit (unit_id, parent, name, created_at) VALUES ($1, $2, $3, 0)",
                )
                .bind(&unit.as_bytes()[..])
                .bind(parent.map(|parent| parent.as_bytes().to_vec()))
                .bind(format!("unit {place}"))
                .execute(tx.conn())
                .await?;
            }
            Ok::<_, StoreError>(())
        })
    });
    added.await.expect("units");
    units
}

const CASE_COLUMNS: [&str; 33] = [
    "case_id",
    "number",
    "phase",
    "unit_id",
    "order_id",
    "inspection",
    "registered_at",
    "ordered_at",
    "due_at",
    "verdict",
    "closed_at",
    "version",
    "view",
    "class",
    "channel",
    "matter",
    "drill",
    "grave",
    "received_at",
    "told_at",
    "closed_on_time",
    "reopened",
    "referral",
    "lat",
    "lon",
    "cell",
    "registration",
    "dispatch",
    "dispatch_due",
    "coordination",
    "coordination_due",
    "telling",
    "telling_due",
];
const ORDER_COLUMNS: [&str; 17] = [
    "order_id",
    "case_id",
    "inspection",
    "unit_id",
    "issued_at",
    "received_at",
    "receipt",
    "ended_at",
    "arrival",
    "arrival_due",
    "arrived_at",
    "feedback",
    "feedback_due",
    "fed_back_at",
    "result",
    "returns",
    "urges",
];

async fn put(tx: &mut Tx, batch: &[Made]) -> Result<(), StoreError> {
    insert_rows(tx, "case_row", &CASE_COLUMNS, batch, |made| &made.values).await?;
    insert_rows(tx, "dispatch_order", &ORDER_COLUMNS, batch, |made| &made.order_values).await?;
    let grams: Vec<(i64, [u8; 16])> =
        batch.iter().flat_map(|made| made.grams.iter().map(|gram| (*gram, made.case))).collect();
    const HEAD: &str = "INSERT INTO case_gram (gram, case_id)";
    insert_many(tx, HEAD, 2, &grams, "ON CONFLICT DO NOTHING", |query, (gram, case)| {
        query.bind(*gram).bind(&case[..])
    })
    .await?;
    Ok(())
}

async fn insert_rows(
    tx: &mut Tx,
    table: &str,
    columns: &[&str],
    batch: &[Made],
    values: impl Fn(&Made) -> &Vec<Value> + Send,
) -> Result<(), StoreError> {
    for chunk in batch.chunks(200) {
        let places = |row: usize| {
            let first = row * columns.len();
            let places: Vec<_> = (1..=columns.len()).map(|n| format!("${}", first + n)).collect();
            format!("({})", places.join(", "))
        };
        let rows: Vec<_> = (0..chunk.len()).map(places).collect();
        let sql =
            format!("INSERT INTO {table} ({}) VALUES {}", columns.join(", "), rows.join(", "));
        let query = sqlx::query(sqlx::AssertSqlSafe(sql));
        let all = chunk.iter().flat_map(&values);
        let query = all.fold(query, |query, value| value.bind(query));
        query.execute(tx.conn()).await?;
    }
    Ok(())
}

/// What a case and its order are made of.
struct Draft {
    case: [u8; 16],
    order: [u8; 16],
    squad: [u8; 16],
    at: i64,
    open: bool,
    phase: &'static str,
    arrival: &'static str,
    late: bool,
}

/// A case of the year; most of those of the last half day are still open.
fn one(chance: &mut ChaCha8Rng, number: u32, cases: u32, units: &[UnitId]) -> Made {
    let step = YEAR / i64::from(cases);
    let at = NOW.0 - YEAR + step * i64::from(number) + chance.random_range(0..step);
    let open = at > NOW.0 - 720 * MINUTE && chance.random_bool(0.7);
    let mut case: [u8; 16] = chance.random();
    case[..6].copy_from_slice(&at.to_be_bytes()[2..]);
    // Some squads have far more to do than others.
    let squad = units[6 + chance.random_range(0..35_usize).min(chance.random_range(0..35))];
    let draft = Draft {
        case,
        order: chance.random(),
        squad: *squad.as_bytes(),
        at,
        open,
        phase: ["ordered", "received", "on_scene", "fed_back"][chance.random_range(0..4)],
        arrival: match chance.random_range(0..100) {
            _ if open => "open",
            0..=91 => "on_time",
            92..=97 => "late",
            _ => "undecided",
        },
        late: chance.random_bool(0.05),
    };
    let (matter, words) = matter(chance);
    let road = ROADS[chance.random_range(0..ROADS.len())];
    let summary = format!("{road}{}号附近{words}，编号{number}", chance.random_range(1..400));
    Made {
        case,
        values: draft.case_values(chance, number, matter, &summary),
        order_values: draft.order_values(chance),
        grams: grams(&summary).into_iter().collect(),
    }
}

fn when(moment: i64, known: bool) -> Value {
    Value::Int(known.then_some(moment))
}

fn place(chance: &mut ChaCha8Rng) -> Option<Position> {
    let mut spread = |wide: f64| (0..4).map(|_| chance.random_range(-wide..wide)).sum::<f64>();
    let (north, east) = (spread(0.05), spread(0.08));
    let place = Position::from_degrees(36.65 + north, 117.05 + east).expect("a place");
    chance.random_bool(0.95).then_some(place)
}

impl Draft {
    /// In the order of [`CASE_COLUMNS`].
    fn case_values(
        &self,
        chance: &mut ChaCha8Rng,
        number: u32,
        matter: &str,
        summary: &str,
    ) -> Vec<Value> {
        let class = ["complaint", "complaint", "complaint", "help"][chance.random_range(0..4)];
        let channels = ["telephone", "telephone", "telephone", "web", "sms"];
        let channel = channels[chance.random_range(0..5)];
        let about = serde_json::json!({
            "class": class, "channel": channel, "matter": matter, "summary": summary,
            "drill": false, "grave": false,
        });
        let verdict = match self.arrival {
            "open" => Value::Text(None),
            "undecided" => "needs_review".into(),
            decided => decided.into(),
        };
        let (at, open) = (self.at, self.open);
        let ordered = at + 3 * MINUTE;
        let place = place(chance);
        vec![
            self.case.into(),
            format!("{number:09}").into(),
            if open { self.phase } else { "closed" }.into(),
            self.squad.into(),
            self.order.into(),
            self.visit(),
            at.into(),
            ordered.into(),
            when(ordered + 62 * MINUTE, open),
            verdict,
            when(at + 600 * MINUTE, !open),
            12.into(),
            about.to_string().into(),
            class.into(),
            channel.into(),
            matter.into(),
            false.into(),
            chance.random_bool(0.01).into(),
            (at - 2 * MINUTE).into(),
            when(at + 500 * MINUTE, !open),
            when(i64::from(!self.late), !open),
            0.into(),
            0.into(),
            Value::Int(place.map(|place| place.lat_e7.into())),
            Value::Int(place.map(|place| place.lon_e7.into())),
            Value::Int(place.map(onscene_server::cases::project::place::cell)),
            if channel == "telephone" { "" } else { "on_time" }.into(),
            "on_time".into(),
            Value::Int(None),
            "".into(),
            Value::Int(None),
            if open { "" } else { self.timely() }.into(),
            when(at + 900 * MINUTE, open && self.phase == "fed_back"),
        ]
    }

    /// In the order of [`ORDER_COLUMNS`].
    fn order_values(&self, chance: &mut ChaCha8Rng) -> Vec<Value> {
        let (at, open) = (self.at, self.open);
        let ordered = at + 3 * MINUTE;
        vec![
            self.order.into(),
            self.case.into(),
            self.visit(),
            self.squad.into(),
            ordered.into(),
            (ordered + 2 * MINUTE).into(),
            "device".into(),
            when(at + 600 * MINUTE, !open),
            self.arrival.into(),
            when(ordered + 62 * MINUTE, open),
            when(ordered + 40 * MINUTE, !open),
            if open { "open" } else { self.timely() }.into(),
            when(ordered + 4_000 * MINUTE, open),
            when(at + 400 * MINUTE, !open),
            if open { "" } else { "stopped" }.into(),
            i64::from(chance.random_bool(0.03)).into(),
            i64::from(chance.random_bool(0.04)).into(),
        ]
    }

    fn visit(&self) -> Value {
        self.case.map(|byte| !byte).into()
    }

    const fn timely(&self) -> &'static str {
        if self.late { "late" } else { "on_time" }
    }
}

fn matter(chance: &mut ChaCha8Rng) -> (&'static str, &'static str) {
    let mut draw = chance.next_u32() % MATTERS.iter().map(|one| one.2).sum::<u32>();
    for (key, words, weight) in MATTERS {
        if draw < weight {
            return (key, words);
        }
        draw -= weight;
    }
    (MATTERS[0].0, MATTERS[0].1)
}
