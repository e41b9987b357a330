//! The page, as it stands in `page/`, inside the binary.

/// A file of the page.
pub(super) struct Asset {
    pub(super) path: &'static str,
    pub(super) content_type: &'static str,
    pub(super) body: &'static [u8],
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

macro_rules! asset {
    ($path:literal, $content_type:ident, $file:literal) => {
        Asset { path: $path, content_type: $content_type, body: include_bytes!(concat!("page/", $file)) }
    };
}

/// All of them.
pub(super) const ASSETS: &[Asset] = &[
    asset!("/", HTML, "index.html"),
    asset!("/demo.css", CSS, "demo.css"),
    asset!("/demo.js", SCRIPT, "demo.js"),
    asset!("/device.html", HTML, "device.html"),
    asset!("/device.css", CSS, "device.css"),
    asset!("/device.js", SCRIPT, "device.js"),
    asset!("/engage.js", SCRIPT, "engage.js"),
    asset!("/icon.svg", SVG, "icon.svg"),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that is not in the table is not served: a page that imports it stays blank.
    #[test]
    fn every_file_of_the_page_is_served() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/demo/page");
        let served: Vec<&str> = ASSETS.iter().map(|asset| if asset.path == "/" { "index.html" } else { &asset.path[1..] }).collect();
        for file in std::fs::read_dir(folder).expect("the page is there") {
            let name = file.expect("it can be read").file_name().into_string().expect("a plain name");
            assert!(served.contains(&name.as_str()), "{name} is not in the table");
        }
    }

    #[test]
    fn nothing_in_the_page_is_inline_or_comes_from_elsewhere() {
        for asset in ASSETS.iter().filter(|asset| asset.content_type == HTML) {
            let text = std::str::from_utf8(asset.body).expect("it is text");
            for banned in ["<style", " style=\"", " onclick=", "<script>", "https://", "//cdn"] {
                assert!(!text.contains(banned), "{}: {banned}", asset.path);
            }
        }
    }
}
