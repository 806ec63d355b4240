//! Sign-in through an OpenID Connect provider that runs beside the server, and through nobody else.

#[cfg(test)]
mod oidc;
#[cfg(test)]
mod provider;
