//! What the collections promise, seen from outside: values, bulk calls, names, events, copies, and what
//! closing and falling behind do.

mod bulk;
mod group;
mod kinds;
mod lives;
mod values;
