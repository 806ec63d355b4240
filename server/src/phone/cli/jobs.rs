//! Finding an order by what a person types.

use onscene_mobile::{Device, WorkItem};
use onscene_sync_core::id::FactId;

use super::PhoneError;

/// Digits of an id that tell it from a number in the list.
const BEGINNING: usize = 4;

/// The order of this number in the list of work, this id, or an id that begins with these four
/// digits or more: a mistyped number must not hit an order by chance.
pub(super) fn find(device: &Device, text: &str) -> Result<FactId, PhoneError> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let work = device.my_work()?;
    match pick(&work.iter().map(|item: &WorkItem| item.order).collect::<Vec<_>>(), text) {
        Ok(order) => Ok(order),
        Err(why) => Err(PhoneError::Usage(why)),
    }
}

fn pick(orders: &[FactId], text: &str) -> Result<FactId, String> {
    let missing = || format!("no order `{text}` on this phone: `onscene phone work` lists them");
    if text.len() < BEGINNING {
        let number = text.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        return number.and_then(|index| orders.get(index)).copied().ok_or_else(missing);
    }
    let mut found = orders.iter().filter(|order| order.to_string().starts_with(text));
    match (found.next(), found.next()) {
        (Some(order), None) => Ok(*order),
        (Some(_), Some(_)) => Err(format!("several orders begin with `{text}`: type more of it")),
        (None, _) => Err(missing()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_found_by_number_or_by_the_beginning_of_its_id() {
        let orders = [[0xab, 0xcd, 0x10], [0xab, 0xcd, 0x20], [0x70, 0x30, 0]].map(|begins| {
            let mut id = [0; 16];
            id[..3].copy_from_slice(&begins);
            FactId::from_bytes(id)
        });
        assert_eq!(pick(&orders, "2"), Ok(orders[1]));
        assert_eq!(pick(&orders, "abcd1"), Ok(orders[0]));
        assert_eq!(pick(&orders, "7030"), Ok(orders[2]), "an id of digits only");
        assert!(pick(&orders, "abcd").unwrap_err().contains("several"));
        for wrong in ["0", "4", "7", "abc", "cdef", "-1"] {
            assert!(pick(&orders, wrong).unwrap_err().contains("no order"), "{wrong}");
        }
    }
}
