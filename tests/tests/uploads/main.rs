//! Files of evidence by stock tus clients to the real server, over a network that breaks and past a
//! server that is killed.

#[cfg(test)]
mod clients;
#[cfg(test)]
mod phone;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod s3;
