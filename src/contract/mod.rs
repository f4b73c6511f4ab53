//! The contract with clients in machine-readable form: the OpenAPI and the AsyncAPI document.
//!
//! Each struct in this module describes one frame, command or answer. The macros of the library utoipa turn a
//! struct into a JSON schema, and the struct's comments into the schema's descriptions. Nobody creates values
//! of these structs: the server writes most JSON by hand, because that is faster. Tests compare the schemas
//! with the JSON that the server writes.
//!
//! To describe a new route, add its answer to `answers.rs` and its path to `openapi.rs`.

pub mod answers;
mod asyncapi;
pub mod commands;
pub mod frames;
mod openapi;
mod schemas;
pub mod values;

pub use asyncapi::asyncapi;
pub use openapi::openapi;
pub use schemas::Schemas;
