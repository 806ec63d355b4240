//! onscene-server
