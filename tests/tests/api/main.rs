//! The API's description against tools that others wrote: a validator reads it, and a fuzzer holds the
//! real server to it.

#[cfg(test)]
mod bureau;
#[cfg(test)]
mod described;
