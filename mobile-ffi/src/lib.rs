//! onscene-mobile
