//! What the upload protocol's routes say of themselves.

use onscene_sync_core::evidence::receipt::HEADER;
use schemars::{Schema, json_schema};

use super::tus::{BYTES, CHECKSUM_MISMATCH};
use crate::describe::Operation;

const OFFSET: (&str, &str) = ("Upload-Offset", "How many bytes are there.");
const EXPIRES: (&str, &str) = ("Upload-Expires", "When what is there is given up.");
const RECEIPT: (&str, &str) = (HEADER, "The hub's signed receipt, once the file is whole.");

pub(super) fn versions(operation: &mut Operation<'_>) {
    operation.answers_nothing(204);
    let extensions = ("Tus-Extension", "The extensions.");
    answers(operation, 204, &[("Tus-Version", "The versions."), extensions]);
}

pub(super) fn begins(operation: &mut Operation<'_>) {
    resumable(operation);
    let length = "How many bytes the file has, as its manifest says.";
    operation.takes_header("Upload-Length", true, length, whole_number());
    let metadata =
        "`fact` and, in base64, the id of the manifest fact; further pairs after commas.";
    operation.takes_header("Upload-Metadata", true, metadata, text());
    brings(operation, false);
    operation.answers_nothing(201);
    let location = ("Location", "Where the file goes, for whoever knows it.");
    answers(operation, 201, &[location, OFFSET, EXPIRES, RECEIPT]);
    operation.may_refuse(&[404]);
}

pub(super) fn stands(operation: &mut Operation<'_>) {
    resumable(operation);
    operation.answers_nothing(200);
    let length = ("Upload-Length", "How many bytes the file has.");
    answers(operation, 200, &[OFFSET, length, EXPIRES, RECEIPT]);
    operation.may_refuse(&[409, 422]);
}

pub(super) fn appends(operation: &mut Operation<'_>) {
    resumable(operation);
    let offset = "Where the bytes belong: how many are there.";
    operation.takes_header("Upload-Offset", true, offset, whole_number());
    brings(operation, true);
    operation.answers_nothing(204);
    answers(operation, 204, &[OFFSET, EXPIRES, RECEIPT]);
}

pub(super) fn overrides(operation: &mut Operation<'_>) {
    resumable(operation);
    let methods = json_schema!({ "enum": ["HEAD", "PATCH", "DELETE"] });
    operation.takes_header("X-HTTP-Method-Override", true, "The method.", methods);
    let offset = "As with PATCH.";
    operation.takes_header("Upload-Offset", false, offset, whole_number());
    brings(operation, false);
    operation.answers_nothing(200);
    operation.answers_nothing(204);
    answers(operation, 200, &[OFFSET, EXPIRES, RECEIPT]);
    answers(operation, 204, &[OFFSET, EXPIRES, RECEIPT]);
    operation.may_refuse(&[405]);
}

pub(super) fn ends(operation: &mut Operation<'_>) {
    resumable(operation);
    operation.answers_nothing(204);
}

/// Bytes of the file in the body.
fn brings(operation: &mut Operation<'_>, always: bool) {
    operation.takes_bytes(BYTES);
    if !always {
        operation.body_is_optional();
    }
    let checksum = "`sha256 ` or `sha1 ` and the hash of this body in base64.";
    operation.takes_header("Upload-Checksum", false, checksum, text());
    operation.may_refuse(&[408, 409, 422, 429, CHECKSUM_MISMATCH]);
}

fn resumable(operation: &mut Operation<'_>) {
    let version = json_schema!({ "const": "1.0.0" });
    operation.takes_header("Tus-Resumable", true, "The version of the protocol.", version);
    operation.may_refuse(&[400, 412]);
}

fn answers(operation: &mut Operation<'_>, status: u16, headers: &[(&'static str, &'static str)]) {
    for (name, about) in headers {
        operation.answers_header(status, name, about);
    }
}

fn text() -> Schema {
    json_schema!({ "type": "string" })
}

fn whole_number() -> Schema {
    json_schema!({ "type": "integer", "minimum": 0 })
}
