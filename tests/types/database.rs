//! Only a scope runs statements: neither the ports nor the product hand the database out.

use bailiwick_core::{App, Ports, access::services::Services};

fn of_the_ports(ports: &Ports) {
    let _ = &ports.database;
}

fn taken_apart(ports: Ports) {
    let _ = ports.into_parts();
}

fn of_the_product(app: &App) {
    let _ = &app.services;
}

fn main() {}
