//! The tests of a whole node, and of the house rules, in one binary.

mod first_light;
mod routes;
mod steps;
mod support;
mod tidy;
mod wire;
