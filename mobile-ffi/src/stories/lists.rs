//! Lists: kept up with every transaction, and searched without opening anything.

use super::everyday::report;
use crate::testing::{FakeHost, Hub};
use crate::{Job, Search, WorkItem};

fn search(words: &str) -> Search {
    Search { words: words.to_owned(), undone_only: false, after: None, max: 100 }
}

#[test]
fn the_list_in_memory_says_what_a_fresh_one_says() {
    let (folder, fake, mut hub) = (tempfile::tempdir().unwrap(), FakeHost::new(1), Hub::new());
    let orders: Vec<_> = (1..=5).map(|number| hub.dispatch(number)).collect();
    let mut device = fake.enrolled(folder.path(), &mut hub);
    assert_eq!(device.my_work().unwrap().len(), 5);
    let same = |device: &mut crate::Device, what: &str| {
        let kept = device.my_work().unwrap();
        device.forget_list();
        assert_eq!(device.my_work().unwrap(), kept, "{what}");
        device.store.write(crate::store::work::rebuild).unwrap();
        device.forget_list();
        assert_eq!(device.my_work().unwrap(), kept, "{what}, from the documents");
    };
    let job = Job::Order(orders[0].0);
    device.accept(orders[0].0).unwrap();
    let item = |device: &crate::Device| {
        device.my_work().unwrap().into_iter().find(|item| item.order == orders[0].0).unwrap()
    };
    assert!(item(&device).accepted);
    same(&mut device, "accepted");
    let outcome = device.outcome(job, report("cleared")).unwrap();
    same(&mut device, "done");
    device.withdraw(outcome, "a slip").unwrap();
    assert!(!item(&device).done);
    device.note(job, "poison").unwrap();
    fake.sync(&mut device, &mut hub);
    same(&mut device, "refused");
    hub.leave(orders[1].1);
    hub.leave(orders[1].2);
    hub.dispatch(6);
    fake.sync(&mut device, &mut hub);
    assert_eq!(device.my_work().unwrap().len(), 5, "one left, one came");
    same(&mut device, "left");
}

#[test]
fn a_search_finds_parts_of_words_page_by_page() {
    let (folder, fake, mut hub) = (tempfile::tempdir().unwrap(), FakeHost::new(1), Hub::new());
    for number in 1..=5 {
        hub.dispatch(number);
    }
    let mut device = fake.enrolled(folder.path(), &mut hub);
    let found = device.find_work(&search("PAVE stalls")).unwrap();
    assert_eq!(found, device.my_work().unwrap());
    assert_eq!(device.find_work(&search("stalls elsewhere")).unwrap(), []);
    let (mut after, mut paged): (_, Vec<WorkItem>) = (None, Vec::new());
    loop {
        let page = Search { after, max: 2, ..search("street") };
        let page = device.find_work(&page).unwrap();
        let Some(last) = page.last() else { break };
        after = Some((last.issued_at, last.order));
        paged.extend(page);
    }
    assert_eq!(paged, found);
    device.outcome(Job::Order(found[0].order), report("cleared")).unwrap();
    let undone = Search { undone_only: true, ..search("") };
    assert_eq!(device.find_work(&undone).unwrap(), device.my_work().unwrap()[1..]);
}
