//! The integration tests: one binary, one module for each seam.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod app_templates;
#[path = "../tools/built.rs"]
mod built;
mod cli_verbs;
mod fake_engine;
mod git_templates;
mod haproxy;
mod lab;
mod lab_acts;
mod lab_build;
mod lab_cli;
mod lab_deploy;
mod lab_edit;
mod lab_engines;
mod lab_exec;
mod lab_ledger;
mod lab_logs;
mod lab_past;
mod lab_pipeline;
mod lab_promises;
mod lab_rollback;
mod lab_run_faults;
mod lab_runs;
mod lab_screen;
mod lab_secrets;
mod lab_ssh_doctor;
mod lab_stats;
mod lab_stock;
mod lab_traffic;
mod lab_two;
mod lab_zero;
mod lanes;
mod layers;
mod load;
mod postgres;
mod program;
mod sim;
mod sim_stats;
mod stand;
mod terminal;
