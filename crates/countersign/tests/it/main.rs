//! The tests of a whole node, and of the house rules, in one binary.

mod bad_input;
mod crash;
mod first_light;
mod process;
mod routes;
mod sms_gateway;
mod smtp;
mod steps;
mod support;
mod tidy;
mod wire;
