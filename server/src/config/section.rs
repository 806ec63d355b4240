//! The macro that declares a section: struct, defaults and the words of the example at once.

/// A section's words, for the printed example.
pub(super) trait Section {
    /// What the section is about.
    const ABOUT: &'static [&'static str];
    /// Each key and what it means.
    const KEYS: &'static [(&'static str, &'static [&'static str])];
}

macro_rules! section {
    (
        $(#[doc = $about:literal])+
        $name:ident {
            $( $(#[doc = $doc:literal])+ $key:ident : $ty:ty = $default:expr, )+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            $( $(#[doc = $doc])+ pub $key: $ty, )+
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $key: $default, )+ }
            }
        }

        impl Section for $name {
            const ABOUT: &'static [&'static str] = &[$($about),+];
            const KEYS: &'static [(&'static str, &'static [&'static str])] =
                &[$( (stringify!($key), &[$($doc),+]) ),+];
        }
    };
}
pub(super) use section;
