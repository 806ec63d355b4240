//! The API against tools that others wrote: a validator reads its description, a fuzzer holds the real
//! server to it, and stock clients for Open311 report and follow a matter.

#[cfg(test)]
mod bureau;
#[cfg(test)]
mod described;
#[cfg(test)]
mod open311;
#[cfg(test)]
mod programs;
