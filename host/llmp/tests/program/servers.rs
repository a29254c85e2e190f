//! Servers of tools.

use crate::run::Place;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc;

/// A proxy that reaches nobody, and the first line of each request to it.
fn proxy() -> (SocketAddr, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = listener.local_addr().expect("bound");
    let (teller, heard) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 64 << 10];
            let Ok(size) = stream.read(&mut request) else { continue };
            let text = String::from_utf8_lossy(&request[..size]).into_owned();
            drop(teller.send(text.lines().next().unwrap_or_default().to_owned()));
            drop(stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"));
        }
    });
    (address, heard)
}

#[test]
fn a_service_is_asked_through_the_proxy() {
    let (proxy, heard) = proxy();
    let place = Place::new().asking("http://127.0.0.1:9/v1");
    let network = format!("[network]\nproxy = \"http://{proxy}\"\n");
    place.file("llmp.toml", format!("[mcp.web]\nurl = \"http://tools.invalid/mcp\"\n{network}"));
    let ran = place.run(&["ask", "hi"]);
    ran.refused(2, "the MCP server `web` did not answer as one: ");
    assert_eq!(heard.try_recv().as_deref(), Ok("POST http://tools.invalid/mcp HTTP/1.1"));
    assert!(!ran.stderr.contains("::"), "no names of types: {ran:?}");
}

#[test]
fn a_service_that_is_not_there_is_told_in_one_line() {
    let place = Place::new().asking("http://127.0.0.1:9/v1");
    place.file("llmp.toml", "[mcp.web]\nurl = \"http://127.0.0.1:9/mcp\"\n");
    let ran = place.run(&["ask", "hi"]);
    ran.refused(2, "the MCP server `web` did not answer as one: no connection: ");
    assert!(!ran.stderr.contains("::"), "no names of types: {ran:?}");
}

#[test]
fn a_program_that_is_not_there_is_found_missing_by_asking_and_by_looking() {
    let place = Place::new().asking("http://127.0.0.1:9/v1");
    place.file("llmp.toml", "[mcp.files]\ncommand = \"/nonexistent/server\"\n");
    let missing = "the MCP server `files` cannot be started: /nonexistent/server: ";
    place.run(&["ask", "hi"]).refused(2, missing);
    let ran = place.run(&["doctor"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stdout.contains(&format!("error: {missing}")) && !ran.stdout.contains("ready to answer"), "{ran:?}");
}
