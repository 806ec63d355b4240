//! Files of evidence: the fact that names one is a [`Manifest`](crate::fact::body::Manifest); its
//! bytes travel in a lane of their own, and the hub answers for them with a [`receipt`].

pub mod receipt;
