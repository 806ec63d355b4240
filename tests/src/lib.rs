//! onscene-tests
