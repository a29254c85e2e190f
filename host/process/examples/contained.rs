//! Runs a program that is held to some directories, to see what it lacks:
//! `contained [--network-none] [--read PATH | --write PATH | --env NAME=VALUE]... DIRECTORY PROGRAM [ARGUMENT]...`

use llm_provider_process::{Child, FileAccess, Grants, NetworkAccess, Running, Spec, file_containment};
use std::error::Error;
use std::io::{Read, Write};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (mut grants, mut variables, mut network) = (Grants::default(), Vec::new(), NetworkAccess::Owners);
    let directory = loop {
        let option = arguments.next().ok_or("no directory")?;
        let mut value = || arguments.next().ok_or("an option without its value");
        match option.as_str() {
            "--network-none" => network = NetworkAccess::None,
            "--read" => grants.readable.push(value()?.into()),
            "--write" => grants.writable.push(value()?.into()),
            "--env" => variables.push(value()?),
            _ => break option,
        }
    };
    let mut stderr = std::io::stderr();
    writeln!(stderr, "containment of files: {:?}", file_containment())?;
    let program = arguments.next().ok_or("no program")?;
    let mut spec = Spec::new(program, directory).network(network).files(FileAccess::Only(grants));
    for variable in &variables {
        let (name, value) = variable.split_once('=').ok_or("a variable without '='")?;
        spec = spec.env(name, value);
    }
    let Running { mut stdin, mut stdout, child, .. } = Child::spawn(arguments.fold(spec, Spec::arg)).await?;
    let (sender, mut input) = tokio::sync::mpsc::channel(1);
    std::thread::spawn(move || {
        let mut buffer = [0; 8192];
        while let Ok(count @ 1..) = std::io::stdin().read(&mut buffer) {
            if sender.blocking_send(buffer.split_at(count).0.to_vec()).is_err() {
                break;
            }
        }
    });
    let write = tokio::spawn(async move {
        while let Some(chunk) = input.recv().await {
            stdin.write_all(&chunk).await?;
        }
        std::io::Result::Ok(()) // dropping it closes the program's input
    });
    let mut buffer = [0; 8192];
    while let count @ 1.. = stdout.read(&mut buffer).await? {
        std::io::stdout().write_all(buffer.split_at(count).0)?;
        std::io::stdout().flush()?;
    }
    write.abort();
    let exit = child.wait().await;
    writeln!(stderr, "{}{exit}", child.stderr_tail())?;
    Ok(())
}
