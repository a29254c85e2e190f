//! Which build of a program this machine runs.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use crate::Error;

/// Operating system and C library, as npm platform packages name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Os {
    /// Linux with glibc: `linux`.
    Linux,
    /// Linux with musl: `linuxmusl`.
    LinuxMusl,
    /// macOS: `darwin`.
    Darwin,
    /// Windows: `win32`.
    Win32,
}

/// Processor, as npm platform packages name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Arch {
    /// x86-64.
    X64,
    /// AArch64.
    Arm64,
}

/// One build of a program, for example `linux-x64`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Platform {
    /// Operating system and C library.
    pub os: Os,
    /// Processor.
    pub arch: Arch,
}

/// Every platform a package exists for, by its name in the package.
const NAMES: [(&str, Platform); 8] = [
    ("linux-x64", Platform { os: Os::Linux, arch: Arch::X64 }),
    ("linux-arm64", Platform { os: Os::Linux, arch: Arch::Arm64 }),
    ("linuxmusl-x64", Platform { os: Os::LinuxMusl, arch: Arch::X64 }),
    ("linuxmusl-arm64", Platform { os: Os::LinuxMusl, arch: Arch::Arm64 }),
    ("darwin-x64", Platform { os: Os::Darwin, arch: Arch::X64 }),
    ("darwin-arm64", Platform { os: Os::Darwin, arch: Arch::Arm64 }),
    ("win32-x64", Platform { os: Os::Win32, arch: Arch::X64 }),
    ("win32-arm64", Platform { os: Os::Win32, arch: Arch::Arm64 }),
];

impl Platform {
    /// The platform of the running machine.
    ///
    /// On Linux the C library is read off the dynamic loaders below `/`, because a statically linked host says nothing
    /// about what the machine can run.
    ///
    /// # Errors
    /// [`Error::UnsupportedPlatform`] where no package exists.
    pub fn current() -> Result<Self, Error> {
        Self::of(std::env::consts::OS, std::env::consts::ARCH, Path::new("/"))
    }

    fn of(os: &str, arch: &str, root: &Path) -> Result<Self, Error> {
        let unsupported = || Error::UnsupportedPlatform { os: os.to_owned(), arch: arch.to_owned() };
        let arch = match arch {
            "x86_64" => Arch::X64,
            "aarch64" => Arch::Arm64,
            _ => return Err(unsupported()),
        };
        let os = match os {
            "linux" => linux_with_libc(root, arch),
            "macos" => Os::Darwin,
            "windows" => Os::Win32,
            _ => return Err(unsupported()),
        };
        Ok(Self { os, arch })
    }

    /// The file name of a program: with `.exe` on Windows.
    pub fn program_file(self, stem: &str) -> String {
        match self.os {
            Os::Win32 => format!("{stem}.exe"),
            _ => stem.to_owned(),
        }
    }

    /// The name npm platform packages end in, for example `linuxmusl-arm64`.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(_, platform)| *platform == self).map_or("unknown", |(name, _)| name)
    }
}

/// glibc wins when both loaders are there: machines with an extra musl loader exist, the reverse is rare.
fn linux_with_libc(root: &Path, arch: Arch) -> Os {
    let (glibc, musl): (&[&str], &str) = match arch {
        Arch::X64 => (&["lib64/ld-linux-x86-64.so.2", "lib/ld-linux-x86-64.so.2"], "lib/ld-musl-x86_64.so.1"),
        Arch::Arm64 => (&["lib/ld-linux-aarch64.so.1", "lib64/ld-linux-aarch64.so.1"], "lib/ld-musl-aarch64.so.1"),
    };
    if !glibc.iter().any(|loader| root.join(loader).exists()) && root.join(musl).exists() {
        Os::LinuxMusl
    } else {
        Os::Linux
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Platform {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        NAMES
            .iter()
            .find(|(name, _)| *name == text)
            .map(|(_, platform)| *platform)
            .ok_or_else(|| Error::UnsupportedPlatform { os: text.to_owned(), arch: String::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for (name, platform) in NAMES {
            assert_eq!(platform.to_string(), name);
            assert_eq!(name.parse::<Platform>().unwrap(), platform);
        }
    }

    #[test]
    fn the_loader_tells_the_c_library() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("lib")).unwrap();
        std::fs::write(root.path().join("lib/ld-musl-x86_64.so.1"), "").unwrap();
        assert_eq!(Platform::of("linux", "x86_64", root.path()).unwrap().name(), "linuxmusl-x64");
        std::fs::write(root.path().join("lib/ld-linux-x86-64.so.2"), "").unwrap();
        assert_eq!(Platform::of("linux", "x86_64", root.path()).unwrap().name(), "linux-x64");
    }

    #[test]
    fn windows_programs_have_a_suffix_and_unknown_machines_are_refused() {
        let windows = Platform::of("windows", "aarch64", Path::new("/")).unwrap();
        assert_eq!((windows.name(), windows.program_file("copilot").as_str()), ("win32-arm64", "copilot.exe"));
        assert!(Platform::of("linux", "riscv64", Path::new("/")).is_err());
        assert!(Platform::of("freebsd", "x86_64", Path::new("/")).is_err());
    }
}
