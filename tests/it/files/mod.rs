//! Tests of market data files: the recognition of their layout, and the output of `inspect`, `cat` and a
//! replay.

mod inspect_and_cat;
mod layouts;
mod misread;
mod real_files;
mod samples;
