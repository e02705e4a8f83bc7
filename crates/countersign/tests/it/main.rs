//! The tests of a whole node, and of the house rules, in one binary.

mod bad_input;
mod cli_client;
mod crash;
mod dev;
mod first_light;
mod process;
mod request_token;
mod routes;
mod serve;
mod sms_gateway;
mod smtp;
mod steps;
mod submit_token;
mod support;
mod threepid;
mod tidy;
mod wire;
