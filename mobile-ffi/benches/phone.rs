//! How fast a phone answers with a whole city's work on it: `cargo bench -p onscene-mobile --bench phone
//! [-- --cases 50000 --records 10000]`.
//!
//! A hub in memory orders the unit out to all cases, a phone fetches them and is asked what its screens
//! ask; then records are made that nobody fetches, the app is killed, and its store opened anew. Times
//! are of the library's own calls, its file on the disk of this machine; what one `fdatasync` costs
//! here is measured beside them.

#![expect(clippy::print_stdout, reason = "a benchmark tells what it found")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

#[expect(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    reason = "the library's own tests need more of it"
)]
#[path = "../src/testing/mod.rs"]
mod testing;

use std::fs::File;
use std::hint::black_box;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use onscene_mobile::{
    Applied, Clock, Device, Host, HostError, HttpReply, HttpRequest, Job, KeyStore, OpenConfig,
    Random, Search, SoftwareKeys, Step, UploadBody, UploadRequest, UploadStep, WaitReason,
};
use onscene_sync_core::id::{DocId, FactId};

use testing::{FakeHost, Hub};

/// How often each question is asked.
const TIMES: usize = 40;
/// What complaints are about.
const MATTERS: [&str; 8] = [
    "占道经营影响通行",
    "夜间施工噪声扰民",
    "渣土车遗撒路面",
    "小区内违法建设",
    "露天烧烤油烟",
    "共享单车乱停放",
    "垃圾未及时清运",
    "广告牌破损",
];
const STREETS: [&str; 10] = [
    "经十路",
    "泉城路",
    "山大路",
    "解放路",
    "文化东路",
    "历山路",
    "花园路",
    "工业北路",
    "北园大街",
    "舜耕路",
];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let count = |name: &str, usual: usize| {
        let value = arguments.iter().skip_while(|argument| *argument != name).nth(1);
        value.map_or(usual, |value| value.parse().expect("a number"))
    };
    let (cases, records) = (count("--cases", 50_000), count("--records", 10_000));
    let folder = tempfile::tempdir().expect("a folder");
    let (fake, orders) = fetch(folder.path(), cases);
    println!("{:<44}{:>10}{:>10}{:>10}{:>10}", "figure", "p50 ms", "p95 ms", "max ms", "goal");
    let ms = Duration::from_millis;
    let open = || fake.open(folder.path());
    print("cold open", &timed(5, open), None);
    print("cold open and the whole list", &timed(5, || open().my_work()), None);
    looking(&open(), &orders, ms(50));
    let sync_to_disk = fdatasync(folder.path());
    print("one fdatasync of 512 bytes", &sync_to_disk, None);
    let recorded = record(&mut open(), &orders, records);
    print("a remark recorded", &recorded, None);
    let ratio = middle(&recorded).as_secs_f64() / middle(&sync_to_disk).as_secs_f64();
    println!("  which is {ratio:.1} times the fdatasync that it cannot do without");
    let name = format!("cold open with {records} facts unsent");
    print(&name, &timed(5, || open().counts()), Some(ms(1_000)));
    looking(&open(), &orders, ms(50));
    assert_eq!(open().counts().expect("the store works").saved, records as u64);
}

/// A phone with so many ordered cases of its unit.
fn fetch(folder: &Path, cases: usize) -> (FakeHost, Vec<FactId>) {
    let mut hub = Hub::new();
    hub.page_bytes = 2 << 20;
    let mut orders = Vec::with_capacity(cases);
    for n in 0..cases {
        hub.now += 60_000;
        let id = |kind: u8| {
            let mut id = [kind; 16];
            id[..8].copy_from_slice(&(n as u64).to_be_bytes());
            DocId::from_bytes(id)
        };
        let street = STREETS[n / MATTERS.len() % STREETS.len()];
        let what = format!("{street}{}号{}", n % 997, MATTERS[n % MATTERS.len()]);
        orders.push(hub.order_out((id(1), id(2)), &what));
    }
    let fake = FakeHost::new(1);
    let start = Instant::now();
    let device = fake.enrolled(folder, &mut hub);
    let took = start.elapsed();
    assert_eq!(device.my_work().expect("the store works").len(), cases);
    drop(device);
    let bytes = std::fs::metadata(folder.join("phone.db")).expect("its file").len();
    println!(
        "{cases} cases fetched in {:.1} s, with the hub's part; {} MB",
        took.as_secs_f64(),
        bytes >> 20
    );
    (fake, orders)
}

/// What the screens ask.
fn looking(device: &Device, orders: &[FactId], goal: Duration) {
    let search = |words: &str, undone_only: bool, max: usize| {
        let search = Search { words: words.to_owned(), undone_only, after: None, max };
        device.find_work(&search).expect("the store works").len()
    };
    let list = timed(TIMES, || search("", true, 50));
    print("list: the first 50 that are not done", &list, Some(goal));
    let whole = timed(TIMES, || device.my_work());
    print("all items copied out at once", &whole, None);
    for words in ["噪声", "山大路 油烟", "经十路1", "没有这样的事"] {
        let found = search(words, false, usize::MAX);
        let took = timed(TIMES, || search(words, false, 50));
        print(&format!("search: {words} ({found})"), &took, Some(goal));
    }
    let mut n = 0;
    let case = timed(TIMES, || {
        n = (n + 7_919) % orders.len();
        device.visit(Job::Order(orders[n])).expect("it is here")
    });
    print("a visit's page", &case, Some(goal));
}

/// Makes records that are not sent.
fn record(device: &mut Device, orders: &[FactId], records: usize) -> Vec<Duration> {
    let mut n = 0;
    timed(records, || {
        n += 1;
        let job = Job::Order(orders[n % orders.len().min(records / 5)]);
        device.note(job, "路面已清理,摊主签收告知书").expect("it is saved");
    })
}

fn fdatasync(folder: &Path) -> Vec<Duration> {
    let mut file = File::create(folder.join("appended")).expect("a file");
    timed(200, || {
        file.write_all(&[7; 512]).expect("written");
        file.sync_data().expect("on disk");
    })
}

/// How long each of so many runs took, shortest first.
fn timed<T>(times: usize, mut run: impl FnMut() -> T) -> Vec<Duration> {
    let mut took: Vec<Duration> = std::iter::repeat_with(|| {
        let start = Instant::now();
        black_box(run());
        start.elapsed()
    })
    .take(times)
    .collect();
    took.sort_unstable();
    took
}

/// The time within which this many of a hundred runs ended.
fn within(took: &[Duration], per_cent: usize) -> Duration {
    took[((took.len() - 1) * per_cent).div_ceil(100)]
}

fn middle(took: &[Duration]) -> Duration {
    within(took, 50)
}

fn print(name: &str, took: &[Duration], goal: Option<Duration>) {
    let ms = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1_000.0);
    let [p50, p95, max] = [50, 95, 100].map(|per_cent| within(took, per_cent));
    let met = |goal: Duration| if p95 <= goal { "met" } else { "MISSED" };
    let goal = goal.map_or_else(String::new, |goal| format!("{} {}", ms(goal), met(goal)));
    println!("{name:<44}{:>10}{:>10}{:>10}{goal:>16}", ms(p50), ms(p95), ms(max));
}
