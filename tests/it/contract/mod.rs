//! Compares the OpenAPI and the AsyncAPI document with what the server does.

mod bad_parameters;
mod documents;
mod frames;
mod schema_check;
mod values;
