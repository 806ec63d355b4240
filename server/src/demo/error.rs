//! Why a demonstration stopped.

use std::io;
use std::path::PathBuf;

use onscene_mobile::DeviceError;
use thiserror::Error;

use crate::app::StartError;
use crate::auth::token::SelfTestFailed;
use crate::phone::folder::FolderError;
use crate::phone::transport::Unanswered;
use crate::store::StoreError;

/// Why a demonstration stopped.
#[derive(Debug, Error)]
pub enum DemoError {
    /// The hub.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The hub's keys.
    #[error(transparent)]
    Keys(#[from] SelfTestFailed),
    /// The hub's database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its address.
    #[error(
        "cannot listen on port {port}: {source}. Stop what uses it; the phones of a demonstration \
         know the hub by this port, so another one needs another --dir"
    )]
    Listen {
        /// The port.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
    /// A phone's library.
    #[error("the phone of {who}: {source}")]
    Phone {
        /// Whose.
        who: &'static str,
        /// What the library said.
        source: DeviceError,
    },
    /// A phone that could not be enrolled.
    #[error("the phone of {0} was not enrolled: {1}")]
    NotEnrolled(&'static str, String),
    /// A phone's folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A request that was not answered.
    #[error(transparent)]
    Unanswered(#[from] Unanswered),
    /// The command centre's HTTP client.
    #[error("the hub did not answer: {0}")]
    Http(#[from] reqwest::Error),
    /// A request that the hub refused.
    #[error("the hub refused {request}: {answer}")]
    Refused {
        /// Method and path.
        request: String,
        /// Its answer.
        answer: String,
    },
    /// An answer in another form than expected.
    #[error("the hub's answer to {request} has no usable `{field}`")]
    Answer {
        /// Method and path.
        request: String,
        /// The missing field.
        field: &'static str,
    },
    /// The folder's memory of earlier runs.
    #[error("{path}: {why}. Choose another --dir, or remove this one to begin anew")]
    Memory {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The account cannot be written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The table at the end.
    #[error("the table does not add up: a record was lost or counted twice")]
    DoesNotAddUp,
}
