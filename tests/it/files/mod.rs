//! Files: how they are recognized, and what `inspect`, `cat` and a replay say of them.

mod inspect_and_cat;
mod layouts;
mod real_files;
mod samples;
