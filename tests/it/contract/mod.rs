//! Compares the OpenAPI and the AsyncAPI document with what the server does.

mod documents;
mod frames;
mod schema_check;
mod values;
