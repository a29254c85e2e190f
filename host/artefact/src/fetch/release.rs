//! Releases: an archive with the bare program, and a list of sums.

use url::Url;

use super::{Fetcher, Small, shown};
use crate::{Error, Integrity, Os, Request};

/// Address and digest of a release archive.
#[derive(Debug)]
pub(crate) struct Asset {
    pub(crate) archive: Url,
    pub(crate) integrity: Integrity,
    /// Where the way to the list of sums was without TLS, see [`Answer`](super::Answer).
    pub(crate) plain: Option<Url>,
}

/// `<base><version>/`.
pub(crate) fn place(request: &Request) -> Result<Url, Error> {
    let base = request.release_base.as_ref().map_or(request.product.release_base, Url::as_str);
    Url::parse(&format!("{base}{}/", request.version)).map_err(|error| {
        let url = request.release_base.as_ref().map_or_else(|| base.to_owned(), shown);
        Error::Metadata { url, problem: error.to_string() }
    })
}

/// Reads the list of sums and picks the archive of the request's platform.
pub(crate) async fn asset(fetcher: &Fetcher<'_>, place: &Url, request: &Request) -> Result<Asset, Error> {
    if request.platform.os == Os::Win32 {
        // Those are zip files.
        let (product, platform) = (request.product.name, request.platform.name());
        return Err(Error::NoReleaseArchive { product, platform });
    }
    let wrong = |problem: String| Error::Metadata { url: shown(place), problem };
    let name = format!("{}.tar.gz", request.product.package(request.platform));
    let join = |file: &str| place.join(file).map_err(|error| wrong(error.to_string()));
    let Small { body, plain, .. } = fetcher.small(&join(request.product.release_sums)?, "text/plain, */*").await?;
    let sums = String::from_utf8_lossy(&body);
    let integrity = find_sum(&sums, &name).ok_or_else(|| wrong(format!("no sum for {name}")))?;
    Ok(Asset { archive: join(&name)?, integrity, plain })
}

/// Lines of `<hex>  <name>` or `<hex> *<name>`.
fn find_sum(sums: &str, name: &str) -> Option<Integrity> {
    sums.lines().find_map(|line| {
        let (sum, file) = line.trim().split_once(char::is_whitespace)?;
        let file = file.trim_start().trim_start_matches('*').trim_start_matches("./");
        (file == name).then(|| Integrity::from_sha256_hex(sum).ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_both_forms() {
        let hex = "ab".repeat(32);
        let sums = format!("{}  other.tar.gz\n{hex} *x.tar.gz\n{hex}  ./y.tar.gz\nshort  z.tar.gz\n", "00".repeat(32));
        assert_eq!(find_sum(&sums, "x.tar.gz"), Some(Integrity::Sha256([0xab; 32])));
        assert_eq!(find_sum(&sums, "y.tar.gz"), Some(Integrity::Sha256([0xab; 32])));
        assert_eq!(find_sum(&sums, "z.tar.gz"), None);
        assert_eq!(find_sum(&sums, "tar.gz"), None);
    }
}
