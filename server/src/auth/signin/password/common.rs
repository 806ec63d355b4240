//! Passwords of twelve characters and more that many people use: the first that anybody would try.

/// Whether `small` (in small letters) is one of them, or one with figures and marks behind it.
pub(super) fn is_common(small: &str) -> bool {
    let bare = small.trim_end_matches(|c: char| !c.is_alphabetic());
    let whole = |word: &str| COMMON.contains(&word);
    whole(small) || whole(bare) || pairs(bare).is_some_and(whole)
}

/// The half of a text that is twice the same.
fn pairs(text: &str) -> Option<&str> {
    let (first, second) = text.split_at_checked(text.len() / 2)?;
    (first == second).then_some(first)
}

/// In small letters; those with fewer than twelve characters are for what is put behind or doubled.
const COMMON: [&str; 64] = [
    "123456789012",
    "1234567890123",
    "123456789abc",
    "1234567890qwe",
    "123123123123",
    "111111222222",
    "147258369000",
    "987654321000",
    "112233445566",
    "123qwe123qwe",
    "1q2w3e4r5t6y",
    "1qaz2wsx3edc",
    "1qazxsw23edc",
    "qwertyuiop12",
    "qwertyuiop",
    "qwertyuiopasdf",
    "asdfghjkl",
    "asdfghjklzxc",
    "zxcvbnm",
    "qazwsxedcrfv",
    "qwerasdfzxcv",
    "q1w2e3r4t5y6",
    "a1b2c3d4e5f6",
    "abc123abc123",
    "abcd1234abcd",
    "abcd12345678",
    "aa123456aa123456",
    "password",
    "passwort",
    "passw0rd",
    "p@ssword",
    "p@ssw0rd",
    "password1",
    "mypassword",
    "administrator",
    "admin",
    "superadmin",
    "adminadmin",
    "changeme",
    "changemenow",
    "welcome",
    "letmein",
    "letmeinplease",
    "iloveyou",
    "iloveyouforever",
    "trustno1",
    "secret",
    "default",
    "sunshine",
    "princess",
    "football",
    "superman",
    "woaini",
    "woaini1314520",
    "woaini5201314",
    "5201314woaini",
    "5201314520",
    "52013145201314",
    "1314520woaini",
    "nihaonihao",
    "onscene",
    "chengguan",
    "chengguanju",
    "jinan12345",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_ones_are_known_with_figures_behind_them_too() {
        for word in ["password", "password2026!", "woaini520131456", "adminadmin", "jinan12345"] {
            assert!(is_common(word), "{word}");
        }
        for word in ["passwords of mine", "泉城路上的四棵柳树", "correct horse battery", ""]
        {
            assert!(!is_common(word), "{word}");
        }
        assert!(COMMON.iter().all(|word| *word == word.to_lowercase()));
    }
}
